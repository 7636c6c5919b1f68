import { paginationOptsValidator } from "convex/server";
import { v } from "convex/values";
import { internalMutation, internalQuery } from "./_generated/server.js";
import { analyticsFields } from "./fields.js";
import { analyticsDoc, analyticsPage, bounded } from "./lib/documents.js";
import { EVENTS_PER_MESSAGE } from "./lib/limits.js";

export const record = internalMutation({
  args: analyticsFields,
  returns: v.null(),
  handler: async (ctx, event) => {
    await ctx.db.insert("analytics", event);
    return null;
  },
});

/** The occurrences of one event, newest first. */
export const list = internalQuery({
  args: { event: v.string(), paginationOpts: paginationOptsValidator },
  returns: analyticsPage,
  handler: async (ctx, { event, paginationOpts }) =>
    await ctx.db
      .query("analytics")
      .withIndex("by_event", (q) => q.eq("event", event))
      .order("desc")
      .paginate(bounded(paginationOpts)),
});

/** What was recorded about one message, oldest first. */
export const forMessage = internalQuery({
  args: { messageKey: v.string() },
  returns: v.array(analyticsDoc),
  handler: async (ctx, { messageKey }) =>
    await ctx.db
      .query("analytics")
      .withIndex("by_message", (q) => q.eq("messageKey", messageKey))
      .take(EVENTS_PER_MESSAGE),
});
