import { v } from "convex/values";
import { internalAction, internalMutation, ref } from "./server.js";

/** What transfers schedule, and a cron job. */

const WORK_MS = 20;

export const run = internalMutation({
  args: { key: v.string() },
  handler: async (ctx, { key }) => {
    await ctx.db.insert("runs", { key });
  },
});

/** Tells a witness outside that it began, so that a second beginning cannot be undone. */
export const act = internalAction({
  args: { key: v.string() },
  handler: async (ctx, { key }) => {
    await fetch(`${process.env.CHAOS_WITNESS}/began/${key}`, { method: "POST" });
    await new Promise((resolve) => setTimeout(resolve, WORK_MS));
    await ctx.runMutation(ref.mutation("jobs:acted"), { key });
  },
});

export const acted = internalMutation({
  args: { key: v.string() },
  handler: async (ctx, { key }) => {
    await ctx.db.insert("acts", { key });
  },
});

export const tick = internalMutation({
  args: {},
  handler: async (ctx) => {
    await ctx.db.insert("ticks", {});
  },
});
