import { expect, it } from "vitest";
import { api, internal } from "../../functions/_generated/api.js";
import { MESSAGES_PER_INDEXING } from "../../functions/lib/limits.js";
import { type Backend, describeFunctions } from "./support/backend.js";
import {
  begunMessage,
  cancel,
  complete,
  expectRefusal,
  fail,
  newThread,
  type OwnThread,
} from "./support/given.js";

const EMBEDDER = "minilm";

async function unindexed(
  { admin }: Backend,
  { threadId }: OwnThread,
  more: { embedder?: string; from?: number; limit?: number } = {},
) {
  const args = { threadId, embedder: EMBEDDER, limit: 100, ...more };
  return await admin.query(internal.memory.unindexed, args);
}

async function mark({ admin }: Backend, { threadId }: OwnThread, order: number) {
  return await admin.mutation(internal.memory.mark, { threadId, embedder: EMBEDDER, order });
}

async function importPast({ admin }: Backend, { threadId }: OwnThread, count: number) {
  const messages = Array.from({ length: count }, (_, index) => ({
    role: "user" as const,
    content: `past ${index}`,
    sentAt: index,
  }));
  await admin.mutation(internal.messages.importMany, { threadId, messages });
}

const contents = (page: Awaited<ReturnType<typeof unindexed>>) =>
  page!.messages.map((message) => message.content);

describeFunctions("what memory misses of a thread", (backend) => {
  it("is everything finished, oldest first, however it came to be", async () => {
    const thread = await newThread(backend);
    await importPast(backend, thread, 1);
    for (const end of [
      (key: string) => complete(backend, key, "an answer"),
      (key: string) => fail(backend, key),
      (key: string) => cancel(backend, key, thread.subject),
    ]) {
      await end((await begunMessage(backend, thread, { text: "asked" })).messageKey);
    }
    const page = await unindexed(backend, thread);
    expect(contents(page)).toEqual(["past 0", "asked", "an answer", "asked", "", "asked", ""]);
    expect(page).toMatchObject({ next: 7, done: true });
  });

  it("ends before the first message that is still to come", async () => {
    const thread = await newThread(backend);
    const { messageKey } = await begunMessage(backend, thread, { text: "asked" });
    await importPast(backend, thread, 1);
    expect(await unindexed(backend, thread)).toMatchObject({ next: 1, done: true });
    await complete(backend, messageKey, "an answer");
    expect(contents(await unindexed(backend, thread))).toEqual(["asked", "an answer", "past 0"]);
  });

  it("comes in bounded batches", async () => {
    const thread = await newThread(backend);
    await importPast(backend, thread, MESSAGES_PER_INDEXING + 1);
    const first = await unindexed(backend, thread, { limit: 1_000_000 });
    expect(first).toMatchObject({ next: MESSAGES_PER_INDEXING, done: false });
    const last = await unindexed(backend, thread, { from: first!.next });
    expect(last).toMatchObject({ next: MESSAGES_PER_INDEXING + 1, done: true });
    expect(last!.messages).toHaveLength(1);
  });

  it("is told from the mark on, which never goes back", async () => {
    const thread = await newThread(backend);
    await importPast(backend, thread, 3);
    expect(await mark(backend, thread, 2)).toBe(true);
    expect(await mark(backend, thread, 1)).toBe(true);
    expect(contents(await unindexed(backend, thread))).toEqual(["past 2"]);
    expect(contents(await unindexed(backend, thread, { from: 0 }))).toHaveLength(3);
  });

  it("is everything for another embedder", async () => {
    const thread = await newThread(backend);
    await importPast(backend, thread, 2);
    await mark(backend, thread, 2);
    expect(contents(await unindexed(backend, thread))).toEqual([]);
    expect(contents(await unindexed(backend, thread, { embedder: "other" }))).toHaveLength(2);
  });

  it("is null, and a mark refused, once the thread or its user is removed", async () => {
    const thread = await newThread(backend);
    await thread.owner.mutation(api.threads.remove, { threadId: thread.threadId });
    const ofRemovedUser = await newThread(backend);
    await ofRemovedUser.owner.mutation(api.users.remove, {});
    for (const gone of [thread, ofRemovedUser]) {
      expect(await unindexed(backend, gone)).toBeNull();
      expect(await mark(backend, gone, 1)).toBe(false);
    }
  });

  it.each([-1, 0.5])("is refused for %d, which is no order", async (order) => {
    const thread = await newThread(backend);
    await expectRefusal(mark(backend, thread, order), "INVALID");
    await expectRefusal(unindexed(backend, thread, { limit: order }), "INVALID");
  });
});
