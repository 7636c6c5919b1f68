import { type Infer, type ObjectType, v } from "convex/values";
import type { Doc } from "./_generated/dataModel.js";
import { internalMutation, internalQuery, query, type MutationCtx } from "./_generated/server.js";
import { question, reply as replyFields, toolCallFields } from "./fields.js";
import {
  callsOf,
  findCall,
  isOpen,
  noCall,
  requireCall,
  stopWaiting,
  waitsForUser,
} from "./lib/calls.js";
import { toolCallDoc } from "./lib/documents.js";
import { refuse, requireNatural } from "./lib/errors.js";
import { findExchange, findOwnExchange, requireAnswer } from "./lib/exchange.js";
import { userBySubject } from "./lib/identity.js";
import { CALLS_PER_MESSAGE } from "./lib/limits.js";
import { isFinished, stop, stopOf } from "./lib/turn.js";

type Call = Doc<"toolCalls">;
const maybeReply = v.union(replyFields, v.null());

/** The tool calls of one's own message by turn and index. */
export const list = query({
  args: { messageKey: v.string() },
  returns: v.array(toolCallDoc),
  handler: async (ctx, { messageKey }) => {
    const found = await findOwnExchange(ctx, messageKey);
    return found === null ? [] : await callsOf(ctx, found.assistant._id);
  },
});

/** The same without an identity. */
export const forMessage = internalQuery({
  args: { messageKey: v.string() },
  returns: v.array(toolCallDoc),
  handler: async (ctx, { messageKey }) => {
    const found = await findExchange(ctx, messageKey);
    return found === null ? [] : await callsOf(ctx, found.assistant._id);
  },
});

export const get = internalQuery({
  args: { callId: v.string() },
  returns: v.union(toolCallDoc, v.null()),
  handler: async (ctx, { callId }) => await findCall(ctx, callId),
});

const { callId, index, name, arguments: args, effect, idempotent, chosenBy } = toolCallFields;

const plannedFields = { callId, index, name, arguments: args, effect, idempotent, chosenBy };
type Planned = ObjectType<typeof plannedFields>;

/** Keeps the calls that a turn's model asked for. They are the turn's only ones: a repeated model
 *  call replaces what the one before it planned, as long as that has not begun. */
export const record = internalMutation({
  args: { messageKey: v.string(), turn: v.number(), calls: v.array(v.object(plannedFields)) },
  returns: v.object({ stop }),
  handler: async (ctx, { messageKey, turn, calls }) => {
    requireNatural("turn", turn);
    const message = await requireAnswer(ctx, messageKey);
    const stop = stopOf(message);
    if (stop !== null) return { stop };
    await dropReplaced(ctx, message, turn, new Set(calls.map((call) => call.callId)));
    for (const call of calls) await plan(ctx, message, turn, call);
    if ((await callsOf(ctx, message._id)).length > CALLS_PER_MESSAGE) {
      refuse("INVALID", `message ${messageKey} has more than ${CALLS_PER_MESSAGE} tool calls`);
    }
    return { stop };
  },
});

async function dropReplaced(
  ctx: MutationCtx,
  message: Doc<"messages">,
  turn: number,
  wanted: Set<string>,
): Promise<void> {
  for (const call of await callsOf(ctx, message._id)) {
    const replaced = call.turn === turn && call.status === "planned" && !wanted.has(call.callId);
    if (replaced) await ctx.db.delete(call._id);
  }
}

async function plan(
  ctx: MutationCtx,
  message: Doc<"messages">,
  turn: number,
  call: Planned,
): Promise<void> {
  const kept = await findCall(ctx, call.callId);
  if (kept === null) {
    const { _id: messageId, threadId, userId } = message;
    const messageKey = message.messageKey!;
    const owner = { messageId, messageKey, threadId, userId };
    await ctx.db.insert("toolCalls", { ...call, ...owner, turn, status: "planned" });
    return;
  }
  if (kept.messageId !== message._id) {
    refuse("CONFLICT", `tool call ${call.callId} is another message's; give each call its own id`);
  }
  const same = kept.name === call.name && kept.arguments === call.arguments;
  if (kept.status !== "planned" || same) return;
  // An early reply was to what is replaced here.
  await ctx.db.patch(kept._id, { ...call, turn, reply: undefined });
}

const started = v.object({
  state: v.union(v.literal("run"), v.literal("done"), v.literal("unknown"), v.literal("stop")),
  call: toolCallDoc,
});

/** Asks to run a call. What has effects gets "run" once: if nobody saw it end it is `unknown`. */
export const start = internalMutation({
  args: { callId: v.string() },
  returns: started,
  handler: async (ctx, { callId }): Promise<Infer<typeof started>> => {
    const call = await requireCall(ctx, callId);
    const message = await ctx.db.get(call.messageId);
    if (message === null || isFinished(message)) return { state: "stop", call };
    if (call.status === "unknown") return { state: "unknown", call };
    if (!isOpen(call)) return { state: "done", call };
    if (waitsForUser(call) || call.reply?.approved === false) {
      refuse("CONFLICT", `tool call ${callId} has no approval of its user; it must not run`);
    }
    if (call.status === "running") return await startAgain(ctx, call);
    const running = await change(ctx, call, { status: "running", startedAt: Date.now() });
    return { state: "run", call: running };
  },
});

