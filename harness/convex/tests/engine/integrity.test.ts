import { closeSync, openSync, statSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, describe, expect, test } from "vitest";
import { refusal, removeFolders, startEngine, temporaryFolder } from "./support.ts";

/** Databases that must not be used: each is refused in one line that says what to do. */

afterAll(removeFolders);

const PAGE_BYTES = 4096;
const RESTORE = "restore a backup or give another --db FILE";

const databaseIn = (folder: string) => join(folder, "convex.db");

/** The folder of a database that an engine has written to and left. */
async function usedFolder(documents: number, text: string): Promise<string> {
  const engine = await startEngine();
  for (let rank = 0; rank < documents; rank++) {
    await engine.run("mutation", "notes:add", { room: "kept", rank, text });
  }
  await engine.stop();
  return engine.folder;
}

/** The same bytes at every run, and no part of a database. */
function overwrite(path: string, page: number): void {
  const file = openSync(path, "r+");
  const noise = Uint8Array.from({ length: PAGE_BYTES }, (_, at) => (at * 131 + 89) % 251);
  writeSync(file, noise, 0, PAGE_BYTES, page * PAGE_BYTES);
  closeSync(file);
}

async function refusedLine(folder: string): Promise<string> {
  const { code, text } = await refusal({ folder });
  const lines = text.trim().split("\n");
  expect([code, lines.length]).toEqual([2, 1]);
  return lines[0]!;
}

describe("a start is refused", () => {
  test.each([0.5, 0.9])("for a database that was cut off at %f of its length", async (share) => {
    const folder = await usedFolder(40, "x".repeat(1000));
    const path = databaseIn(folder);
    truncateSync(path, Math.floor(statSync(path).size * share));
    expect(await refusedLine(folder)).toBe(
      `convex: the database ${path} is damaged (database disk image is malformed): ${RESTORE}`,
    );
  });

  test("for a page that was overwritten, whichever it is", async () => {
    const folder = await usedFolder(40, "x".repeat(1000));
    const path = databaseIn(folder);
    const pages = statSync(path).size / PAGE_BYTES;
    for (const page of [1, Math.floor(pages / 2), pages - 1]) {
      const copy = temporaryFolder();
      new DatabaseSync(path).exec(`VACUUM INTO '${databaseIn(copy)}'`);
      overwrite(databaseIn(copy), page);
      expect(await refusedLine(copy)).toMatch(
        new RegExp(`^convex: the database ${databaseIn(copy)} is damaged \\(.+\\): ${RESTORE}$`),
      );
    }
  });

  test("for a file that is no database", async () => {
    const folder = temporaryFolder();
    writeFileSync(databaseIn(folder), "this is not a database, and long enough to be read");
    expect(await refusedLine(folder)).toBe(
      `convex: the database ${databaseIn(folder)} cannot be used (file is not a database): ${RESTORE}`,
    );
  });

  test.each([
    ["of another program", "CREATE TABLE albums(title TEXT)", /\(it has a table albums\)/],
    [
      "of another program that counts its versions",
      "CREATE TABLE albums(title TEXT); PRAGMA user_version = 1",
      /\(it has no table meta\)/,
    ],
    [
      "of a newer engine",
      "PRAGMA user_version = 99",
      /has schema version 99, this engine knows up to 1: update the engine or give another --db FILE$/,
    ],
  ])("for a database %s, which stays as it is", async (_, statements, expected) => {
    const folder = temporaryFolder();
    const made = new DatabaseSync(databaseIn(folder));
    made.exec(statements);
    made.close();
    const tables = () => {
      const sqlite = new DatabaseSync(databaseIn(folder));
      const rows = sqlite.prepare("SELECT sql FROM sqlite_schema").all();
      sqlite.close();
      return rows;
    };
    const before = tables();
    expect(await refusedLine(folder)).toMatch(expected);
    expect(tables()).toEqual(before);
  });

  test("for a database in use", async () => {
    const engine = await startEngine();
    const line = await refusedLine(engine.folder);
    await engine.stop();
    expect(line).toMatch(/is in use \(database is locked\): stop the engine that uses it or give/);
  });
});

test("an engine that comes upon a damaged page of a large database ends and says so", async () => {
  // Too large to be read through at the start.
  const folder = await usedFolder(40, "x".repeat(900_000));
  const path = databaseIn(folder);
  const sqlite = new DatabaseSync(path);
  const { page } = sqlite
    .prepare("SELECT min(pageno) AS page FROM dbstat WHERE name = 'documents' AND pagetype = ?")
    .get("overflow") as { page: number };
  sqlite.close();
  overwrite(path, page - 1);
  const engine = await startEngine({ folder });
  await expect(engine.run("query", "notes:total")).rejects.toThrow();
  expect(await engine.ended()).toBe(2);
  expect(engine.log).toContain(
    `the database is damaged (database disk image is malformed): stopping; ${RESTORE}`,
  );
});
