import {
  closeSync,
  copyFileSync,
  openSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, describe, expect, test } from "vitest";
import { openSqlite } from "../../engine/storage/database.ts";
import { refusal, removeFolders, startEngine, temporaryFolder } from "./support.ts";

/** Databases that must not be used: each is refused in one line that says what to do. */

afterAll(removeFolders);

const PAGE_BYTES = 4096;
const RESTORE = "restore a backup or give another --db FILE";

const newPath = () => join(temporaryFolder(), "convex.db");

/** A database with documents of a quarter of a page. */
function usedDatabase(): string {
  const path = newPath();
  const sqlite = openSqlite(path);
  const put = sqlite.prepare("INSERT INTO documents(number, id, json) VALUES(?, ?, ?)");
  for (let number = 0; number < 40; number++) put.run(number, `id ${number}`, "x".repeat(1000));
  sqlite.close();
  return path;
}

/** Writes what is no part of a database over a page, the same at every run. */
function overwrite(path: string, page: number): void {
  const file = openSync(path, "r+");
  const noise = Uint8Array.from({ length: PAGE_BYTES }, (_, at) => (at * 131 + 89) % 251);
  writeSync(file, noise, 0, PAGE_BYTES, page * PAGE_BYTES);
  closeSync(file);
}

/** Why a database is refused. */
function reasonFor(path: string): string {
  try {
    openSqlite(path).close();
  } catch (error) {
    return (error as Error).message;
  }
  return "it is used";
}

describe("a database is refused", () => {
  test("whatever is cut off", () => {
    const whole = usedDatabase();
    for (const share of [0.25, 0.5, 0.99]) {
      const path = newPath();
      copyFileSync(whole, path);
      truncateSync(path, Math.floor(statSync(path).size * share));
      expect(reasonFor(path)).toMatch(/ is damaged \((database disk image is malformed|a part)/);
    }
  });

  test("whichever page is overwritten", () => {
    const whole = usedDatabase();
    const pages = statSync(whole).size / PAGE_BYTES;
    expect(pages).toBeGreaterThan(10);
    for (let page = 1; page < pages; page++) {
      const path = newPath();
      copyFileSync(whole, path);
      overwrite(path, page);
      expect(reasonFor(path)).toMatch(/ is damaged \([^\n]+\): restore a backup or give another/);
    }
  });

  test.each([
    ["of another program", "CREATE TABLE albums(title TEXT)", /\(it has a table albums\)/],
    [
      "of another program that counts its versions",
      "CREATE TABLE albums(title TEXT); PRAGMA user_version = 1",
      /\(it has no table \w+\)/,
    ],
    [
      "of a newer engine",
      "PRAGMA user_version = 99",
      /has schema version 99, this engine knows up to \d+: update the engine or give another --db/,
    ],
  ])("if it is one %s, and stays as it is", (_, statements, expected) => {
    const path = newPath();
    const sqlite = new DatabaseSync(path);
    sqlite.exec(statements);
    sqlite.close();
    const before = readFileSync(path);
    expect(reasonFor(path)).toMatch(expected);
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  test("while it is in use", () => {
    const path = newPath();
    const sqlite = openSqlite(path);
    sqlite.exec("CREATE TABLE held(x)");
    expect(reasonFor(path)).toMatch(/ is in use \(database is locked\): stop the engine that uses/);
    sqlite.close();
  });
});

test("an engine that is refused its database says so in one line and ends with exit code 2", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "convex.db");
  writeFileSync(path, "this is not a database, and long enough to be read");
  const { code, text } = await refusal({ folder });
  expect(text).toBe(
    `convex: the database ${path} cannot be used (file is not a database): ${RESTORE}\n`,
  );
  expect(code).toBe(2);
});

test("an engine that comes upon a damaged page of a large database ends and says so", async () => {
  const writer = await startEngine();
  const { folder } = writer;
  // Too large to be read through at the start.
  for (let rank = 0; rank < 20; rank++) {
    const note = { room: "kept", rank, text: "x".repeat(900_000) };
    await writer.run("mutation", "notes:add", note);
  }
  await writer.stop();
  const path = join(folder, "convex.db");
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
