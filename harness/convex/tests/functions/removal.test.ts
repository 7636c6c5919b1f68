import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { api, internal } from "../../functions/_generated/api.js";
import type { TableNames } from "../../functions/_generated/dataModel.js";
import { MESSAGES_PER_PURGE, SWEEP_BATCH, THREADS_PER_PURGE } from "../../functions/lib/limits.js";
import { type Backend, describeFunctions } from "./support/backend.js";
import { newCall } from "./support/calls.js";
import { startConvexTest } from "./support/convexTest.js";
import {
  append,
  begunMessage,
  cancel,
  complete,
  expectRefusal,
  fresh,
  newSent,
  newThread,
  type OwnThread,
  streamingMessage,
} from "./support/given.js";

const FIRST_PAGE = { numItems: 10, cursor: null };

async function remove({ owner, threadId }: OwnThread) {
  await owner.mutation(api.threads.remove, { threadId });
}

async function threadOf({ owner, threadId }: OwnThread) {
  return await owner.query(api.threads.get, { threadId });
}

async function expectUnreadable(thread: OwnThread, messageKey: string) {
  const { owner, threadId } = thread;
  expect(await threadOf(thread)).toBeNull();
  const threads = await owner.query(api.threads.list, { paginationOpts: FIRST_PAGE });
  expect(threads.page).toEqual([]);
  expect(await owner.query(api.messages.byKey, { messageKey })).toBeNull();
  expect(await owner.query(api.messages.stream, { messageKey, after: -1 })).toBeNull();
  expect(await owner.query(api.toolCalls.list, { messageKey })).toEqual([]);
  await expectRefusal(
    owner.query(api.messages.list, { threadId, paginationOpts: FIRST_PAGE }),
    "NOT_FOUND",
  );
}

/** Whether the writer of a message that was removed has learnt to stop: its message is cancelled
 *  or, a moment later, gone. */
async function expectStopped(backend: Backend, messageKey: string) {
  try {
    const { stop } = await append(backend, messageKey, 1, 0, "late");
    expect(stop).toBe("cancelled");
  } catch (error) {
    expect(error).toMatchObject({ data: { code: "NOT_FOUND" } });
  }
}

describeFunctions("removing", (backend) => {
  it("a thread makes all of it unreadable at once, and stops its writers", async () => {
    const thread = await streamingMessage(backend);
    const { key: messageKey } = thread;
    const calls = [newCall()];
    await backend.admin.mutation(internal.toolCalls.record, { messageKey, turn: 0, calls });
    await remove(thread);
    await expectUnreadable(thread, messageKey);
    await expectStopped(backend, messageKey);
    await expectRefusal(
      backend.admin.mutation(internal.worker.begin, newSent(thread)),
      "NOT_FOUND",
    );
  });

  it("a thread takes its rows along", async () => {
    const thread = await streamingMessage(backend);
    await remove(thread);
    await vi.waitFor(async () => {
      const args = { messageKey: thread.key };
      expect(await backend.admin.query(internal.messages.read, args)).toBeNull();
    });
  });

  it("a thread is for its own user only", async () => {
    const thread = await newThread(backend);
    const stranger = await newThread(backend);
    await expectRefusal(remove({ ...thread, owner: stranger.owner }), "NOT_FOUND");
    const args = { threadId: thread.threadId, subject: stranger.subject };
    await backend.admin.mutation(internal.threads.removeFor, args);
    expect(await threadOf(thread)).not.toBeNull();
  });

  it("a thread twice is refused to its user, and nothing to the worker", async () => {
    const thread = await newThread(backend);
    const args = { threadId: thread.threadId, subject: thread.subject };
    await backend.admin.mutation(internal.threads.removeFor, args);
    await backend.admin.mutation(internal.threads.removeFor, args);
    await expectRefusal(remove(thread), "NOT_FOUND");
  });

  it("a user makes everything of theirs unreadable at once", async () => {
    const thread = await streamingMessage(backend);
    const { owner, key: messageKey } = thread;
    await owner.mutation(api.preferences.set, { key: "tone", value: "brief" });
    await owner.mutation(api.users.remove, {});
    expect(await owner.query(api.users.me, {})).toBeNull();
    expect(await owner.query(api.preferences.list, {})).toEqual([]);
    await expectUnreadable(thread, messageKey);
    await owner.mutation(api.users.ensure, {}); // who comes back is somebody new
    expect(await owner.query(api.preferences.list, {})).toEqual([]);
    await expectUnreadable(thread, messageKey);
    await expectRefusal(
      backend.admin.mutation(internal.worker.begin, newSent(thread)),
      "NOT_FOUND",
    );
  });

  it("a user again, or one who never was, is no error", async () => {
    const { owner } = await newThread(backend);
    await owner.mutation(api.users.remove, {});
    await owner.mutation(api.users.remove, {});
    const args = { subject: fresh("nobody"), askedAt: Date.now() };
    await backend.admin.mutation(internal.users.removeSubject, args);
  });

  it("a user late leaves alone who has come back since", async () => {
    const asked = Date.now() - 1;
    const thread = await newThread(backend);
    const args = { subject: thread.subject, askedAt: asked };
    await backend.admin.mutation(internal.users.removeSubject, args);
    expect(await threadOf(thread)).not.toBeNull();
    await backend.admin.mutation(internal.users.removeSubject, { ...args, askedAt: Date.now() });
    expect(await threadOf(thread)).toBeNull();
  });

  it("goes through everybody and all of their threads by page", async () => {
    const thread = await newThread(backend);
    const second = await thread.owner.mutation(api.threads.create, { title: "Second" });
    const listed = await backend.admin.query(internal.threads.listFor, {
      subject: thread.subject,
      paginationOpts: FIRST_PAGE,
    });
    expect(listed.page.map((doc) => doc._id).sort()).toEqual([thread.threadId, second].sort());
    const subjects: string[] = [];
    let cursor: string | null = null;
    for (let done = false; !done;) {
      const paginationOpts: { numItems: number; cursor: string | null } = { numItems: 3, cursor };
      const page: { page: { subject: string }[]; isDone: boolean; continueCursor: string } =
        await backend.admin.query(internal.users.list, { paginationOpts });
      subjects.push(...page.page.map((user) => user.subject));
      [done, cursor] = [page.isDone, page.continueCursor];
    }
    expect(subjects).toContain(thread.subject);
    expect(new Set(subjects).size).toBe(subjects.length);
  });
});

