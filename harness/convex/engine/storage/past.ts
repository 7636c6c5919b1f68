import type { Fields } from "../values/json.ts";
import { after } from "../values/keys.ts";
import { type Index, type Table, entryKey } from "./catalog.ts";
import type { Statements } from "./database.ts";
import type { EntryRow, Scan } from "./entries.ts";

/** The documents as they were: those of now, but for what has changed since. */

/** A document as it was before a write. */
export interface Change {
  table: Table;
  number: number;
  id: string;
  /** Its JSON text, or null if the write made it. */
  before: string | null;
}

const LARGEST_BATCH = 512;

function order(left: EntryRow, right: EntryRow): number {
  return Buffer.compare(left.key, right.key);
}

export class Past {
  readonly #present: Statements;
  /** By the number of the document, its state at this time. */
  readonly #before = new Map<number, Change>();
  /** By the number of the index, what of them it held at this time, in its order once it is asked. */
  readonly #entries = new Map<number, { rows: EntryRow[]; ordered: boolean }>();

  constructor(present: Statements) {
    this.#present = present;
  }

  /** Takes in what changed after this time. Changes are given once, in their order. */
  since(changes: readonly Change[]): void {
    for (const change of changes) {
      const { table, number, before } = change;
      if (this.#before.has(number)) continue;
      this.#before.set(number, change);
      if (before === null) continue;
      const document = JSON.parse(before) as Fields;
      for (const index of table.indexes.values()) {
        const row = { key: entryKey(index, document, number), document: number, json: before };
        const entries = this.#entries.get(index.number);
        if (!entries) this.#entries.set(index.number, { rows: [row], ordered: true });
        else {
          entries.rows.push(row);
          entries.ordered = false;
        }
      }
    }
  }

  /** What reads documents for a query at this time; it writes none. */
  get statements(): Statements {
    const get = { get: (number: number, id: string) => this.#get(number, id) };
    return {
      ...this.#present,
      get: get as unknown as Statements["get"],
      ascending: { all: (...range) => this.#scan(false, ...range) },
      descending: { all: (...range) => this.#scan(true, ...range) },
      count: (...range) => this.#scan(false, ...range, Infinity).length,
    };
  }

  #get(number: number, id: string): { json: string } | undefined {
    const change = this.#before.get(number);
    if (!change) return this.#present.get.get(number, id) as { json: string } | undefined;
    return change.before === null || change.id !== id ? undefined : { json: change.before };
  }

  #scan(descending: boolean, ...[index, low, high, limit]: Range): EntryRow[] {
    const changed = this.#changed(index, low, high);
    if (descending) changed.reverse();
    const sign = descending ? -1 : 1;
    const rows: EntryRow[] = [];
    let next = 0;
    const unchanged = this.#unchanged(descending, index, low, high, limit);
    for (let row = unchanged.next(); rows.length < limit;) {
      const other = changed[next];
      if (other && (row.done || order(other, row.value) * sign < 0)) {
        rows.push(other);
        next++;
      } else if (row.done) break;
      else {
        rows.push(row.value);
        row = unchanged.next();
      }
    }
    return rows;
  }

  /** Those of the range that have changed since, in ascending order. */
  #changed(index: Index, low: Uint8Array, high: Uint8Array): EntryRow[] {
    const entries = this.#entries.get(index.number);
    if (!entries) return [];
    if (!entries.ordered) {
      entries.rows.sort(order);
      entries.ordered = true;
    }
    return entries.rows.filter(
      ({ key }) => Buffer.compare(key, low) >= 0 && Buffer.compare(key, high) < 0,
    );
  }

  /** Those of the range that are as they were. */
  *#unchanged(
    descending: boolean,
    ...[index, low, high, limit]: Range
  ): Generator<EntryRow, undefined> {
    const { ascending, descending: backwards } = this.#present;
    const statement = descending ? backwards : ascending;
    const size = Math.min(limit, LARGEST_BATCH);
    for (;;) {
      const rows = statement.all(index, low, high, size);
      for (const row of rows) if (!this.#before.has(row.document)) yield row;
      const last = rows.at(-1);
      if (!last || rows.length < size) return;
      if (descending) high = Buffer.from(last.key);
      else low = after(last.key);
    }
  }
}

type Range = Parameters<Scan["all"]>;
