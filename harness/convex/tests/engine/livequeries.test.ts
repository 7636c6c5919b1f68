import { beforeEach, describe, expect, test } from "vitest";
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
  volatile = false;
  size = 1;

  async queryNow(call: Call, journal: string | null): Promise<QueryRun> {
    this.ran.push({ caller: call.caller, journal });
    const known = this.identityRead ? call.caller.identity : this.ran.length;
    const value = JSON.stringify(known).padEnd(this.size);
    return {
      outcome: { ok: true, value, logLines: [] },
      reads: this.reads,
      journal: this.journal,
      identityRead: this.identityRead,
      volatile: this.volatile,
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

const ask = (args: object = {}, caller = NOBODY) =>
  queries.answer({ path: "notes:list", args: args as Call["args"], caller });

describe("a query that somebody asks once", () => {
  test("is not run while nothing it read has changed, from the second time on", async () => {
    for (let i = 0; i < 4; i++) await ask();
    expect(functions.ran).toHaveLength(2);
    expect(await ask()).toEqual(await ask());
    queries.invalidate([{ index: 1, key: "c" }]);
    await ask();
    expect(functions.ran).toHaveLength(3);
  });

  test("is answered by what others watch or have watched, and they by it", async () => {
    const watched = subscribe(1);
    await result(watched);
    await ask();
    queries.unsubscribe(watched);
    await ask();
    await result(subscribe(2));
    expect(functions.ran).toHaveLength(1);
  });

  test("is run again if it has seen the time or chance", async () => {
    functions.volatile = true;
    await ask();
    await ask();
    expect(functions.ran).toHaveLength(2);
  });

  test("is each caller's own if it asks who that is", async () => {
    functions.identityRead = true;
    await ask();
    for (const name of ["ann", "bob", "bob", "ann", "bob"]) await ask({}, person(name));
    const subjects = functions.ran.map(({ caller }) => caller.identity?.subject);
    expect(subjects).toEqual([undefined, "ann", "bob", "bob"]);
  });

  test("keeps the end of its page for who watches it then", async () => {
    functions.journal = "end of page";
    await ask();
    await ask();
    const watched = subscribe(1);
    await result(watched);
    queries.invalidate([{ index: 1, key: "c" }]);
    await result(watched);
    expect(functions.ran.map(({ journal }) => journal)).toEqual([null, null, "end of page"]);
  });

  test.each([
    ["many results", 1, 1500],
    ["large results", 1 << 20, 12],
  ])("is forgotten first of %s when it was asked longest ago", async (_, size, count) => {
    functions.size = size;
    for (let i = 0; i < count; i++) for (const _ of ["once", "again"]) await ask({ i });
    functions.ran = [];
    await ask({ i: count - 1 });
    expect(functions.ran).toHaveLength(0);
    await ask({ i: 0 });
    expect(functions.ran).toHaveLength(1);
  });
});
