import type { Call, QueryRun, Runner } from "../functions/runner.ts";
import type { Caller } from "../functions/invocation.ts";
import type { Outcome } from "../functions/outcome.ts";
import type { KeyPoint } from "../storage/readset.ts";
import { type Interval, IntervalTree } from "./intervals.ts";

/** Queries, each computed once for all who may see the same.
 *
 *  A result is kept with the ranges it was read from, and is forgotten by the first write
 *  inside one of them. Those that nobody watches are kept too, up to a limit.
 */

/** Most queries kept that nobody watches, and most characters of their results. */
const MAX_IDLE = 1024;
const MAX_IDLE_CHARACTERS = 8 << 20;
/** Most questions remembered as asked once. */
const MAX_ASKED = 4096;
/** A result read from more ranges than this is not kept for later: that would cost more than it saves. */
const MAX_IDLE_RANGES = 64;

/** The caller of results that are everybody's. */
const ANYBODY = "";

interface Result {
  query: LiveQuery;
  caller: string;
  outcome: Outcome;
  /** It is the same at any time until a write changes it. */
  lasting: boolean;
  /** The message's part that is the same for all subscribers, as JSON text. */
  body: string;
  intervals: { tree: IntervalTree<Result>; interval: Interval<Result> }[];
}

/** One session's interest in one query. */
export interface Subscription {
  queryId: number;
  query: LiveQuery;
  /** What the session was last sent. */
  sent: string | null;
  stale: () => void;
}

export class LiveQuery {
  readonly key: string;
  readonly path: string;
  readonly args: Call["args"];
  readonly results = new Map<string, Result>();
  /** Where the pages of a paginated query ended, by caller. */
  readonly journals = new Map<string, string>();
  readonly subscriptions = new Set<Subscription>();

  constructor(key: string, path: string, args: Call["args"], journal: string | null) {
    this.key = key;
    this.path = path;
    this.args = args;
    if (journal !== null) this.journals.set(ANYBODY, journal);
  }

  /** Characters of its results. */
  get size(): number {
    let size = 0;
    for (const { body } of this.results.values()) size += body.length;
    return size;
  }

  resultFor(caller: string): Result | undefined {
    return this.results.get(ANYBODY) ?? this.results.get(caller);
  }
}

function keyOf({ path, args, caller }: Call, journal: string | null): string {
  return JSON.stringify([path, args, caller.admin, journal]);
}

function keyOfCaller(caller: Caller): string {
  return caller.identity ? JSON.stringify(caller.identity) : "nobody";
}

function bodyOf(run: QueryRun): string {
  const { outcome } = run;
  const journal = JSON.stringify(run.journal);
  const logLines = JSON.stringify(outcome.logLines);
  if (outcome.ok) {
    return `"type":"QueryUpdated","value":${outcome.value},"logLines":${logLines},"journal":${journal}`;
  }
  const data = outcome.data === undefined ? "" : `,"errorData":${JSON.stringify(outcome.data)}`;
  const message = JSON.stringify(outcome.message);
  return `"type":"QueryFailed","errorMessage":${message}${data},"logLines":${logLines},"journal":${journal}`;
}

function isLasting({ outcome, volatile, reads }: QueryRun): boolean {
  return outcome.ok && !volatile && reads.length <= MAX_IDLE_RANGES;
}

/** What is compared to tell whether a result changed: a failure's request id does not count. */
export function contentOf(body: string): string {
  return body.replace(/\[Request ID: \w+\] /, "");
}

export class LiveQueries {
  readonly #runner: Pick<Runner, "queryNow">;
  readonly #queries = new Map<string, LiveQuery>();
  readonly #trees = new Map<number, IntervalTree<Result>>();
  /** Those nobody watches, the least recently asked first, with the size of their results. */
  readonly #idle = new Map<LiveQuery, number>();
  #idleCharacters = 0;
  /** Keys of what was asked once and not kept: most questions are not asked again. */
  readonly #asked = new Set<string>();

  constructor(runner: Pick<Runner, "queryNow">) {
    this.#runner = runner;
  }

  subscribe(call: Call, journal: string | null, queryId: number, stale: () => void): Subscription {
    const query = this.#queryFor(call, journal);
    this.#wake(query);
    const subscription = { queryId, query, sent: null, stale };
    query.subscriptions.add(subscription);
    return subscription;
  }

  unsubscribe(subscription: Subscription): void {
    const { query } = subscription;
    query.subscriptions.delete(subscription);
    if (query.subscriptions.size) return;
    for (const result of [...query.results.values()]) if (!result.lasting) this.#forget(result);
    this.#rest(query);
  }

