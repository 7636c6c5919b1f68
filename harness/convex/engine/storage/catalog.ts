import type { DatabaseSync } from "node:sqlite";
import { StartError } from "../failures.ts";
import type { ProjectSchema, TableSchema } from "../functions/schema.ts";
import {
  FIRST_SYSTEM_TABLE,
  FIRST_TABLE,
  creationTimeOf,
  numberSuffix,
  parseId,
} from "../values/ids.ts";
import { type Fields, fieldAt } from "../values/json.ts";
import { encodeKey } from "../values/keys.ts";
import { type Validator, validationError } from "../values/validators.ts";

/** Tables and their indexes: what the project's schema says, and what is on disk. */

export interface Index {
  number: number;
  /** Ends with `_creationTime`, as every index of Convex does. */
  fields: readonly string[];
}

export interface Table {
  number: number;
  name: string;
  validator: Validator | null;
  indexes: Map<string, Index>;
  /** Its row is on disk; false for a table that a running mutation first wrote to. */
  saved: boolean;
}

export const SCHEDULED = "_scheduled_functions";

export const CRON_JOBS = "_cron_jobs";

/** Like `SCHEDULED`; apart from it, as functions do not see the runs of cron jobs on Convex. */
export const CRON_RUNS = "_cron_runs";

const JOB_INDEXES = [{ indexDescriptor: "by_state_time", fields: ["state.kind", "scheduledTime"] }];

const SYSTEM_TABLES: TableSchema[] = [
  { tableName: SCHEDULED, indexes: JOB_INDEXES, documentType: null },
  { tableName: CRON_JOBS, indexes: [], documentType: null },
  { tableName: CRON_RUNS, indexes: JOB_INDEXES, documentType: null },
];

export const BY_CREATION = "by_creation_time";

/** The key under which an index holds a document. */
export function entryKey(index: Index, document: Fields, number: number): Buffer {
  return encodeKey(
    index.fields.map((field) => fieldAt(document, field)),
    numberSuffix(number),
  );
}

/** The key under which the index by creation time holds a document. */
export function keyOfId(number: number): Buffer {
  return encodeKey([creationTimeOf(number)], numberSuffix(number));
}

export class Catalog {
  readonly #sqlite: DatabaseSync;
  readonly #byName = new Map<string, Table>();
  readonly #byNumber = new Map<number, Table>();
  #lastIndex = 0;

