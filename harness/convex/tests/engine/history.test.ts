import { join } from "node:path";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { Catalog } from "../../engine/storage/catalog.ts";
import { openSqlite, prepareStatements } from "../../engine/storage/database.ts";
import { History } from "../../engine/storage/history.ts";
import type { SerializedQuery } from "../../engine/storage/range.ts";
import { type Store, Transaction } from "../../engine/storage/transaction.ts";
import { DocumentNumbers } from "../../engine/values/ids.ts";
import type { Fields } from "../../engine/values/json.ts";
import { type TestEngine, removeFolders, startEngine, temporaryFolder } from "./support.ts";

/** Queries at a time that has passed. */

afterAll(removeFolders);

describe("the documents of a past time", () => {
  let store: Store & { history: History };
  let last = 0n;
  let tables = 0;

  beforeAll(() => {
    const sqlite = openSqlite(join(temporaryFolder(), "history.db"));
    const catalog = new Catalog(sqlite);
    const statements = prepareStatements(sqlite);
    const history = new History(statements);
    store = { catalog, statements, history, numbers: new DocumentNumbers(0) };
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function newTable(): string {
    const tableName = `rows${++tables}`;
    const indexes = [{ indexDescriptor: "by_rank", fields: ["rank"] }];
    const schema = { tables: [{ tableName, indexes, documentType: null }] };
    store.catalog.apply({ ...schema, schemaValidation: false });
    return tableName;
  }

  function commit(change: (transaction: Transaction) => void): void {
    const transaction = new Transaction(store, { writable: true });
    change(transaction);
    store.history.record(++last, transaction.changes);
  }

  const reader = (statements = store.statements) =>
    new Transaction({ ...store, statements }, { writable: false });

  /** All there is to read of a table, in every way. */
  function readings(table: string, ids: string[], statements = store.statements) {
    const query = (order: "asc" | "desc", limit?: number): SerializedQuery => ({
      source: {
        type: "IndexRange",
        indexName: `${table}.by_rank`,
        range: [{ type: "Gte", fieldPath: "rank", value: 1 }],
        order,
      },
      operators: limit === undefined ? [] : [{ limit }],
    });
    const all = (asked: SerializedQuery) => {
      const transaction = reader(statements);
      const opened = transaction.openQuery(asked);
      const rows: string[] = [];
      for (let row = transaction.next(opened); row; row = transaction.next(opened)) {
        rows.push(row.json);
      }
      return rows;
    };
    const paged: string[] = [];
    for (let cursor: string | null = null, isDone = false; !isDone;) {
      const opts = { cursor, endCursor: null, pageSize: 2, maximumRowsRead: null };
      const page = reader(statements).page({ query: query("desc"), ...opts });
      paged.push(...page.page);
      ({ isDone, continueCursor: cursor } = page);
    }
    return {
      ascending: all(query("asc")),
      descending: all(query("desc")),
      first: all(query("asc", 2)),
      paged,
      byId: ids.map((id) => reader(statements).get(id)),
      count: reader(statements).count(table),
    };
  }

  const rank = fc.integer({ min: 0, max: 3 });
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("insert" as const), rank }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant("replace" as const), at: fc.nat(), rank }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("remove" as const), at: fc.nat() }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("look" as const) }) },
  );

  test("are those that were there, however they have changed since", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.boolean(), (steps, lookAgain) => {
        const table = newTable();
        const alive: string[] = [];
        const ids: string[] = [];
        const seen: { ts: bigint; known: number; expected: object }[] = [];
        for (const next of steps) {
          const at = "at" in next ? next.at % Math.max(alive.length, 1) : 0;
          if (next.kind === "look") {
            store.history.keep(last);
            seen.push({ ts: last, known: ids.length, expected: readings(table, ids) });
          } else if (next.kind === "insert") {
            commit((transaction) => {
              const id = transaction.insert(table, { rank: next.rank }, Date.now());
              alive.push(id);
              ids.push(id);
            });
          } else if (alive.length) {
            const change = (): Fields => ({ rank: (next as { rank: number }).rank });
            if (next.kind === "remove") commit((transaction) => transaction.remove(alive[at]!));
            else {
              commit((transaction) => transaction.update("replace", alive[at]!, table, change));
            }
            if (next.kind === "remove") alive.splice(at, 1);
          }
          if (!lookAgain || !seen.length) continue;
          const { ts, known, expected } = seen.at(-1)!;
          const found = readings(table, ids.slice(0, known), store.history.at(ts, last));
          expect(found).toEqual(expected);
        }
        for (const { ts, known, expected } of seen) {
          const found = readings(table, ids.slice(0, known), store.history.at(ts, last));
          expect(found).toEqual(expected);
        }
      }),
      { numRuns: 200 },
    );
  });

  const refusal = (ts: bigint) => {
    try {
      store.history.at(ts, last);
      return null;
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  const add = (table: string) => commit((transaction) => transaction.insert(table, {}, Date.now()));

  test("are kept for half a minute after they were asked for, and then forgotten", () => {
    vi.useFakeTimers();
    const table = newTable();
    store.history.keep(last);
    const ts = last;
    add(table);
    vi.advanceTimersByTime(29_000);
    expect(refusal(ts)).toBeNull();
    vi.advanceTimersByTime(2_000);
    expect(refusal(ts)).toBe("TimestampTooOld");
    expect(store.history.recording).toBe(false);
  });

  test("are kept that long while others ask for later ones", () => {
    vi.useFakeTimers();
    const table = newTable();
    store.history.keep(last);
    const first = last;
    add(table);
    vi.advanceTimersByTime(20_000);
    store.history.keep(last);
    const second = last;
    add(table);
    vi.advanceTimersByTime(20_000);
    expect([refusal(first), refusal(second)]).toEqual(["TimestampTooOld", null]);
  });

  test("are refused beyond what memory holds", () => {
    const table = newTable();
    store.history.keep(last);
    const ts = last;
    let id = "";
    commit((transaction) => (id = transaction.insert(table, {}, Date.now())));
    const text = "x".repeat(1 << 20).slice(0, 1_000_000);
    for (let i = 0; i < 70; i++) {
      commit((transaction) => transaction.update("replace", id, table, () => ({ text, i })));
    }
    expect(refusal(ts)).toBe("TimestampTooOld");
    expect(refusal(last - 10n)).toBeNull();
  });

  test("that is still to come are refused", () => {
    expect(refusal(last + 1n)).toBe("TimestampInFuture");
  });
});

