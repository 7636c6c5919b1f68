import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Deployment, eventually, removeFolders } from "../engine/support.ts";
import { openDeployment, own } from "./deployment.ts";

let engine: Deployment;

beforeAll(async () => {
  engine = await openDeployment();
});
afterAll(async () => {
  await engine.stop();
  removeFolders();
});

const rooms = (): Promise<string[]> => engine.run("query", "errors:rooms");
const stateOf = (id: string): Promise<string> => engine.run("query", "jobs:state", { id });

describe("a scheduled function", () => {
  test("runs when its time has come", async () => {
    const id = await engine.run("mutation", "jobs:addLater", { name: own("soon"), delayMs: 30 });
    await eventually(
      () => stateOf(id),
      (state) => state === "success",
    );
    expect(await rooms()).toContain(own("soon"));
  });

  test("waits for its time", async () => {
    const id = await engine.run("mutation", "jobs:addLater", {
      name: own("far"),
      delayMs: 3_600_000,
    });
    await engine.run("mutation", "jobs:addLater", { name: own("near"), delayMs: 0 });
    await eventually(rooms, (names) => names.includes(own("near")));
    expect(await stateOf(id)).toBe("pending");
  });

  test("is not scheduled by a mutation that fails", async () => {
    const failing = engine.run("mutation", "jobs:failAfterScheduling", { name: own("never") });
    await expect(failing).rejects.toThrow("undone");
    const id = await engine.run("mutation", "jobs:addLater", {
      name: own("later than never"),
      delayMs: 0,
    });
    await eventually(
      () => stateOf(id),
      (state) => state === "success",
    );
    expect(await rooms()).not.toContain(own("never"));
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
    const id = await engine.run("mutation", "jobs:actLater", { name: own("acted") });
    await eventually(
      () => stateOf(id),
      (state) => state === "success",
    );
    expect(await rooms()).toContain(own("acted"));
  });

  test("that is cancelled does not run", async () => {
    const id = await engine.run("mutation", "jobs:addLater", {
      name: own("cancelled"),
      delayMs: 40,
    });
    await engine.run("mutation", "jobs:cancel", { id });
    const after = await engine.run("mutation", "jobs:addLater", {
      name: own("after it"),
      delayMs: 80,
    });
    await eventually(
      () => stateOf(after),
      (state) => state === "success",
    );
    expect(await stateOf(id)).toBe("canceled");
    expect(await rooms()).not.toContain(own("cancelled"));
  });

  test("runs in the order of its time among many", async () => {
    // Far enough apart that a slow request does not change their order.
    const start = Date.now() + 500;
    for (const [name, offset] of [
      [own("third"), 1000],
      [own("first"), 0],
      [own("second"), 500],
    ] as const) {
      const delayMs = Math.max(0, start + offset - Date.now());
      await engine.run("mutation", "jobs:addLater", { name, delayMs });
    }
    await eventually(rooms, (names) => names.includes(own("third")));
    const names = [own("first"), own("second"), own("third")];
    expect((await rooms()).filter((name) => names.includes(name))).toEqual(names);
  });

  test("more than a batch of them all run", async () => {
    const names = new Set(Array.from({ length: 150 }, (_, i) => own(`bulk ${i}`)));
    await Promise.all(
      [...names].map((name) => engine.run("mutation", "jobs:addLater", { name, delayMs: 20 })),
    );
    const bulk = async () => (await rooms()).filter((name) => names.has(name)).length;
    await eventually(bulk, (count) => count >= 150);
    expect(await bulk()).toBe(150);
  });
});
