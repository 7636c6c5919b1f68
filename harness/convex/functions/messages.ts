import { paginationOptsValidator } from "convex/server";
import { type Infer, v } from "convex/values";
import type { Doc } from "./_generated/dataModel.js";
import { internalMutation, internalQuery, query, type QueryCtx } from "./_generated/server.js";
import { deltaFields, failure, messageFields, role, status } from "./fields.js";
import { bounded, messageDoc, messagePage } from "./lib/documents.js";
import { refuse, requireNatural } from "./lib/errors.js";
import { exchange, findExchange, findOwnExchange } from "./lib/exchange.js";
import { currentUser, requireOwnThread, requireThread } from "./lib/identity.js";
import { DELTAS_PER_READ, MESSAGES_PER_IMPORT } from "./lib/limits.js";
import { unfinishedOf } from "./lib/removal.js";
import { nextSeq } from "./lib/stream.js";
import { FINISHED, isFinished } from "./lib/turn.js";

/** The messages of one's own thread, newest first. */
export const list = query({
  args: { threadId: v.string(), paginationOpts: paginationOptsValidator },
  returns: messagePage,
  handler: async (ctx, { threadId, paginationOpts }) => {
    const thread = await requireOwnThread(ctx, await currentUser(ctx), threadId);
    return await ctx.db
      .query("messages")
      .withIndex("by_thread_order", (q) => q.eq("threadId", thread._id))
      .order("desc")
      .paginate(bounded(paginationOpts));
  },
});

/** What was sent under a key and its answer; null before the run has begun. */
export const byKey = query({
  args: { messageKey: v.string() },
  returns: v.union(exchange, v.null()),
  handler: async (ctx, { messageKey }) => await findOwnExchange(ctx, messageKey),
});

const { seq, turn, attempt, text } = deltaFields;
const streamView = v.object({
  messageKey: v.string(),
  threadId: v.id("threads"),
  order: v.number(),
  status,
  model: v.optional(v.string()),
  error: v.optional(failure),
  attempts: v.array(v.number()),
  nextSeq: v.number(),
  content: v.union(v.string(), v.null()),
  deltas: v.array(v.object({ seq, turn, attempt, text })),
});

/** What is new in an answer's stream after delta `after` (-1 at the start). A reader asks again from
 *  the last delta it has, so that no push carries the prefix. */
export const stream = query({
  args: { messageKey: v.string(), after: v.number() },
  returns: v.union(streamView, v.null()),
  handler: async (ctx, { messageKey, after }) => {
    const message = (await findOwnExchange(ctx, messageKey))?.assistant;
    return message === undefined ? null : await viewStream(ctx, message, messageKey, after);
  },
});

/** The newest `limit` finished messages before an order, oldest first. */
export const history = internalQuery({
  args: { threadId: v.string(), beforeOrder: v.number(), limit: v.number() },
  returns: v.array(messageDoc),
  handler: async (ctx, { threadId, beforeOrder, limit }) => {
    requireNatural("limit", limit);
    const thread = await requireThread(ctx, threadId);
    const before = ctx.db
      .query("messages")
      .withIndex("by_thread_order", (q) => q.eq("threadId", thread._id).lt("order", beforeOrder))
      .order("desc");
    const newest: Doc<"messages">[] = [];
    if (limit === 0) return newest;
    for await (const message of before) {
      if (isFinished(message)) newest.push(message);
      if (newest.length === limit) break;
    }
    return newest.reverse();
  },
});

const { speaker, content, sentAt, threadId, order } = messageFields;
const _id = v.id("messages");
const headMessage = v.object({ _id, threadId, role, speaker, content, sentAt, order, status });

/** A thread's newest finished messages, oldest first, for a worker that follows them. Finished ones
 *  are read alone, by their index, so that this runs again only when one was added. */
export const head = internalQuery({
  args: { threadId: v.string(), limit: v.number() },
  returns: v.array(headMessage),
  handler: async (ctx, { threadId, limit }) => {
    requireNatural("limit", limit);
    const thread = await requireThread(ctx, threadId);
    const finished: Doc<"messages">[] = [];
    for (const status of FINISHED) {
      const newest = await ctx.db
        .query("messages")
        .withIndex("by_thread_status", (q) => q.eq("threadId", thread._id).eq("status", status))
        .order("desc")
        .take(limit);
      finished.push(...newest);
    }
    finished.sort((a, b) => a.order - b.order);
    return finished.slice(Math.max(0, finished.length - limit)).map(asHeadMessage);
  },
});

function asHeadMessage(message: Doc<"messages">): Infer<typeof headMessage> {
  const { _id, threadId, role, speaker, content, sentAt, order, status } = message;
  const said = { _id, threadId, role, content, sentAt, order, status };
  return speaker === undefined ? said : { ...said, speaker };
}

/** Appends messages of the past, from a public conversation or another system. */
export const importMany = internalMutation({
  args: {
    threadId: v.string(),
    messages: v.array(v.object({ role, speaker, content, sentAt })),
  },
  returns: v.array(v.object({ id: v.id("messages"), order: v.number() })),
  handler: async (ctx, { threadId, messages }) => {
    if (messages.length > MESSAGES_PER_IMPORT) {
      refuse(
        "INVALID",
        `${messages.length} messages came at once; send at most ${MESSAGES_PER_IMPORT} a call`,
      );
    }
    const { _id, userId, nextOrder, lastMessageAt } = await requireThread(ctx, threadId);
    if (messages.length === 0) return [];
    const imported = [];
    for (const [index, message] of messages.entries()) {
      const order = nextOrder + index;
      const id = await ctx.db.insert("messages", {
        ...message,
        threadId: _id,
        userId,
        order,
        status: "completed",
      });
      imported.push({ id, order });
    }
    await ctx.db.patch(_id, {
      nextOrder: nextOrder + messages.length,
      // A thread that only has a past is as old as that past.
      lastMessageAt: Math.max(
        nextOrder === 0 ? 0 : lastMessageAt,
        ...messages.map((message) => message.sentAt),
      ),
    });
    return imported;
  },
});

export const read = internalQuery({
  args: { messageKey: v.string() },
  returns: v.union(exchange, v.null()),
  handler: async (ctx, { messageKey }) => await findExchange(ctx, messageKey),
});

/** The answers of a thread that are still to come, the one that holds the turn first. */
export const unfinished = internalQuery({
  args: { threadId: v.string() },
  returns: v.array(messageDoc),
  handler: async (ctx, { threadId }) => {
    return await unfinishedOf(ctx, await requireThread(ctx, threadId));
  },
});

async function viewStream(
  ctx: QueryCtx,
  message: Doc<"messages">,
  messageKey: string,
  after: number,
): Promise<Infer<typeof streamView>> {
  const deltas = await ctx.db
    .query("streamDeltas")
    .withIndex("by_message_seq", (q) => q.eq("messageId", message._id).gt("seq", after))
    .take(DELTAS_PER_READ);
  const { threadId, order, status, model, error, attempts = [] } = message;
  return {
    messageKey,
    threadId,
    order,
    status,
    ...(model !== undefined && { model }),
    ...(error !== undefined && { error }),
    attempts,
    nextSeq: await nextSeq(ctx, message),
    content: isFinished(message) ? message.content : null,
    deltas: deltas.map(({ seq, turn, attempt, text }) => ({ seq, turn, attempt, text })),
  };
}
