import { ConvexClient, ConvexHttpClient } from "convex/browser";
import { ConvexError } from "convex/values";
import { makeFunctionReference } from "convex/server";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import WebSocket from "ws";
import { type TestEngine, eventually, removeFolders, startEngine, token } from "./support.ts";

const query = (name: string) => makeFunctionReference<"query", any, any>(name);
const mutation = (name: string) => makeFunctionReference<"mutation", any, any>(name);
const action = (name: string) => makeFunctionReference<"action", any, any>(name);

let engine: TestEngine;
const open: ConvexClient[] = [];

beforeAll(async () => {
  engine = await startEngine();
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((client) => client.close()));
});
afterAll(async () => {
  await engine.stop();
  removeFolders();
});

function connect(): ConvexClient {
  const client = new ConvexClient(engine.url, {
    webSocketConstructor: WebSocket as unknown as typeof globalThis.WebSocket,
    logger: false,
  });
  open.push(client);
  return client;
}

/** Everything a subscription says, as it says it. */
function watch(client: ConvexClient, path: string, args: object) {
  const seen: any[] = [];
  const failures: Error[] = [];
  client.onUpdate(
    query(path),
    args,
    (value) => seen.push(value),
    (error) => failures.push(error),
  );
  return { seen, failures };
}

const ranks = (notes: { rank: number }[]) => notes.map((note) => note.rank);

describe("a subscription", () => {
  test("gets the result and every change of it", async () => {
    const { seen } = watch(connect(), "notes:inRoom", { room: "live" });
    await eventually(() => seen.length === 1);
    await engine.run("mutation", "notes:add", { room: "live", rank: 1, text: "a" });
    await eventually(() => seen.length === 2);
    expect(seen.map(ranks)).toEqual([[], [1]]);
  });

  test("hears nothing of writes beside what it has read", async () => {
    const { seen } = watch(connect(), "notes:newest", { room: "beside", count: 2 });
    await engine.run("mutation", "notes:addMany", { room: "beside", from: 10, count: 4 });
    await eventually(() => seen.at(-1)?.length === 2);
    const before = seen.length;
    await engine.run("mutation", "notes:add", { room: "elsewhere", rank: 1, text: "a" });
    await engine.run("mutation", "notes:add", { room: "beside", rank: 1, text: "old" });
    await engine.run("mutation", "notes:add", { room: "beside", rank: 99, text: "newest" });
    await eventually(() => ranks(seen.at(-1))[0] === 99);
    expect(seen).toHaveLength(before + 1);
  });

  test("gets the errors of its query, and its results again after that", async () => {
    const { seen, failures } = watch(connect(), "notes:onlyOne", { text: "single" });
    await eventually(() => seen.length === 1);
    const add = (rank: number) =>
      engine.run("mutation", "notes:add", { room: "one", rank, text: "single" });
    await add(1);
    const second = await add(2);
    await eventually(() => failures.length === 1);
    expect(failures[0]!.message).toContain("unique() query returned more than one result");
    await engine.run("mutation", "notes:remove", { id: second });
    await eventually(() => seen.at(-1)?.rank === 1);
  });

  test("gets the data of a ConvexError", async () => {
    const { failures } = watch(connect(), "errors:inQuery", { kind: "convex" });
    await eventually(() => failures.length === 1);
    expect((failures[0] as ConvexError<any>).data).toEqual({ code: "BAD", count: 7 });
  });

  test("sees each commit as a whole", async () => {
    const { seen } = watch(connect(), "notes:inRoom", { room: "whole" });
    await engine.run("mutation", "notes:addMany", { room: "whole", from: 0, count: 50 });
    await eventually(() => seen.at(-1)?.length === 50);
    expect(seen.every((notes) => notes.length === 0 || notes.length === 50)).toBe(true);
  });

  test("keeps its pages without a gap as documents come", async () => {
    await engine.run("mutation", "notes:addMany", { room: "paged", from: 0, count: 4 });
    const client = connect();
    const first = watch(client, "notes:pages", {
      room: "paged",
      paginationOpts: { numItems: 2, cursor: null },
    });
    await eventually(() => first.seen.length === 1);
    const { continueCursor } = first.seen[0];
    const second = watch(client, "notes:pages", {
      room: "paged",
      paginationOpts: { numItems: 2, cursor: continueCursor },
    });
    await eventually(() => second.seen.length === 1);
    await engine.run("mutation", "notes:add", { room: "paged", rank: 9, text: "new" });
    await eventually(() => first.seen.length === 2);
    expect(ranks(first.seen[1].page)).toEqual([9, 3, 2]);
    expect(first.seen[1].continueCursor).toBe(continueCursor);
    expect(ranks(second.seen.at(-1).page)).toEqual([1, 0]);
  });

  test("comes back after the engine was killed", async () => {
    const own = await startEngine();
    const { port } = new URL(own.url);
    const client = new ConvexClient(own.url, {
      webSocketConstructor: WebSocket as unknown as typeof globalThis.WebSocket,
      logger: false,
    });
    open.push(client);
    const { seen } = watch(client, "notes:inRoom", { room: "again" });
    await eventually(() => seen.length === 1);
    await own.stop("SIGKILL");
    const restarted = await startEngine({ folder: own.folder, port: Number(port) });
    await restarted.run("mutation", "notes:add", { room: "again", rank: 5, text: "a" });
    await eventually(() => seen.at(-1)?.length === 1);
    await restarted.stop();
  });
});

