import type { FunctionArgs, FunctionReturnType } from "convex/server";
import { expect } from "vitest";
import { api, internal } from "../../../functions/_generated/api.js";
import type { Backend, Caller } from "./backend.js";

/** What tests start from. Names are fresh, since the tests of a file share one database. */

export type Sent = FunctionArgs<typeof internal.worker.begin>;
export type Ended = FunctionReturnType<typeof internal.worker.complete>;

export interface OwnThread {
  threadId: string;
  subject: string;
  owner: Caller;
}

let names = 0;
export function fresh(prefix: string): string {
  names += 1;
  return `${prefix}-${names}`;
}

export async function newThread(backend: Backend): Promise<OwnThread> {
  const subject = fresh("user");
  const owner = backend.as(subject);
  const threadId = await owner.mutation(api.threads.create, { title: "A thread" });
  return { threadId, subject, owner };
}

export function newSent({ threadId, subject }: OwnThread, more: Partial<Sent> = {}): Sent {
  return {
    messageKey: fresh("key"),
    threadId,
    subject,
    text: "What is in the folder?",
    model: "first",
    flow: "background",
    sentAt: 1_700_000_000_000,
    runId: "run-1",
    ...more,
  };
}

/** A message that its run has begun. */
export async function begunMessage(
  backend: Backend,
  thread: OwnThread,
  more: Partial<Sent> = {},
): Promise<Sent> {
  const sent = newSent(thread, more);
  await backend.admin.mutation(internal.worker.begin, sent);
  return sent;
}

/** A message of a thread of its own with its first attempt at turn 0. */
export async function streamingMessage(backend: Backend): Promise<OwnThread & { key: string }> {
  const thread = await newThread(backend);
  const { messageKey: key } = await begunMessage(backend, thread);
  await startAttempt(backend, key, 0);
  return { ...thread, key };
}

export async function startAttempt(backend: Backend, messageKey: string, turn: number) {
  return await backend.admin.mutation(internal.worker.startAttempt, {
    messageKey,
    turn,
    model: "first",
  });
}

export async function append(
  backend: Backend,
  messageKey: string,
  attempt: number,
  seq: number,
  ...texts: string[]
) {
  return await backend.admin.mutation(internal.worker.append, { messageKey, attempt, seq, texts });
}

export const SELECTION = {
  needed: true,
  candidates: [{ name: "ring", score: 0.75 }],
  scores: [
    { name: "ring", score: 0.75 },
    { name: "_knock", score: 0.125 },
  ],
  why: "ring serves best",
};

export async function complete(
  backend: Backend,
  messageKey: string,
  content = "Done.",
  selection?: typeof SELECTION,
) {
  return await backend.admin.mutation(internal.worker.complete, {
    messageKey,
    content,
    model: "second",
    usage: { promptTokens: 10, completionTokens: 2, cachedTokens: 0 },
    latencyMs: 12.5,
    shown: [{ source: "memory", score: 0.5, text: "a memory" }],
    ...(selection && { selection }),
  });
}

export async function fail(backend: Backend, messageKey: string) {
  return await backend.admin.mutation(internal.worker.fail, {
    messageKey,
    error: { code: "MODEL_DOWN", message: "the model did not answer" },
  });
}

export async function cancel(backend: Backend, messageKey: string, subject: string) {
  return await backend.admin.mutation(internal.worker.cancel, { messageKey, subject });
}

/** The answer to a message, as the worker reads it. */
export async function answerOf(backend: Backend, messageKey: string) {
  const found = await backend.admin.query(internal.messages.read, { messageKey });
  return found!.assistant!;
}

/** Every message of a thread, oldest first, as its owner pages through them. */
export async function messagesOf({ threadId, owner }: OwnThread) {
  const messages = [];
  let cursor: string | null = null;
  for (;;) {
    const paginationOpts = { numItems: 50, cursor };
    const page: FunctionReturnType<typeof api.messages.list> = await owner.query(
      api.messages.list,
      { threadId, paginationOpts },
    );
    messages.push(...page.page);
    if (page.isDone) return messages.reverse();
    cursor = page.continueCursor;
  }
}

/** Expects a refusal with a code of the contract, and words that say why. */
export async function expectRefusal(call: Promise<unknown>, code: string, why = ""): Promise<void> {
  await expect(call).rejects.toMatchObject({
    data: { code, message: expect.stringContaining(why) },
  });
}
