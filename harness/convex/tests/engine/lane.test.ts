import { join } from "node:path";
import { afterAll, beforeEach, expect, test, vi } from "vitest";
import { openSqlite } from "../../engine/storage/database.ts";
import { Lane } from "../../engine/storage/lane.ts";
import { WalSync } from "../../engine/storage/walsync.ts";
import { removeFolders, temporaryFolder } from "./support.ts";

/** Nobody hears of a commit before it is on disk. The disk is the test's: it syncs when told. */

const syncs = vi.hoisted((): (() => void)[] => []);
vi.mock("node:fs", async (original) => ({
  ...(await original<typeof import("node:fs")>()),
  fdatasync: (_: number, done: (error: null) => void) => syncs.push(() => done(null)),
}));
afterAll(removeFolders);

let lane: Lane;
let unsynced: Lane;
let heard: string[];

beforeEach(() => {
  syncs.length = 0;
  heard = [];
  const path = join(temporaryFolder(), "lane.db");
  const sqlite = openSqlite(path);
  lane = new Lane(sqlite, new WalSync(path));
  unsynced = new Lane(openSqlite(join(temporaryFolder(), "lane.db")), null);
});

const hear = (job: Promise<string>) => void job.then((what) => heard.push(what));
const write = (what: string) => hear(lane.write(async () => what));
const read = (what: string) => hear(lane.read(async () => what));
/** Lets everything run that can. */
async function rest(): Promise<void> {
  for (let round = 0; round < 10; round++) await new Promise((resolve) => setImmediate(resolve));
}

test("a write is answered once it is on disk, and a read of it too", async () => {
  write("written");
  await rest();
  read("read");
  await rest();
  expect(heard).toEqual([]);
  syncs.shift()!();
  await rest();
  expect(heard).toEqual(["written", "read"]);
});

test("a read of what is on disk waits for nothing", async () => {
  read("read");
  await rest();
  expect(heard).toEqual(["read"]);
});

test("without syncing, a write is answered once it is committed", async () => {
  hear(unsynced.write(async () => "written"));
  await rest();
  expect([heard, syncs]).toEqual([["written"], []]);
});
