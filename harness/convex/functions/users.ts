import { paginationOptsValidator } from "convex/server";
import { v } from "convex/values";
import { internalMutation, internalQuery, mutation, query } from "./_generated/server.js";
import { bounded, userPage } from "./lib/documents.js";
import { currentUser, ensureUser, requireIdentity, userBySubject } from "./lib/identity.js";
import { removeUser } from "./lib/removal.js";

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

/** Removes the signed-in user with everything that is theirs, for good. */
export const remove = mutation({
  args: {},
  returns: v.null(),
  handler: async (ctx) => {
    const user = await currentUser(ctx);
    if (user !== null) await removeUser(ctx, user);
    return null;
  },
});

/** The same for the worker, which may come late: somebody who has come back since stays. */
export const removeSubject = internalMutation({
  args: { subject: v.string(), askedAt: v.number() },
  returns: v.null(),
  handler: async (ctx, { subject, askedAt }) => {
    const user = await userBySubject(ctx, subject);
    if (user !== null && user.createdAt <= askedAt) await removeUser(ctx, user);
    return null;
  },
});

/** Everybody, for whoever goes through all of them. */
export const list = internalQuery({
  args: { paginationOpts: paginationOptsValidator },
  returns: userPage,
  handler: async (ctx, { paginationOpts }) =>
    await ctx.db.query("users").withIndex("by_subject").paginate(bounded(paginationOpts)),
});

export const ensureSubject = internalMutation({
  args: { subject: v.string(), name: v.optional(v.string()) },
  returns: v.id("users"),
  handler: async (ctx, { subject, name }) => await ensureUser(ctx, subject, name),
});
