import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Deployment, removeFolders } from "../engine/support.ts";
import { openDeployment } from "./deployment.ts";

let engine: Deployment;

beforeAll(async () => {
  engine = await openDeployment();
});
afterAll(async () => {
  await engine.stop();
  removeFolders();
});

describe("the HTTP API", () => {
  test("runs a function by its address", async () => {
    const answer = await fetch(`${engine.url}/api/run/values/echo`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ args: { value: 7 }, format: "json" }),
    });
    expect(await answer.json()).toMatchObject({ status: "success", value: 7 });
  });

  test("runs a function whatever its kind", async () => {
    const answer = await engine.call("function", "values:echo", { value: 7 });
    expect(answer).toMatchObject({ status: "success", value: 7 });
  });

  test("takes the arguments in a list too", async () => {
    const answer = await engine.call("query", "values:echo", [{ value: 7 }]);
    expect(answer.value).toBe(7);
  });

  test("takes a query by GET", async () => {
    const args = encodeURIComponent('{"value":7}');
    const answer = await fetch(`${engine.url}/api/query?path=values:echo&args=${args}`);
    expect((await answer.json()).value).toBe(7);
  });

  test("gives plain JSON unless asked for encoded values", async () => {
    const value = { $integer: "AQAAAAAAAAA=" };
    const plain = await engine.call("query", "values:echo", { value }, { format: "json" });
    const encoded = await engine.call("query", "values:echo", { value });
    expect([plain.value, encoded.value]).toEqual(["1", value]);
  });

  test("gives what a function logged to its caller", async () => {
    const answer = await engine.call("query", "values:chatty", {});
    expect(answer.logLines).toEqual(["[LOG] 'seen' { rank: 1 }", "[ERROR] 'beware'"]);
  });
});

describe("a function's failure", () => {
  test("carries the data of a ConvexError", async () => {
    for (const [kind, path] of [
      ["query", "errors:inQuery"],
      ["mutation", "errors:inMutation"],
      ["action", "errors:inAction"],
    ] as const) {
      const answer = await engine.call(kind, path, { kind: "convex" });
      expect(answer).toMatchObject({ status: "error", errorData: { code: "BAD", count: 7 } });
      expect(answer.errorMessage).toContain("Uncaught ConvexError");
    }
  });

  test.each([
    [
      "unknown functions",
      "query",
      "notes:nothing",
      "Could not find public function for 'notes:nothing'.",
    ],
    [
      "internal functions",
      "query",
      "people:secret",
      "Could not find public function for 'people:secret'.",
    ],
    [
      "another kind",
      "mutation",
      "values:echo",
      "Trying to execute values:echo as Mutation, but it is defined as Query.",
    ],
    ["wrong arguments", "query", "values:typed", "ArgumentValidationError: Object has multiple"],
    [
      "a wrong result",
      "query",
      "values:wrongResult",
      "ReturnsValidationError: Value does not match",
    ],
  ])("tells of %s in Convex's words", async (_, kind, path, message) => {
    expect((await engine.call(kind, path)).errorMessage).toContain(message);
  });
});

describe("the admin key", () => {
  test("reaches internal functions", async () => {
    expect(await engine.run("query", "people:secret")).toBe("for the admin key only");
  });
});
