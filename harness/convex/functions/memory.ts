import { type Infer, v } from "convex/values";
import type { Doc } from "./_generated/dataModel.js";
import { internalMutation, internalQuery, type QueryCtx } from "./_generated/server.js";
import { messageDoc } from "./lib/documents.js";
import { requireNatural } from "./lib/errors.js";
import { findThread } from "./lib/identity.js";
import { MESSAGES_PER_INDEXING } from "./lib/limits.js";
import { isFinished } from "./lib/turn.js";

/** How far the vector memory has followed each thread, one mark an embedder. A mark is a row of its
 *  own: on the thread's row it would push the thread to its readers with every message. */

const embedder = v.string();
const order = v.number();

const unindexedPage = v.object({
  messages: v.array(messageDoc),
  /** Once these messages are in memory, everything below this order is. */
  next: v.number(),
  /** Whether nothing that is finished is left. */
  done: v.boolean(),
});

/** The thread's next finished messages that an embedder's memory misses, oldest first; from `from`
 *  on, where that is given. Null when the thread or its user is gone: then memory has to forget it. */
export const unindexed = internalQuery({
  args: { threadId: v.string(), embedder, from: v.optional(order), limit: v.number() },
  returns: v.union(unindexedPage, v.null()),
  handler: async (ctx, { threadId, embedder, from, limit }) => {
    requireNatural("limit", limit);
    const thread = await findLivingThread(ctx, threadId);
    if (thread === null) return null;
    const start = from ?? (await findMark(ctx, thread, embedder))?.order ?? 0;
    return await finishedFrom(ctx, thread, start, Math.min(limit, MESSAGES_PER_INDEXING));
  },
});

/** Keeps that everything below an order is in an embedder's memory; a mark never goes back.
 *
 *  Answers false when the thread is gone: whoever wrote to memory has to take it back. */
export const mark = internalMutation({
  args: { threadId: v.string(), embedder, order },
  returns: v.boolean(),
  handler: async (ctx, { threadId, embedder, order }) => {
    requireNatural("order", order);
    const thread = await findLivingThread(ctx, threadId);
    if (thread === null) return false;
    const kept = await findMark(ctx, thread, embedder);
    if (kept === null) {
      await ctx.db.insert("memoryMarks", { threadId: thread._id, embedder, order });
    } else if (kept.order < order) {
      await ctx.db.patch(kept._id, { order });
    }
    return true;
  },
});

/** Up to the first message that is still to come, since a mark has nothing missing below it. */
async function finishedFrom(
  ctx: QueryCtx,
  thread: Doc<"threads">,
  start: number,
  limit: number,
): Promise<Infer<typeof unindexedPage>> {
  const following = await ctx.db
    .query("messages")
    .withIndex("by_thread_order", (q) => q.eq("threadId", thread._id).gte("order", start))
    .take(limit);
  const open = following.findIndex((message) => !isFinished(message));
  const messages = open < 0 ? following : following.slice(0, open);
  return {
    messages,
    next: start + messages.length,
    done: open >= 0 || following.length < limit,
  };
}

/** The thread, unless it or its user is removed. */
async function findLivingThread(ctx: QueryCtx, threadId: string): Promise<Doc<"threads"> | null> {
  const thread = await findThread(ctx, threadId);
  return thread !== null && (await ctx.db.get(thread.userId)) !== null ? thread : null;
}

async function findMark(
  ctx: QueryCtx,
  thread: Doc<"threads">,
  embedder: string,
): Promise<Doc<"memoryMarks"> | null> {
  return await ctx.db
    .query("memoryMarks")
    .withIndex("by_thread", (q) => q.eq("threadId", thread._id).eq("embedder", embedder))
    .unique();
}
