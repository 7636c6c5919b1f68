import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import WebSocket from "ws";
import { type Deployment, eventually, removeFolders } from "../engine/support.ts";
import { action, closeClients, connect, mutation, query, ranks, watch } from "./clients.ts";
import { openDeployment, own } from "./deployment.ts";

let engine: Deployment;

beforeAll(async () => {
  engine = await openDeployment();
});
afterEach(closeClients);
afterAll(async () => {
  await engine.stop();
  removeFolders();
});

describe("a mutation over the socket", () => {
  test("resolves after its effect is visible to the same client", async () => {
    const client = connect(engine.url);
    const { seen } = watch(client, "notes:inRoom", { room: own("own") });
    await eventually(() => seen.length === 1);
    await client.mutation(mutation("notes:add"), { room: own("own"), rank: 1, text: "a" });
    expect(seen.at(-1)).toHaveLength(1);
  });

  test("resolves when it changes nothing that is watched", async () => {
    const id = await connect(engine.url).mutation(mutation("notes:add"), {
      room: own("q"),
      rank: 1,
      text: "a",
    });
    expect(id).toHaveLength(32);
  });

  test("replaces its optimistic update by its effect, with nothing shown between", async () => {
    const client = connect(engine.url);
    const room = own("optimistic");
    const { seen } = watch(client, "notes:inRoom", { room });
    await eventually(() => seen.length === 1);
    await client.mutation(
      mutation("notes:add"),
      { room, rank: 1, text: "a" },
      {
        optimisticUpdate: (store) => store.setQuery(query("notes:inRoom"), { room }, [{ rank: 0 }]),
      },
    );
    await eventually(() => seen.at(-1)?.[0]?._id);
    expect(seen.map(ranks)).toEqual([[], [0], [1]]);
  });

  test("run in the order they were sent", async () => {
    const client = connect(engine.url);
    await Promise.all(
      Array.from({ length: 20 }, (_, rank) =>
        client.mutation(mutation("notes:add"), { room: own("fifo"), rank, text: "a" }),
      ),
    );
    const notes = await engine.run("query", "notes:inRoom", { room: own("fifo") });
    const times = notes.map((note: { _creationTime: number }) => note._creationTime);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  test("rejects with the data of a ConvexError, and others after it resolve", async () => {
    const client = connect(engine.url);
    const failing = client.mutation(mutation("errors:inMutation"), { kind: "convex" });
    await expect(failing).rejects.toMatchObject({ data: { code: "BAD", count: 7 } });
    await client.mutation(mutation("notes:add"), { room: own("after"), rank: 1, text: "a" });
  });

  test("sent again by the same session is not done again", async () => {
    const url = engine.url.replace("http", "ws");
    const send = async () => {
      const socket = new WebSocket(`${url}/api/1.0.0/sync`);
      await new Promise((resolve) => socket.once("open", resolve));
      const answered = new Promise<any>((resolve) => {
        socket.on("message", (data) => {
          const message = JSON.parse(data.toString());
          if (message.type === "MutationResponse") resolve(message);
        });
      });
      socket.send(
        JSON.stringify({
          type: "Connect",
          sessionId: "b2c5f0a4-6f27-4c3e-9a53-0f3a8a1d2f11",
          connectionCount: 0,
          lastCloseReason: null,
          clientTs: 0,
        }),
      );
      socket.send(
        JSON.stringify({
          type: "Mutation",
          requestId: 7,
          udfPath: "notes:add",
          args: [{ room: own("resent"), rank: 1, text: "a" }],
        }),
      );
      const answer = await answered;
      socket.close();
      return answer.result;
    };
    expect(await send()).toBe(await send());
    expect(await engine.run("query", "notes:inRoom", { room: own("resent") })).toHaveLength(1);
  });
});

test("an action over the socket answers, and its writes are pushed", async () => {
  const client = connect(engine.url);
  const { seen } = watch(client, "notes:inRoom", { room: own("acted") });
  expect(await client.action(action("jobs:sum"), { room: own("acted") })).toBe(42);
  await eventually(() => seen.at(-1)?.length === 2);
});
