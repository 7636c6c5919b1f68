import { type ObjectType, v } from "convex/values";
import { internal } from "../_generated/api.js";
import type { Doc } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import { flow } from "../fields.js";
import { cancelUnstartedCalls } from "./calls.js";
import { messageDoc } from "./documents.js";
import { refuse } from "./errors.js";
import { currentUser } from "./identity.js";
import { SWEEP_AFTER_MS } from "./limits.js";
import { nextSeq } from "./stream.js";
import { nextKey, type Status } from "./turn.js";

/** The two messages that carry one key: what a user sent, and its answer. */

export const exchange = v.object({
  user: v.union(messageDoc, v.null()),
  assistant: v.union(messageDoc, v.null()),
});
export type Exchange = { user: Doc<"messages">; assistant: Doc<"messages"> };

/** What the request side sent, as the event brought it to the run. */
export const sentFields = {
  threadId: v.string(),
  subject: v.string(),
  text: v.string(),
  model: v.string(),
  flow,
  sentAt: v.number(),
  runId: v.string(),
};
export type Sent = ObjectType<typeof sentFields> & { messageKey: string };

/** Both messages of a key, or null before the first `begin`; they are inserted together. */
export async function findExchange(ctx: QueryCtx, messageKey: string): Promise<Exchange | null> {
  const messages = await ctx.db
    .query("messages")
    .withIndex("by_key", (q) => q.eq("messageKey", messageKey))
    .collect();
  const user = messages.find((message) => message.role === "user");
  const assistant = messages.find((message) => message.role === "assistant");
  return user === undefined || assistant === undefined ? null : { user, assistant };
}

/** The signed-in user's own; null also from the moment on that its thread is removed. */
export async function findOwnExchange(ctx: QueryCtx, messageKey: string): Promise<Exchange | null> {
  const user = await currentUser(ctx);
  const found = await findExchange(ctx, messageKey);
  if (user === null || found?.assistant.userId !== user._id) return null;
  return (await ctx.db.get(found.assistant.threadId)) === null ? null : found;
}

export async function requireAnswer(ctx: QueryCtx, messageKey: string): Promise<Doc<"messages">> {
  const found = await findExchange(ctx, messageKey);
  return found?.assistant ?? noMessage(messageKey);
}

export function noMessage(messageKey: string): never {
  refuse("NOT_FOUND", `there is no message ${JSON.stringify(messageKey)}; begin it first`);
}

/** Inserts both messages at the thread's next two orders, cancelled if a cancel came first. */
export async function insertExchange(
  ctx: MutationCtx,
  thread: Doc<"threads">,
  sent: Sent,
): Promise<Exchange> {
  const cancelled = await takeCancellation(ctx, sent.messageKey, sent.subject);
  const order = thread.nextOrder;
  const common = {
    threadId: thread._id,
    userId: thread.userId,
    sentAt: sent.sentAt,
    flow: sent.flow,
    messageKey: sent.messageKey,
    inngestJobId: sent.runId,
  };
  const userId = await ctx.db.insert("messages", {
    ...common,
    role: "user",
    content: sent.text,
    order,
    status: "completed",
  });
  const assistantId = await ctx.db.insert("messages", {
    ...common,
    role: "assistant",
    content: "",
    order: order + 1,
    status: cancelled ? "cancelled" : "pending",
    model: sent.model,
    attempts: [],
    lastAttempt: 0,
    ...(cancelled && { nextSeq: 0, finishedAt: Date.now() }),
  });
  const lastMessageAt = Math.max(thread.lastMessageAt, sent.sentAt);
  await ctx.db.patch(thread._id, { nextOrder: order + 2, lastMessageAt });
  const [user, assistant] = [await ctx.db.get(userId), await ctx.db.get(assistantId)];
  return { user: user!, assistant: assistant! };
}

export async function findCancellation(
  ctx: QueryCtx,
  messageKey: string,
  subject: string,
): Promise<Doc<"cancellations"> | null> {
  return await ctx.db
    .query("cancellations")
    .withIndex("by_key", (q) => q.eq("messageKey", messageKey).eq("subject", subject))
    .unique();
}

/** Whether the user cancelled before the message existed; the message keeps it from now on. */
async function takeCancellation(
  ctx: MutationCtx,
  messageKey: string,
  subject: string,
): Promise<boolean> {
  const cancellation = await findCancellation(ctx, messageKey, subject);
  if (cancellation !== null) await ctx.db.delete(cancellation._id);
  return cancellation !== null;
}

type Ending = Partial<Doc<"messages">> & { status: Status; content: string };

/** Ends an unfinished message, for good.
 *
 * @returns the key of the message that holds the thread's turn now.
 */
export async function endMessage(
  ctx: MutationCtx,
  message: Doc<"messages">,
  ending: Ending,
): Promise<string | null> {
  const seq = await nextSeq(ctx, message);
  await ctx.db.patch(message._id, { ...ending, nextSeq: seq, finishedAt: Date.now() });
  await cancelUnstartedCalls(ctx, message._id);
  await ctx.scheduler.runAfter(SWEEP_AFTER_MS, internal.worker.sweepDeltas, {
    messageId: message._id,
  });
  return await nextKey(ctx, message.threadId);
}
