import { UserError } from "../failures.ts";
import { type DocumentNumbers, creationTimeOf, newId, parseId } from "../values/ids.ts";
import { type Fields, type Json, kindOf } from "../values/json.ts";
import { checkDocumentSize } from "../values/limits.ts";
import { validationError } from "../values/validators.ts";
import { type Catalog, type Table, entryKey } from "./catalog.ts";
import { Cursor } from "./cursor.ts";
import type { Statements } from "./database.ts";
import type { EntryRow } from "./entries.ts";
import type { History } from "./history.ts";
import { type PageRequest, type PageResult, readPage } from "./pages.ts";
import type { Change } from "./past.ts";
import { type SerializedQuery, rangeOf } from "./range.ts";
import { BY_ID, type KeyPoint, type KeyRange, textOf } from "./readset.ts";
import { type Limits, Usage } from "./usage.ts";

/** One query's or mutation's view of the documents.
 *
 *  Transactions run one after another on one connection, so each reads a single snapshot
 *  and mutations are serializable without locks. Undoing is SQLite's: see `GroupCommit`.
 */

export interface Store {
  catalog: Catalog;
  statements: Statements;
  numbers: DocumentNumbers;
  /** Absent where nobody can ask for the past. */
  history?: History;
}

/** What a mutation has done so far, so that a nested one can be undone. */
export interface Mark {
  writes: number;
  changes: number;
  created: number;
}

export class Transaction {
  readonly writable: boolean;
  usage: Usage;
  readonly writes: KeyPoint[] = [];
  /** What was before the writes, while somebody may ask for it. */
  readonly changes: Change[] = [];
  /** Set once a function has asked who its caller is. */
  identityRead = false;
  /** Set once a function has seen the time or chance, so that its result is not kept for later. */
  volatile = false;
  /** End of the page of a query that paginates; given back to it when it runs again. */
  journal: string | null;
  paginated = false;
  /** It scheduled a function, which the scheduler is to look at once it is committed. */
  scheduled = false;
  readonly #store: Store;
  readonly #created: Table[] = [];
  readonly #pointReads: KeyRange[] = [];
  readonly #cursors: Cursor[] = [];
  readonly #open = new Map<number, Cursor>();
  #opened = 0;

  /** @param options.limits Of a function; the engine's own transactions have none. */
  constructor(
    store: Store,
    options: { writable: boolean; journal?: string | null; limits?: Limits },
  ) {
    this.#store = store;
    this.writable = options.writable;
    this.usage = new Usage(options.limits ?? null);
    this.journal = options.journal ?? null;
  }

