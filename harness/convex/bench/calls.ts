import { THREAD_MESSAGES, threadName } from "./corpus.ts";

/** The calls whose rates are measured, over whatever carries them. */

export interface Caller {
  query: (path: string, args: unknown) => Promise<any>;
  mutate: (path: string, args: unknown) => Promise<any>;
}

/** One client's calls: each `next` is one call, to its end. */
export type Work = () => Promise<unknown>;

export const CALLS = ["read", "page", "send"] as const;
export type CallName = (typeof CALLS)[number];

const PAGE_MESSAGES = 25;

/** A place in the later half of a thread. No two are alike: a question that is asked again would be
 *  answered from what the engine keeps, and not be read.
 */
function anyPlace(threads: number): { thread: string; before: number } {
  const thread = threadName(Math.floor(Math.random() * threads));
  return { thread, before: (THREAD_MESSAGES / 2) * (1 + Math.random()) };
}

/** @param threads How many there are to choose from. */
export function workOf(call: CallName, caller: Caller, threads: number): Work {
  switch (call) {
    case "read":
      return () => caller.query("messages:recent", anyPlace(threads));
    case "send":
      return () => {
        const { thread } = anyPlace(threads);
        return caller.mutate("messages:send", { thread, text: "A message." });
      };
    case "page":
      return pagesOf(caller, threads);
  }
}

/** Reads threads from a place to their oldest message, a page at a time. */
function pagesOf(caller: Caller, threads: number): Work {
  let place = anyPlace(threads);
  let cursor: string | null = null;
  return async () => {
    const paginationOpts = { numItems: PAGE_MESSAGES, cursor };
    const page = await caller.query("messages:page", { ...place, paginationOpts });
    cursor = page.isDone ? null : page.continueCursor;
    if (page.isDone) place = anyPlace(threads);
  };
}

/** Does the work of all clients at once, each one's calls one after another.
 *
 *  @returns How many calls ended, and in how many seconds.
 */
export async function repeated(
  works: Work[],
  seconds: number,
): Promise<{ calls: number; seconds: number }> {
  const began = performance.now();
  const end = began + seconds * 1000;
  let calls = 0;
  const client = async (work: Work) => {
    while (performance.now() < end) {
      await work();
      calls++;
    }
  };
  await Promise.all(works.map(client));
  return { calls, seconds: (performance.now() - began) / 1000 };
}
