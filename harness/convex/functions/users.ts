import { v } from "convex/values";
import { internalMutation, mutation, query } from "./_generated/server.js";
import { currentUser, ensureUser, requireIdentity } from "./lib/identity.js";

/** The signed-in user's row, made at their first visit. */
export const ensure = mutation({
  args: {},
  returns: v.id("users"),
  handler: async (ctx) => {
    const { subject, name } = await requireIdentity(ctx);
    return await ensureUser(ctx, subject, name);
  },
});

export const me = query({
  args: {},
  returns: v.union(
    v.object({ userId: v.id("users"), subject: v.string(), name: v.optional(v.string()) }),
    v.null(),
  ),
  handler: async (ctx) => {
    const user = await currentUser(ctx);
    if (user === null) return null;
    const { _id: userId, subject, name } = user;
    return { userId, subject, ...(name !== undefined && { name }) };
  },
});

export const ensureSubject = internalMutation({
  args: { subject: v.string(), name: v.optional(v.string()) },
  returns: v.id("users"),
  handler: async (ctx, { subject, name }) => await ensureUser(ctx, subject, name),
});