  /** Everything read, for a query that is to run again when it changes. */
  reads(): KeyRange[] {
    return [...this.#pointReads, ...this.#cursors.map((cursor) => cursor.read())];
  }

  mark(): Mark {
    return {
      writes: this.writes.length,
      changes: this.changes.length,
      created: this.#created.length,
    };
  }

  /** Forgets what was done since the mark; SQLite has undone it on disk. */
  forgetSince(mark: Mark): void {
    this.writes.length = mark.writes;
    this.changes.length = mark.changes;
    for (const table of this.#created.splice(mark.created)) table.saved = false;
  }

  /** The document as JSON text, or null. */
  get(id: Json, tableName?: string): string | null {
    const found = this.#resolve(id, tableName, "get");
    if (!this.writable) {
      this.#pointReads.push({ index: BY_ID, low: id as string, high: `${id as string}\0` });
    }
    this.usage.range();
    return this.#read(found.document, id as string);
  }

  /** Starts a query; its rows come from `next`. */
  openQuery(query: SerializedQuery): number {
    const limit = query.operators.find((part) => "limit" in part)?.limit ?? Infinity;
    const filters = query.operators.flatMap((part) => ("filter" in part ? [part.filter] : []));
    const range = rangeOf(this.#store.catalog, query);
    const cursor = this.track(
      new Cursor(this.#store.statements, this.usage, range, filters, limit),
    );
    this.#open.set(++this.#opened, cursor);
    return this.#opened;
  }

  closeQuery(query: number): void {
    this.#open.delete(query);
  }

  next(query: number): EntryRow | null {
    const cursor = this.#open.get(query);
    if (!cursor) throw new UserError("This query is closed.");
    return cursor.next();
  }

  page(request: PageRequest): PageResult {
    return readPage(this.#store, this, request);
  }

  count(tableName: string): number {
    const index = this.#store.catalog.find(tableName)?.indexes.get("by_creation_time");
    if (!index) return 0;
    const range = { index: index.number, low: "", high: "\xff" };
    this.#pointReads.push(range);
    return this.#store.statements.count(index, Buffer.alloc(0), Buffer.of(0xff));
  }

  /** Adds a cursor to what the query has read. */
  track(cursor: Cursor): Cursor {
    if (!this.writable) this.#cursors.push(cursor);
    return cursor;
  }

  insert(tableName: string, value: Json, nowMs: number): string {
    this.#mustWrite();
    const table = this.#tableForWrite(tableName);
    const number = this.#store.numbers.next(nowMs);
    const id = newId({ table: table.number, document: number });
    const document: Fields = {
      ...this.#checked(table, value),
      _creationTime: creationTimeOf(number),
      _id: id,
    };
    this.#store.statements.put.run(number, id, this.#encode(document));
    for (const index of table.indexes.values()) {
      const key = entryKey(index, document, number);
      this.#store.statements.addEntry.run(index.number, key, number);
      this.writes.push({ index: index.number, key: textOf(key) });
    }
    this.writes.push({ index: BY_ID, key: id });
    this.#note({ table, number, id, before: null });
    return id;
  }

  /** Replaces a document by what `change` makes of it. Answers the new one. */
  update(
    method: "patch" | "replace",
    id: Json,
    tableName: string | undefined,
    change: (old: Fields) => Fields,
  ): Fields {
    const { table, number, json, old } = this.#existing(method, id, tableName);
    const { _id, _creationTime, ...fields } = change(old);
    for (const [name, value] of [
      ["_id", _id],
      ["_creationTime", _creationTime],
    ] as const) {
      if (value !== undefined && value !== old[name]) {
        throw new UserError(
          `Document with ID "${old._id as string}" cannot change its \`${name}\`.`,
        );
      }
    }
    const document: Fields = {
      ...this.#checked(table, fields),
      _creationTime: old._creationTime!,
      _id: old._id!,
    };
    this.#store.statements.update.run(this.#encode(document), number);
    for (const index of table.indexes.values()) {
      const before = entryKey(index, old, number);
      const after = entryKey(index, document, number);
      this.writes.push({ index: index.number, key: textOf(before) });
      if (before.equals(after)) continue;
      this.writes.push({ index: index.number, key: textOf(after) });
      this.#store.statements.removeEntry.run(index.number, before);
      this.#store.statements.addEntry.run(index.number, after, number);
    }
    this.writes.push({ index: BY_ID, key: id as string });
    this.#note({ table, number, id: id as string, before: json });
    return document;
  }

  /** Deletes a document and answers what it was. */
  remove(id: Json, tableName?: string): Fields {
    const { table, number, json, old } = this.#existing("delete", id, tableName);
    for (const index of table.indexes.values()) {
      const key = entryKey(index, old, number);
      this.#store.statements.removeEntry.run(index.number, key);
      this.writes.push({ index: index.number, key: textOf(key) });
    }
    this.usage.write("");
    this.#store.statements.remove.run(number);
    this.writes.push({ index: BY_ID, key: id as string });
    this.#note({ table, number, id: id as string, before: json });
    return old;
  }

  /** The table an id belongs to, or null. */
  tableOf(id: Json): string | null {
    return this.#store.catalog.ofId(id)?.table.name ?? null;
  }

  /** The id if it is one of the table, else null. */
  normalizeId(tableName: string, text: Json): string | null {
    const parts = parseId(text);
    return parts && this.#store.catalog.find(tableName)?.number === parts.table
      ? (text as string)
      : null;
  }

  #mustWrite(): void {
    if (!this.writable) throw new UserError("Queries cannot write to the database.");
  }

  #note(change: Change): void {
    if (this.#store.history?.recording) this.changes.push(change);
  }

  #read(number: number, id: string): string | null {
    const row = this.#store.statements.get.get(number, id) as { json: string } | undefined;
    if (!row) return null;
    this.usage.read(row.json);
    return row.json;
  }

  #existing(method: string, id: Json, tableName: string | undefined) {
    this.#mustWrite();
    const found = this.#resolve(id, tableName, method);
    const json = this.#read(found.document, id as string);
    if (!json) {
      const verb = { patch: "Update", replace: "Replace", delete: "Delete" }[method]!;
      throw new UserError(`${verb} on nonexistent document ID ${id as string}`);
    }
    return { table: found.table, number: found.document, json, old: JSON.parse(json) as Fields };
  }

  #resolve(id: Json, tableName: string | undefined, method: string) {
    const found = this.#store.catalog.ofId(id);
    if (!found) {
      throw new UserError(
        `Invalid argument \`id\` for \`db.${method}\`: Unable to decode ID: ` +
          `${JSON.stringify(id)} is not an ID of this deployment`,
      );
    }
    const name = found.table.name;
    if (tableName !== undefined && tableName !== name) {
      throw new UserError(
        `Invalid argument \`id\` for \`db.${method}\`, ` +
          `expected ID in table '${tableName}' but got ID in table '${name}'`,
      );
    }
    return found;
  }

  #tableForWrite(name: string): Table {
    const table = this.#store.catalog.find(name) ?? this.#store.catalog.create(name);
    if (!table.saved) {
      this.#store.catalog.save(table);
      this.#created.push(table);
    }
    return table;
  }

  #checked(table: Table, value: Json): Fields {
    if (kindOf(value) !== "object") {
      throw new UserError("Documents must be objects.");
    }
    const fields = value as Fields;
    for (const name in fields) {
      if (name.startsWith("_") && !(name === "_id" || name === "_creationTime")) {
        throw new UserError(
          `Field '${name}' starts with an underscore, which is only allowed for system fields like '_id'`,
        );
      }
    }
    const problem =
      table.validator && validationError(table.validator, fields, this.#store.catalog.tableOfId);
    if (problem) {
      throw new UserError(
        `Failed to insert or update a document in table "${table.name}" ` +
          `because it does not match the schema: ${problem}`,
      );
    }
    return fields;
  }

  #encode(document: Fields): string {
    checkDocumentSize(document);
    const json = JSON.stringify(document);
    this.usage.write(json);
    return json;
  }
}
