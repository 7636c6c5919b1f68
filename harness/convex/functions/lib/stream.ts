import type { Doc, Id } from "../_generated/dataModel.js";
import type { QueryCtx } from "../_generated/server.js";

/** The sequence number that the next delta gets. It is read off the deltas, not kept on the message
 *  while it streams: a flush then writes no message, and no subscription to a thread's messages
 *  runs again for it. */
export async function nextSeq(ctx: QueryCtx, message: Doc<"messages">): Promise<number> {
  if (message.nextSeq !== undefined) return message.nextSeq;
  const last = await ctx.db
    .query("streamDeltas")
    .withIndex("by_message_seq", (q) => q.eq("messageId", message._id))
    .order("desc")
    .first();
  return last === null ? 0 : last.seq + 1;
}

export async function deltaAt(
  ctx: QueryCtx,
  messageId: Id<"messages">,
  seq: number,
): Promise<Doc<"streamDeltas"> | null> {
  return await ctx.db
    .query("streamDeltas")
    .withIndex("by_message_seq", (q) => q.eq("messageId", messageId).eq("seq", seq))
    .unique();
}

/** The text of each turn's winning attempt, joined in the order it was streamed. */
export async function winningText(ctx: QueryCtx, message: Doc<"messages">): Promise<string> {
  const winners = message.attempts ?? [];
  const deltas = ctx.db
    .query("streamDeltas")
    .withIndex("by_message_seq", (q) => q.eq("messageId", message._id));
  let text = "";
  for await (const delta of deltas) {
    if (winners[delta.turn] === delta.attempt) text += delta.text;
  }
  return text;
}
