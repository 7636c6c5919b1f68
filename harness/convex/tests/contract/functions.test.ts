import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Deployment, removeFolders } from "../engine/support.ts";
import { openDeployment, own } from "./deployment.ts";

let engine: Deployment;

beforeAll(async () => {
  engine = await openDeployment();
});
afterAll(async () => {
  await engine.stop();
  removeFolders();
});

describe("documents", () => {
  test("are read back with their system fields", async () => {
    const id = await engine.run("mutation", "notes:add", {
      room: own("read"),
      rank: 1,
      text: "hi",
    });
    const note = await engine.run("query", "notes:get", { id });
    expect(note).toEqual({
      _id: id,
      _creationTime: expect.any(Number),
      room: own("read"),
      rank: 1,
      text: "hi",
    });
  });

  test("are patched: fields set, others kept, undefined ones removed", async () => {
    const id = await engine.run("mutation", "notes:add", {
      room: own("patch"),
      rank: 1,
      text: "a",
    });
    await engine.run("mutation", "notes:change", { id, text: "b", done: true });
    expect(await engine.run("query", "notes:get", { id })).toMatchObject({ text: "b", done: true });
  });

  test("are replaced and move in their indexes", async () => {
    const id = await engine.run("mutation", "notes:add", { room: own("old"), rank: 1, text: "a" });
    await engine.run("mutation", "notes:rewrite", { id, room: own("new"), rank: 2, text: "b" });
    expect(await engine.run("query", "notes:inRoom", { room: own("old") })).toEqual([]);
    expect(await engine.run("query", "notes:inRoom", { room: own("new") })).toHaveLength(1);
  });

  test("are gone when deleted", async () => {
    const id = await engine.run("mutation", "notes:add", { room: own("gone"), rank: 1, text: "a" });
    await engine.run("mutation", "notes:remove", { id });
    expect(await engine.run("query", "notes:get", { id })).toBeNull();
    expect(await engine.run("query", "notes:inRoom", { room: own("gone") })).toEqual([]);
  });

  test("cannot be changed once deleted", async () => {
    const id = await engine.run("mutation", "notes:add", {
      room: own("twice"),
      rank: 1,
      text: "a",
    });
    await engine.run("mutation", "notes:remove", { id });
    const change = engine.run("mutation", "notes:change", { id, text: "b" });
    await expect(change).rejects.toThrow(`Update on nonexistent document ID ${id}`);
  });

  test("must match the schema", async () => {
    await expect(engine.run("mutation", "values:wrongDocument")).rejects.toThrow(
      'Failed to insert or update a document in table "notes" because it does not match the schema: ' +
        'Value does not match validator.\nPath: .rank\nValue: "high"\nValidator: v.float64()',
    );
  });

  test("over 1 MiB are refused", async () => {
    const text = "x".repeat((1 << 20) + 1);
    const add = engine.run("mutation", "notes:add", { room: own("big"), rank: 1, text });
    await expect(add).rejects.toThrow("Value is too large (1.00 MiB > maximum size 1 MiB)");
  });

  test("nested more than 16 levels deep are refused", async () => {
    expect(await engine.run("mutation", "values:keepNested", { levels: 16 })).toHaveLength(32);
    await expect(engine.run("mutation", "values:keepNested", { levels: 17 })).rejects.toThrow(
      "Document is too nested (nested 17 levels deep > maximum nesting 16)",
    );
  });

  test("of every type are ordered as Convex orders types", async () => {
    const values: [string, unknown][] = [
      ["object", { a: 1 }],
      ["array", [1]],
      ["bytes", { $bytes: "AAE=" }],
      ["string", "a"],
      ["boolean", false],
      ["number", -1.5],
      ["int64", { $integer: "AQAAAAAAAAA=" }],
      ["null", null],
    ];
    for (const [name, value] of values)
      await engine.run("mutation", "values:keep", { name: own(name), value });
    const names: string[] = await engine.run("query", "values:inOrder");
    const mine = values.map(([name]) => own(name));
    expect(names.filter((name) => mine.includes(name))).toEqual(mine.reverse());
  });
});

describe("values", () => {
  test("longer than 8192 items are no result, nor arguments", async () => {
    const shapes = (items: number) => engine.run("query", "values:shapes", { items, levels: 1 });
    expect((await shapes(8192)).list).toHaveLength(8192);
    const message = "Array length is too long (8193 > maximum length 8192)";
    await expect(shapes(8193)).rejects.toThrow(message);
    const value = Array.from({ length: 8193 }, () => null);
    await expect(engine.run("query", "values:echo", { value })).rejects.toThrow(message);
  });

  test("over 16 MiB are no arguments", async () => {
    const value = "x".repeat((16 << 20) + 1);
    await expect(engine.run("query", "values:echo", { value })).rejects.toThrow(
      /Arguments for .* are too large \(actual: 16\D.*limit: 16 MiB\)/,
    );
  });
});

