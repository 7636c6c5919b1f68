import type { StatementSync } from "node:sqlite";
import type { Fields } from "../values/json.ts";
import { type Index, entryKey } from "./catalog.ts";

/** Entries of indexes, with their documents. */

export interface EntryRow {
  readonly key: Uint8Array;
  readonly document: number;
  readonly json: string;
}

/** Reads a part of an index, in one direction. */
export interface Scan {
  all: (index: Index, low: Uint8Array, high: Uint8Array, limit: number) => EntryRow[];
}

/** How many entries a part of an index has. */
export type Count = (index: Index, low: Uint8Array, high: Uint8Array) => number;

/** An entry as it is read, without its key: getting that out of SQLite takes as long as all the
 *  rest, most keys are never asked for, and one that is can be made of the document again.
 */
class StoredEntry implements EntryRow {
  readonly document: number;
  readonly json: string;
  readonly #index: Index;
  #key: Uint8Array | null = null;

  constructor(index: Index, document: number, json: string) {
    this.#index = index;
    this.document = document;
    this.json = json;
  }

  get key(): Uint8Array {
    return (this.#key ??= entryKey(this.#index, JSON.parse(this.json) as Fields, this.document));
  }
}

/** @param statement Answers an entry's document, its number first, for an index, two keys and a limit. */
export function scanBy(statement: StatementSync): Scan {
  statement.setReturnArrays(true);
  return {
    all: (index, low, high, limit) => {
      const rows = statement.all(index.number, low, high, limit) as unknown as [number, string][];
      return rows.map(([document, json]) => new StoredEntry(index, document, json));
    },
  };
}

/** @param statement Answers one number for an index and two keys. */
export function countBy(statement: StatementSync): Count {
  statement.setReturnArrays(true);
  return (index, low, high) => {
    const [count] = statement.get(index.number, low, high) as unknown as [number];
    return count;
  };
}
