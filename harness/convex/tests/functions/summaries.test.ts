import fc from "fast-check";
import { expect, it } from "vitest";
import { api, internal } from "../../functions/_generated/api.js";
import { MESSAGES_PER_SUMMARY, SUMMARY_CHARS } from "../../functions/lib/limits.js";
import { type Backend, describeFunctions } from "./support/backend.js";
import { begunMessage, complete, expectRefusal, newThread } from "./support/given.js";

const { get, keep, uncovered } = internal.summaries;
const ALL = 2 ** 40;

async function written(backend: Backend, threadId: string, count: number) {
  const messages = Array.from({ length: count }, (_, i) => ({
    role: i % 2 === 0 ? ("user" as const) : ("assistant" as const),
    content: `line ${i}`,
    sentAt: 1_700_000_000_000 + i,
  }));
  await backend.admin.mutation(internal.messages.importMany, { threadId, messages });
}

async function read(backend: Backend, threadId: string, recent: number, beforeOrder = ALL) {
  const args = { threadId, beforeOrder, recent };
  const { summary, messages } = await backend.admin.query(uncovered, args);
  return { summary, orders: messages.map(({ order }: { order: number }) => order) };
}

async function cover(backend: Backend, threadId: string, after: number | undefined, to: number) {
  return await backend.admin.mutation(keep, {
    threadId,
    ...(after !== undefined && { after }),
    summary: { text: `up to ${to}`, throughOrder: to, model: "first" },
  });
}

describeFunctions("summaries", (backend) => {
  it("are none at first, and then the one kept last", async () => {
    const { threadId, owner } = await newThread(backend);
    expect(await backend.admin.query(get, { threadId })).toBeNull();
    await cover(backend, threadId, undefined, 3);
    const summary = { text: "up to 5", throughOrder: 5, model: "first" };
    expect(await cover(backend, threadId, 3, 5)).toBe(true);
    expect(await backend.admin.query(get, { threadId })).toEqual(summary);
    expect(await owner.query(api.threads.get, { threadId })).toMatchObject({ summary });
  });

  it("are next to cover what no longer is recent, oldest first", async () => {
    const { threadId } = await newThread(backend);
    await written(backend, threadId, 10);
    expect(await read(backend, threadId, 4)).toEqual({ summary: null, orders: [0, 1, 2, 3, 4, 5] });
    await cover(backend, threadId, undefined, 2);
    expect((await read(backend, threadId, 4)).orders).toEqual([3, 4, 5]);
    expect((await read(backend, threadId, 4, 8)).orders).toEqual([3]);
    expect((await read(backend, threadId, 0, 8)).orders).toEqual([3, 4, 5, 6, 7]);
    expect((await read(backend, threadId, 10)).orders).toEqual([]);
  });

  it("stop before a message that is still being answered", async () => {
    const thread = await newThread(backend);
    const first = await begunMessage(backend, thread);
    await begunMessage(backend, thread);
    expect((await read(backend, thread.threadId, 0)).orders).toEqual([0]);
    await complete(backend, first.messageKey);
    expect((await read(backend, thread.threadId, 0)).orders).toEqual([0, 1, 2]);
  });

  it("are made of a bounded number of messages at once", async () => {
    const { threadId } = await newThread(backend);
    await written(backend, threadId, MESSAGES_PER_SUMMARY + 5);
    expect((await read(backend, threadId, 0)).orders).toHaveLength(MESSAGES_PER_SUMMARY);
  });

  it("are dropped when another one came first", async () => {
    const { threadId } = await newThread(backend);
    const both = [cover(backend, threadId, undefined, 3), cover(backend, threadId, undefined, 4)];
    expect((await Promise.all(both)).sort()).toEqual([false, true]);
    expect(await cover(backend, threadId, 2, 9)).toBe(false);
  });

  it.each([
    ["no text", undefined, { text: " ", throughOrder: 3, model: "first" }],
    [
      "too much text",
      undefined,
      { text: "x".repeat(SUMMARY_CHARS + 1), throughOrder: 3, model: "" },
    ],
    ["no new message", 3, { text: "again", throughOrder: 3, model: "first" }],
    ["half a message", undefined, { text: "half", throughOrder: 2.5, model: "first" }],
  ])("refuse %s", async (_, after, summary) => {
    const { threadId } = await newThread(backend);
    const args = { threadId, summary, ...(after !== undefined && { after }) };
    await expectRefusal(backend.admin.mutation(keep, args), "INVALID");
  });

  it("are of threads that exist", async () => {
    await expectRefusal(backend.admin.query(get, { threadId: "none" }), "NOT_FOUND");
    await expectRefusal(read(backend, "none", 4), "NOT_FOUND");
    await expectRefusal(cover(backend, "none", undefined, 4), "NOT_FOUND");
  });

  it("cover every message once and in order, whoever writes them how often", async () => {
    const action = fc.oneof(
      fc.record({ write: fc.integer({ min: 1, max: 6 }) }),
      // Several runs read, then keep what they made, one of them perhaps twice.
      fc.record({
        takes: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 }),
      }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 8 }), async (actions) => {
        const { threadId } = await newThread(backend);
        const covered: number[] = [];
        for (const each of actions) {
          if ("write" in each) {
            await written(backend, threadId, each.write);
            continue;
          }
          const seen = await read(backend, threadId, 3);
          for (const take of each.takes) {
            const orders = seen.orders.slice(0, take);
            if (orders.length === 0) continue;
            const after = seen.summary?.throughOrder;
            if (await cover(backend, threadId, after, orders.at(-1)!)) covered.push(...orders);
          }
        }
        expect(covered).toEqual(covered.map((_, i) => i));
      }),
      { numRuns: 15 },
    );
  });
});
