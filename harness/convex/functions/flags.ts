import type { WithoutSystemFields } from "convex/server";
import { v } from "convex/values";
import type { Doc } from "./_generated/dataModel.js";
import {
  internalMutation,
  internalQuery,
  type MutationCtx,
  type QueryCtx,
} from "./_generated/server.js";
import { flagFields } from "./fields.js";
import { flagDoc } from "./lib/documents.js";
import { refuse } from "./lib/errors.js";
import { FLAGS } from "./lib/limits.js";

export const get = internalQuery({
  args: { key: v.string() },
  returns: v.union(flagDoc, v.null()),
  handler: async (ctx, { key }) => await findFlag(ctx, key),
});

/** Every flag by key; flags are few, and `set` keeps it so. */
export const list = internalQuery({
  args: {},
  returns: v.array(flagDoc),
  handler: async (ctx) => await ctx.db.query("flags").withIndex("by_key").take(FLAGS),
});

const { key, enabled, percentage, kinds, subjects } = flagFields;

/** Sets a flag as a whole.
 *
 * @returns its version, one more at each change; a message's event carries the one it was sent under.
 */
export const set = internalMutation({
  args: { key, enabled, percentage, kinds, subjects },
  returns: v.number(),
  handler: async (ctx, flag) => {
    if (!(flag.percentage >= 0 && flag.percentage <= 100)) {
      refuse("INVALID", `the percentage of flag ${flag.key} is ${flag.percentage}; give 0 to 100`);
    }
    const kept = await findFlag(ctx, flag.key);
    const version = (kept?.version ?? 0) + 1;
    const fields = { ...flag, version, updatedAt: Date.now() };
    if (kept !== null) await ctx.db.patch(kept._id, fields);
    else await insertFlag(ctx, fields);
    return version;
  },
});

async function findFlag(ctx: QueryCtx, key: string): Promise<Doc<"flags"> | null> {
  return await ctx.db
    .query("flags")
    .withIndex("by_key", (q) => q.eq("key", key))
    .unique();
}

async function insertFlag(
  ctx: MutationCtx,
  fields: WithoutSystemFields<Doc<"flags">>,
): Promise<void> {
  const others = await ctx.db.query("flags").withIndex("by_key").take(FLAGS);
  if (others.length === FLAGS) refuse("INVALID", `there are ${FLAGS} flags already`);
  await ctx.db.insert("flags", fields);
}