describe("queries", () => {
  const room = own("ranges");
  beforeAll(() => engine.run("mutation", "notes:addMany", { room, from: 0, count: 5 }));

  test.each([
    [{}, [0, 1, 2, 3, 4]],
    [{ gt: 1 }, [2, 3, 4]],
    [{ gte: 1 }, [1, 2, 3, 4]],
    [{ lt: 3 }, [0, 1, 2]],
    [{ lte: 3 }, [0, 1, 2, 3]],
    [{ gt: 0, lte: 2 }, [1, 2]],
    [{ gte: 3, lt: 3 }, []],
  ])("within %j find %j", async (bounds, expected) => {
    expect(await engine.run("query", "notes:between", { room, ...bounds })).toEqual(expected);
  });

  test("take the newest in descending order", async () => {
    const notes = await engine.run("query", "notes:newest", { room, count: 2 });
    expect(notes.map((note: { rank: number }) => note.rank)).toEqual([4, 3]);
  });

  test("find documents by the index on their ids, in the order of their creation", async () => {
    const ids = (await engine.run("query", "notes:inRoom", { room })).map(
      (note: { _id: string }) => note._id,
    );
    const byId = (args: object) => engine.run("query", "notes:byId", args);
    expect(await byId({ is: ids[3] })).toEqual([3]);
    expect(await byId({ from: ids[0], to: ids[2] })).toEqual([1, 2]);
    const value = await engine.run("mutation", "values:keep", { name: own("other"), value: null });
    expect(await byId({ is: value })).toEqual([]);
  });

  test("filter what an index gives", async () => {
    const [, second] = await engine.run("query", "notes:inRoom", { room });
    await engine.run("mutation", "notes:change", { id: second._id, text: "x", done: true });
    expect(await engine.run("query", "notes:open", { room })).toEqual([2, 3, 4]);
  });

  test("collect more than one batch", async () => {
    await engine.run("mutation", "notes:addMany", { room: own("many"), from: 0, count: 1500 });
    const ranks = await engine.run("query", "notes:between", { room: own("many") });
    expect(ranks).toEqual(Array.from({ length: 1500 }, (_, rank) => rank));
  });

  test("for one document fail when there are two", async () => {
    for (const rank of [1, 2]) {
      await engine.run("mutation", "notes:add", {
        room: own("unique"),
        rank,
        text: own("same text"),
      });
    }
    const one = engine.run("query", "notes:onlyOne", { text: own("same text") });
    await expect(one).rejects.toThrow(
      "unique() query returned more than one result from table notes",
    );
  });

  test("must use an index's fields in order", async () => {
    await expect(engine.run("query", "notes:outOfOrder")).rejects.toThrow(
      "Tried to query index notes.by_room but the query didn't use the index fields in order.",
    );
  });

  test("delete while they iterate", async () => {
    await engine.run("mutation", "notes:addMany", { room: own("clear"), from: 0, count: 100 });
    await engine.run("mutation", "notes:clear", { room: own("clear") });
    expect(await engine.run("query", "notes:inRoom", { room: own("clear") })).toEqual([]);
  });

  test("know what they have used of their limits, and may lower them for a nested one", async () => {
    const { failure, databaseQueries, functionsScheduled } = await engine.run(
      "query",
      "values:metered",
    );
    expect(failure).toContain("Too many reads in a single function execution (limit: ");
    expect(databaseQueries.remaining).toBe(4096 - databaseQueries.used);
    expect(functionsScheduled).toEqual({ used: 0, remaining: 1000 });
  });

  test("tell 256 lines of their log at most, and 4 KiB of each", async () => {
    const { logLines } = await engine.call("query", "values:talkative", { lines: 300 });
    expect(logLines).toHaveLength(256);
    expect(logLines[0]).toMatch(/^\[LOG\] 'x+ \(truncated due to length\)$/);
    expect(logLines.at(-1)).toBe(
      "[ERROR] Log overflow (maximum 256). Remaining log lines omitted.",
    );
  });

  test("see a clock that stands still", async () => {
    expect(await engine.run("query", "values:clock")).toEqual([true, true, true]);
  });

  test("that see chance see it anew each time they are asked", async () => {
    const draw = () => engine.run("query", "values:chance");
    expect(await draw()).not.toEqual(await draw());
  });

  test("have no way to the network", async () => {
    await expect(engine.run("query", "values:outside")).rejects.toThrow(
      "Can't use fetch() in queries and mutations.",
    );
  });
});

describe("mutations", () => {
  test("leave nothing when they throw", async () => {
    await expect(engine.run("mutation", "errors:inMutation", { kind: "x" })).rejects.toThrow();
    expect(await engine.run("query", "errors:rooms")).not.toContain("must not stay");
  });

  test("go on after a nested one failed, whose part alone is undone", async () => {
    expect(await engine.run("mutation", "errors:surviving")).toEqual({ code: "INNER" });
    const rooms = await engine.run("query", "errors:rooms");
    expect(rooms).toEqual(expect.arrayContaining(["before", "nested", "after"]));
    expect(rooms).not.toContain("inner");
  });

  test("keep their own writes beside a nested one that fails", async () => {
    expect(await engine.run("mutation", "errors:interleaved")).toEqual([
      "rejected",
      "fulfilled",
      "fulfilled",
    ]);
    const rooms = await engine.run("query", "errors:rooms");
    expect(rooms).toEqual(expect.arrayContaining(["own", "second"]));
    expect(rooms).not.toContain("first");
  });

  test("cannot write after they have answered", async () => {
    await engine.run("mutation", "errors:forgetful");
    await engine.run("mutation", "errors:addRoom", { name: "someone else's" });
    expect(await engine.run("query", "errors:rooms")).not.toContain("too late");
  });
});

describe("actions", () => {
  test("run queries and mutations", async () => {
    expect(await engine.run("action", "jobs:sum", { room: own("sum") })).toBe(42);
  });

  test("get the ConvexError of a mutation they run", async () => {
    const answer = await engine.call("action", "errors:throughAction", { kind: "convex" });
    expect(answer.errorData).toEqual({ code: "BAD", count: 7 });
  });
});
