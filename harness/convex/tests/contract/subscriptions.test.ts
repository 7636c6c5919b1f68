import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import WebSocket from "ws";
import type { ConvexError } from "convex/values";
import { type Deployment, eventually, removeFolders, startEngine } from "../engine/support.ts";
import { breakConnections, closeClients, connect, ranks, watch } from "./clients.ts";
import { OWN_PROCESS, REMOTE, openDeployment, own } from "./deployment.ts";

let engine: Deployment;

beforeAll(async () => {
  engine = await openDeployment();
});
afterEach(closeClients);
afterAll(async () => {
  await engine.stop();
  removeFolders();
});

describe("a subscription", () => {
  test("gets the result and every change of it", async () => {
    const { seen } = watch(connect(engine.url), "notes:inRoom", { room: own("live") });
    await eventually(() => seen.length === 1);
    await engine.run("mutation", "notes:add", { room: own("live"), rank: 1, text: "a" });
    await eventually(() => seen.length === 2);
    expect(seen.map(ranks)).toEqual([[], [1]]);
  });

  test("hears nothing of writes beside what it has read", async () => {
    const { seen } = watch(connect(engine.url), "notes:newest", { room: own("beside"), count: 2 });
    await engine.run("mutation", "notes:addMany", { room: own("beside"), from: 10, count: 4 });
    await eventually(() => seen.at(-1)?.length === 2);
    const before = seen.length;
    await engine.run("mutation", "notes:add", { room: own("elsewhere"), rank: 1, text: "a" });
    await engine.run("mutation", "notes:add", { room: own("beside"), rank: 1, text: "old" });
    await engine.run("mutation", "notes:add", { room: own("beside"), rank: 99, text: "newest" });
    await eventually(() => ranks(seen.at(-1))[0] === 99);
    expect(seen).toHaveLength(before + 1);
  });

  test("gets the errors of its query, and its results again after that", async () => {
    const { seen, failures } = watch(connect(engine.url), "notes:onlyOne", { text: own("single") });
    await eventually(() => seen.length === 1);
    const add = (rank: number) =>
      engine.run("mutation", "notes:add", { room: own("one"), rank, text: own("single") });
    await add(1);
    const second = await add(2);
    await eventually(() => failures.length === 1);
    expect(failures[0]!.message).toContain("unique() query returned more than one result");
    await engine.run("mutation", "notes:remove", { id: second });
    await eventually(() => seen.at(-1)?.rank === 1);
  });

  test("gets the data of a ConvexError", async () => {
    const { failures } = watch(connect(engine.url), "errors:inQuery", { kind: "convex" });
    await eventually(() => failures.length === 1);
    expect((failures[0] as ConvexError<any>).data).toEqual({ code: "BAD", count: 7 });
  });

  test("brings what its query logged to the client's own log", async () => {
    const lines: unknown[][] = [];
    const write = (...line: unknown[]) => void lines.push(line);
    const logger = { log: write, warn: write, error: write, logVerbose: () => undefined };
    const { seen } = watch(connect(engine.url, { logger }), "values:chatty", {});
    await eventually(() => seen.length === 1);
    const told = lines.map((line) => line.join(" "));
    expect(told).toContainEqual(expect.stringMatching(/CONVEX Q\(values:chatty\).*LOG.*'seen'/));
    expect(told).toContainEqual(
      expect.stringMatching(/CONVEX Q\(values:chatty\).*ERROR.*'beware'/),
    );
  });

  test("sees each commit as a whole", async () => {
    const { seen } = watch(connect(engine.url), "notes:inRoom", { room: own("whole") });
    await engine.run("mutation", "notes:addMany", { room: own("whole"), from: 0, count: 50 });
    await eventually(() => seen.at(-1)?.length === 50);
    expect(seen.every((notes) => notes.length === 0 || notes.length === 50)).toBe(true);
  });

  test("keeps its pages without a gap as documents come", async () => {
    await engine.run("mutation", "notes:addMany", { room: own("paged"), from: 0, count: 4 });
    const client = connect(engine.url);
    const first = watch(client, "notes:pages", {
      room: own("paged"),
      paginationOpts: { numItems: 2, cursor: null },
    });
    await eventually(() => first.seen.length === 1);
    const { continueCursor } = first.seen[0];
    const second = watch(client, "notes:pages", {
      room: own("paged"),
      paginationOpts: { numItems: 2, cursor: continueCursor },
    });
    await eventually(() => second.seen.length === 1);
    await engine.run("mutation", "notes:add", { room: own("paged"), rank: 9, text: "new" });
    await eventually(() => first.seen.length === 2);
    expect(ranks(first.seen[1].page)).toEqual([9, 3, 2]);
    expect(first.seen[1].continueCursor).toBe(continueCursor);
    expect(ranks(second.seen.at(-1).page)).toEqual([1, 0]);
  });

  test("comes back after its connection broke", async () => {
    const { seen } = watch(connect(engine.url), "notes:inRoom", { room: own("broken") });
    await eventually(() => seen.length === 1);
    breakConnections(engine.url);
    await engine.run("mutation", "notes:add", { room: own("broken"), rank: 5, text: "a" });
    await eventually(() => seen.at(-1)?.length === 1);
  });

  test("comes back after the engine was killed", async ({ skip }) => {
    skip(REMOTE, OWN_PROCESS);
    const first = await startEngine();
    const { port } = new URL(first.url);
    const { seen } = watch(connect(first.url), "notes:inRoom", { room: "again" });
    await eventually(() => seen.length === 1);
    await first.stop("SIGKILL");
    const restarted = await startEngine({ folder: first.folder, port: Number(port) });
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
    room: own("slow"),
    rank: 1,
    text: "begin    ",
  });
  const send = (message: object) => socket.send(JSON.stringify(message));
  send({ type: "Connect", sessionId: "slow", connectionCount: 0, lastCloseReason: null });
  const modifications = [{ type: "Add", queryId: 0, udfPath: "notes:get", args: [{ id }] }];
  send({ type: "ModifyQuerySet", baseVersion: 0, newVersion: 1, modifications });
  await eventually(() => seen.length === 1);
  socket.pause();
  const other = watch(connect(engine.url), "notes:get", { id });
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