// Only convex-test counts rows, and lets a test wait for what is scheduled.
describe("what is left of what was removed", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const OF_A_THREAD: TableNames[] = ["messages", "streamDeltas", "toolCalls", "memoryMarks"];

  /** A thread with more of everything than one batch takes. */
  async function fill(backend: Backend, thread: OwnThread): Promise<void> {
    const { admin } = backend;
    const { threadId } = thread;
    const past = { role: "user" as const, content: "past", sentAt: 1 };
    const messages = Array.from({ length: MESSAGES_PER_PURGE + 1 }, () => past);
    await admin.mutation(internal.messages.importMany, { threadId, messages });
    const { messageKey } = await begunMessage(backend, thread);
    const args = { messageKey, turn: 0, model: "first" };
    await admin.mutation(internal.worker.startAttempt, args);
    const texts = Array.from({ length: SWEEP_BATCH + 1 }, () => "x");
    await append(backend, messageKey, 1, 0, ...texts);
    const calls = [newCall(), newCall({ index: 1 })];
    await admin.mutation(internal.toolCalls.record, { messageKey, turn: 0, calls });
    await complete(backend, messageKey);
    for (const embedder of ["first", "second"]) {
      await admin.mutation(internal.memory.mark, { threadId, embedder, order: 1 });
    }
  }

  it("goes to the last row, and nothing of another thread does", async () => {
    const backend = await startConvexTest();
    const kept = await streamingMessage(backend);
    await append(backend, kept.key, 1, 0, "stays");
    const before = await Promise.all(OF_A_THREAD.map(backend.count));
    const thread = {
      ...kept,
      threadId: await kept.owner.mutation(api.threads.create, { title: "t" }),
    };
    await fill(backend, thread);
    await remove(thread);
    await backend.runScheduled(() => vi.runAllTimers());
    expect(await Promise.all(OF_A_THREAD.map(backend.count))).toEqual(before);
    expect(await backend.count("threads")).toBe(1);
  });

  it("goes with every thread, preference and early cancel of a user", async () => {
    const backend = await startConvexTest();
    const thread = await newThread(backend);
    await fill(backend, thread);
    for (let made = 0; made < 2 * THREADS_PER_PURGE; made += 1) {
      await thread.owner.mutation(api.threads.create, { title: "Another" });
    }
    await thread.owner.mutation(api.preferences.set, { key: "tone", value: "brief" });
    await cancel(backend, fresh("key"), thread.subject);
    await thread.owner.mutation(api.users.remove, {});
    await backend.runScheduled(() => vi.runAllTimers());
    for (const table of [...OF_A_THREAD, "users", "threads", "preferences", "cancellations"]) {
      expect(await backend.count(table as TableNames), table).toBe(0);
    }
  });
});
