import { RequestError } from "../failures.ts";
import type { Timestamp } from "../sync/clock.ts";
import type { Statements } from "./database.ts";
import { type Change, Past } from "./past.ts";

/** What documents were before each commit, kept while somebody may ask for it.
 *
 *  Nothing is noted until a client asks for a timestamp, and no more once the last that was given
 *  is too old: as on Convex, 30 seconds.
 */

const KEPT_MS = 30_000;
const KEPT_CHANGES = 100_000;
const KEPT_BYTES = 64 << 20;
/** Points in time that are kept ready to be read. */
const READY = 8;

interface Commit {
  ts: Timestamp;
  atMs: number;
  changes: readonly Change[];
}

export class History {
  readonly #present: Statements;
  #commits: Commit[] = [];
  #changes = 0;
  #bytes = 0;
  /** The commit before the first one kept: the earliest time that can be read. */
  #earliest: Timestamp | null = null;
  #forgetting: NodeJS.Timeout | undefined;
  readonly #ready = new Map<Timestamp, { past: Past; upTo: Timestamp }>();

  constructor(present: Statements) {
    this.#present = present;
  }

  /** Whether writes are to say what was before them. Changes between commits only. */
  get recording(): boolean {
    return this.#earliest !== null;
  }

  /** Keeps what is needed to read the documents as they are now, for a while.
   *
   *  @param ts The last commit's.
   */
  keep(ts: Timestamp): void {
    this.#earliest ??= ts;
    clearTimeout(this.#forgetting);
    this.#forgetting = setTimeout(() => this.#forget(), KEPT_MS);
    this.#forgetting.unref();
  }

  /** Notes a commit. */
  record(ts: Timestamp, changes: readonly Change[]): void {
    if (this.#earliest === null || !changes.length) return;
    this.#commits.push({ ts, atMs: Date.now(), changes });
    this.#count(changes, 1);
    this.#dropOld();
  }

  /** What reads the documents as they were.
   *
   *  @param last The last commit's.
   *  @throws RequestError for a time that is not kept, or has not come.
   */
  at(ts: Timestamp, last: Timestamp): Statements {
    if (ts > last) {
      throw new RequestError(
        400,
        "TimestampInFuture",
        "The timestamp has not come yet: ask /api/query_ts for one.",
      );
    }
    if (ts === last) return this.#present;
    this.#dropOld();
    if (this.#earliest === null || ts < this.#earliest) {
      throw new RequestError(
        400,
        "TimestampTooOld",
        `The timestamp is too old: those of /api/query_ts can be read for ${KEPT_MS / 1000} s, ` +
          "ask it for another.",
      );
    }
    return this.#readyAt(ts).statements;
  }

  #readyAt(ts: Timestamp): Past {
    const ready = this.#ready.get(ts) ?? { past: new Past(this.#present), upTo: ts };
    for (const commit of this.#commits) {
      if (commit.ts > ready.upTo) ready.past.since(commit.changes);
    }
    ready.upTo = this.#commits.at(-1)?.ts ?? ts;
    this.#ready.delete(ts);
    this.#ready.set(ts, ready);
    const [oldest] = this.#ready.keys();
    if (this.#ready.size > READY) this.#ready.delete(oldest!);
    return ready.past;
  }

  #dropOld(): void {
    const oldMs = Date.now() - KEPT_MS;
    let old = 0;
    for (const { ts, atMs, changes } of this.#commits) {
      const over = this.#changes > KEPT_CHANGES || this.#bytes > KEPT_BYTES;
      if (atMs >= oldMs && !over) break;
      this.#count(changes, -1);
      this.#earliest = ts;
      old++;
    }
    if (!old) return;
    this.#commits = this.#commits.slice(old);
    for (const ts of this.#ready.keys()) if (ts < this.#earliest!) this.#ready.delete(ts);
  }

  #count(changes: readonly Change[], sign: 1 | -1): void {
    this.#changes += sign * changes.length;
    for (const { before } of changes) this.#bytes += sign * (before?.length ?? 0);
  }

  #forget(): void {
    this.#commits = [];
    this.#changes = this.#bytes = 0;
    this.#earliest = null;
    this.#ready.clear();
  }
}
