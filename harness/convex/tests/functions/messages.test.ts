import { expect, it } from "vitest";
import { api, internal } from "../../functions/_generated/api.js";
import { MESSAGES_PER_IMPORT, PAGE_ITEMS } from "../../functions/lib/limits.js";
import { describeFunctions } from "./support/backend.js";
import {
  answerOf,
  begunMessage,
  complete,
  expectRefusal,
  fail,
  messagesOf,
  newThread,
} from "./support/given.js";

const past = (count: number) =>
  Array.from({ length: count }, (_, n) => ({
    role: n % 2 === 0 ? ("user" as const) : ("assistant" as const),
    speaker: n % 2 === 0 ? "Caroline" : "Melanie",
    content: `message ${n}`,
    sentAt: 1_600_000_000_000 + n,
  }));

describeFunctions("messages", (backend) => {
  const importMany = (threadId: string, count: number) =>
    backend.admin.mutation(internal.messages.importMany, { threadId, messages: past(count) });
  const history = async (threadId: string, beforeOrder: number, limit: number) =>
    await backend.admin.query(internal.messages.history, { threadId, beforeOrder, limit });

  it("are listed newest first, a page at a time", async () => {
    const { threadId, owner } = await newThread(backend);
    await importMany(threadId, 5);
    const page = await owner.query(api.messages.list, {
      threadId,
      paginationOpts: { numItems: 3, cursor: null },
    });
    expect(page.page.map((message) => message.order)).toEqual([4, 3, 2]);
    const rest = await owner.query(api.messages.list, {
      threadId,
      paginationOpts: { numItems: 3, cursor: page.continueCursor },
    });
    expect(rest.page.map((message) => message.order)).toEqual([1, 0]);
    expect(rest.isDone).toBe(true);
  });

  it("come in pages of a bounded size, whatever a client asks for", async () => {
    const { threadId, owner } = await newThread(backend);
    await importMany(threadId, PAGE_ITEMS + 1);
    const paginationOpts = { numItems: 10_000, cursor: null };
    const page = await owner.query(api.messages.list, { threadId, paginationOpts });
    expect(page.page).toHaveLength(PAGE_ITEMS);
    expect(page.isDone).toBe(false);
  });

  it("of another user's or no thread are not found", async () => {
    const { owner } = await newThread(backend);
    const { threadId } = await newThread(backend);
    const paginationOpts = { numItems: 3, cursor: null };
    await expectRefusal(owner.query(api.messages.list, { threadId, paginationOpts }), "NOT_FOUND");
    await expectRefusal(
      owner.query(api.messages.list, { threadId: "no id", paginationOpts }),
      "NOT_FOUND",
    );
  });

  it("are read by key once begun", async () => {
    const thread = await newThread(backend);
    const messageKey = "not-begun";
    expect(await thread.owner.query(api.messages.byKey, { messageKey })).toBeNull();
    expect(await backend.admin.query(internal.messages.read, { messageKey })).toBeNull();
    const sent = await begunMessage(backend, thread);
    const found = await thread.owner.query(api.messages.byKey, { messageKey: sent.messageKey });
    expect(found).toMatchObject({
      user: { role: "user", content: sent.text, order: 0, status: "completed", flow: "background" },
      assistant: { role: "assistant", content: "", order: 1, status: "processing", model: "first" },
    });
    expect(
      await backend.admin.query(internal.messages.read, { messageKey: sent.messageKey }),
    ).toEqual(found);
  });

  it("are imported after those there are, with their times and speakers", async () => {
    const thread = await newThread(backend);
    const sent = await begunMessage(backend, thread);
    const imported = await importMany(thread.threadId, 3);
    expect(imported.map(({ order }) => order)).toEqual([2, 3, 4]);
    const messages = await messagesOf(thread);
    expect(messages.map(({ order }) => order)).toEqual([0, 1, 2, 3, 4]);
    expect(messages.slice(2)).toMatchObject(
      past(3).map((message) => ({ ...message, status: "completed" })),
    );
    expect(messages.slice(2).map(({ _id }) => _id)).toEqual(imported.map(({ id }) => id));
    expect(await answerOf(backend, sent.messageKey)).toMatchObject({ status: "processing" });
  });

  it("give a thread of imports the age of its last message", async () => {
    const { threadId, owner } = await newThread(backend);
    await importMany(threadId, 3);
    expect(await owner.query(api.threads.get, { threadId })).toMatchObject({
      nextOrder: 3,
      lastMessageAt: 1_600_000_000_002,
    });
  });

  it("are imported in calls of a bounded size", async () => {
    const { threadId } = await newThread(backend);
    expect(await importMany(threadId, 0)).toEqual([]);
    expect(await importMany(threadId, MESSAGES_PER_IMPORT)).toHaveLength(MESSAGES_PER_IMPORT);
    await expectRefusal(importMany(threadId, MESSAGES_PER_IMPORT + 1), "INVALID");
    await expectRefusal(importMany("no id", 1), "NOT_FOUND");
  });

  it("of a thread's past are its newest finished ones before an order, oldest first", async () => {
    const thread = await newThread(backend);
    const { threadId } = thread;
    await importMany(threadId, 4);
    const open = await begunMessage(backend, thread);
    const orders = async (beforeOrder: number, limit: number) =>
      (await history(threadId, beforeOrder, limit)).map(({ order }) => order);
    expect(await orders(4, 2)).toEqual([2, 3]);
    expect(await orders(100, 3)).toEqual([2, 3, 4]);
    await complete(backend, open.messageKey);
    expect(await orders(100, 3)).toEqual([3, 4, 5]);
    expect(await orders(100, 0)).toEqual([]);
    expect(await orders(0, 10)).toEqual([]);
    await expectRefusal(history(threadId, 4, -1), "INVALID");
    await expectRefusal(history(threadId, 4, 0.5), "INVALID");
  });

  it("at a thread's head are its newest finished ones, oldest first", async () => {
    const thread = await newThread(backend);
    const { threadId } = thread;
    const head = async (limit: number) =>
      await backend.admin.query(internal.messages.head, { threadId, limit });
    const orders = async (limit: number) => (await head(limit)).map(({ order }) => order);
    expect(await head(3)).toEqual([]);
    await importMany(threadId, 3);
    const open = await begunMessage(backend, thread);
    const failing = await begunMessage(backend, thread);
    expect(await orders(3)).toEqual([2, 3, 5]);
    await complete(backend, open.messageKey);
    await fail(backend, failing.messageKey);
    expect(await orders(4)).toEqual([3, 4, 5, 6]);
    expect(await orders(0)).toEqual([]);
    expect((await head(7))[0]).toEqual({
      _id: expect.any(String),
      threadId,
      ...past(1)[0],
      order: 0,
      status: "completed",
    });
    await expectRefusal(head(-1), "INVALID");
    const unknown = { threadId: "no id", limit: 1 };
    await expectRefusal(backend.admin.query(internal.messages.head, unknown), "NOT_FOUND");
  });

  it("that are still to be answered are read by order", async () => {
    const thread = await newThread(backend);
    const keys = [];
    for (let n = 0; n < 3; n++) keys.push((await begunMessage(backend, thread)).messageKey);
    const unfinished = async () => {
      const { threadId } = thread;
      const open = await backend.admin.query(internal.messages.unfinished, { threadId });
      return open.map((message) => message.messageKey);
    };
    expect(await unfinished()).toEqual(keys);
    await complete(backend, keys[0]!);
    expect(await unfinished()).toEqual(keys.slice(1));
  });
});
