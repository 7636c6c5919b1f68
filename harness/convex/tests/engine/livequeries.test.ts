import { beforeEach, expect, test } from "vitest";
import { type Caller, NOBODY } from "../../engine/functions/invocation.ts";
import type { Call, QueryRun } from "../../engine/functions/runner.ts";
import type { KeyRange } from "../../engine/storage/readset.ts";
import { LiveQueries, type Subscription } from "../../engine/sync/livequeries.ts";

/** Stands for the functions: says what it ran, and answers as each test wants. */
class Functions {
  ran: { caller: Caller; journal: string | null }[] = [];
  reads: KeyRange[] = [{ index: 1, low: "b", high: "d" }];
  identityRead = false;
  journal: string | null = null;

  async queryNow(call: Call, journal: string | null): Promise<QueryRun> {
    this.ran.push({ caller: call.caller, journal });
    const value = JSON.stringify(this.identityRead ? call.caller.identity : this.ran.length);
    return {
      outcome: { ok: true, value, logLines: [] },
      reads: this.reads,
      journal: this.journal,
      identityRead: this.identityRead,
    };
  }
}

let functions: Functions;
let queries: LiveQueries;
let told: number[];

beforeEach(() => {
  functions = new Functions();
  queries = new LiveQueries(functions);
  told = [];
});

function subscribe(queryId: number, caller = NOBODY, journal: string | null = null): Subscription {
  const call = { path: "notes:list", args: {}, caller };
  return queries.subscribe(call, journal, queryId, () => told.push(queryId));
}

const result = ({ query }: Subscription, caller = NOBODY) => queries.result(query, caller);
const person = (subject: string): Caller => ({ identity: { subject }, admin: false });

test("a query is computed once for all who watch it", async () => {
  const [one, two] = [subscribe(1), subscribe(2)];
  expect(await result(one)).toBe(await result(two));
  expect(functions.ran).toHaveLength(1);
});

test("a query that does not ask for its caller is shared by all callers", async () => {
  const [ann, bob] = [person("ann"), person("bob")];
  await result(subscribe(1, ann), ann);
  await result(subscribe(2, bob), bob);
  expect(functions.ran).toHaveLength(1);
});

test("a query that asks for its caller is each caller's own", async () => {
  functions.identityRead = true;
  const [ann, bob] = [person("ann"), person("bob")];
  expect(await result(subscribe(1, ann), ann)).toContain("ann");
  expect(await result(subscribe(2, bob), bob)).toContain("bob");
  expect(functions.ran).toHaveLength(2);
});

test.each(["a", "az", "d", "e"])(
  "a write at %s, outside of what was read, runs nothing",
  async (key) => {
    const watched = subscribe(1);
    await result(watched);
    queries.invalidate([{ index: 1, key }]);
    await result(watched);
    expect([told, functions.ran.length]).toEqual([[], 1]);
  },
);

test.each(["b", "c", "cz"])(
  "a write at %s, inside of what was read, runs it once again",
  async (key) => {
    const [one, two] = [subscribe(1), subscribe(2)];
    await result(one);
    queries.invalidate([
      { index: 1, key },
      { index: 1, key },
    ]);
    expect(told).toEqual([1, 2]);
    await result(one);
    await result(two);
    expect(functions.ran).toHaveLength(2);
  },
);

test("a write in another index runs nothing", async () => {
  await result(subscribe(1));
  queries.invalidate([{ index: 2, key: "c" }]);
  expect(told).toEqual([]);
});

test("a query nobody watches any more hears of nothing", async () => {
  const watched = subscribe(1);
  await result(watched);
  queries.unsubscribe(watched);
  queries.invalidate([{ index: 1, key: "c" }]);
  expect(told).toEqual([]);
});

test("a page runs again with the end it had", async () => {
  functions.journal = "end of page";
  const watched = subscribe(1);
  await result(watched);
  queries.invalidate([{ index: 1, key: "c" }]);
  await result(watched);
  expect(functions.ran.map(({ journal }) => journal)).toEqual([null, "end of page"]);
});

test("a page that grew is not given to those who come later", async () => {
  functions.journal = "end of page";
  const watched = subscribe(1);
  await result(watched);
  queries.invalidate([{ index: 1, key: "c" }]);
  await result(watched);
  await result(subscribe(2));
  expect(functions.ran.at(-1)!.journal).toBeNull();
});

test("a client that comes back gets its page with the end it had", async () => {
  await result(subscribe(1, NOBODY, "end of page"));
  expect(functions.ran[0]!.journal).toBe("end of page");
});
