import { v } from "convex/values";
import { internal } from "./_generated/api.js";
import type { Doc } from "./_generated/dataModel.js";
import { internalMutation, type MutationCtx } from "./_generated/server.js";
import { callsOf } from "./lib/calls.js";
import {
  EMBEDDERS_PER_THREAD,
  MESSAGES_PER_PURGE,
  PREFERENCES_PER_USER,
  SWEEP_BATCH,
  THREADS_PER_PURGE,
} from "./lib/limits.js";
import { removeThread } from "./lib/removal.js";

/** What is left of a removed thread or user goes here, a batch a call. */

export const purgeThread = internalMutation({
  args: { threadId: v.id("threads") },
  returns: v.null(),
  handler: async (ctx, { threadId }) => {
    const messages = await ctx.db
      .query("messages")
      .withIndex("by_thread_order", (q) => q.eq("threadId", threadId))
      .take(MESSAGES_PER_PURGE);
    if (messages.length > 0) {
      await purgeMessages(ctx, messages);
      await ctx.scheduler.runAfter(0, internal.removal.purgeThread, { threadId });
      return null;
    }
    const marks = await ctx.db
      .query("memoryMarks")
      .withIndex("by_thread", (q) => q.eq("threadId", threadId))
      .take(EMBEDDERS_PER_THREAD);
    for (const mark of marks) await ctx.db.delete(mark._id);
    return null;
  },
});

/** Deletes messages with their deltas and calls, until a batch of rows is full. */
async function purgeMessages(ctx: MutationCtx, messages: Doc<"messages">[]): Promise<void> {
  let left = SWEEP_BATCH;
  for (const message of messages) {
    const deltas = await ctx.db
      .query("streamDeltas")
      .withIndex("by_message_seq", (q) => q.eq("messageId", message._id))
      .take(left);
    for (const delta of deltas) await ctx.db.delete(delta._id);
    left -= deltas.length;
    if (left === 0) return;
    for (const call of await callsOf(ctx, message._id)) await ctx.db.delete(call._id);
    await ctx.db.delete(message._id);
  }
}

export const purgeUser = internalMutation({
  args: { userId: v.id("users"), subject: v.string() },
  returns: v.null(),
  handler: async (ctx, { userId, subject }) => {
    const threads = await ctx.db
      .query("threads")
      .withIndex("by_user", (q) => q.eq("userId", userId))
      .take(THREADS_PER_PURGE);
    for (const thread of threads) await removeThread(ctx, thread);
    const cancellations = await ctx.db
      .query("cancellations")
      .withIndex("by_subject", (q) => q.eq("subject", subject))
      .take(SWEEP_BATCH);
    for (const cancellation of cancellations) await ctx.db.delete(cancellation._id);
    const preferences = await ctx.db
      .query("preferences")
      .withIndex("by_user_key", (q) => q.eq("userId", userId))
      .take(PREFERENCES_PER_USER);
    for (const preference of preferences) await ctx.db.delete(preference._id);
    if (threads.length === THREADS_PER_PURGE || cancellations.length === SWEEP_BATCH) {
      await ctx.scheduler.runAfter(0, internal.removal.purgeUser, { userId, subject });
    }
    return null;
  },
});
