import { type Infer, v } from "convex/values";
import type { Doc, Id } from "../_generated/dataModel.js";
import type { QueryCtx } from "../_generated/server.js";
import { status } from "../fields.js";

/** A thread answers one message at a time: its lowest unfinished order holds the turn. */

export type Status = Infer<typeof status>;
export const UNFINISHED = ["pending", "processing", "waiting"] as const;
export const FINISHED = ["completed", "failed", "cancelled"] as const;

/** Why a run must not write any more. */
export type Stop = "cancelled" | "finished" | null;
export const stop = v.union(v.literal("cancelled"), v.literal("finished"), v.null());

export function isFinished(message: Doc<"messages">): boolean {
  return stopOf(message) !== null;
}

export function stopOf(message: Doc<"messages">): Stop {
  if (message.status === "cancelled") return "cancelled";
  return message.status === "completed" || message.status === "failed" ? "finished" : null;
}

/** The message that holds the thread's turn, or null when the thread is free. */
export async function lowestUnfinished(
  ctx: QueryCtx,
  threadId: Id<"threads">,
): Promise<Doc<"messages"> | null> {
  let lowest: Doc<"messages"> | null = null;
  for (const status of UNFINISHED) {
    const first = await ctx.db
      .query("messages")
      .withIndex("by_thread_status", (q) => q.eq("threadId", threadId).eq("status", status))
      .first();
    if (first !== null && (lowest === null || first.order < lowest.order)) lowest = first;
  }
  return lowest;
}

/** The key of the message whose run may go on now. */
export async function nextKey(ctx: QueryCtx, threadId: Id<"threads">): Promise<string | null> {
  return (await lowestUnfinished(ctx, threadId))?.messageKey ?? null;
}
