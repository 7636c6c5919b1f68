import { compareValues, convexToJson, type Value } from "convex/values";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Catalog } from "../../engine/storage/catalog.ts";
import { openSqlite, prepareStatements } from "../../engine/storage/database.ts";
import { Lane } from "../../engine/storage/lane.ts";
import type { RangeExpression, SerializedQuery } from "../../engine/storage/range.ts";
import { type Store, Transaction } from "../../engine/storage/transaction.ts";
import { DocumentNumbers } from "../../engine/values/ids.ts";
import type { Fields } from "../../engine/values/json.ts";
import { join } from "node:path";
import { removeFolders, temporaryFolder } from "./support.ts";

/** Random mutations and queries against the engine's storage and against a plain list. */

type Row = { a?: Value; b?: Value };
type Stored = Row & { _id: string };

let store: Store;
let lane: Lane;
let tables = 0;

beforeAll(() => {
  const sqlite = openSqlite(join(temporaryFolder(), "model.db"));
  const catalog = new Catalog(sqlite);
  store = { catalog, statements: prepareStatements(sqlite), numbers: new DocumentNumbers(0) };
  lane = new Lane(sqlite, null);
});
afterAll(removeFolders);

/** A fresh table with an index on two fields. */
function newTable(): string {
  const tableName = `rows${++tables}`;
  const indexes = [{ indexDescriptor: "by_a_b", fields: ["a", "b"] }];
  store.catalog.apply({
    tables: [{ tableName, indexes, documentType: null }],
    schemaValidation: false,
  });
  return tableName;
}

const value: fc.Arbitrary<Value> = fc.constantFrom<Value>(
  null,
  0n,
  -1.5,
  0,
  1,
  2,
  true,
  "",
  "a",
  "a\0",
  "b",
  [1],
  { x: 1 },
);
const row: fc.Arbitrary<Row> = fc.record({ a: value, b: value }, { requiredKeys: [] });
const change = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("insert" as const), row }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("replace" as const), at: fc.nat(), row }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("remove" as const), at: fc.nat() }) },
);
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;
const mutation = fc.record({
  parts: fc.array(fc.record({ changes: fc.array(change, { maxLength: 5 }), fails: fc.boolean() }), {
    maxLength: 4,
  }),
  fails: fc.boolean(),
});
type Mutation = typeof mutation extends fc.Arbitrary<infer T> ? T : never;

const bound = fc.record({ inclusive: fc.boolean(), value });
const question = fc.record(
  {
    a: value,
    low: bound,
    high: bound,
    descending: fc.boolean(),
    limit: fc.nat({ max: 5 }),
    pageSize: fc.integer({ min: 1, max: 4 }),
  },
  { requiredKeys: ["descending", "pageSize"] },
);
type Question = typeof question extends fc.Arbitrary<infer T> ? T : never;

function applyChange(transaction: Transaction, table: string, model: Stored[], next: Change): void {
  if (next.kind === "insert") {
    const id = transaction.insert(table, convexToJson(next.row as Value), Date.now());
    model.push({ ...next.row, _id: id });
    return;
  }
  if (!model.length) return;
  const at = next.at % model.length;
  const id = model[at]!._id;
  if (next.kind === "remove") {
    transaction.remove(id);
    model.splice(at, 1);
  } else {
    transaction.update("replace", id, table, () => convexToJson(next.row as Value) as Fields);
    model[at] = { ...next.row, _id: id };
  }
}

class Failure extends Error {}

/** Runs a mutation of nested parts; answers what a plain list holds after it. */
async function mutate(table: string, before: Stored[], wanted: Mutation): Promise<Stored[]> {
  const transaction = new Transaction(store, { writable: true });
  let model = [...before];
  const ran = lane.write(async () => {
    for (const part of wanted.parts) {
      const inner = [...model];
      const mark = transaction.mark();
      const nested = lane.atomically(async () => {
        for (const next of part.changes) applyChange(transaction, table, inner, next);
        if (part.fails) throw new Failure();
      });
      await nested.then(
        () => (model = inner),
        () => transaction.forgetSince(mark),
      );
    }
    if (wanted.fails) throw new Failure();
  });
  return ran.then(
    () => model,
    (error: unknown) => {
      if (!(error instanceof Failure)) throw error;
      return before;
    },
  );
}

