import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ConvexHttpClient } from "convex/browser";
import { type Deployment, removeFolders, token } from "../engine/support.ts";
import { action, mutation, query } from "./clients.ts";
import { OWN_KEYS, REMOTE, openDeployment, own } from "./deployment.ts";

let engine: Deployment;

beforeAll(async () => {
  engine = await openDeployment();
});
afterAll(async () => {
  await engine.stop();
  removeFolders();
});

describe("the HTTP client", () => {
  test("calls all kinds of functions", async () => {
    const client = new ConvexHttpClient(engine.url, { logger: false });
    await client.mutation(mutation("notes:add"), { room: own("http"), rank: 1, text: "a" });
    expect(await client.query(query("notes:inRoom"), { room: own("http") })).toHaveLength(1);
    expect(await client.action(action("jobs:sum"), { room: own("http2") })).toBe(42);
  });

  test("asks several queries of one time while others write", async () => {
    const room = own("steady");
    const add = (rank: number) => engine.run("mutation", "notes:add", { room, rank, text: "a" });
    await add(0);
    const client = new ConvexHttpClient(engine.url, { logger: false });
    const sizes: number[] = [];
    for (let rank = 1; rank <= 5; rank++) {
      sizes.push((await client.consistentQuery(query("notes:inRoom"), { room })).length);
      await add(rank);
    }
    expect(sizes).toEqual([1, 1, 1, 1, 1]);
    expect(await client.query(query("notes:inRoom"), { room })).toHaveLength(6);
  });

  test("throws a ConvexError with its data", async () => {
    const client = new ConvexHttpClient(engine.url, { logger: false });
    const failing = client.query(query("errors:inQuery"), { kind: "convex" });
    await expect(failing).rejects.toMatchObject({ data: { code: "BAD", count: 7 } });
  });

  test("calls with a user's token", async ({ skip }) => {
    skip(REMOTE, OWN_KEYS);
    const client = new ConvexHttpClient(engine.url, { logger: false });
    client.setAuth(await token({ subject: "ann" }));
    expect((await client.query(query("people:whoami"), {})).subject).toBe("ann");
  });
});
