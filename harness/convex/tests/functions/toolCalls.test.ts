import { expect, it } from "vitest";
import { api, internal } from "../../functions/_generated/api.js";
import { CALLS_PER_MESSAGE } from "../../functions/lib/limits.js";
import { describeFunctions } from "./support/backend.js";
import { newCall, type Call } from "./support/calls.js";
import {
  answerOf,
  begunMessage,
  cancel,
  complete,
  expectRefusal,
  fail,
  newThread,
  streamingMessage,
} from "./support/given.js";

const { finish, forMessage, get, record, start } = internal.toolCalls;

describeFunctions("tool calls", (backend) => {
  const recordCalls = (messageKey: string, calls: Call[], turn = 0) =>
    backend.admin.mutation(record, { messageKey, turn, calls });
  const startCall = (callId: string) => backend.admin.mutation(start, { callId });
  const finishCall = (callId: string, status: "succeeded" | "failed" = "succeeded") =>
    backend.admin.mutation(finish, { callId, status, result: '"done"' });
  const statusOf = async (callId: string) => (await backend.admin.query(get, { callId }))?.status;

  /** A message with one planned call. */
  async function planned(more: Partial<Call> = {}) {
    const message = await streamingMessage(backend);
    const call = newCall(more);
    await recordCalls(message.key, [call]);
    return { ...message, callId: call.callId };
  }

  it("are kept as their turn's model asked for them, by turn and index", async () => {
    const { key, owner } = await streamingMessage(backend);
    const [later, first, second] = [newCall(), newCall(), newCall({ index: 1 })];
    await recordCalls(key, [later], 1);
    expect(await recordCalls(key, [second, first])).toEqual({ stop: null });
    expect(await owner.query(api.toolCalls.list, { messageKey: key })).toMatchObject([
      { ...first, turn: 0, status: "planned", messageKey: key },
      { ...second, turn: 0, status: "planned" },
      { ...later, turn: 1, status: "planned" },
    ]);
  });

  it("are read by the worker without an identity", async () => {
    const { key, owner, callId } = await planned();
    const kept = await owner.query(api.toolCalls.list, { messageKey: key });
    const { forMessage } = internal.toolCalls;
    expect(kept).toMatchObject([{ callId }]);
    expect(await backend.admin.query(forMessage, { messageKey: key })).toEqual(kept);
    expect(await backend.admin.query(forMessage, { messageKey: "none" })).toEqual([]);
  });

  it("are the same for the worker and for their user", async () => {
    const { key: messageKey, owner } = await planned();
    const kept = await backend.admin.query(forMessage, { messageKey });
    expect(kept).toHaveLength(1);
    expect(await owner.query(api.toolCalls.list, { messageKey })).toEqual(kept);
    expect(await backend.admin.query(forMessage, { messageKey: "never-begun" })).toEqual([]);
  });

  it("are kept once however often they are recorded", async () => {
    const { key, owner } = await streamingMessage(backend);
    const calls = [newCall(), newCall({ index: 1 })];
    await Promise.all([recordCalls(key, calls), recordCalls(key, calls)]);
    const kept = await owner.query(api.toolCalls.list, { messageKey: key });
    await recordCalls(key, calls);
    expect(kept).toHaveLength(2);
    expect(await owner.query(api.toolCalls.list, { messageKey: key })).toEqual(kept);
  });

  it("are replaced by what a repeated model call plans, unless they began", async () => {
    const { key, owner } = await streamingMessage(backend);
    const [begun, ran, changed, dropped] = [0, 1, 2, 3].map((index) => newCall({ index }));
    await recordCalls(key, [begun!, ran!, changed!, dropped!]);
    await startCall(begun!.callId);
    await startCall(ran!.callId);
    const other = '{"path": "other"}';
    await recordCalls(key, [
      { ...begun!, arguments: other },
      { ...changed!, arguments: other },
    ]);
    expect(await owner.query(api.toolCalls.list, { messageKey: key })).toMatchObject([
      { callId: begun!.callId, arguments: begun!.arguments, status: "running" },
      { callId: ran!.callId, status: "running" },
      { callId: changed!.callId, arguments: other, status: "planned" },
    ]);
  });

  it("are refused under another message's id, and past a message's bound", async () => {
    const { callId } = await planned();
    const { key } = await streamingMessage(backend);
    await expectRefusal(recordCalls(key, [newCall({ callId })]), "CONFLICT");
    const many = Array.from({ length: CALLS_PER_MESSAGE }, (_, index) => newCall({ index }));
    await recordCalls(key, many);
    await expectRefusal(recordCalls(key, [newCall()], 1), "INVALID");
  });

  it("run, end and stay ended", async () => {
    const { callId } = await planned();
    expect(await startCall(callId)).toMatchObject({
      state: "run",
      call: { status: "running", startedAt: expect.any(Number) },
    });
    const ended = await finishCall(callId);
    expect(ended).toMatchObject({ status: "succeeded", result: '"done"' });
    expect(await finishCall(callId, "failed")).toEqual(ended);
    expect(await startCall(callId)).toEqual({ state: "done", call: ended });
  });

  it("with effects are told to run once when two ask at once", async () => {
    const { callId } = await planned({ effect: "write" });
    const states = await Promise.all([1, 2, 3].map(async () => (await startCall(callId)).state));
    expect(states.filter((state) => state === "run")).toHaveLength(1);
    expect(await statusOf(callId)).toBe("unknown");
  });

  it.each(["write", "external"] as const)(
    "with effect %s are unknown after a crash in the middle, and stay so",
    async (effect) => {
      const { callId } = await planned({ effect });
      await startCall(callId);
      const lost = await startCall(callId);
      expect(lost).toMatchObject({ state: "unknown", call: { status: "unknown" } });
      expect(await startCall(callId)).toEqual(lost);
      expect(await finishCall(callId)).toEqual(lost.call);
    },
  );

  it.each([
    ["that only read", { effect: "read" }],
    ["that are idempotent", { effect: "external", idempotent: true }],
  ] as const)("%s run again after a crash in the middle", async (_, more) => {
    const { callId } = await planned(more);
    await startCall(callId);
    expect(await startCall(callId)).toMatchObject({ state: "run", call: { status: "running" } });
    expect(await finishCall(callId)).toMatchObject({ status: "succeeded" });
  });

  it("do not begin once their message is finished", async () => {
    const { callId, key, subject } = await planned({ effect: "write" });
    await cancel(backend, key, subject);
    expect(await startCall(callId)).toMatchObject({ state: "stop" });
    expect(await recordCalls(key, [newCall()])).toEqual({ stop: "cancelled" });
    expect(await statusOf(callId)).toBe("cancelled");
  });

  it.each([
    ["completes", complete],
    ["fails", fail],
  ])("that never began are cancelled when their message %s", async (_, end) => {
    const { callId, key } = await planned();
    await end(backend, key);
    expect(await statusOf(callId)).toBe("cancelled");
  });

  it("are left open by no race of a cancel with their record and start", async () => {
    const { key, owner, subject } = await streamingMessage(backend);
    const calls = [newCall(), newCall({ index: 1 })];
    await recordCalls(key, calls.slice(0, 1));
    const [, , started] = await Promise.all([
      recordCalls(key, calls),
      cancel(backend, key, subject),
      startCall(calls[0]!.callId),
    ]);
    const kept = await owner.query(api.toolCalls.list, { messageKey: key });
    const [first, ...others] = kept.map(({ status }) => status);
    expect(first).toBe(started.state === "run" ? "running" : "cancelled");
    expect(others.every((status) => status === "cancelled")).toBe(true);
  });

  it("that run at a cancel still say how they ended", async () => {
    const { callId, key, subject } = await planned({ effect: "write" });
    await startCall(callId);
    await cancel(backend, key, subject);
    expect(await startCall(callId)).toMatchObject({ state: "stop", call: { status: "running" } });
    expect(await finishCall(callId)).toMatchObject({ status: "succeeded" });
  });

  it("that nobody saw end are settled with the sweep of their message", async () => {
    const { key, subject } = await streamingMessage(backend);
    const [read, write] = [newCall(), newCall({ index: 1, effect: "write" })];
    await recordCalls(key, [read, write]);
    await startCall(read.callId);
    await startCall(write.callId);
    await cancel(backend, key, subject);
    const { _id: messageId } = await answerOf(backend, key);
    await backend.admin.mutation(internal.worker.sweepDeltas, { messageId });
    expect(await statusOf(read.callId)).toBe("cancelled");
    expect(await statusOf(write.callId)).toBe("unknown");
  });

  it("are none for a message without any, and not found where not recorded", async () => {
    const thread = await newThread(backend);
    const { messageKey } = await begunMessage(backend, thread);
    expect(await thread.owner.query(api.toolCalls.list, { messageKey })).toEqual([]);
    expect(await backend.admin.query(get, { callId: "never-recorded" })).toBeNull();
    await expectRefusal(startCall("never-recorded"), "NOT_FOUND");
    await expectRefusal(finishCall("never-recorded"), "NOT_FOUND");
    await expectRefusal(recordCalls("never-begun", [newCall()]), "NOT_FOUND");
  });
});
