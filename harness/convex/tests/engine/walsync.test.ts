import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { LOG_BYTES } from "../../engine/storage/database.ts";
import { WalSync } from "../../engine/storage/walsync.ts";

type Ended = (error: Error | null) => void;

/** Syncs that have begun and not ended, in the order of their beginning. */
const syncs: Ended[] = vi.hoisted(() => []);

vi.mock("node:fs", async (original) => ({
  ...(await original<typeof import("node:fs")>()),
  fdatasync: (_: number, ended: Ended) => syncs.push(ended),
}));

let folder: string;
let database: string;
let sync: WalSync;

beforeEach(() => {
  syncs.length = 0;
  folder = mkdtempSync(join(tmpdir(), "walsync-"));
  database = join(folder, "convex.db");
  writeFileSync(`${database}-wal`, "a log");
  sync = new WalSync(database);
});

afterEach(() => {
  sync.close();
  rmSync(folder, { recursive: true });
});

/** Whether what waits for all commits so far has been told. */
function watched(): { told: boolean } {
  const state = { told: false };
  void sync.settled()!.then(() => (state.told = true));
  return state;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("a commit", () => {
  test("is on disk once a sync that began after it has ended", async () => {
    sync.committed();
    const first = watched();
    await turn();
    expect(first.told).toBe(false);
    syncs.shift()!(null);
    await turn();
    expect(first.told).toBe(true);
    expect(sync.settled()).toBeNull();
  });

  test("begins a sync of its own while another runs, and a third waits for one of them", async () => {
    sync.committed();
    sync.committed();
    sync.committed();
    const third = watched();
    expect(syncs).toHaveLength(2);
    syncs.shift()!(null);
    syncs.shift()!(null);
    await turn();
    expect(third.told).toBe(false);
    syncs.shift()!(null);
    await turn();
    expect(third.told).toBe(true);
  });

  test("is on disk too when a later sync ends before its own", async () => {
    sync.committed();
    const first = watched();
    sync.committed();
    const [earlier, later] = syncs.splice(0);
    later!(null);
    await turn();
    expect(first.told).toBe(true);
    expect(sync.settled()).toBeNull();
    earlier!(null);
    expect(sync.settled()).toBeNull();
  });
});

test("the log gets its size at the start, behind what it holds", () => {
  expect(statSync(`${database}-wal`).size).toBe(LOG_BYTES);
  expect(readFileSync(`${database}-wal`, "latin1").slice(0, 6)).toBe("a log\0");
});
