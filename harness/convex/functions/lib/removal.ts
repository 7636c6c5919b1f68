import { internal } from "../_generated/api.js";
import type { Doc } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import { UNFINISHED_PER_THREAD } from "./limits.js";
import { UNFINISHED } from "./turn.js";

/** Removing a thread: its row goes at once, and with it every way to read the rest; what hangs on
 *  it goes in batches. Runs in flight find their messages cancelled, and then gone. */
export async function removeThread(ctx: MutationCtx, thread: Doc<"threads">): Promise<void> {
  for (const message of await unfinishedOf(ctx, thread)) {
    await ctx.db.patch(message._id, { status: "cancelled", finishedAt: Date.now() });
  }
  await ctx.db.delete(thread._id);
  await ctx.scheduler.runAfter(0, internal.removal.purgeThread, { threadId: thread._id });
}

/** Removing a user, alike: without the row nothing is theirs any more. */
export async function removeUser(ctx: MutationCtx, user: Doc<"users">): Promise<void> {
  await ctx.db.delete(user._id);
  const { _id: userId, subject } = user;
  await ctx.scheduler.runAfter(0, internal.removal.purgeUser, { userId, subject });
}

/** The answers of a thread that are still to come, the one that holds the turn first. */
export async function unfinishedOf(
  ctx: QueryCtx,
  thread: Doc<"threads">,
): Promise<Doc<"messages">[]> {
  const open: Doc<"messages">[] = [];
  for (const status of UNFINISHED) {
    const some = await ctx.db
      .query("messages")
      .withIndex("by_thread_status", (q) => q.eq("threadId", thread._id).eq("status", status))
      .take(UNFINISHED_PER_THREAD);
    open.push(...some);
  }
  return open.sort((a, b) => a.order - b.order);
}
