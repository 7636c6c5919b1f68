import { defineSchema, defineTable } from "convex/server";
import {
  analyticsFields,
  cancellationFields,
  deltaFields,
  flagFields,
  memoryMarkFields,
  messageFields,
  preferenceFields,
  threadFields,
  toolCallFields,
  userFields,
} from "./fields.js";

/** Every query of the project reads through one of these indexes. */
export default defineSchema({
  users: defineTable(userFields).index("by_subject", ["subject"]),

  preferences: defineTable(preferenceFields).index("by_user_key", ["userId", "key"]),

  threads: defineTable(threadFields)
    .index("by_user", ["userId", "lastMessageAt"])
    .index("by_user_status", ["userId", "status", "lastMessageAt"]),

  messages: defineTable(messageFields)
    .index("by_thread_order", ["threadId", "order"])
    // The lowest unfinished order of a thread holds its turn.
    .index("by_thread_status", ["threadId", "status", "order"])
    .index("by_key", ["messageKey", "role"]),

  memoryMarks: defineTable(memoryMarkFields).index("by_thread", ["threadId", "embedder"]),

  streamDeltas: defineTable(deltaFields).index("by_message_seq", ["messageId", "seq"]),

  toolCalls: defineTable(toolCallFields)
    .index("by_call_id", ["callId"])
    .index("by_message", ["messageId", "turn", "index"]),

  // A cancel may come before its message exists: it is kept here until `begin` looks. Anybody may
  // name any key, so it counts for its own subject only.
  cancellations: defineTable(cancellationFields)
    .index("by_key", ["messageKey", "subject"])
    .index("by_subject", ["subject"]),

  analytics: defineTable(analyticsFields)
    .index("by_event", ["event", "at"])
    .index("by_message", ["messageKey", "at"]),

  flags: defineTable(flagFields).index("by_key", ["key"]),
});