function serialized(table: string, asked: Question): SerializedQuery {
  const range: RangeExpression[] = [];
  const add = (type: RangeExpression["type"], fieldPath: string, bound: Value) =>
    range.push({ type, fieldPath, value: convexToJson(bound) });
  if (asked.a !== undefined) add("Eq", "a", asked.a);
  const field = asked.a === undefined ? "a" : "b";
  if (asked.low) add(asked.low.inclusive ? "Gte" : "Gt", field, asked.low.value);
  if (asked.high) add(asked.high.inclusive ? "Lte" : "Lt", field, asked.high.value);
  const order = asked.descending ? ("desc" as const) : ("asc" as const);
  const operators = asked.limit === undefined ? [] : [{ limit: asked.limit }];
  return { source: { type: "IndexRange", indexName: `${table}.by_a_b`, range, order }, operators };
}

function expected(model: Stored[], asked: Question): string[] {
  const field = asked.a === undefined ? "a" : "b";
  const within = (stored: Stored) => {
    if (asked.a !== undefined && compareValues(stored.a, asked.a) !== 0) return false;
    const low = asked.low && compareValues(stored[field], asked.low.value);
    const high = asked.high && compareValues(stored[field], asked.high.value);
    if (low !== undefined && (asked.low!.inclusive ? low < 0 : low <= 0)) return false;
    return !(high !== undefined && (asked.high!.inclusive ? high > 0 : high >= 0));
  };
  const found = model
    .filter(within)
    // Ids grow with the time of creation, which ends every index.
    .sort((x, y) => compareValues(x.a, y.a) || compareValues(x.b, y.b) || (x._id < y._id ? -1 : 1))
    .map((stored) => stored._id);
  if (asked.descending) found.reverse();
  return found;
}

const idOf = (json: string): string => (JSON.parse(json) as Stored)._id;

function all(table: string, asked: Question): string[] {
  const transaction = new Transaction(store, { writable: false });
  const query = transaction.openQuery(serialized(table, asked));
  const ids: string[] = [];
  for (let next = transaction.next(query); next; next = transaction.next(query)) {
    ids.push(idOf(next.json));
  }
  return ids;
}

function byPages(table: string, asked: Question): string[] {
  const ids: string[] = [];
  let cursor: string | null = null;
  for (;;) {
    const page = new Transaction(store, { writable: false }).page({
      query: serialized(table, { ...asked, limit: undefined }),
      cursor,
      endCursor: null,
      pageSize: asked.pageSize,
      maximumRowsRead: null,
    });
    ids.push(...page.page.map(idOf));
    if (page.isDone) return ids;
    cursor = page.continueCursor;
  }
}

test("storage answers as a plain list does, whatever was written and undone", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(mutation, { maxLength: 8 }),
      fc.array(question, { minLength: 1, maxLength: 8 }),
      async (mutations, questions) => {
        const table = newTable();
        let model: Stored[] = [];
        for (const wanted of mutations) model = await mutate(table, model, wanted);
        for (const asked of questions) {
          const ids = expected(model, asked);
          expect(all(table, asked)).toEqual(ids.slice(0, asked.limit));
          expect(byPages(table, asked)).toEqual(ids);
        }
      },
    ),
    { numRuns: 150 },
  );
});

/** Many rows and short answers, so that writes fall just inside and just outside of them. */
const crowd = fc.array(fc.record({ kind: fc.constant("insert" as const), row }), {
  minLength: 5,
  maxLength: 12,
});
const narrow = fc.record(
  { a: value, descending: fc.boolean(), limit: fc.integer({ min: 1, max: 3 }) },
  { requiredKeys: ["descending", "limit"] },
);

test("a write outside of what a query has read cannot change its result", async () => {
  const write = async (table: string, model: Stored[], changes: Change[]) => {
    const transaction = new Transaction(store, { writable: true });
    await lane.write(async () => {
      for (const next of changes) applyChange(transaction, table, model, next);
    });
    return transaction.writes;
  };
  const read = (table: string, asked: Question) => {
    const transaction = new Transaction(store, { writable: false });
    const query = transaction.openQuery(serialized(table, asked));
    const rows: string[] = [];
    for (let next = transaction.next(query); next; next = transaction.next(query)) {
      rows.push(next.json);
    }
    return { rows, reads: transaction.reads() };
  };
  await fc.assert(
    fc.asyncProperty(crowd, change, narrow, async (rows, next, asked) => {
      const table = newTable();
      const model: Stored[] = [];
      await write(table, model, rows);
      const before = read(table, { ...asked, pageSize: 1 });
      const writes = await write(table, model, [next]);
      const touched = writes.some(({ index, key }) =>
        before.reads.some((part) => part.index === index && part.low <= key && key < part.high),
      );
      if (!touched) expect(read(table, { ...asked, pageSize: 1 }).rows).toEqual(before.rows);
    }),
    { numRuns: 500 },
  );
});
