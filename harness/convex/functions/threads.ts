import { paginationOptsValidator } from "convex/server";
import { v } from "convex/values";
import type { Doc, Id } from "./_generated/dataModel.js";
import {
  internalMutation,
  internalQuery,
  mutation,
  query,
  type MutationCtx,
} from "./_generated/server.js";
import { threadKind, threadStatus, toolPermission } from "./fields.js";
import { bounded, emptyPage, threadDoc, threadPage } from "./lib/documents.js";
import { refuse, requireText, requireToolName } from "./lib/errors.js";
import {
  currentUser,
  ensureUser,
  findOwnThread,
  requireIdentity,
  requireOwnThread,
  userBySubject,
} from "./lib/identity.js";
import { PERMISSIONS_PER_THREAD, TITLE_CHARS } from "./lib/limits.js";
import { removeThread } from "./lib/removal.js";

const newThread = { title: v.string(), kind: v.optional(threadKind) };

export const create = mutation({
  args: newThread,
  returns: v.id("threads"),
  handler: async (ctx, args) => {
    const { subject, name } = await requireIdentity(ctx);
    return await insertThread(ctx, await ensureUser(ctx, subject, name), args);
  },
});

export const get = query({
  args: { threadId: v.string() },
  returns: v.union(threadDoc, v.null()),
  handler: async (ctx, { threadId }) => await findOwnThread(ctx, await currentUser(ctx), threadId),
});

/** The signed-in user's threads, the one with the newest message first. */
export const list = query({
  args: { paginationOpts: paginationOptsValidator, status: v.optional(threadStatus) },
  returns: threadPage,
  handler: async (ctx, { paginationOpts, status }) => {
    const user = await currentUser(ctx);
    if (user === null) return emptyPage<Doc<"threads">>();
    const own =
      status === undefined
        ? ctx.db.query("threads").withIndex("by_user", (q) => q.eq("userId", user._id))
        : ctx.db
            .query("threads")
            .withIndex("by_user_status", (q) => q.eq("userId", user._id).eq("status", status));
    return await own.order("desc").paginate(bounded(paginationOpts));
  },
});

/** Closes a thread to new messages; those it has taken are still answered. */
export const archive = mutation({
  args: { threadId: v.string() },
  returns: v.null(),
  handler: async (ctx, { threadId }) => {
    const thread = await requireOwnThread(ctx, await currentUser(ctx), threadId);
    await ctx.db.patch(thread._id, { status: "archived" });
    return null;
  },
});

/** Removes a thread with everything in it, for good. */
export const remove = mutation({
  args: { threadId: v.string() },
  returns: v.null(),
  handler: async (ctx, { threadId }) => {
    await removeThread(ctx, await requireOwnThread(ctx, await currentUser(ctx), threadId));
    return null;
  },
});

/** The same for the worker, which may come second: one that is gone already is no error. */
export const removeFor = internalMutation({
  args: { threadId: v.string(), subject: v.string() },
  returns: v.null(),
  handler: async (ctx, { threadId, subject }) => {
    const thread = await findOwnThread(ctx, await userBySubject(ctx, subject), threadId);
    if (thread !== null) await removeThread(ctx, thread);
    return null;
  },
});

/** Says what a tool may do in a thread; without a permission, what was said is taken back. */
export const setPermission = mutation({
  args: { threadId: v.string(), tool: v.string(), permission: v.optional(toolPermission) },
  returns: v.null(),
  handler: async (ctx, { threadId, tool, permission }) => {
    requireToolName(tool);
    const thread = await requireOwnThread(ctx, await currentUser(ctx), threadId);
    const { [tool]: _, ...others } = thread.permissions ?? {};
    if (permission === undefined) {
      await ctx.db.patch(thread._id, { permissions: others });
      return null;
    }
    if (Object.keys(others).length >= PERMISSIONS_PER_THREAD) {
      const most = `there are ${PERMISSIONS_PER_THREAD} permissions in this thread already`;
      refuse("INVALID", `${most}; take one back first`);
    }
    await ctx.db.patch(thread._id, { permissions: { ...others, [tool]: permission } });
    return null;
  },
});

/** A user's threads, for whoever goes through all of them. */
export const listFor = internalQuery({
  args: { subject: v.string(), paginationOpts: paginationOptsValidator },
  returns: threadPage,
  handler: async (ctx, { subject, paginationOpts }) => {
    const user = await userBySubject(ctx, subject);
    if (user === null) return emptyPage<Doc<"threads">>();
    return await ctx.db
      .query("threads")
      .withIndex("by_user", (q) => q.eq("userId", user._id))
      .paginate(bounded(paginationOpts));
  },
});

export const createFor = internalMutation({
  args: { subject: v.string(), ...newThread },
  returns: v.id("threads"),
  handler: async (ctx, { subject, ...args }) =>
    await insertThread(ctx, await ensureUser(ctx, subject), args),
});

export const access = internalQuery({
  args: { threadId: v.string(), subject: v.string() },
  returns: v.union(threadDoc, v.null()),
  handler: async (ctx, { threadId, subject }) =>
    await findOwnThread(ctx, await userBySubject(ctx, subject), threadId),
});

async function insertThread(
  ctx: MutationCtx,
  userId: Id<"users">,
  { title, kind = "standard" }: { title: string; kind?: Doc<"threads">["kind"] },
): Promise<Id<"threads">> {
  requireText("the thread's title", title, TITLE_CHARS);
  const createdAt = Date.now();
  return await ctx.db.insert("threads", {
    userId,
    title,
    kind,
    status: "active",
    nextOrder: 0,
    lastMessageAt: createdAt,
    createdAt,
  });
}