  constructor(sqlite: DatabaseSync) {
    this.#sqlite = sqlite;
    for (const row of sqlite.prepare("SELECT number, name FROM tables").all()) {
      this.#add({
        number: row.number as number,
        name: row.name as string,
        validator: null,
        indexes: new Map(),
        saved: true,
      });
    }
    for (const row of sqlite.prepare("SELECT number, tbl, name, fields FROM indexes").all()) {
      const index = {
        number: row.number as number,
        fields: JSON.parse(row.fields as string) as string[],
      };
      this.#lastIndex = Math.max(this.#lastIndex, index.number);
      this.#byNumber.get(row.tbl as number)!.indexes.set(row.name as string, index);
    }
  }

  find(name: string): Table | undefined {
    return this.#byName.get(name);
  }

  all(): Table[] {
    return [...this.#byName.values()];
  }

  hasNumber(number: number): boolean {
    return this.#byNumber.has(number);
  }

  /** The table an id names, if it is an id of this database. */
  ofId(id: unknown): { table: Table; document: number } | null {
    const parts = parseId(id);
    const table = parts && this.#byNumber.get(parts.table);
    return table ? { table, document: parts.document } : null;
  }

  readonly tableOfId = (id: string): string | null => this.ofId(id)?.table.name ?? null;

  /** A table as a mutation first names it; its row is saved by the mutation.
   *
   *  @param given The number it is to have, which must be free.
   */
  create(name: string, given?: number): Table {
    if (!/^_?[a-zA-Z][a-zA-Z0-9_]*$/.test(name)) {
      throw new StartError(`Invalid table name '${name}'`);
    }
    const first = name.startsWith("_") ? FIRST_SYSTEM_TABLE : FIRST_TABLE;
    let number = given ?? first;
    while (this.#byNumber.has(number)) number++;
    const indexes = new Map([
      [BY_CREATION, { number: ++this.#lastIndex, fields: ["_creationTime"] }],
    ]);
    const table: Table = { number, name, validator: null, indexes, saved: false };
    this.#add(table);
    return table;
  }

  save(table: Table): void {
    this.#sqlite
      .prepare("INSERT INTO tables(number, name) VALUES(?, ?)")
      .run(table.number, table.name);
    for (const [name, index] of table.indexes) this.#saveIndex(table, name, index);
    table.saved = true;
  }

  /** Brings the database to the project's schema.
   *
   *  @throws StartError naming the first document that does not match.
   */
  apply(schema: ProjectSchema): void {
    this.#sqlite.exec("BEGIN IMMEDIATE");
    try {
      const wanted = [...SYSTEM_TABLES, ...schema.tables];
      for (const table of wanted) this.#applyTable(table, schema.schemaValidation);
      const names = new Set(wanted.map(({ tableName }) => tableName));
      for (const table of this.all()) if (!names.has(table.name)) this.#release(table);
      this.#sqlite.exec("COMMIT");
    } catch (error) {
      this.#sqlite.exec("ROLLBACK");
      throw error;
    }
  }

  #add(table: Table): void {
    this.#byName.set(table.name, table);
    this.#byNumber.set(table.number, table);
  }

  #applyTable(wanted: TableSchema, enforced: boolean): void {
    const table = this.find(wanted.tableName) ?? this.create(wanted.tableName);
    if (!table.saved) this.save(table);
    const names = new Set([BY_CREATION]);
    for (const { indexDescriptor, fields } of wanted.indexes) {
      names.add(indexDescriptor);
      this.#applyIndex(table, indexDescriptor, [...fields, "_creationTime"]);
    }
    for (const [name, index] of table.indexes) {
      if (!names.has(name)) this.#dropIndex(table, name, index);
    }
    if (enforced && wanted.documentType) this.#enforce(table, wanted.documentType);
    else this.#forgetChecks(table);
  }

  /** A table that the schema does not name (any more) keeps its documents alone. */
  #release(table: Table): void {
    for (const [name, index] of table.indexes) {
      if (name !== BY_CREATION) this.#dropIndex(table, name, index);
    }
    this.#forgetChecks(table);
  }

  /** Documents may now come that no validator has seen. */
  #forgetChecks(table: Table): void {
    table.validator = null;
    this.#sqlite.prepare("UPDATE tables SET validator = NULL WHERE number = ?").run(table.number);
  }

  #applyIndex(table: Table, name: string, fields: string[]): void {
    const found = table.indexes.get(name);
    if (found && found.fields.join() === fields.join()) return;
    if (found) this.#dropIndex(table, name, found);
    const index = { number: ++this.#lastIndex, fields };
    table.indexes.set(name, index);
    this.#saveIndex(table, name, index);
    const add = this.#sqlite.prepare("INSERT INTO entries(idx, key, document) VALUES(?, ?, ?)");
    for (const { number, document } of this.#documents(table)) {
      add.run(index.number, entryKey(index, document, number), number);
    }
  }

  #saveIndex(table: Table, name: string, index: Index): void {
    this.#sqlite
      .prepare("INSERT INTO indexes(number, tbl, name, fields) VALUES(?, ?, ?, ?)")
      .run(index.number, table.number, name, JSON.stringify(index.fields));
  }

  #dropIndex(table: Table, name: string, index: Index): void {
    this.#sqlite.prepare("DELETE FROM entries WHERE idx = ?").run(index.number);
    this.#sqlite.prepare("DELETE FROM indexes WHERE number = ?").run(index.number);
    table.indexes.delete(name);
  }

  /** The documents of a table as JSON text, in the order of their creation. */
  *texts(table: Table): Generator<string> {
    for (const row of this.#rows(table)) yield row.json as string;
  }

  *#documents(table: Table): Generator<{ number: number; document: Fields }> {
    for (const row of this.#rows(table)) {
      yield { number: row.number as number, document: JSON.parse(row.json as string) as Fields };
    }
  }

  #rows(table: Table) {
    const rows = this.#sqlite.prepare(
      `SELECT d.number AS number, d.json AS json FROM entries e
       CROSS JOIN documents d ON d.number = e.document WHERE e.idx = ?`,
    );
    return rows.iterate(table.indexes.get(BY_CREATION)!.number);
  }

  /** Checks the documents already there, unless they were checked against the same schema. */
  #enforce(table: Table, validator: Validator): void {
    table.validator = validator;
    const text = JSON.stringify(validator);
    const row = this.#sqlite
      .prepare("SELECT validator FROM tables WHERE number = ?")
      .get(table.number);
    if (row?.validator === text) return;
    for (const { document } of this.#documents(table)) {
      const { _id, _creationTime, ...fields } = document;
      const problem = validationError(validator, fields, this.tableOfId);
      if (problem) {
        throw new StartError(
          `Document with ID "${_id as string}" in table "${table.name}" does not match the schema: ${problem}`,
        );
      }
    }
    this.#sqlite
      .prepare("UPDATE tables SET validator = ? WHERE number = ?")
      .run(text, table.number);
  }
}
