import { v } from "convex/values";

/** The fields of each table, shared by the schema and by the functions' validators.
 *  Times are integer milliseconds UTC. */

export const status = v.union(
  v.literal("pending"),
  v.literal("processing"),
  v.literal("waiting"),
  v.literal("completed"),
  v.literal("failed"),
  v.literal("cancelled"),
);

export const role = v.union(v.literal("user"), v.literal("assistant"));
export const threadKind = v.union(v.literal("standard"), v.literal("critical"));
export const threadStatus = v.union(v.literal("active"), v.literal("archived"));
export const flow = v.union(v.literal("background"), v.literal("inline"));

export const toolPermission = v.union(v.literal("auto"), v.literal("ask"), v.literal("never"));

export const usage = v.object({
  promptTokens: v.number(),
  completionTokens: v.number(),
  cachedTokens: v.number(),
});

/** Why a message failed, in words for its reader. */
export const failure = v.object({ code: v.string(), message: v.string() });

/** A memory, or a piece of a document, that an answer was shown, so that a reader or an eval can see
 *  it. */
export const shownMemory = v.object({
  source: v.string(),
  score: v.number(),
  text: v.string(),
  id: v.optional(v.string()),
  threadId: v.optional(v.string()),
  order: v.optional(v.number()),
  title: v.optional(v.string()), // of a document
  why: v.optional(v.record(v.string(), v.number())), // each signal's share of the score
});

/** How an answer's last prompt was filled, by section. */
export const contextRecord = v.object({
  tokens: v.record(v.string(), v.number()),
  leftOut: v.record(v.string(), v.number()), // what had no room
  budget: v.number(), // tokens that the prompt had
});

/** What older messages of a thread said, those up to `throughOrder` with it. */
export const threadSummary = v.object({
  text: v.string(),
  throughOrder: v.number(),
  model: v.string(),
});

const toolScore = v.object({ name: v.string(), score: v.number() });

/** Which tools a message's model was offered: the probabilities are those of each being the one
 *  that serves; `scores` has those that came close as well, best first. */
export const selection = v.object({
  needed: v.boolean(),
  candidates: v.array(toolScore),
  scores: v.array(toolScore),
  why: v.string(),
});

export const userFields = {
  subject: v.string(), // Clerk's user id
  name: v.optional(v.string()),
  createdAt: v.number(),
  /** Another number after every change of the user's preferences; none before the first. */
  preferencesVersion: v.optional(v.number()),
};

/** How far an embedder's memory has followed a thread: everything below `order` is in it. */
export const memoryMarkFields = {
  threadId: v.id("threads"),
  embedder: v.string(),
  order: v.number(),
};

export const preferenceFields = {
  userId: v.id("users"),
  key: v.string(),
  value: v.string(),
  updatedAt: v.number(),
};

export const threadFields = {
  userId: v.id("users"),
  title: v.string(),
  kind: threadKind,
  status: threadStatus,
  nextOrder: v.number(),
  lastMessageAt: v.number(),
  createdAt: v.number(),
  summary: v.optional(threadSummary),
  /** What its owner lets tools do in this thread, by tool's name. */
  permissions: v.optional(v.record(v.string(), toolPermission)),
};

export const messageFields = {
  threadId: v.id("threads"),
  userId: v.id("users"),
  role,
  speaker: v.optional(v.string()),
  content: v.string(),
  sentAt: v.number(),
  order: v.number(),
  status,
  flow: v.optional(flow),
  /** The Inngest event's id; one user and at most one assistant message carry it. */
  messageKey: v.optional(v.string()),
  inngestJobId: v.optional(v.string()),
  model: v.optional(v.string()),
  usage: v.optional(usage),
  latencyMs: v.optional(v.number()),
  error: v.optional(failure),
  shown: v.optional(v.array(shownMemory)),
  context: v.optional(contextRecord),
  selection: v.optional(selection),
  /** Streaming state of an assistant message: the winning attempt of each turn (its index) and
   *  the last attempt given out. */
  attempts: v.optional(v.array(v.number())),
  lastAttempt: v.optional(v.number()),
  /** How many deltas there were, once finished; while it streams the deltas themselves tell. */
  nextSeq: v.optional(v.number()),
  finishedAt: v.optional(v.number()),
};

export const deltaFields = {
  messageId: v.id("messages"),
  turn: v.number(),
  attempt: v.number(),
  seq: v.number(),
  text: v.string(),
};

export const toolCallStatus = v.union(
  v.literal("planned"),
  v.literal("waiting"), // for its user
  v.literal("running"),
  v.literal("succeeded"),
  v.literal("failed"),
  v.literal("denied"),
  v.literal("expired"),
  v.literal("unknown"), // begun, its end never seen, and not safe to run again
  v.literal("cancelled"),
);

export const toolEffect = v.union(v.literal("read"), v.literal("write"), v.literal("external"));

export const question = v.object({
  kind: v.union(v.literal("approval"), v.literal("question")),
  prompt: v.string(),
  expiresAt: v.number(),
});

export const reply = v.object({
  approved: v.optional(v.boolean()), // of an approval
  text: v.optional(v.string()), // of a question
  at: v.number(),
});

export const toolCallFields = {
  messageId: v.id("messages"),
  messageKey: v.string(),
  threadId: v.id("threads"),
  userId: v.id("users"),
  turn: v.number(),
  index: v.number(),
  callId: v.string(),
  name: v.string(),
  arguments: v.string(), // JSON
  effect: toolEffect,
  idempotent: v.boolean(),
  status: toolCallStatus,
  chosenBy: v.optional(v.string()), // which model asked for it
  question: v.optional(question),
  reply: v.optional(reply),
  result: v.optional(v.string()), // JSON
  error: v.optional(v.string()),
  startedAt: v.optional(v.number()),
  finishedAt: v.optional(v.number()),
};

export const cancellationFields = {
  messageKey: v.string(),
  subject: v.string(),
  at: v.number(),
};

export const analyticsFields = {
  event: v.string(),
  at: v.number(),
  subject: v.optional(v.string()),
  threadId: v.optional(v.string()),
  messageKey: v.optional(v.string()),
  props: v.record(v.string(), v.union(v.string(), v.number(), v.boolean())),
};

export const flagFields = {
  key: v.string(),
  version: v.number(),
  enabled: v.boolean(),
  percentage: v.number(), // of users, 0–100
  kinds: v.array(threadKind), // kinds of thread it is on for; empty means every kind
  subjects: v.array(v.string()), // users it is always on for
  updatedAt: v.number(),
};
