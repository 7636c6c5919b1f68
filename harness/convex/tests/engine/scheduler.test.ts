import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type TestEngine, eventually, removeFolders, startEngine } from "./support.ts";

let engine: TestEngine;

beforeAll(async () => {
  engine = await startEngine();
});
afterAll(async () => {
  await engine.stop();
  removeFolders();
});

const rooms = (of = engine): Promise<string[]> => of.run("query", "errors:rooms");
const stateOf = (id: string, of = engine): Promise<string> => of.run("query", "jobs:state", { id });

describe("a scheduled function", () => {
  test("runs when its time has come", async () => {
    const id = await engine.run("mutation", "jobs:addLater", { name: "soon", delayMs: 30 });
    await eventually(
      () => stateOf(id),
      (state) => state === "success",
    );
    expect(await rooms()).toContain("soon");
  });

  test("waits for its time", async () => {
    const id = await engine.run("mutation", "jobs:addLater", { name: "far", delayMs: 3_600_000 });
    await engine.run("mutation", "jobs:addLater", { name: "near", delayMs: 0 });
    await eventually(rooms, (names) => names.includes("near"));
    expect(await stateOf(id)).toBe("pending");
  });

  test("is not scheduled by a mutation that fails", async () => {
    const failing = engine.run("mutation", "jobs:failAfterScheduling", { name: "never" });
    await expect(failing).rejects.toThrow("undone");
    const id = await engine.run("mutation", "jobs:addLater", {
      name: "later than never",
      delayMs: 0,
    });
    await eventually(
      () => stateOf(id),
      (state) => state === "success",
    );
    expect(await rooms()).not.toContain("never");
  });

  test("that fails is marked, and leaves nothing", async () => {
    const id = await engine.run("mutation", "jobs:failLater");
    await eventually(
      () => stateOf(id),
      (state) => state === "failed",
    );
    expect(await rooms()).not.toContain("must not stay");
  });

  test("may be an action", async () => {
    const id = await engine.run("mutation", "jobs:actLater", { name: "acted" });
    await eventually(
      () => stateOf(id),
      (state) => state === "success",
    );
    expect(await rooms()).toContain("acted");
  });

  test("that is cancelled does not run", async () => {
    const id = await engine.run("mutation", "jobs:addLater", { name: "cancelled", delayMs: 40 });
    await engine.run("mutation", "jobs:cancel", { id });
    const after = await engine.run("mutation", "jobs:addLater", { name: "after it", delayMs: 80 });
    await eventually(
      () => stateOf(after),
      (state) => state === "success",
    );
    expect(await stateOf(id)).toBe("canceled");
    expect(await rooms()).not.toContain("cancelled");
  });

  test("runs in the order of its time among many", async () => {
    // Far enough apart that a slow request does not change their order.
    const start = Date.now() + 500;
    for (const [name, offset] of [
      ["third", 1000],
      ["first", 0],
      ["second", 500],
    ] as const) {
      const delayMs = Math.max(0, start + offset - Date.now());
      await engine.run("mutation", "jobs:addLater", { name, delayMs });
    }
    await eventually(rooms, (names) => names.includes("third"));
    expect((await rooms()).filter((name) => ["first", "second", "third"].includes(name))).toEqual([
      "first",
      "second",
      "third",
    ]);
  });

  test("more than a batch of them all run", async () => {
    await Promise.all(
      Array.from({ length: 150 }, (_, i) =>
        engine.run("mutation", "jobs:addLater", { name: `bulk ${i}`, delayMs: 20 }),
      ),
    );
    const bulk = async () => (await rooms()).filter((name) => name.startsWith("bulk")).length;
    await eventually(bulk, (count) => count >= 150);
    expect(await bulk()).toBe(150);
  });
});

describe("after the engine was killed", () => {
  test("a mutation still to run runs once", async () => {
    const first = await startEngine();
    const id = await first.run("mutation", "jobs:addLater", { name: "survivor", delayMs: 150 });
    await first.stop("SIGKILL");
    const second = await startEngine({ folder: first.folder });
    await eventually(
      () => stateOf(id, second),
      (state) => state === "success",
    );
    expect((await rooms(second)).filter((name) => name === "survivor")).toHaveLength(1);
    await second.stop();
  });

  test("or stopped while an action hangs, it ends in good order", async () => {
    const first = await startEngine();
    const id = await first.run("mutation", "jobs:hangLater");
    await eventually(
      () => stateOf(id, first),
      (state) => state === "inProgress",
    );
    expect(await first.stop("SIGTERM")).toBe(0);
  });

  test("an action that ran is not run again, and is marked failed", async () => {
    const first = await startEngine();
    const id = await first.run("mutation", "jobs:hangLater");
    await eventually(
      () => stateOf(id, first),
      (state) => state === "inProgress",
    );
    await first.stop("SIGKILL");
    const second = await startEngine({ folder: first.folder });
    expect(await stateOf(id, second)).toBe("failed");
    await second.stop();
  });
});
