import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import WebSocket from "ws";
import { type Deployment, eventually, removeFolders } from "../engine/support.ts";
import { closeClients, connect, query, ranks } from "./clients.ts";
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

describe("pages over HTTP", () => {
  async function allPages(path: string, room: string, numItems: number): Promise<number[][]> {
    const pages: number[][] = [];
    let cursor: string | null = null;
    for (let isDone = false; !isDone;) {
      const paginationOpts = { numItems, cursor };
      const result = await engine.run("query", path, { room, paginationOpts });
      pages.push(result.page.map((note: { rank: number }) => note.rank));
      ({ isDone, continueCursor: cursor } = result);
    }
    return pages;
  }

  test("hold every document once", async () => {
    await engine.run("mutation", "notes:addMany", { room: own("pages"), from: 0, count: 25 });
    const pages = await allPages("notes:pages", own("pages"), 10);
    expect(pages.map((page) => page.length)).toEqual([10, 10, 5]);
    expect(pages.flat()).toEqual(Array.from({ length: 25 }, (_, i) => 24 - i));
  });

  test("hold every document that passes a filter", async () => {
    await engine.run("mutation", "notes:addMany", { room: own("even"), from: 0, count: 20 });
    const pages = await allPages("notes:filteredPages", own("even"), 4);
    expect(pages.flat()).toEqual([0, 2, 4, 6, 8, 10, 12, 14, 16, 18]);
  });

  test("go on where they ended when newer documents come", async () => {
    await engine.run("mutation", "notes:addMany", { room: own("shift"), from: 0, count: 6 });
    const opts = (cursor: string | null) => ({ paginationOpts: { numItems: 3, cursor } });
    const first = await engine.run("query", "notes:pages", { room: own("shift"), ...opts(null) });
    await engine.run("mutation", "notes:add", { room: own("shift"), rank: 100, text: "new" });
    const second = await engine.run("query", "notes:pages", {
      room: own("shift"),
      ...opts(first.continueCursor),
    });
    expect(second.page.map((note: { rank: number }) => note.rank)).toEqual([2, 1, 0]);
  });

  test("up to an end cursor hold what was added before it", async () => {
    await engine.run("mutation", "notes:addMany", { room: own("end"), from: 0, count: 4 });
    const first = await engine.run("query", "notes:pages", {
      room: own("end"),
      paginationOpts: { numItems: 2, cursor: null },
    });
    await engine.run("mutation", "notes:add", { room: own("end"), rank: 50, text: "new" });
    const again = await engine.run("query", "notes:pages", {
      room: own("end"),
      paginationOpts: { numItems: 2, cursor: null, endCursor: first.continueCursor },
    });
    expect(again.page.map((note: { rank: number }) => note.rank)).toEqual([50, 3, 2]);
    expect(again.continueCursor).toBe(first.continueCursor);
  });

  test("refuse a cursor of another query", async () => {
    const first = await engine.run("query", "notes:pages", {
      room: own("pages"),
      paginationOpts: { numItems: 1, cursor: null },
    });
    const other = engine.run("query", "notes:pages", {
      room: own("other"),
      paginationOpts: { numItems: 1, cursor: first.continueCursor },
    });
    await expect(other).rejects.toThrow("InvalidCursor");
  });
});

describe("a paginated list of the client", () => {
  /** What is sent of subscriptions to parts of a page that was split. */
  const splits: string[] = [];
  class Overheard extends WebSocket {
    override send(text: string): void {
      splits.push(...(text.match(/"endCursor":"[^"]+"/g) ?? []));
      super.send(text);
    }
  }

  function list(room: string) {
    const latest: { results: { rank: number }[]; status: string; loadMore(n: number): boolean }[] =
      [];
    const client = connect(engine.url, {
      webSocketConstructor: Overheard as unknown as typeof globalThis.WebSocket,
    });
    client.onPaginatedUpdate_experimental(
      query("notes:pages"),
      { room } as never,
      { initialNumItems: 4 },
      (update) => latest.push(update as never),
    );
    return () => latest.at(-1);
  }

  const inRoom = async (room: string): Promise<number[]> =>
    ranks(await engine.run("query", "notes:inRoom", { room })).reverse();

  test("loads more until it is exhausted", async () => {
    const room = own("list");
    await engine.run("mutation", "notes:addMany", { room, from: 0, count: 10 });
    const latest = list(room);
    for (const loaded of [4, 8, 10]) {
      await eventually(() => latest()?.results.length === loaded);
      if (loaded < 10) expect(latest()!.loadMore(4)).toBe(true);
    }
    await eventually(() => latest()!.status === "Exhausted");
    expect(ranks(latest()!.results)).toEqual(await inRoom(room));
  });

  test("splits a page that has grown, and stays whole through writes and removals", async () => {
    const room = own("growing");
    await engine.run("mutation", "notes:addMany", { room, from: 0, count: 8 });
    const latest = list(room);
    await eventually(() => latest()?.results.length === 4);
    latest()!.loadMore(4);
    await eventually(() => latest()!.results.length === 8);
    splits.length = 0;
    await engine.run("mutation", "notes:addMany", { room, from: 100, count: 20 });
    await eventually(() => splits.length >= 2);
    const notes: { _id: string; rank: number }[] = await engine.run("query", "notes:inRoom", {
      room,
    });
    for (const { _id, rank } of notes) {
      if (rank % 3 === 0) await engine.run("mutation", "notes:remove", { id: _id });
    }
    await engine.run("mutation", "notes:addMany", { room, from: 50, count: 6 });
    const expected = await inRoom(room);
    await eventually(() => ranks(latest()!.results).join() === expected.join());
    expect(new Set(ranks(latest()!.results)).size).toBe(expected.length);
  });
});
