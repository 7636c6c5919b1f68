import { expect, it } from "vitest";
import { api, internal } from "../../functions/_generated/api.js";
import { SWEEP_BATCH } from "../../functions/lib/limits.js";
import { describeFunctions } from "./support/backend.js";
import {
  answerOf,
  append,
  begunMessage,
  cancel,
  complete,
  expectRefusal,
  fail,
  messagesOf,
  newSent,
  newThread,
  SELECTION,
  startAttempt,
  streamingMessage,
} from "./support/given.js";

const ERROR = { code: "MODEL_DOWN", message: "the model did not answer" };

describeFunctions("the end of a message", (backend) => {
  const { begin, sweepDeltas } = internal.worker;

  it("completes it with all there is to know of the answer", async () => {
    const { key } = await streamingMessage(backend);
    expect(await complete(backend, key, "Done.")).toEqual({
      applied: true,
      status: "completed",
      next: null,
    });
    expect(await answerOf(backend, key)).toMatchObject({
      status: "completed",
      content: "Done.",
      model: "second",
      usage: { promptTokens: 10, completionTokens: 2, cachedTokens: 0 },
      latencyMs: 12.5,
      shown: [{ source: "memory", score: 0.5, text: "a memory" }],
      finishedAt: expect.any(Number),
    });
  });

  it("keeps what the answer was shown, and how its prompt was filled", async () => {
    const { key } = await streamingMessage(backend);
    const shown = [
      {
        source: "message",
        score: 0.75,
        text: "I own a boat.",
        id: "m1",
        threadId: "t1",
        order: 4,
        why: { dense: 0.5, lexical: 0.25 },
      },
      { source: "document", score: 0.5, text: "Boats float.", id: "d1", title: "Boats" },
    ];
    const context = { tokens: { system: 60, memories: 12 }, leftOut: { history: 3 }, budget: 7680 };
    await backend.admin.mutation(internal.worker.complete, {
      messageKey: key,
      content: "Done.",
      model: "second",
      usage: { promptTokens: 72, completionTokens: 2, cachedTokens: 0 },
      latencyMs: 12.5,
      shown,
      context,
    });
    expect(await answerOf(backend, key)).toMatchObject({ shown, context });
  });

  it("keeps which tools the answer's model was offered, where its worker says so", async () => {
    const told = await streamingMessage(backend);
    await complete(backend, told.key, "Done.", SELECTION);
    expect((await answerOf(backend, told.key)).selection).toEqual(SELECTION);
    const untold = await streamingMessage(backend);
    await complete(backend, untold.key, "Done.");
    expect(await answerOf(backend, untold.key)).not.toHaveProperty("selection");
  });

  it("is final, whichever end comes later", async () => {
    const { key, subject } = await streamingMessage(backend);
    await complete(backend, key, "First.");
    const before = await answerOf(backend, key);
    const late = { applied: false, status: "completed", next: null };
    expect(await complete(backend, key, "Second.")).toEqual(late);
    expect(await fail(backend, key)).toEqual(late);
    expect(await cancel(backend, key, subject)).toEqual({ state: "finished", next: null });
    expect(await startAttempt(backend, key, 0)).toMatchObject({ stop: "finished" });
    expect(await append(backend, key, 1, 0, "late")).toMatchObject({ stop: "finished" });
    expect(await answerOf(backend, key)).toEqual(before);
  });

  it("is one of those that race", async () => {
    const { key, subject } = await streamingMessage(backend);
    await append(backend, key, 1, 0, "Part");
    const [completed, cancelled, failed] = await Promise.all([
      complete(backend, key, "Whole."),
      cancel(backend, key, subject),
      fail(backend, key),
    ]);
    const { status, content } = await answerOf(backend, key);
    expect(completed.applied).toBe(status === "completed");
    expect(cancelled.state === "cancelled").toBe(status === "cancelled");
    expect(failed.applied).toBe(status === "failed");
    expect(content).toBe(status === "completed" ? "Whole." : "Part");
  });

  it("has in its content every delta that was accepted, also while it is cancelled", async () => {
    const { key, owner, subject } = await streamingMessage(backend);
    const [first, , second] = await Promise.all([
      append(backend, key, 1, 0, "a", "b"),
      cancel(backend, key, subject),
      append(backend, key, 1, 0, "a", "b"),
    ]);
    const view = await owner.query(api.messages.stream, { messageKey: key, after: -1 });
    expect(view!.content).toBe(view!.deltas.map(({ text }) => text).join(""));
    expect([first.nextSeq, second.nextSeq]).toContain(view!.nextSeq);
    expect(view!.nextSeq).toBe(view!.deltas.length);
  });

  it("keeps the winning text of a failure and says why", async () => {
    const { key, owner } = await streamingMessage(backend);
    await append(backend, key, 1, 0, "lost");
    await startAttempt(backend, key, 0);
    await append(backend, key, 2, 1, "So ", "far");
    expect(await fail(backend, key)).toEqual({ applied: true, status: "failed", next: null });
    const messageKey = key;
    expect(await owner.query(api.messages.stream, { messageKey, after: 2 })).toMatchObject({
      status: "failed",
      content: "So far",
      error: ERROR,
    });
  });

  it("joins the winning text of every turn at a cancel", async () => {
    const { key, subject } = await streamingMessage(backend);
    await append(backend, key, 1, 0, "One.");
    await startAttempt(backend, key, 1);
    await append(backend, key, 2, 1, "lost");
    await startAttempt(backend, key, 1);
    await append(backend, key, 3, 2, " Two", ".");
    expect(await cancel(backend, key, subject)).toEqual({ state: "cancelled", next: null });
    expect(await answerOf(backend, key)).toMatchObject({
      status: "cancelled",
      content: "One. Two.",
    });
  });

  it("stops a stream within one append of the cancel, also for a zombie", async () => {
    const { key, subject } = await streamingMessage(backend);
    await append(backend, key, 1, 0, "a");
    await startAttempt(backend, key, 0);
    await cancel(backend, key, subject);
    const stopped = { stop: "cancelled", nextSeq: 1 };
    expect(await append(backend, key, 2, 1, "b")).toEqual(stopped);
    expect(await append(backend, key, 1, 1, "b")).toEqual(stopped);
    expect(await startAttempt(backend, key, 0)).toEqual({ attempt: 2, seq: 1, stop: "cancelled" });
  });

  it("is cancelled alike however often its user asks", async () => {
    const { key, subject } = await streamingMessage(backend);
    expect(await cancel(backend, key, subject)).toMatchObject({ state: "cancelled" });
    const { finishedAt } = await answerOf(backend, key);
    expect(await cancel(backend, key, subject)).toMatchObject({ state: "cancelled" });
    expect(await answerOf(backend, key)).toMatchObject({ finishedAt });
  });

  it("comes at begin when the cancel came before", async () => {
    const thread = await newThread(backend);
    const sent = newSent(thread);
    const kept = { state: "kept", next: null };
    expect(await cancel(backend, sent.messageKey, thread.subject)).toEqual(kept);
    expect(await cancel(backend, sent.messageKey, thread.subject)).toEqual(kept);
    expect(await backend.admin.mutation(begin, sent)).toMatchObject({
      state: "stop",
      status: "cancelled",
      next: null,
    });
    expect(await messagesOf(thread)).toMatchObject([
      { order: 0, status: "completed", content: sent.text },
      { order: 1, status: "cancelled", content: "", finishedAt: expect.any(Number) },
    ]);
  });

  it("is the same whether a cancel or the begin comes first", async () => {
    const thread = await newThread(backend);
    const sent = newSent(thread);
    await Promise.all([
      backend.admin.mutation(begin, sent),
      cancel(backend, sent.messageKey, thread.subject),
    ]);
    expect(await backend.admin.mutation(begin, sent)).toMatchObject({ state: "stop" });
    expect(await answerOf(backend, sent.messageKey)).toMatchObject({ status: "cancelled" });
  });

  it("is not brought about by a stranger who cancels a key before it begins", async () => {
    const thread = await newThread(backend);
    const sent = newSent(thread);
    const stranger = await newThread(backend);
    await cancel(backend, sent.messageKey, stranger.subject);
    expect(await backend.admin.mutation(begin, sent)).toMatchObject({ state: "go" });
  });

  it("fails a message that never began, and keeps what was sent", async () => {
    const thread = await newThread(backend);
    const sent = newSent(thread);
    await thread.owner.mutation(api.threads.archive, { threadId: thread.threadId });
    const failed = await backend.admin.mutation(internal.worker.fail, { ...sent, error: ERROR });
    expect(failed).toEqual({ applied: true, status: "failed", next: null });
    expect(await messagesOf(thread)).toMatchObject([
      { order: 0, status: "completed", content: sent.text },
      { order: 1, status: "failed", error: ERROR },
    ]);
    expect(await backend.admin.mutation(internal.worker.fail, { ...sent, error: ERROR })).toEqual({
      ...failed,
      applied: false,
    });
  });

  it("cancels rather than fails a message that never began if its user did", async () => {
    const thread = await newThread(backend);
    const sent = newSent(thread);
    await cancel(backend, sent.messageKey, thread.subject);
    expect(
      await backend.admin.mutation(internal.worker.fail, { ...sent, error: ERROR }),
    ).toMatchObject({ applied: false, status: "cancelled" });
  });

  it("of a message that waits leaves the turn where it is", async () => {
    const thread = await newThread(backend);
    const first = await begunMessage(backend, thread);
    const second = await begunMessage(backend, thread);
    expect(await fail(backend, second.messageKey)).toEqual({
      applied: true,
      status: "failed",
      next: first.messageKey,
    });
  });

  it("is refused for a message that nobody sent", async () => {
    await expectRefusal(fail(backend, "never-begun"), "NOT_FOUND");
    await expectRefusal(complete(backend, "never-begun"), "NOT_FOUND");
    const thread = await newThread(backend);
    const nowhere = newSent(thread, { threadId: "no id" });
    await expectRefusal(
      backend.admin.mutation(internal.worker.fail, { ...nowhere, error: ERROR }),
      "NOT_FOUND",
    );
  });

  it("lets the deltas be swept, and the content stay", async () => {
    const { key, owner } = await streamingMessage(backend);
    const texts = Array.from({ length: SWEEP_BATCH + 1 }, () => "x");
    await append(backend, key, 1, 0, ...texts);
    const { _id: messageId } = await answerOf(backend, key);
    await backend.admin.mutation(sweepDeltas, { messageId });
    const view = async () => await owner.query(api.messages.stream, { messageKey: key, after: -1 });
    expect((await view())!.deltas[0]).toMatchObject({ seq: 0 });
    await complete(backend, key, texts.join(""));
    await backend.admin.mutation(sweepDeltas, { messageId });
    await backend.admin.mutation(sweepDeltas, { messageId });
    expect(await view()).toMatchObject({
      deltas: [],
      nextSeq: texts.length,
      content: texts.join(""),
    });
  });
});
