import { paginationOptsValidator } from "convex/server";
import { v } from "convex/values";
import { internalMutation, internalQuery } from "./_generated/server.js";
import { analyticsFields } from "./fields.js";
import { analyticsPage, bounded } from "./lib/documents.js";

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
