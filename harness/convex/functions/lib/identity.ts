import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import { refuse } from "./errors.js";

/** Whose token came with the call: Clerk's user id, and a name where the token carries one. */
export async function requireIdentity(
  ctx: QueryCtx,
): Promise<{ subject: string; name: string | undefined }> {
  const identity = await ctx.auth.getUserIdentity();
  if (identity === null) {
    refuse("UNAUTHENTICATED", "no valid session token came with the call; sign in again");
  }
  return { subject: identity.subject, name: identity.name };
}

export async function userBySubject(ctx: QueryCtx, subject: string): Promise<Doc<"users"> | null> {
  return await ctx.db
    .query("users")
    .withIndex("by_subject", (q) => q.eq("subject", subject))
    .unique();
}

/** The signed-in user's row; null before their first write made one. */
export async function currentUser(ctx: QueryCtx): Promise<Doc<"users"> | null> {
  return await userBySubject(ctx, (await requireIdentity(ctx)).subject);
}

/** The row of a user, made when missing; a new name replaces the one kept. */
export async function ensureUser(
  ctx: MutationCtx,
  subject: string,
  name?: string,
): Promise<Id<"users">> {
  const user = await userBySubject(ctx, subject);
  if (user === null) {
    const createdAt = Date.now();
    return await ctx.db.insert("users", {
      subject,
      createdAt,
      ...(name !== undefined && { name }),
    });
  }
  if (name !== undefined && name !== user.name) await ctx.db.patch(user._id, { name });
  return user._id;
}

/** What tells one state of a user's preferences from every other. */
export function preferencesVersion(user: Doc<"users"> | null): number {
  return user?.preferencesVersion ?? 0;
}

/** Gives a user's preferences another version; call it with every change of them. It is a time, so
 *  that a user who was forgotten and comes back starts above every version of before. */
export async function changePreferencesVersion(
  ctx: MutationCtx,
  userId: Id<"users">,
): Promise<void> {
  const user = await ctx.db.get(userId);
  const version = Math.max(Date.now(), preferencesVersion(user) + 1);
  await ctx.db.patch(userId, { preferencesVersion: version });
}

/** The thread, when the user owns it. A malformed id, an unknown one and another user's are alike:
 *  nobody learns which ids exist. */
export async function findOwnThread(
  ctx: QueryCtx,
  user: Doc<"users"> | null,
  threadId: string,
): Promise<Doc<"threads"> | null> {
  const thread = await findThread(ctx, threadId);
  return user !== null && thread?.userId === user._id ? thread : null;
}

export async function findThread(ctx: QueryCtx, threadId: string): Promise<Doc<"threads"> | null> {
  const id = ctx.db.normalizeId("threads", threadId);
  return id === null ? null : await ctx.db.get(id);
}

export async function requireOwnThread(
  ctx: QueryCtx,
  user: Doc<"users"> | null,
  threadId: string,
): Promise<Doc<"threads">> {
  return (await findOwnThread(ctx, user, threadId)) ?? noThread(threadId);
}

export async function requireThread(ctx: QueryCtx, threadId: string): Promise<Doc<"threads">> {
  return (await findThread(ctx, threadId)) ?? noThread(threadId);
}

export function noThread(threadId: string): never {
  refuse("NOT_FOUND", `there is no thread ${JSON.stringify(threadId)} of this user`);
}
