import { AsyncLocalStorage } from "node:async_hooks";
import { randomFillSync } from "node:crypto";
import type { Transaction } from "../storage/transaction.ts";
import type { Fields } from "../values/json.ts";

/** One running function, as found by the calls it makes into the engine. */

export type FunctionKind = "query" | "mutation" | "action";

/** Who calls: a verified user, nobody, or the holder of the admin key. */
export interface Caller {
  identity: Fields | null;
  admin: boolean;
}

export const NOBODY: Caller = { identity: null, admin: false };
/** The engine itself, for scheduled functions and those that functions call. */
export const SYSTEM: Caller = { identity: null, admin: true };

export interface Invocation {
  path: string;
  kind: FunctionKind;
  requestId: string;
  caller: Caller;
  /** Null for an action. */
  transaction: Transaction | null;
  /** The time a query or mutation sees, in milliseconds; it stands still while one runs. */
  now: number;
  random: () => number;
  logLines: string[];
  /** Set once its result is known: calls made after that are refused. */
  finished: boolean;
  /** Calls wait for this while a nested mutation runs. */
  nested: Promise<unknown> | null;
}

/** @see https://docs.convex.dev/production/state/limits */
const MAX_LOG_LINES = 256;
const MAX_LOG_LINE_CHARACTERS = 4096;
const CUT = " (truncated due to length)";

/** Adds a line to what a caller is told, up to Convex's limits. */
export function addLogLine(lines: string[], line: string): void {
  if (lines.length >= MAX_LOG_LINES) return;
  if (lines.length === MAX_LOG_LINES - 1) {
    lines.push(`[ERROR] Log overflow (maximum ${MAX_LOG_LINES}). Remaining log lines omitted.`);
  } else if (line.length > MAX_LOG_LINE_CHARACTERS) {
    lines.push(line.slice(0, MAX_LOG_LINE_CHARACTERS - CUT.length) + CUT);
  } else lines.push(line);
}

export const current = new AsyncLocalStorage<Invocation>();

const REQUEST_ID_BYTES = 8;
/** Drawn for many at once, as each draw is a call into the system. */
const drawn = Buffer.alloc(REQUEST_ID_BYTES * 512);
let used = drawn.length;

export function newRequestId(): string {
  if (used === drawn.length) {
    randomFillSync(drawn);
    used = 0;
  }
  used += REQUEST_ID_BYTES;
  return drawn.toString("hex", used - REQUEST_ID_BYTES, used);
}

/** A generator of numbers in [0, 1) that is the same for the same seed (mulberry32). */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function newInvocation(
  fields: Pick<Invocation, "path" | "kind" | "caller" | "transaction"> & Partial<Invocation>,
): Invocation {
  return {
    requestId: newRequestId(),
    now: Date.now(),
    random: seededRandom(Math.random() * 2 ** 32),
    logLines: [],
    finished: false,
    nested: null,
    ...fields,
  };
}