describe("a query at a timestamp", () => {
  let engine: TestEngine;
  beforeAll(async () => {
    engine = await startEngine();
  });
  afterAll(() => engine.stop());

  const post = async (path: string, body: object): Promise<any> => {
    const answer = await fetch(engine.url + path, { method: "POST", body: JSON.stringify(body) });
    return { status: answer.status, ...((await answer.json()) as object) };
  };

  test("does not see what was written since, nested queries neither", async () => {
    await engine.run("mutation", "notes:addMany", { room: "then", from: 0, count: 3 });
    const { ts } = await post("/api/query_ts", {});
    const [first] = await engine.run("query", "notes:inRoom", { room: "then" });
    await engine.run("mutation", "notes:change", { id: first._id, text: "changed" });
    await engine.run("mutation", "notes:addMany", { room: "then", from: 3, count: 3 });
    const asked = { path: "notes:inRoom", args: { room: "then" }, ts };
    const then = await post("/api/query_at_ts", asked);
    expect(then.value.map((note: { text: string }) => note.text)).toEqual([
      "note 0",
      "note 1",
      "note 2",
    ]);
    const nested = await post("/api/query_at_ts", { ...asked, path: "notes:countNested" });
    expect(nested.value).toBe(3);
  });

  test.each([
    ["that is too old", { ts: "AQAAAAAAAAA=" }, "TimestampTooOld"],
    ["that has not come", { ts: "//////////8=" }, "TimestampInFuture"],
    ["that is none", { ts: "now" }, "BadTimestamp"],
    ["that is missing", {}, "BadTimestamp"],
  ])("%s is refused", async (_, timestamp, code) => {
    const asked = { path: "notes:inRoom", args: { room: "then" }, ...timestamp };
    expect(await post("/api/query_at_ts", asked)).toMatchObject({ status: 400, code });
  });
});
