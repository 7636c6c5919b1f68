import { paginationOptsValidator } from "convex/server";
import { v } from "convex/values";
import { mutation, query } from "./server.ts";

/** What the bench calls: the reads and writes of a chat, by one index. */

const RECENT = 10;

/** The last messages of a thread before an order. */
export const recent = query({
  args: { thread: v.string(), before: v.number() },
  handler: (ctx, { thread, before }) =>
    ctx.db
      .query("messages")
      .withIndex("by_thread", (q) => q.eq("thread", thread).lt("order", before))
      .order("desc")
      .take(RECENT),
});

export const page = query({
  args: { thread: v.string(), before: v.number(), paginationOpts: paginationOptsValidator },
  handler: (ctx, { thread, before, paginationOpts }) =>
    ctx.db
      .query("messages")
      .withIndex("by_thread", (q) => q.eq("thread", thread).lt("order", before))
      .order("desc")
      .paginate(paginationOpts),
});

/** Adds a message after the thread's last one; orders have no gaps. */
export const send = mutation({
  args: { thread: v.string(), text: v.string() },
  returns: v.number(),
  handler: async (ctx, { thread, text }) => {
    const last = await ctx.db
      .query("messages")
      .withIndex("by_thread", (q) => q.eq("thread", thread))
      .order("desc")
      .first();
    const order = last ? last.order + 1 : 0;
    await ctx.db.insert("messages", { thread, order, text });
    return order;
  },
});

export const add = mutation({
  args: {
    messages: v.array(v.object({ thread: v.string(), order: v.number(), text: v.string() })),
  },
  handler: async (ctx, { messages }) => {
    for (const message of messages) await ctx.db.insert("messages", message);
  },
});
