import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Catalog } from "../../engine/storage/catalog.ts";
import { openSqlite, prepareStatements } from "../../engine/storage/database.ts";
import type { Filter } from "../../engine/storage/filters.ts";
import type { PageRequest, PageResult } from "../../engine/storage/pages.ts";
import { type Store, Transaction } from "../../engine/storage/transaction.ts";
import { DocumentNumbers } from "../../engine/values/ids.ts";
import { removeFolders, temporaryFolder } from "./support.ts";

/** Pages that are split because they cannot be read whole. */

const COUNT = 60;

let store: Store;

beforeAll(() => {
  const sqlite = openSqlite(join(temporaryFolder(), "pages.db"));
  const catalog = new Catalog(sqlite);
  store = { catalog, statements: prepareStatements(sqlite), numbers: new DocumentNumbers(0) };
  const transaction = new Transaction(store, { writable: true });
  for (let rank = 0; rank < COUNT; rank++) transaction.insert("rows", { rank }, Date.now());
});
afterAll(removeFolders);

type Options = Partial<PageRequest> & { order?: "asc" | "desc"; every?: number };

function page({ order = "asc", every = 1, ...request }: Options): PageResult {
  const multiple: Filter = {
    $eq: [{ $mod: [{ $field: "rank" }, { $literal: every }] }, { $literal: 0 }],
  };
  return new Transaction(store, { writable: false }).page({
    query: {
      source: { type: "FullTableScan", tableName: "rows", order },
      operators: every > 1 ? [{ filter: multiple }] : [],
    },
    cursor: null,
    endCursor: null,
    pageSize: 10,
    maximumRowsRead: null,
    ...request,
  });
}

const ranks = ({ page }: PageResult) =>
  page.map((json) => (JSON.parse(json) as { rank: number }).rank);

/** What a client holds after it has split a page as often as it must. */
function whole(options: Options): number[] {
  const read = page(options);
  if (read.pageStatus !== "SplitRequired") return ranks(read);
  const { splitCursor } = read;
  expect(splitCursor).not.toBeNull();
  return [
    ...whole({ ...options, endCursor: splitCursor }),
    ...whole({ ...options, cursor: splitCursor }),
  ];
}

test("a page up to a cursor holds all of it once split, however little may be read at a time", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: COUNT }),
      fc.integer({ min: 4, max: 80 }),
      fc.integer({ min: 1, max: 7 }),
      fc.constantFrom("asc" as const, "desc" as const),
      fc.boolean(),
      (pageSize, limit, every, order, byBytes) => {
        const options = { order, every, pageSize };
        const first = page(options);
        const few = byBytes ? { maximumBytesRead: limit * 100 } : { maximumRowsRead: limit };
        const again = whole({ ...options, ...few, endCursor: first.continueCursor });
        expect(again).toEqual(ranks(first));
      },
    ),
  );
});

test.each([
  ["a page that reads as much as it may ends early", { maximumRowsRead: 5 }, "SplitRecommended"],
  ["a page near what it may read is to be split", { maximumRowsRead: 12 }, "SplitRecommended"],
  ["a page far from it is not", { maximumRowsRead: 14 }, null],
  ["a page of large documents too", { maximumBytesRead: 300 }, "SplitRecommended"],
])("%s", (_, options, status) => {
  expect(page(options).pageStatus).toBe(status);
});

test.each([
  ["no items", { pageSize: 0 }, "Must request at least 1 document while paginating"],
  ["too many items", { pageSize: 32_001 }, "Requested too many items: 32001"],
  ["no rows", { maximumRowsRead: 0 }, "must be greater than 0"],
])("a page of %s is refused", (_, options, message) => {
  expect(() => page(options)).toThrow(message);
});