async function startAgain(ctx: MutationCtx, call: Call): Promise<Infer<typeof started>> {
  if (call.idempotent || call.effect === "read") return { state: "run", call };
  const error = "it began, and nobody saw it end; it was not run again";
  const lost = await change(ctx, call, { status: "unknown", error, finishedAt: Date.now() });
  return { state: "unknown", call: lost };
}

/** Keeps how a call ended; only the first end counts. */
export const finish = internalMutation({
  args: {
    callId: v.string(),
    status: v.union(
      v.literal("succeeded"),
      v.literal("failed"),
      v.literal("denied"),
      v.literal("expired"),
    ),
    result: v.optional(v.string()),
    error: v.optional(v.string()),
  },
  returns: toolCallDoc,
  handler: async (ctx, { callId, ...end }) => {
    const call = await requireCall(ctx, callId);
    if (!isOpen(call)) return call;
    const message = await ctx.db.get(call.messageId);
    if (message !== null) await stopWaiting(ctx, message, call._id);
    return await change(ctx, call, { ...end, finishedAt: Date.now() });
  },
});

/** Asks a call's user. A reply that came before anybody asked is handed over at once; otherwise the
 *  message waits. */
export const awaitUser = internalMutation({
  args: { callId: v.string(), ...question.fields },
  returns: v.object({ stop, reply: maybeReply }),
  handler: async (ctx, { callId, ...asked }) => {
    const call = await requireCall(ctx, callId);
    const message = await ctx.db.get(call.messageId);
    const stop = message === null ? "finished" : stopOf(message);
    if (message === null || stop !== null || !isOpen(call)) {
      return { stop, reply: call.reply ?? null };
    }
    if (call.status === "running" && call.effect !== "read") {
      refuse("CONFLICT", `tool call ${callId} runs already; ask its user before it starts`);
    }
    const question = call.question ?? asked;
    const reply = call.reply && answers(question, call.reply) ? call.reply : undefined;
    await ctx.db.patch(call._id, { status: "waiting", question, reply });
    if (reply === undefined) await ctx.db.patch(message._id, { status: "waiting" });
    return { stop, reply: reply ?? null };
  },
});

const replied = v.object({
  state: v.union(v.literal("kept"), v.literal("already"), v.literal("closed")),
});

/** Keeps a user's answer, also before anybody waits for it; only the first one counts. */
export const reply = internalMutation({
  args: {
    messageKey: v.string(),
    callId: v.string(),
    subject: v.string(),
    approved: v.optional(v.boolean()),
    text: v.optional(v.string()),
  },
  returns: replied,
  handler: async (ctx, args): Promise<Infer<typeof replied>> => {
    const { messageKey, callId, subject, ...answer } = args;
    const call = await findCall(ctx, callId);
    const user = await userBySubject(ctx, subject);
    if (call === null || call.userId !== user?._id || call.messageKey !== messageKey) {
      noCall(callId);
    }
    if (call.reply !== undefined) return { state: "already" };
    const at = Date.now();
    if (!(await takesReply(ctx, call, at))) return { state: "closed" };
    requireAnswerTo(call, answer);
    await ctx.db.patch(call._id, { reply: { ...answer, at } });
    return { state: "kept" };
  },
});

async function takesReply(ctx: MutationCtx, call: Call, at: number): Promise<boolean> {
  const message = await ctx.db.get(call.messageId);
  if (message === null || isFinished(message) || !isOpen(call)) return false;
  return call.question === undefined || at < call.question.expiresAt;
}

/** Takes a call's reply, or learns that none came, and puts the message back to work. */
export const resume = internalMutation({
  args: { callId: v.string() },
  returns: v.object({ stop, reply: maybeReply }),
  handler: async (ctx, { callId }) => {
    const call = await requireCall(ctx, callId);
    const message = await ctx.db.get(call.messageId);
    if (message !== null) await stopWaiting(ctx, message, call._id);
    const stop = message === null ? "finished" : stopOf(message);
    return { stop, reply: call.reply ?? null };
  },
});

function answers(asked: Call["question"], answer: { approved?: boolean; text?: string }): boolean {
  if (asked?.kind === "approval") return answer.approved !== undefined;
  if (asked?.kind === "question") return answer.text !== undefined;
  return answer.approved !== undefined || answer.text !== undefined;
}

function requireAnswerTo(call: Call, answer: { approved?: boolean; text?: string }): void {
  if (answers(call.question, answer)) return;
  const wanted = call.question?.kind === "approval" ? "approved: true or false" : "a text";
  refuse("INVALID", `tool call ${call.callId} asks for ${wanted}; the reply has none`);
}

async function change(ctx: MutationCtx, call: Call, fields: Partial<Call>): Promise<Call> {
  await ctx.db.patch(call._id, fields);
  return { ...call, ...fields };
}
