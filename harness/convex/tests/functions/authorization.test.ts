import { describe, expect, it } from "vitest";
import { api, internal } from "../../functions/_generated/api.js";
import { describeFunctions } from "./support/backend.js";
import { newCall } from "./support/calls.js";
import { startEngine } from "./support/engine.js";
import { append, begunMessage, expectRefusal, newSent, newThread } from "./support/given.js";

const FIRST_PAGE = { numItems: 10, cursor: null };

describeFunctions("authorization", (backend) => {
  it("refuses every public function without a token", async () => {
    const { anonymous } = backend;
    const { threadId } = await newThread(backend);
    const messageKey = "any";
    const calls = [
      () => anonymous.mutation(api.users.ensure, {}),
      () => anonymous.query(api.users.me, {}),
      () => anonymous.mutation(api.users.remove, {}),
      () => anonymous.query(api.preferences.list, {}),
      () => anonymous.mutation(api.preferences.set, { key: "tone", value: "brief" }),
      () => anonymous.mutation(api.preferences.remove, { key: "tone" }),
      () => anonymous.mutation(api.threads.create, { title: "A thread" }),
      () => anonymous.query(api.threads.get, { threadId }),
      () => anonymous.query(api.threads.list, { paginationOpts: FIRST_PAGE }),
      () => anonymous.mutation(api.threads.archive, { threadId }),
      () => anonymous.mutation(api.threads.remove, { threadId }),
      () => anonymous.mutation(api.threads.setPermission, { threadId, tool: "ring" }),
      () => anonymous.query(api.messages.list, { threadId, paginationOpts: FIRST_PAGE }),
      () => anonymous.query(api.messages.byKey, { messageKey }),
      () => anonymous.query(api.messages.stream, { messageKey, after: -1 }),
      () => anonymous.query(api.toolCalls.list, { messageKey }),
    ];
    for (const call of calls) await expectRefusal(call(), "UNAUTHENTICATED");
  });

  it("hides another user's message as if there were none", async () => {
    const thread = await newThread(backend);
    const { messageKey, threadId } = await begunMessage(backend, thread);
    const calls = [newCall()];
    await backend.admin.mutation(internal.toolCalls.record, { messageKey, turn: 0, calls });
    expect(await thread.owner.query(api.toolCalls.list, { messageKey })).toHaveLength(1);
    const stranger = (await newThread(backend)).owner;
    expect(await stranger.query(api.messages.byKey, { messageKey })).toBeNull();
    expect(await stranger.query(api.messages.stream, { messageKey, after: -1 })).toBeNull();
    expect(await stranger.query(api.toolCalls.list, { messageKey })).toEqual([]);
    await expectRefusal(
      stranger.query(api.messages.list, { threadId, paginationOpts: FIRST_PAGE }),
      "NOT_FOUND",
    );
  });

  it("begins and cancels for a thread's own user only", async () => {
    const thread = await newThread(backend);
    const stranger = await newThread(backend);
    const sent = newSent(thread);
    await expectRefusal(
      backend.admin.mutation(internal.worker.begin, { ...sent, subject: stranger.subject }),
      "NOT_FOUND",
    );
    await backend.admin.mutation(internal.worker.begin, sent);
    const { messageKey } = sent;
    await expectRefusal(
      backend.admin.mutation(internal.worker.cancel, { messageKey, subject: stranger.subject }),
      "NOT_FOUND",
    );
    expect(await thread.owner.query(api.messages.byKey, { messageKey })).toMatchObject({
      assistant: { status: "processing" },
    });
  });

  it("names the key when the worker asks for a message that is not there", async () => {
    await expectRefusal(append(backend, "never-begun", 1, 0, "text"), "NOT_FOUND");
  });
});

// convex-test calls internal functions for anybody.
describe("authorization on the local engine", () => {
  it("keeps internal functions from users", async () => {
    const backend = await startEngine();
    try {
      const thread = await newThread(backend);
      const sent = newSent(thread);
      await expect(thread.owner.mutation(internal.worker.begin, sent)).rejects.toThrow();
      await expect(backend.anonymous.mutation(internal.worker.begin, sent)).rejects.toThrow();
      const { messageKey } = sent;
      expect(await backend.admin.query(internal.messages.read, { messageKey })).toBeNull();
    } finally {
      await backend.stop();
    }
  });
});
