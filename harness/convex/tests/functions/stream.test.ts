import { expect, it } from "vitest";
import { api } from "../../functions/_generated/api.js";
import { DELTAS_PER_READ } from "../../functions/lib/limits.js";
import { describeFunctions, type Caller } from "./support/backend.js";
import {
  answerOf,
  append,
  cancel,
  complete,
  expectRefusal,
  startAttempt,
  streamingMessage,
} from "./support/given.js";

describeFunctions("an answer's stream", (backend) => {
  const view = async (owner: Caller, messageKey: string, after = -1) =>
    (await owner.query(api.messages.stream, { messageKey, after }))!;

  it("has deltas without gaps, and the state of its message", async () => {
    const { key, owner, threadId } = await streamingMessage(backend);
    expect(await append(backend, key, 1, 0, "One", " two")).toEqual({ stop: null, nextSeq: 2 });
    expect(await append(backend, key, 1, 2, " three")).toEqual({ stop: null, nextSeq: 3 });
    expect(await view(owner, key)).toEqual({
      messageKey: key,
      threadId,
      order: 1,
      status: "processing",
      model: "first",
      attempts: [1],
      nextSeq: 3,
      content: null,
      deltas: [
        { seq: 0, turn: 0, attempt: 1, text: "One" },
        { seq: 1, turn: 0, attempt: 1, text: " two" },
        { seq: 2, turn: 0, attempt: 1, text: " three" },
      ],
    });
  });

  it("is read from where a reader stands", async () => {
    const { key, owner } = await streamingMessage(backend);
    await append(backend, key, 1, 0, "a", "b", "c");
    expect((await view(owner, key, 1)).deltas).toMatchObject([{ seq: 2, text: "c" }]);
    expect(await view(owner, key, 2)).toMatchObject({ deltas: [], nextSeq: 3 });
  });

  it("is read in pieces of a bounded size", async () => {
    const { key, owner } = await streamingMessage(backend);
    const texts = Array.from({ length: DELTAS_PER_READ + 10 }, (_, n) => `${n} `);
    await append(backend, key, 1, 0, ...texts);
    const first = await view(owner, key);
    expect(first.deltas).toHaveLength(DELTAS_PER_READ);
    expect(first.nextSeq).toBe(texts.length);
    const rest = await view(owner, key, first.deltas.at(-1)!.seq);
    expect(rest.deltas.map(({ text }) => text)).toEqual(texts.slice(DELTAS_PER_READ));
  });

  it("takes a repeated append once", async () => {
    const { key, owner } = await streamingMessage(backend);
    await append(backend, key, 1, 0, "a", "b");
    expect(await append(backend, key, 1, 0, "a", "b")).toEqual({ stop: null, nextSeq: 2 });
    expect(await append(backend, key, 1, 1, "b")).toEqual({ stop: null, nextSeq: 2 });
    expect((await view(owner, key)).deltas).toHaveLength(2);
  });

  it("takes what is new of an append that brings more the second time", async () => {
    const { key, owner } = await streamingMessage(backend);
    await append(backend, key, 1, 0, "a", "b");
    expect(await append(backend, key, 1, 1, "b", "c")).toEqual({ stop: null, nextSeq: 3 });
    const { deltas } = await view(owner, key);
    expect(deltas.map(({ text }) => text)).toEqual(["a", "b", "c"]);
  });

  it("takes the same append once when it comes twice at once", async () => {
    const { key, owner } = await streamingMessage(backend);
    await Promise.all([1, 2, 3].map(() => append(backend, key, 1, 0, "a", "b")));
    expect((await view(owner, key)).deltas.map(({ seq }) => seq)).toEqual([0, 1]);
  });

  it("takes an append of nothing", async () => {
    const { key } = await streamingMessage(backend);
    expect(await append(backend, key, 1, 0)).toEqual({ stop: null, nextSeq: 0 });
  });

  it("refuses a gap and a position that is none", async () => {
    const { key } = await streamingMessage(backend);
    await append(backend, key, 1, 0, "a");
    await expectRefusal(append(backend, key, 1, 2, "c"), "CONFLICT", "leaves a gap");
    await expectRefusal(append(backend, key, 1, -1, "c"), "INVALID");
    await expectRefusal(append(backend, key, 1, 0.5, "c"), "INVALID");
  });

  it("refuses an append that reaches back into an older attempt", async () => {
    const { key } = await streamingMessage(backend);
    await append(backend, key, 1, 0, "a");
    await startAttempt(backend, key, 0);
    await expectRefusal(append(backend, key, 2, 0, "b"), "CONFLICT");
  });

  it("goes to a new attempt, which takes the turn and the next number", async () => {
    const { key, owner } = await streamingMessage(backend);
    await append(backend, key, 1, 0, "lost");
    expect(await startAttempt(backend, key, 0)).toEqual({ attempt: 2, seq: 1, stop: null });
    await append(backend, key, 2, 1, "kept");
    expect(await view(owner, key)).toMatchObject({
      attempts: [2],
      deltas: [
        { seq: 0, attempt: 1, text: "lost" },
        { seq: 1, attempt: 2, text: "kept" },
      ],
    });
  });

  it("is fenced off for every older attempt, and for none at all", async () => {
    const { key, owner } = await streamingMessage(backend);
    await append(backend, key, 1, 0, "a");
    await startAttempt(backend, key, 0);
    expect(await append(backend, key, 1, 1, "zombie")).toEqual({ stop: "fenced", nextSeq: 1 });
    expect(await append(backend, key, 1, 0, "a")).toEqual({ stop: "fenced", nextSeq: 1 });
    expect(await append(backend, key, 3, 1, "future")).toEqual({ stop: "fenced", nextSeq: 1 });
    expect((await view(owner, key)).deltas).toHaveLength(1);
  });

  it("never gives one attempt to two model calls", async () => {
    const { key } = await streamingMessage(backend);
    const started = await Promise.all([1, 2, 3].map(() => startAttempt(backend, key, 0)));
    expect(started.map(({ attempt }) => attempt).sort()).toEqual([2, 3, 4]);
    expect(await answerOf(backend, key)).toMatchObject({ attempts: [4], lastAttempt: 4 });
  });

  it("drops later turns when an earlier one is tried again", async () => {
    const { key, owner, subject } = await streamingMessage(backend);
    await append(backend, key, 1, 0, "a");
    await startAttempt(backend, key, 1);
    await append(backend, key, 2, 1, "b");
    await startAttempt(backend, key, 0);
    await append(backend, key, 3, 2, "c");
    expect((await view(owner, key)).attempts).toEqual([3]);
    await cancel(backend, key, subject);
    expect((await view(owner, key)).content).toBe("c");
  });

  it("has its turns one after the other", async () => {
    const { key } = await streamingMessage(backend);
    await expectRefusal(startAttempt(backend, key, 2), "CONFLICT");
    await expectRefusal(startAttempt(backend, key, -1), "INVALID");
    expect(await startAttempt(backend, key, 1)).toMatchObject({ attempt: 2 });
  });

  it("shows the whole content once finished, to a late reader too", async () => {
    const { key, owner } = await streamingMessage(backend);
    await append(backend, key, 1, 0, "Do", "ne.");
    await complete(backend, key, "Done.");
    expect(await view(owner, key, 1)).toMatchObject({
      status: "completed",
      model: "second",
      content: "Done.",
      nextSeq: 2,
      deltas: [],
    });
  });
});
