import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

/** Books that tell what was done to them: every document can be held against the others. */
export default defineSchema({
  accounts: defineTable({ number: v.number(), balance: v.number(), entries: v.number() }).index(
    "by_number",
    ["number"],
  ),
  operations: defineTable({ key: v.string(), kind: v.string() }).index("by_key", ["key"]),
  /** Two for each operation, which add up to nothing. */
  legs: defineTable({ key: v.string(), account: v.number(), amount: v.number() }),
  /** What scheduled mutations and actions have done. */
  runs: defineTable({ key: v.string() }),
  acts: defineTable({ key: v.string() }),
  ticks: defineTable({}),
});
