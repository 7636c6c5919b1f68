import { type Infer, v } from "convex/values";
import type { Doc, Id } from "./_generated/dataModel.js";
import {
  internalMutation,
  internalQuery,
  mutation,
  query,
  type MutationCtx,
  type QueryCtx,
} from "./_generated/server.js";
import { refuse, requireText } from "./lib/errors.js";
import {
  changePreferencesVersion,
  currentUser,
  ensureUser,
  preferencesVersion,
  requireIdentity,
  userBySubject,
} from "./lib/identity.js";
import {
  PREFERENCE_KEY_CHARS,
  PREFERENCE_VALUE_CHARS,
  PREFERENCES_PER_USER,
} from "./lib/limits.js";

const preference = v.object({ key: v.string(), value: v.string(), updatedAt: v.number() });

/** The signed-in user's preferences by key; there are at most `PREFERENCES_PER_USER`. */
export const list = query({
  args: {},
  returns: v.array(preference),
  handler: async (ctx) => await preferencesOf(ctx, await currentUser(ctx)),
});

export const set = mutation({
  args: { key: v.string(), value: v.string() },
  returns: v.null(),
  handler: async (ctx, { key, value }) => {
    const { subject, name } = await requireIdentity(ctx);
    await setPreference(ctx, await ensureUser(ctx, subject, name), key, value);
    return null;
  },
});

export const remove = mutation({
  args: { key: v.string() },
  returns: v.null(),
  handler: async (ctx, { key }) => {
    await removePreference(ctx, await currentUser(ctx), key);
    return null;
  },
});

/** As `current`, for workers that were deployed before it. */
export const forSubject = internalQuery({
  args: { subject: v.string() },
  returns: v.array(preference),
  handler: async (ctx, { subject }) => await preferencesOf(ctx, await userBySubject(ctx, subject)),
});

const versioned = v.object({ version: v.number(), preferences: v.array(preference) });

/** A user's preferences and their version, which `worker:begin` answers too: whoever keeps a copy
 *  can tell by it whether the copy is of now. */
export const current = internalQuery({
  args: { subject: v.string() },
  returns: versioned,
  handler: async (ctx, { subject }) => {
    const user = await userBySubject(ctx, subject);
    return { version: preferencesVersion(user), preferences: await preferencesOf(ctx, user) };
  },
});

export const setFor = internalMutation({
  args: { subject: v.string(), key: v.string(), value: v.string() },
  returns: v.null(),
  handler: async (ctx, { subject, key, value }) => {
    await setPreference(ctx, await ensureUser(ctx, subject), key, value);
    return null;
  },
});

export const removeFor = internalMutation({
  args: { subject: v.string(), key: v.string() },
  returns: v.null(),
  handler: async (ctx, { subject, key }) => {
    await removePreference(ctx, await userBySubject(ctx, subject), key);
    return null;
  },
});

async function removePreference(
  ctx: MutationCtx,
  user: Doc<"users"> | null,
  key: string,
): Promise<void> {
  const kept = user && (await findPreference(ctx, user._id, key));
  if (!kept) return;
  await ctx.db.delete(kept._id);
  await changePreferencesVersion(ctx, kept.userId);
}

async function preferencesOf(
  ctx: QueryCtx,
  user: Doc<"users"> | null,
): Promise<Infer<typeof preference>[]> {
  if (user === null) return [];
  const kept = await ctx.db
    .query("preferences")
    .withIndex("by_user_key", (q) => q.eq("userId", user._id))
    .take(PREFERENCES_PER_USER);
  return kept.map(({ key, value, updatedAt }) => ({ key, value, updatedAt }));
}

async function findPreference(
  ctx: QueryCtx,
  userId: Id<"users">,
  key: string,
): Promise<Doc<"preferences"> | null> {
  return await ctx.db
    .query("preferences")
    .withIndex("by_user_key", (q) => q.eq("userId", userId).eq("key", key))
    .unique();
}

async function setPreference(
  ctx: MutationCtx,
  userId: Id<"users">,
  key: string,
  value: string,
): Promise<void> {
  requireText("the preference's key", key, PREFERENCE_KEY_CHARS);
  requireText(`the value of preference ${key}`, value, PREFERENCE_VALUE_CHARS);
  await changePreferencesVersion(ctx, userId);
  const updatedAt = Date.now();
  const kept = await findPreference(ctx, userId, key);
  if (kept !== null) return await ctx.db.patch(kept._id, { value, updatedAt });
  const others = await ctx.db
    .query("preferences")
    .withIndex("by_user_key", (q) => q.eq("userId", userId))
    .take(PREFERENCES_PER_USER);
  if (others.length === PREFERENCES_PER_USER) {
    refuse("INVALID", `there are ${PREFERENCES_PER_USER} preferences already; remove one first`);
  }
  await ctx.db.insert("preferences", { userId, key, value, updatedAt });
}
