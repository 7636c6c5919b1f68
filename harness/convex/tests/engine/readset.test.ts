import { type Value, convexToJson } from "convex/values";
import fc from "fast-check";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Catalog } from "../../engine/storage/catalog.ts";
import { openSqlite, prepareStatements } from "../../engine/storage/database.ts";
import { Lane } from "../../engine/storage/lane.ts";
import type { RangeExpression, SerializedQuery } from "../../engine/storage/range.ts";
import type { KeyPoint } from "../../engine/storage/readset.ts";
import { type Store, Transaction } from "../../engine/storage/transaction.ts";
import { DocumentNumbers } from "../../engine/values/ids.ts";
import type { Fields } from "../../engine/values/json.ts";
import { removeFolders, temporaryFolder } from "./support.ts";

/** What queries note of their reads, and mutations of their writes, against what changes. */

let store: Store;
let lane: Lane;
let tables = 0;

beforeAll(() => {
  const sqlite = openSqlite(join(temporaryFolder(), "readset.db"));
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
  ...[null, 0n, -1.5, 0, 1, 2, true, "", "a", "a\0", "b", [1], { x: 1 }],
);
const row = fc.record({ a: value, b: value }, { requiredKeys: [] });
const insert = fc.record({ kind: fc.constant("insert" as const), row });
const change = fc.oneof(
  { weight: 2, arbitrary: insert },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("replace" as const), at: fc.nat(), row }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("remove" as const), at: fc.nat() }) },
);
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

/** Many rows and short answers, so that writes fall just inside and just outside of them. */
const crowd = fc.array(insert, { minLength: 5, maxLength: 12 });
const narrow = fc.record(
  { a: value, descending: fc.boolean(), limit: fc.integer({ min: 1, max: 3 }) },
  { requiredKeys: ["descending", "limit"] },
);
type Narrow = typeof narrow extends fc.Arbitrary<infer T> ? T : never;

function applyChange(transaction: Transaction, table: string, ids: string[], next: Change): void {
  if (next.kind === "insert") {
    ids.push(transaction.insert(table, convexToJson(next.row as Value), Date.now()));
    return;
  }
  const at = next.at % ids.length;
  if (next.kind === "remove") transaction.remove(ids.splice(at, 1)[0]!);
  else {
    const fields = convexToJson(next.row as Value) as Fields;
    transaction.update("replace", ids[at]!, table, () => fields);
  }
}

async function write(table: string, ids: string[], changes: Change[]): Promise<KeyPoint[]> {
  const transaction = new Transaction(store, { writable: true });
  await lane.write(async () => {
    for (const next of changes) applyChange(transaction, table, ids, next);
  });
  return transaction.writes;
}

function serialized(table: string, { a, descending, limit }: Narrow): SerializedQuery {
  const range: RangeExpression[] =
    a === undefined ? [] : [{ type: "Eq", fieldPath: "a", value: convexToJson(a) }];
  const order = descending ? ("desc" as const) : ("asc" as const);
  return {
    source: { type: "IndexRange", indexName: `${table}.by_a_b`, range, order },
    operators: [{ limit }],
  };
}

function read(table: string, asked: Narrow) {
  const transaction = new Transaction(store, { writable: false });
  const query = transaction.openQuery(serialized(table, asked));
  const rows: string[] = [];
  for (let next = transaction.next(query); next; next = transaction.next(query)) {
    rows.push(next.json);
  }
  return { rows, reads: transaction.reads() };
}

test("a write outside of what a query has read cannot change its result", async () => {
  await fc.assert(
    fc.asyncProperty(crowd, change, narrow, async (rows, next, asked) => {
      const table = newTable();
      const ids: string[] = [];
      await write(table, ids, rows);
      const before = read(table, asked);
      const writes = await write(table, ids, [next]);
      const touched = writes.some(({ index, key }) =>
        before.reads.some((part) => part.index === index && part.low <= key && key < part.high),
      );
      if (!touched) expect(read(table, asked).rows).toEqual(before.rows);
    }),
    { numRuns: 500 },
  );
});
