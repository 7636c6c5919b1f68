import { v } from "convex/values";
import type { Doc, Id } from "./_generated/dataModel.js";
import { internalMutation, internalQuery, type QueryCtx } from "./_generated/server.js";
import { threadSummary } from "./fields.js";
import { messageDoc } from "./lib/documents.js";
import { refuse, requireNatural, requireText } from "./lib/errors.js";
import { requireThread } from "./lib/identity.js";
import { MESSAGES_PER_SUMMARY, SUMMARY_CHARS } from "./lib/limits.js";
import { isFinished } from "./lib/turn.js";

/** What a thread's older messages said, for prompts that no longer show them. */

const kept = v.union(threadSummary, v.null());

export const get = internalQuery({
  args: { threadId: v.string() },
  returns: kept,
  handler: async (ctx, { threadId }) => (await requireThread(ctx, threadId)).summary ?? null,
});

/** The summary, and the finished messages that are next to be covered by it: those after what it
 *  covers and before the newest `recent` ones below an order; oldest first and without a gap. */
export const uncovered = internalQuery({
  args: { threadId: v.string(), beforeOrder: v.number(), recent: v.number() },
  returns: v.object({ summary: kept, messages: v.array(messageDoc) }),
  handler: async (ctx, { threadId, beforeOrder, recent }) => {
    requireNatural("recent", recent);
    const { _id, summary = null } = await requireThread(ctx, threadId);
    const after = summary?.throughOrder ?? -1;
    const edge = await oldestRecent(ctx, _id, beforeOrder, recent);
    const older = ctx.db
      .query("messages")
      .withIndex("by_thread_order", (q) =>
        q.eq("threadId", _id).gt("order", after).lt("order", edge),
      );
    const messages: Doc<"messages">[] = [];
    for await (const message of older) {
      if (!isFinished(message) || messages.length === MESSAGES_PER_SUMMARY) break;
      messages.push(message);
    }
    return { summary, messages };
  },
});

/** Keeps a summary that was made of the one which covers messages up to `after` (nothing, without
 *  it). One made of any other is dropped: what came between would be covered twice, or never. */
export const keep = internalMutation({
  args: { threadId: v.string(), after: v.optional(v.number()), summary: threadSummary },
  returns: v.boolean(),
  handler: async (ctx, { threadId, after, summary }) => {
    requireText("the summary", summary.text, SUMMARY_CHARS);
    requireNatural("throughOrder", summary.throughOrder);
    if (summary.throughOrder <= (after ?? -1)) {
      refuse("INVALID", `a summary up to ${summary.throughOrder} adds nothing after ${after}`);
    }
    const thread = await requireThread(ctx, threadId);
    if (thread.summary?.throughOrder !== after) return false;
    await ctx.db.patch(thread._id, { summary });
    return true;
  },
});

/** The order from which on a thread's history shows its messages. */
async function oldestRecent(
  ctx: QueryCtx,
  threadId: Id<"threads">,
  beforeOrder: number,
  recent: number,
): Promise<number> {
  const newest = ctx.db
    .query("messages")
    .withIndex("by_thread_order", (q) => q.eq("threadId", threadId).lt("order", beforeOrder))
    .order("desc");
  let edge = beforeOrder;
  let seen = 0;
  for await (const message of newest) {
    if (seen === recent) break;
    if (!isFinished(message)) continue;
    edge = message.order;
    seen += 1;
  }
  return edge;
}
