import { type Infer, v } from "convex/values";
import { type MutationCtx, internalMutation, mutation, query, ref } from "./server.js";

/** Transfers between accounts: each changes several documents, and none may be repeated. */

const LATEST = 20;

const legFields = { key: v.string(), account: v.number(), amount: v.number() };
const leg = v.object(legFields);
const kind = v.union(
  v.literal("plain"),
  v.literal("nested"),
  v.literal("schedules"),
  v.literal("acts"),
);

async function enterLeg(ctx: MutationCtx, { key, account, amount }: Infer<typeof leg>) {
  await ctx.db.insert("legs", { key, account, amount });
  const found = await ctx.db
    .query("accounts")
    .withIndex("by_number", (q) => q.eq("number", account))
    .unique();
  const { _id, balance, entries } = found!;
  await ctx.db.patch(_id, { balance: balance + amount, entries: entries + 1 });
}

export const open = mutation({
  args: { accounts: v.number() },
  handler: async (ctx, { accounts }) => {
    for (let number = 0; number < accounts; number++) {
      await ctx.db.insert("accounts", { number, balance: 0, entries: 0 });
    }
  },
});

export const transfer = mutation({
  args: {
    key: v.string(),
    kind,
    from: v.number(),
    to: v.number(),
    amount: v.number(),
    delayMs: v.number(),
  },
  handler: async (ctx, { key, kind, from, to, amount, delayMs }) => {
    await ctx.db.insert("operations", { key, kind });
    const legs = [
      { key, account: from, amount: -amount },
      { key, account: to, amount },
    ];
    for (const leg of legs) {
      if (kind === "nested") await ctx.runMutation(ref.mutation("ledger:enter"), leg);
      else await enterLeg(ctx, leg);
    }
    if (kind === "nested") {
      const undone = ctx.runMutation(ref.mutation("ledger:enterAndFail"), legs[1]!);
      await undone.catch(() => undefined);
    }
    if (kind === "schedules") {
      await ctx.scheduler.runAfter(delayMs, ref.mutation("jobs:run"), { key });
    }
    if (kind === "acts") await ctx.scheduler.runAfter(delayMs, ref.action("jobs:act"), { key });
    return key;
  },
});

export const enter = internalMutation({ args: legFields, handler: enterLeg });

export const enterAndFail = internalMutation({
  args: legFields,
  handler: async (ctx, leg) => {
    await enterLeg(ctx, leg);
    throw new Error("this part is undone");
  },
});

/** What watchers are told: it adds up in every state that is whole. */
export const state = query({
  args: {},
  handler: async (ctx) => {
    const accounts = await ctx.db.query("accounts").collect();
    const latest = await ctx.db.query("operations").order("desc").take(LATEST);
    return {
      total: accounts.reduce((sum, { balance }) => sum + balance, 0),
      entries: accounts.reduce((sum, { entries }) => sum + entries, 0),
      latest: latest.map(({ key }) => key),
    };
  },
});
