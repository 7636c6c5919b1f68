import { type Infer, v } from "convex/values";
import { internal } from "./_generated/api.js";
import type { Doc } from "./_generated/dataModel.js";
import { internalMutation, type MutationCtx } from "./_generated/server.js";
import { contextRecord, failure, selection, shownMemory, status, usage } from "./fields.js";
import { giveUpRunningCalls } from "./lib/calls.js";
import { refuse, requireNatural } from "./lib/errors.js";
import {
  endMessage,
  findCancellation,
  findExchange,
  insertExchange,
  noMessage,
  requireAnswer,
  type Sent,
  sentFields,
} from "./lib/exchange.js";
import { noThread, preferencesVersion, requireOwnThread, userBySubject } from "./lib/identity.js";
import { SWEEP_BATCH } from "./lib/limits.js";
import { deltaAt, nextSeq, winningText } from "./lib/stream.js";
import { isFinished, lowestUnfinished, nextKey, stop, stopOf } from "./lib/turn.js";

const next = v.union(v.string(), v.null());
const ended = v.object({ applied: v.boolean(), status, next });

const begun = v.object({
  state: v.union(v.literal("go"), v.literal("wait"), v.literal("stop")),
  userMessageId: v.id("messages"),
  messageId: v.id("messages"),
  order: v.number(),
  status,
  next,
  preferencesVersion: v.optional(v.number()),
});

/** Persists what was sent, once, and grants the thread's turn to its lowest unfinished message. */
export const begin = internalMutation({
  args: { messageKey: v.string(), ...sentFields },
  returns: begun,
  handler: async (ctx, sent) => {
    const sender = await userBySubject(ctx, sent.subject);
    const thread = await requireOwnThread(ctx, sender, sent.threadId);
    const found = await findExchange(ctx, sent.messageKey);
    if (found === null && thread.status === "archived") noThread(sent.threadId);
    const { user, assistant } = found ?? (await insertExchange(ctx, thread, sent));
    if (assistant.threadId !== thread._id) {
      refuse("CONFLICT", `message ${sent.messageKey} is in another thread than ${sent.threadId}`);
    }
    const grant = await grantTurn(ctx, assistant, sent.runId);
    const { _id: messageId, order } = assistant;
    return {
      userMessageId: user._id,
      messageId,
      order,
      ...grant,
      preferencesVersion: preferencesVersion(sender),
    };
  },
});

async function grantTurn(
  ctx: MutationCtx,
  message: Doc<"messages">,
  runId: string,
): Promise<Pick<Infer<typeof begun>, "state" | "status" | "next">> {
  const holder = await lowestUnfinished(ctx, message.threadId);
  const next = holder?.messageKey ?? null;
  if (isFinished(message)) return { state: "stop", status: message.status, next };
  const state = holder?._id === message._id ? "go" : "wait";
  const status = state === "go" && message.status === "pending" ? "processing" : message.status;
  if (status !== message.status || runId !== message.inngestJobId) {
    await ctx.db.patch(message._id, { status, inngestJobId: runId });
  }
  return { state, status, next };
}

/** Gives a model call its attempt: the winner of its turn from now on. Every older attempt's writes
 *  are refused, and turns after this one, which built on what it replaces, lose their winners. */
export const startAttempt = internalMutation({
  args: { messageKey: v.string(), turn: v.number(), model: v.string() },
  returns: v.object({ attempt: v.number(), seq: v.number(), stop }),
  handler: async (ctx, { messageKey, turn, model }) => {
    requireNatural("turn", turn);
    const message = await requireAnswer(ctx, messageKey);
    const { attempts = [], lastAttempt = 0 } = message;
    const seq = await nextSeq(ctx, message);
    const stop = stopOf(message);
    if (stop !== null) return { attempt: lastAttempt, seq, stop };
    requireTurn(message);
    if (turn > attempts.length) {
      refuse(
        "CONFLICT",
        `turn ${turn} of ${messageKey} follows turn ${turn - 1}; start that first`,
      );
    }
    const attempt = lastAttempt + 1;
    await ctx.db.patch(message._id, {
      attempts: [...attempts.slice(0, turn), attempt],
      lastAttempt: attempt,
      model,
      status: "processing",
    });
    return { attempt, seq, stop };
  },
});

const appended = v.object({ stop: v.union(stop, v.literal("fenced")), nextSeq: v.number() });

/** Persists the next pieces of text of an attempt. A call that is repeated changes nothing, and may
 *  bring further pieces. */
export const append = internalMutation({
  args: {
    messageKey: v.string(),
    attempt: v.number(),
    seq: v.number(),
    texts: v.array(v.string()),
  },
  returns: appended,
  handler: async (ctx, { messageKey, attempt, seq, texts }): Promise<Infer<typeof appended>> => {
    requireNatural("seq", seq);
    const message = await requireAnswer(ctx, messageKey);
    const expected = await nextSeq(ctx, message);
    const stop = stopOf(message);
    if (stop !== null) return { stop, nextSeq: expected };
    const turn = (message.attempts ?? []).indexOf(attempt);
    if (turn < 0 || attempt !== message.lastAttempt) {
      return { stop: "fenced", nextSeq: expected };
    }
    if (seq > expected) {
      refuse("CONFLICT", `delta ${seq} of ${messageKey} leaves a gap; the next is ${expected}`);
    }
    await requireOwnPast(ctx, message, attempt, seq, expected);
    const fresh = texts.slice(expected - seq);
    for (const [index, text] of fresh.entries()) {
      const delta = { messageId: message._id, turn, attempt, seq: expected + index, text };
      await ctx.db.insert("streamDeltas", delta);
    }
    return { stop: null, nextSeq: expected + fresh.length };
  },
});

