import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Usage } from "../../engine/storage/usage.ts";
import { type TestEngine, removeFolders, startEngine } from "./support.ts";

const SMALL = {
  documentsRead: 3,
  bytesRead: 50,
  databaseQueries: 2,
  documentsWritten: 3,
  bytesWritten: 50,
  functionsScheduled: 1,
  scheduledFunctionArgsBytes: 100,
};

describe("a transaction's limits", () => {
  test.each([
    ["documents read", (usage: Usage) => usage.read("{}"), 3, "documents read"],
    ["bytes read", (usage: Usage) => usage.read("x".repeat(20)), 2, "bytes read"],
    ["ranges read", (usage: Usage) => usage.range(), 2, "reads"],
    ["documents written", (usage: Usage) => usage.write("{}"), 3, "writes"],
    ["bytes written", (usage: Usage) => usage.write("x".repeat(20)), 2, "bytes written"],
  ])("stop it past the last of its %s", (_, use, allowed, named) => {
    const usage = new Usage(SMALL);
    for (let i = 0; i < allowed; i++) use(usage);
    expect(() => use(usage)).toThrow(`Too many ${named} in a single function execution (limit: `);
  });

  test("stop it past the last of what it schedules", () => {
    const usage = new Usage(SMALL);
    usage.schedule(1);
    expect(() => usage.schedule(1)).toThrow(
      "Too many functions scheduled by this mutation (limit: 1)",
    );
    expect(() => new Usage(SMALL).schedule(101)).toThrow(
      "Too large total size of the arguments of scheduled functions from this mutation (limit: 100 bytes)",
    );
  });

  test("are lower inside a call that asks for it, counted from where it began", () => {
    const usage = new Usage(SMALL);
    usage.read("{}");
    const putBack = usage.narrow({ documentsRead: 1, documentsWritten: 99 });
    usage.read("{}");
    expect(() => usage.read("{}")).toThrow("Too many documents read");
    putBack();
    expect(usage.metrics()).toMatchObject({
      documentsRead: { used: 3, remaining: 0 },
      documentsWritten: { used: 0, remaining: 3 },
    });
  });

  test("do not hold the engine's own", () => {
    const own = new Usage(null);
    fc.assert(fc.property(fc.string(), (json) => void [own.read(json), own.write(json)]));
  });
});

describe("a function past a limit", () => {
  let engine: TestEngine;
  beforeAll(async () => {
    engine = await startEngine();
  });
  afterAll(async () => {
    await engine.stop();
    removeFolders();
  });
  const add = (from: number, count: number) =>
    engine.run("mutation", "notes:addMany", { room: "full", from, count });

  test("leaves nothing of what it wrote", async () => {
    await expect(add(0, 16_001)).rejects.toThrow(
      "Too many writes in a single function execution (limit: 16000).",
    );
    expect(await engine.run("query", "notes:inRoom", { room: "full" })).toEqual([]);
  });

  test("is told how to read less", async () => {
    for (let from = 0; from < 33_000; from += 11_000) await add(from, 11_000);
    await expect(engine.run("query", "notes:inRoom", { room: "full" })).rejects.toThrow(
      /Too many documents read in a single function execution \(limit: 32000\)\. Consider using/,
    );
  });
});
