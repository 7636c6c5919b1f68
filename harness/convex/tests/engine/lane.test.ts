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

test("a sync covers the commits before it began, and none after", async () => {
  for (const what of ["first", "second", "third", "fourth"]) {
    write(what);
    await rest();
  }
  // Two at once, and what is committed meanwhile waits for the next.
  expect(syncs).toHaveLength(2);
  const [one, two] = syncs.splice(0);
  one!();
  await rest();
  expect(heard).toEqual(["first"]);
  two!();
  await rest();
  expect(heard).toEqual(["first", "second"]);
  expect(syncs).toHaveLength(1);
  syncs.shift()!();
  await rest();
  expect(heard).toEqual(["first", "second", "third", "fourth"]);
});

test("a sync that ends before an earlier one covers that one's commits too", async () => {
  write("first");
  await rest();
  write("second");
  await rest();
  syncs.pop()!();
  await rest();
  expect(heard).toEqual(["first", "second"]);
  syncs.pop()!();
  await rest();
  expect(heard).toEqual(["first", "second"]);
});

test("without syncing, a write is answered once it is committed", async () => {
  hear(unsynced.write(async () => "written"));
  await rest();
  expect([heard, syncs]).toEqual([["written"], []]);
});