  /** The outcome for somebody who does not watch. Called in the lane. */
  async answer(call: Call): Promise<Outcome> {
    const key = keyOf(call, null);
    const callerKey = keyOfCaller(call.caller);
    const known = this.#queries.get(key)?.resultFor(callerKey);
    if (known?.lasting) {
      this.#rest(known.query);
      return known.outcome;
    }
    const run = await this.#runner.queryNow(call, null);
    if (isLasting(run) && this.#askedAgain(key)) {
      const query = this.#queryFor(call, null);
      const owner = run.identityRead ? callerKey : ANYBODY;
      if (query.subscriptions.size) return run.outcome;
      if (run.journal !== null) query.journals.set(owner, run.journal);
      this.#keep(query, owner, run);
      this.#rest(query);
    }
    return run.outcome;
  }

  #askedAgain(key: string): boolean {
    if (this.#asked.delete(key)) return true;
    if (this.#asked.size >= MAX_ASKED) this.#asked.clear();
    this.#asked.add(key);
    return false;
  }

  /** The result as it is now, run again only if a write has touched what it read.
   *  Called in the lane. */
  async result(query: LiveQuery, caller: Caller): Promise<string> {
    const callerKey = keyOfCaller(caller);
    const known = query.resultFor(callerKey);
    if (known) return known.body;
    const journal = query.journals.get(callerKey) ?? query.journals.get(ANYBODY) ?? null;
    const call = { path: query.path, args: query.args, caller };
    const run = await this.#runner.queryNow(call, journal);
    const owner = run.identityRead ? callerKey : ANYBODY;
    if (run.journal !== null) this.#pin(query, owner, run.journal);
    // Whoever asked may have left meanwhile, and nobody would forget what is kept then.
    return query.subscriptions.size ? this.#keep(query, owner, run).body : bodyOf(run);
  }

  /** Forgets every result that the writes may have changed, and tells who watches it. */
  invalidate(writes: readonly KeyPoint[]): void {
    const touched = new Set<Result>();
    for (const { index, key } of writes) {
      this.#trees.get(index)?.containing(key, (result) => touched.add(result));
    }
    const queries = new Set<LiveQuery>();
    for (const result of touched) {
      this.#forget(result);
      queries.add(result.query);
    }
    for (const query of queries) {
      if (query.subscriptions.size) for (const watcher of query.subscriptions) watcher.stale();
      else this.#rest(query);
    }
  }

  #queryFor(call: Call, journal: string | null): LiveQuery {
    const key = keyOf(call, journal);
    let query = this.#queries.get(key);
    if (!query) {
      query = new LiveQuery(key, call.path, call.args, journal);
      this.#queries.set(key, query);
    }
    return query;
  }

  #wake(query: LiveQuery): void {
    this.#idleCharacters -= this.#idle.get(query) ?? 0;
    this.#idle.delete(query);
  }

  /** Keeps what an unwatched query knows for whoever asks next; forgets it if that is nothing. */
  #rest(query: LiveQuery): void {
    if (query.subscriptions.size) return;
    this.#wake(query);
    if (!query.results.size || this.#queries.get(query.key) !== query) return this.#drop(query);
    this.#idle.set(query, query.size);
    this.#idleCharacters += query.size;
    while (this.#idle.size > MAX_IDLE || this.#idleCharacters > MAX_IDLE_CHARACTERS) {
      const [oldest] = this.#idle.keys();
      this.#wake(oldest!);
      this.#drop(oldest!);
    }
  }

  #drop(query: LiveQuery): void {
    for (const result of [...query.results.values()]) this.#forget(result);
    if (this.#queries.get(query.key) === query) this.#queries.delete(query.key);
  }

  /** A page keeps its end for those who watch it, but whoever comes later starts anew. */
  #pin(query: LiveQuery, caller: string, journal: string): void {
    const again = query.journals.has(caller);
    query.journals.set(caller, journal);
    if (again && this.#queries.get(query.key) === query) this.#queries.delete(query.key);
  }

  #keep(query: LiveQuery, caller: string, run: QueryRun): Result {
    const { outcome } = run;
    const lasting = isLasting(run);
    const result = { query, caller, outcome, lasting, body: bodyOf(run), intervals: [] } as Result;
    for (const { index, low, high } of run.reads) {
      if (low >= high) continue;
      let tree = this.#trees.get(index);
      if (!tree) this.#trees.set(index, (tree = new IntervalTree()));
      result.intervals.push({ tree, interval: tree.add(low, high, result) });
    }
    query.results.set(caller, result);
    return result;
  }

  #forget(result: Result): void {
    for (const { tree, interval } of result.intervals) tree.remove(interval);
    if (result.query.results.get(result.caller) === result) {
      result.query.results.delete(result.caller);
    }
  }
}
