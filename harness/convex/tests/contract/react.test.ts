import { ConvexReactClient } from "convex/react";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import WebSocket from "ws";
import { type Deployment, eventually, removeFolders, token } from "../engine/support.ts";
import { action, mutation, query, ranks } from "./clients.ts";
import { OWN_KEYS, REMOTE, openDeployment, own } from "./deployment.ts";

let engine: Deployment;
let client: ConvexReactClient;

beforeAll(async () => {
  engine = await openDeployment();
});
beforeEach(() => {
  client = new ConvexReactClient(engine.url, {
    webSocketConstructor: WebSocket as unknown as typeof globalThis.WebSocket,
    logger: false,
  });
});
afterEach(() => client.close());
afterAll(async () => {
  await engine.stop();
  removeFolders();
});

/** What a component that uses the query would show, each time it is to show something else. */
function shown(room: string): { rank: number }[][] {
  const watch = client.watchQuery(query("notes:inRoom"), { room });
  const seen: { rank: number }[][] = [];
  watch.onUpdate(() => seen.push(watch.localQueryResult()));
  return seen;
}

describe("the React client", () => {
  test("calls all kinds of functions", async () => {
    const room = own("react");
    await client.mutation(mutation("notes:add"), { room, rank: 1, text: "a" });
    expect(ranks(await client.query(query("notes:inRoom"), { room }))).toEqual([1]);
    expect(await client.action(action("jobs:sum"), { room: own("react-sum") })).toBe(42);
  });

  test("shows what others write", async () => {
    const room = own("react-watched");
    const seen = shown(room);
    await eventually(() => seen.length === 1);
    await engine.run("mutation", "notes:add", { room, rank: 1, text: "a" });
    await eventually(() => seen.length === 2);
    expect(seen.map(ranks)).toEqual([[], [1]]);
  });

  test("replaces an optimistic update by its effect, with nothing shown between", async () => {
    const room = own("react-optimistic");
    const seen = shown(room);
    await eventually(() => seen.length === 1);
    await client.mutation(
      mutation("notes:add"),
      { room, rank: 1, text: "a" },
      {
        optimisticUpdate: (store) => store.setQuery(query("notes:inRoom"), { room }, [{ rank: 0 }]),
      },
    );
    await eventually(() => seen.length === 3);
    expect(seen.map(ranks)).toEqual([[], [0], [1]]);
  });

  test("shows what its user may see, and nobody's once it signs out", async ({ skip }) => {
    skip(REMOTE, OWN_KEYS);
    client.setAuth(() => token({ subject: "ann" }));
    const watch = client.watchQuery(query("people:whoami"), {});
    const seen: (string | undefined)[] = [];
    watch.onUpdate(() => seen.push(watch.localQueryResult()?.subject));
    await eventually(() => seen.at(-1) === "ann");
    client.clearAuth();
    await eventually(() => watch.localQueryResult() === null);
  });
});
