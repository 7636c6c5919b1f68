import type { Fields } from "../values/json.ts";
import { after } from "../values/keys.ts";
import type { Statements } from "./database.ts";
import type { EntryRow } from "./entries.ts";
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
  /** The entries read, for a page that may be split. */
  readonly #entries: EntryRow[] | null;
  #left: number;
  #low: Buffer;
  #high: Buffer;
  #batch: EntryRow[] = [];
  #position = 0;
  #batchSize: number;
  #exhausted = false;
  #last: EntryRow | null = null;

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
    this.#entries = budget === UNBOUNDED ? null : [];
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
    return this.#last?.key ?? null;
  }

  /** The key of the entry in the middle of those read; null for a few. */
  get middleKey(): Uint8Array | null {
    const entries = this.#entries ?? [];
    return entries.length > 2 ? entries[Math.floor((entries.length - 1) / 2)]!.key : null;
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
    const { low, high, descending } = this.#range;
    const index = this.#range.index.number;
    if (this.finished) return { index, low: textOf(low), high: textOf(high) };
    if (!this.#last) {
      const at = textOf(descending ? high : low);
      return { index, low: at, high: at };
    }
    return descending
      ? { index, low: textOf(this.#last.key), high: textOf(high) }
      : { index, low: textOf(low), high: textOf(after(this.#last.key)) };
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
    this.#last = row;
    this.#entries?.push(row);
    this.scanned++;
    this.scannedBytes += row.json.length;
    this.#usage.read(row.json);
    return row;
  }

  #fetch(): void {
    const { index, descending } = this.#range;
    if (this.#last && descending) this.#high = Buffer.from(this.#last.key);
    else if (this.#last) this.#low = after(this.#last.key);
    const scan = descending ? this.#statements.descending : this.#statements.ascending;
    this.#batch = scan.all(index, this.#low, this.#high, this.#batchSize);
    this.#position = 0;
    this.#exhausted = this.#batch.length < this.#batchSize;
    this.#batchSize = Math.min(this.#batchSize * 2, LARGEST_BATCH);
  }
}
