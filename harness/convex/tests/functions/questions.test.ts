import { expect, it } from "vitest";
import { internal } from "../../functions/_generated/api.js";
import { describeFunctions } from "./support/backend.js";
import { newCall } from "./support/calls.js";
import {
  answerOf,
  cancel,
  complete,
  expectRefusal,
  newSent,
  newThread,
  startAttempt,
  streamingMessage,
} from "./support/given.js";

const { awaitUser, finish, get, record, reply, resume, start } = internal.toolCalls;
const LATER = 4_000_000_000_000;

describeFunctions("a question to the user", (backend) => {
  const ask = (callId: string, kind: "approval" | "question" = "approval", expiresAt = LATER) =>
    backend.admin.mutation(awaitUser, { callId, kind, prompt: "May I write?", expiresAt });
  const resumeCall = (callId: string) => backend.admin.mutation(resume, { callId });
  const startCall = (callId: string) => backend.admin.mutation(start, { callId });
  const statusOf = async (messageKey: string) => (await answerOf(backend, messageKey)).status;

  /** A message with calls that write, planned by its first turn. */
  async function asking(count = 1) {
    const message = await streamingMessage(backend);
    const calls = Array.from({ length: count }, (_, index) => newCall({ index, effect: "write" }));
    await backend.admin.mutation(record, { messageKey: message.key, turn: 0, calls });
    const [callId, other] = calls.map((call) => call.callId);
    const answer = (answers: { approved?: boolean; text?: string }, to = callId!) =>
      backend.admin.mutation(reply, {
        messageKey: message.key,
        callId: to,
        subject: message.subject,
        ...answers,
      });
    return { ...message, callId: callId!, other: other!, answer };
  }

  it("holds its message until the answer is taken", async () => {
    const { key, callId, answer } = await asking();
    expect(await ask(callId)).toEqual({ stop: null, reply: null });
    expect(await statusOf(key)).toBe("waiting");
    expect(await answer({ approved: true })).toEqual({ state: "kept" });
    const taken = { approved: true, at: expect.any(Number) };
    expect(await resumeCall(callId)).toEqual({ stop: null, reply: taken });
    expect(await statusOf(key)).toBe("processing");
    expect(await startCall(callId)).toMatchObject({ state: "run" });
  });

  it("shows what is asked and until when, as first asked", async () => {
    const { callId } = await asking();
    await ask(callId);
    await ask(callId, "approval", LATER + 1);
    expect(await backend.admin.query(get, { callId })).toMatchObject({
      status: "waiting",
      question: { kind: "approval", prompt: "May I write?", expiresAt: LATER },
    });
  });

  it("is answered by a reply that came before anybody waited", async () => {
    const { key, callId, answer } = await asking();
    expect(await answer({ approved: true })).toEqual({ state: "kept" });
    expect(await ask(callId)).toMatchObject({ stop: null, reply: { approved: true } });
    expect(await statusOf(key)).toBe("processing");
    expect(await startCall(callId)).toMatchObject({ state: "run" });
  });

  it("meets its answer whichever of the two comes first", async () => {
    const { callId, answer } = await asking();
    const [asked] = await Promise.all([ask(callId), answer({ approved: true })]);
    const resumed = await resumeCall(callId);
    expect(resumed.reply).toMatchObject({ approved: true });
    expect([null, resumed.reply]).toContainEqual(asked.reply);
  });

  it("keeps the first of several answers", async () => {
    const { callId, answer } = await asking();
    await ask(callId);
    const states = await Promise.all([
      answer({ approved: false }),
      answer({ approved: false }),
      answer({ approved: false }),
    ]);
    expect(states.map(({ state }) => state).sort()).toEqual(["already", "already", "kept"]);
    expect(await answer({ approved: true })).toEqual({ state: "already" });
    expect(await resumeCall(callId)).toMatchObject({ reply: { approved: false } });
  });

  it("is asked again when an early reply does not answer it", async () => {
    const { key, callId, answer } = await asking();
    await answer({ text: "maybe" });
    expect(await ask(callId, "approval")).toEqual({ stop: null, reply: null });
    expect(await statusOf(key)).toBe("waiting");
    expect(await answer({ approved: true })).toEqual({ state: "kept" });
  });

  it("takes an answer of its own kind only", async () => {
    const approval = await asking();
    await expectRefusal(approval.answer({}), "INVALID");
    await ask(approval.callId, "approval");
    await expectRefusal(approval.answer({ text: "yes" }), "INVALID");
    const question = await asking();
    await ask(question.callId, "question");
    await expectRefusal(question.answer({ approved: true }), "INVALID");
    expect(await question.answer({ text: "The blue one" })).toEqual({ state: "kept" });
    expect(await resumeCall(question.callId)).toMatchObject({ reply: { text: "The blue one" } });
  });

  it("lets nothing run without an approval", async () => {
    const { callId, answer } = await asking();
    await ask(callId);
    await expectRefusal(startCall(callId), "CONFLICT");
    await answer({ approved: false });
    await expectRefusal(startCall(callId), "CONFLICT");
    const status = "denied" as const;
    await backend.admin.mutation(finish, { callId, status });
    expect(await startCall(callId)).toMatchObject({ state: "done", call: { status } });
  });

  it("takes no approval along to other arguments", async () => {
    const { key, callId, answer } = await asking();
    await answer({ approved: true });
    const changed = newCall({ callId, effect: "write", arguments: '{"path": "secret.md"}' });
    await backend.admin.mutation(record, { messageKey: key, turn: 0, calls: [changed] });
    expect(await ask(callId)).toEqual({ stop: null, reply: null });
  });

  it("expires unanswered, and then takes no reply", async () => {
    const { key, callId, answer } = await asking();
    await ask(callId, "approval", 1);
    expect(await answer({ approved: true })).toEqual({ state: "closed" });
    expect(await resumeCall(callId)).toEqual({ stop: null, reply: null });
    expect(await statusOf(key)).toBe("processing");
    await backend.admin.mutation(finish, { callId, status: "expired" });
    expect(await answer({ approved: true })).toEqual({ state: "closed" });
  });

  it("holds its message as long as another is open", async () => {
    const { key, callId, other, answer } = await asking(2);
    await ask(callId);
    await ask(other);
    await answer({ approved: true });
    await resumeCall(callId);
    expect(await statusOf(key)).toBe("waiting");
    await backend.admin.mutation(finish, { callId: other, status: "expired" });
    expect(await statusOf(key)).toBe("processing");
  });

  it("holds its thread", async () => {
    const { key, callId, ...thread } = await asking();
    await ask(callId);
    expect(await backend.admin.mutation(internal.worker.begin, newSent(thread))).toMatchObject({
      state: "wait",
      next: key,
    });
  });

  it("keeps its message waiting when the run begins again", async () => {
    const thread = await newThread(backend);
    const sent = newSent(thread);
    await backend.admin.mutation(internal.worker.begin, sent);
    await startAttempt(backend, sent.messageKey, 0);
    const call = newCall();
    const { messageKey } = sent;
    await backend.admin.mutation(record, { messageKey, turn: 0, calls: [call] });
    await ask(call.callId);
    expect(await backend.admin.mutation(internal.worker.begin, sent)).toMatchObject({
      state: "go",
      status: "waiting",
    });
  });

  it("ends with its message", async () => {
    const { key, subject, callId, answer } = await asking();
    await ask(callId);
    await cancel(backend, key, subject);
    expect(await answer({ approved: true })).toEqual({ state: "closed" });
    expect(await resumeCall(callId)).toEqual({ stop: "cancelled", reply: null });
    expect(await ask(callId)).toEqual({ stop: "cancelled", reply: null });
    expect(await statusOf(key)).toBe("cancelled");
  });

  it("of a call that runs does not reopen a finished message", async () => {
    const { key, subject } = await streamingMessage(backend);
    const call = newCall();
    const { callId } = call;
    await backend.admin.mutation(record, { messageKey: key, turn: 0, calls: [call] });
    await startCall(callId);
    await cancel(backend, key, subject);
    expect(await ask(callId, "question")).toEqual({ stop: "cancelled", reply: null });
    const late = { messageKey: key, callId, subject, text: "The blue one" };
    expect(await backend.admin.mutation(reply, late)).toEqual({ state: "closed" });
    expect(await statusOf(key)).toBe("cancelled");
  });

  it("does not call a running effect back", async () => {
    const { callId } = await asking();
    await startCall(callId);
    await expectRefusal(ask(callId), "CONFLICT");
    expect(await startCall(callId)).toMatchObject({ state: "unknown" });
  });

  it("is neither asked nor answered of a call that ended", async () => {
    const { key, callId, answer } = await asking();
    await startCall(callId);
    await backend.admin.mutation(finish, { callId, status: "succeeded" });
    expect(await ask(callId)).toEqual({ stop: null, reply: null });
    expect(await answer({ approved: true })).toEqual({ state: "closed" });
    expect(await statusOf(key)).toBe("processing");
    await complete(backend, key);
    expect(await ask(callId)).toEqual({ stop: "finished", reply: null });
  });

  it("is answered by its own user only, under its own message", async () => {
    const { key, subject, callId } = await asking();
    const stranger = await asking();
    const answers = (more: { messageKey: string; subject: string; callId: string }) =>
      backend.admin.mutation(reply, { ...more, approved: true });
    const right = { messageKey: key, subject, callId };
    await expectRefusal(answers({ ...right, subject: stranger.subject }), "NOT_FOUND");
    await expectRefusal(answers({ ...right, messageKey: stranger.key }), "NOT_FOUND");
    await expectRefusal(answers({ ...right, callId: "never-recorded" }), "NOT_FOUND");
    await expectRefusal(answers({ ...right, subject: "nobody" }), "NOT_FOUND");
    expect(await answers(right)).toEqual({ state: "kept" });
  });
});
