import { threadName } from "./corpus.ts";

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

/** @param threads How many there are to choose from. */
export function workOf(call: CallName, caller: Caller, threads: number): Work {
  const anyThread = () => threadName(Math.floor(Math.random() * threads));
  switch (call) {
    case "read":
      return () => caller.query("messages:recent", { thread: anyThread(), once: Math.random() });
    case "send":
      return () => caller.mutate("messages:send", { thread: anyThread(), text: "A message." });
    case "page":
      return pagesOf(caller, anyThread);
  }
}

/** Reads threads from their newest message to their oldest, a page at a time. */
function pagesOf(caller: Caller, anyThread: () => string): Work {
  let thread = anyThread();
  let cursor: string | null = null;
  return async () => {
    const paginationOpts = { numItems: PAGE_MESSAGES, cursor };
    const page = await caller.query("messages:page", {
      thread,
      paginationOpts,
      once: Math.random(),
    });
    cursor = page.isDone ? null : page.continueCursor;
    if (page.isDone) thread = anyThread();
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
