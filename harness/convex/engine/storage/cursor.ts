import type { Fields } from "../values/json.ts";
import { after } from "../values/keys.ts";
import type { EntryRow, Statements } from "./database.ts";
import { type Filter, passes } from "./filters.ts";
import type { IndexRange } from "./range.ts";
import { type KeyRange, textOf } from "./readset.ts";
import type { Usage } from "./usage.ts";

const FIRST_BATCH = 32;
const LARGEST_BATCH = 512;

/** The most that may be read for one query, in index entries and in their documents' text. */
export interface Budget {
  entries: number;
  bytes: number;
}

const UNBOUNDED: Budget = { entries: Infinity, bytes: Infinity };

/** Walks a range of an index in batches, and remembers how far it has read. */
export class Cursor {
  /** Index entries read, those that filters left out too. */
  scanned = 0;
  scannedBytes = 0;
  readonly #statements: Statements;
  readonly #usage: Usage;
  readonly #range: IndexRange;
  readonly #filters: Filter[];
  readonly #budget: Budget;
  /** Of the entries read, for a page that may be split. */
  readonly #keys: Uint8Array[] | null;
  #left: number;
  #low: Buffer;
  #high: Buffer;
  #batch: EntryRow[] = [];
  #position = 0;
  #batchSize: number;
  #exhausted = false;
  #lastKey: Uint8Array | null = null;

  /** @param limit Most documents to answer.
   *  @param budget Most to read for them; the last document may go past its bytes. */
  constructor(
    statements: Statements,
    usage: Usage,
    range: IndexRange,
    filters: Filter[],
    limit: number,
    budget = UNBOUNDED,
  ) {
    usage.range();
    this.#budget = budget;
    this.#keys = budget === UNBOUNDED ? null : [];
    this.#usage = usage;
    this.#statements = statements;
    this.#range = range;
    this.#filters = filters;
    this.#left = limit;
    this.#low = range.low;
    this.#high = range.high;
    const known = limit !== Infinity && !filters.length;
    this.#batchSize = Math.max(1, known ? Math.min(limit, LARGEST_BATCH) : FIRST_BATCH);
  }

  /** The whole range has been read. */
  get finished(): boolean {
    return this.#exhausted && this.#position >= this.#batch.length;
  }

  /** As much has been read as may be. */
  get overBudget(): boolean {
    return this.scanned >= this.#budget.entries || this.scannedBytes >= this.#budget.bytes;
  }

  /** The key of the last entry read. */
  get lastKey(): Uint8Array | null {
    return this.#lastKey;
  }

  /** The key of the entry in the middle of those read; null for a few. */
  get middleKey(): Uint8Array | null {
    const keys = this.#keys ?? [];
    return keys.length > 2 ? keys[Math.floor((keys.length - 1) / 2)]! : null;
  }

  /** The next document that passes the filters, or null. */
  next(): EntryRow | null {
    while (this.#left > 0 && !this.overBudget) {
      const row = this.#nextEntry();
      if (!row) return null;
      if (!this.#passes(row)) continue;
      this.#left--;
      return row;
    }
    return null;
  }

  /** The part of the range that has been read so far. */
  read(): KeyRange {
    const { index, low, high, descending } = this.#range;
    if (this.finished) return { index, low: textOf(low), high: textOf(high) };
    if (!this.#lastKey) {
      const at = textOf(descending ? high : low);
      return { index, low: at, high: at };
    }
    return descending
      ? { index, low: textOf(this.#lastKey), high: textOf(high) }
      : { index, low: textOf(low), high: textOf(after(this.#lastKey)) };
  }

  #passes(row: EntryRow): boolean {
    if (!this.#filters.length) return true;
    const document = JSON.parse(row.json) as Fields;
    return this.#filters.every((filter) => passes(filter, document));
  }

  #nextEntry(): EntryRow | null {
    if (this.#position >= this.#batch.length) {
      if (this.#exhausted) return null;
      this.#fetch();
      if (!this.#batch.length) return null;
    }
    const row = this.#batch[this.#position++]!;
    this.#lastKey = row.key;
    this.#keys?.push(row.key);
    this.scanned++;
    this.scannedBytes += row.json.length;
    this.#usage.read(row.json);
    return row;
  }

  #fetch(): void {
    const { index, descending } = this.#range;
    const statement = descending ? this.#statements.descending : this.#statements.ascending;
    this.#batch = statement.all(
      index,
      this.#low,
      this.#high,
      this.#batchSize,
    ) as unknown as EntryRow[];
    this.#position = 0;
    this.#exhausted = this.#batch.length < this.#batchSize;
    const last = this.#batch.at(-1);
    if (last) {
      if (descending) this.#high = Buffer.from(last.key);
      else this.#low = after(last.key);
    }
    this.#batchSize = Math.min(this.#batchSize * 2, LARGEST_BATCH);
  }
}
