import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import { refuse } from "./errors.js";
import { CALLS_PER_MESSAGE } from "./limits.js";

type Call = Doc<"toolCalls">;

const OPEN = new Set<Call["status"]>(["planned", "waiting", "running"]);

/** Whether the call's outcome is still to come. */
export function isOpen(call: Call): boolean {
  return OPEN.has(call.status);
}

/** Whether the call still holds its message for its user. */
export function waitsForUser(call: Call): boolean {
  return call.status === "waiting" && call.reply === undefined;
}

export async function findCall(ctx: QueryCtx, callId: string): Promise<Call | null> {
  return await ctx.db
    .query("toolCalls")
    .withIndex("by_call_id", (q) => q.eq("callId", callId))
    .unique();
}

export async function requireCall(ctx: QueryCtx, callId: string): Promise<Call> {
  return (await findCall(ctx, callId)) ?? noCall(callId);
}

export function noCall(callId: string): never {
  refuse("NOT_FOUND", `there is no tool call ${JSON.stringify(callId)}; record it first`);
}

/** The calls of a message by turn and index. */
export async function callsOf(ctx: QueryCtx, messageId: Id<"messages">): Promise<Call[]> {
  return await ctx.db
    .query("toolCalls")
    .withIndex("by_message", (q) => q.eq("messageId", messageId))
    .take(CALLS_PER_MESSAGE + 1); // one more shows that there are too many
}

/** Cancels what has not begun. A running call is left to say how it ended: whoever runs it is not
 *  interrupted, and its effect on the world is not undone by a cancel. */
export async function cancelUnstartedCalls(
  ctx: MutationCtx,
  messageId: Id<"messages">,
): Promise<void> {
  for (const call of await callsOf(ctx, messageId)) {
    if (call.status === "planned" || call.status === "waiting") {
      await ctx.db.patch(call._id, { status: "cancelled", finishedAt: Date.now() });
    }
  }
}

/** Settles calls whose runner never came back. */
export async function giveUpRunningCalls(
  ctx: MutationCtx,
  messageId: Id<"messages">,
): Promise<void> {
  for (const call of await callsOf(ctx, messageId)) {
    if (call.status !== "running") continue;
    const status = call.effect === "read" ? "cancelled" : "unknown";
    await ctx.db.patch(call._id, { status, finishedAt: Date.now() });
  }
}

/** Puts a waiting message back to work when no call but `except` waits for its user. */
export async function stopWaiting(
  ctx: MutationCtx,
  message: Doc<"messages">,
  except: Id<"toolCalls">,
): Promise<void> {
  if (message.status !== "waiting") return;
  const calls = await callsOf(ctx, message._id);
  if (calls.some((call) => call._id !== except && waitsForUser(call))) return;
  await ctx.db.patch(message._id, { status: "processing" });
}