test("a client that does not read skips states, and keeps nobody waiting", async () => {
  const writes = 60;
  const socket = new WebSocket(`${engine.url.replace("http", "ws")}/api/1.0.0/sync`);
  await new Promise((resolve) => socket.once("open", resolve));
  const seen: string[] = [];
  socket.on("message", (data) => {
    const message = JSON.parse(data.toString());
    if (message.type !== "Transition") return;
    for (const { value } of message.modifications) if (value) seen.push(value.text.slice(0, 9));
  });
  const id = await engine.run("mutation", "notes:add", {
    room: "slow",
    rank: 1,
    text: "begin    ",
  });
  const send = (message: object) => socket.send(JSON.stringify(message));
  send({ type: "Connect", sessionId: "slow", connectionCount: 0, lastCloseReason: null });
  const modifications = [{ type: "Add", queryId: 0, udfPath: "notes:get", args: [{ id }] }];
  send({ type: "ModifyQuerySet", baseVersion: 0, newVersion: 1, modifications });
  await eventually(() => seen.length === 1);
  socket.pause();
  const other = watch(connect(), "notes:get", { id });
  for (let i = 1; i <= writes; i++) {
    const text = `write ${String(i).padEnd(3)}${"x".repeat(400_000)}`;
    await engine.run("mutation", "notes:change", { id, text });
  }
  await eventually(() => other.seen.at(-1)?.text.startsWith(`write ${writes}`));
  socket.resume();
  await eventually(() => seen.at(-1) === `write ${writes} `);
  expect(seen.length).toBeLessThan(writes);
  socket.close();
});

describe("a mutation over the socket", () => {
  test("resolves after its effect is visible to the same client", async () => {
    const client = connect();
    const { seen } = watch(client, "notes:inRoom", { room: "own" });
    await eventually(() => seen.length === 1);
    await client.mutation(mutation("notes:add"), { room: "own", rank: 1, text: "a" });
    expect(seen.at(-1)).toHaveLength(1);
  });

  test("resolves when it changes nothing that is watched", async () => {
    const id = await connect().mutation(mutation("notes:add"), { room: "q", rank: 1, text: "a" });
    expect(id).toHaveLength(32);
  });

  test("run in the order they were sent", async () => {
    const client = connect();
    await Promise.all(
      Array.from({ length: 20 }, (_, rank) =>
        client.mutation(mutation("notes:add"), { room: "fifo", rank, text: "a" }),
      ),
    );
    const notes = await engine.run("query", "notes:inRoom", { room: "fifo" });
    const times = notes.map((note: { _creationTime: number }) => note._creationTime);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  test("rejects with the data of a ConvexError, and others after it resolve", async () => {
    const client = connect();
    const failing = client.mutation(mutation("errors:inMutation"), { kind: "convex" });
    await expect(failing).rejects.toMatchObject({ data: { code: "BAD", count: 7 } });
    await client.mutation(mutation("notes:add"), { room: "after", rank: 1, text: "a" });
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
          args: [{ room: "resent", rank: 1, text: "a" }],
        }),
      );
      const answer = await answered;
      socket.close();
      return answer.result;
    };
    expect(await send()).toBe(await send());
    expect(await engine.run("query", "notes:inRoom", { room: "resent" })).toHaveLength(1);
  });
});

test("an action over the socket answers, and its writes are pushed", async () => {
  const client = connect();
  const { seen } = watch(client, "notes:inRoom", { room: "acted" });
  expect(await client.action(action("jobs:sum"), { room: "acted" })).toBe(42);
  await eventually(() => seen.at(-1)?.length === 2);
});

describe("identity over the socket", () => {
  test("is the token's, and changes with it", async () => {
    const client = connect();
    const { seen } = watch(client, "people:whoami", {});
    await eventually(() => seen.length === 1);
    expect(seen[0]).toBeNull();
    client.setAuth(() => token({ subject: "ann" }));
    await eventually(() => seen.at(-1)?.subject === "ann");
  });

  test("is each session's own on one shared query", async () => {
    const names = ["ann", "bob", "cid"];
    const watched = names.map((subject) => {
      const client = connect();
      client.setAuth(() => token({ subject }));
      return watch(client, "people:whoami", {});
    });
    await eventually(() => watched.every(({ seen }) => seen.at(-1)?.subject));
    expect(watched.map(({ seen }) => seen.at(-1).subject)).toEqual(names);
  });

  test("ends with a token that is not renewed", async () => {
    const client = connect();
    const { seen } = watch(client, "people:whoami", {});
    let given = 0;
    client.setAuth(async () => (given++ ? null : token({ expiresAt: "3s" })));
    await eventually(() => seen.some((identity) => identity?.subject === "user_1"));
    await eventually(() => seen.at(-1) === null);
  });
});

describe("the HTTP client", () => {
  test("calls all kinds of functions", async () => {
    const client = new ConvexHttpClient(engine.url, { logger: false });
    await client.mutation(mutation("notes:add"), { room: "http", rank: 1, text: "a" });
    expect(await client.query(query("notes:inRoom"), { room: "http" })).toHaveLength(1);
    expect(await client.action(action("jobs:sum"), { room: "http2" })).toBe(42);
    expect(await client.consistentQuery(query("notes:inRoom"), { room: "http" })).toHaveLength(1);
  });

  test("throws a ConvexError with its data", async () => {
    const client = new ConvexHttpClient(engine.url, { logger: false });
    const failing = client.query(query("errors:inQuery"), { kind: "convex" });
    await expect(failing).rejects.toMatchObject({ data: { code: "BAD", count: 7 } });
  });

  test("calls with a user's token", async () => {
    const client = new ConvexHttpClient(engine.url, { logger: false });
    client.setAuth(await token({ subject: "ann" }));
    expect((await client.query(query("people:whoami"), {})).subject).toBe("ann");
  });
});
