import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

export default defineSchema({
  messages: defineTable({ thread: v.string(), order: v.number(), text: v.string() }).index(
    "by_thread",
    ["thread", "order"],
  ),
});
