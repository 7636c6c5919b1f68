import { afterAll, describe, expect, test } from "vitest";
import { type TestEngine, eventually, removeFolders, startEngine } from "./support.ts";

afterAll(removeFolders);

const rooms = (of: TestEngine): Promise<string[]> => of.run("query", "errors:rooms");
const stateOf = (id: string, of: TestEngine): Promise<string> =>
  of.run("query", "jobs:state", { id });

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