/** Refuses a repeated append that reaches back into another attempt's deltas. */
async function requireOwnPast(
  ctx: MutationCtx,
  message: Doc<"messages">,
  attempt: number,
  seq: number,
  expected: number,
): Promise<void> {
  if (seq === expected) return;
  const past = await deltaAt(ctx, message._id, seq);
  if (past?.attempt !== attempt) {
    refuse("CONFLICT", `delta ${seq} of ${message.messageKey} is not of attempt ${attempt}`);
  }
}

export const complete = internalMutation({
  args: {
    messageKey: v.string(),
    content: v.string(),
    model: v.string(),
    usage,
    latencyMs: v.number(),
    shown: v.array(shownMemory),
    context: v.optional(contextRecord),
    selection: v.optional(selection),
  },
  returns: ended,
  handler: async (ctx, { messageKey, ...answer }): Promise<Infer<typeof ended>> => {
    const message = await requireAnswer(ctx, messageKey);
    if (isFinished(message)) return await endedBefore(ctx, message);
    requireTurn(message);
    const next = await endMessage(ctx, message, { ...answer, status: "completed" });
    return { applied: true, status: "completed", next };
  },
});

const { threadId, subject, text, model, flow, sentAt, runId } = sentFields;

/** Fails a message, which keeps the text it had. With what was sent, also one that never began. */
export const fail = internalMutation({
  args: {
    messageKey: v.string(),
    error: failure,
    threadId: v.optional(threadId),
    subject: v.optional(subject),
    text: v.optional(text),
    model: v.optional(model),
    flow: v.optional(flow),
    sentAt: v.optional(sentAt),
    runId: v.optional(runId),
  },
  returns: ended,
  handler: async (ctx, { error, ...sent }): Promise<Infer<typeof ended>> => {
    const found = await findExchange(ctx, sent.messageKey);
    const message = found?.assistant ?? (await insertUnbegun(ctx, sent));
    if (isFinished(message)) return await endedBefore(ctx, message);
    const content = await winningText(ctx, message);
    const next = await endMessage(ctx, message, { status: "failed", content, error });
    return { applied: true, status: "failed", next };
  },
});

/** The answer of a message whose run failed before `begin`. Its thread may be archived by now: it
 *  was not when the message was taken. */
async function insertUnbegun(
  ctx: MutationCtx,
  { messageKey, threadId, subject, text, model, flow, sentAt, runId = "" }: Partial<Sent>,
): Promise<Doc<"messages">> {
  if (
    messageKey === undefined ||
    threadId === undefined ||
    subject === undefined ||
    text === undefined ||
    model === undefined ||
    flow === undefined ||
    sentAt === undefined
  ) {
    noMessage(messageKey ?? "");
  }
  const thread = await requireOwnThread(ctx, await userBySubject(ctx, subject), threadId);
  const sent = { messageKey, threadId, subject, text, model, flow, sentAt, runId };
  return (await insertExchange(ctx, thread, sent)).assistant;
}

const cancelled = v.object({
  state: v.union(v.literal("cancelled"), v.literal("finished"), v.literal("kept")),
  next,
});

/** Stops a message for its user; before it exists the wish is kept until `begin` looks. */
export const cancel = internalMutation({
  args: { messageKey: v.string(), subject: v.string() },
  returns: cancelled,
  handler: async (ctx, { messageKey, subject }): Promise<Infer<typeof cancelled>> => {
    const found = await findExchange(ctx, messageKey);
    if (found === null) {
      await keepCancellation(ctx, messageKey, subject);
      return { state: "kept", next: null };
    }
    const message = found.assistant;
    const user = await userBySubject(ctx, subject);
    if (user === null || message.userId !== user._id) noMessage(messageKey);
    if (isFinished(message)) {
      const state = message.status === "cancelled" ? "cancelled" : "finished";
      return { state, next: await nextKey(ctx, message.threadId) };
    }
    const content = await winningText(ctx, message);
    const next = await endMessage(ctx, message, { status: "cancelled", content });
    return { state: "cancelled", next };
  },
});

async function keepCancellation(
  ctx: MutationCtx,
  messageKey: string,
  subject: string,
): Promise<void> {
  if ((await findCancellation(ctx, messageKey, subject)) !== null) return;
  await ctx.db.insert("cancellations", { messageKey, subject, at: Date.now() });
}

/** Deletes the deltas of a finished message, whose content has their text, a batch at a time. */
export const sweepDeltas = internalMutation({
  args: { messageId: v.id("messages") },
  returns: v.null(),
  handler: async (ctx, { messageId }) => {
    const message = await ctx.db.get(messageId);
    if (message === null || !isFinished(message)) return null;
    const batch = await ctx.db
      .query("streamDeltas")
      .withIndex("by_message_seq", (q) => q.eq("messageId", messageId))
      .take(SWEEP_BATCH);
    for (const delta of batch) await ctx.db.delete(delta._id);
    if (batch.length === SWEEP_BATCH) {
      await ctx.scheduler.runAfter(0, internal.worker.sweepDeltas, { messageId });
    } else {
      await giveUpRunningCalls(ctx, messageId);
    }
    return null;
  },
});

/** Refuses to answer a message that `begin` has not granted its thread's turn. */
function requireTurn(message: Doc<"messages">): void {
  if (message.status === "pending") {
    refuse(
      "CONFLICT",
      `message ${message.messageKey} does not hold its thread's turn; begin again`,
    );
  }
}

async function endedBefore(
  ctx: MutationCtx,
  message: Doc<"messages">,
): Promise<Infer<typeof ended>> {
  const next = await nextKey(ctx, message.threadId);
  return { applied: false, status: message.status, next };
}
