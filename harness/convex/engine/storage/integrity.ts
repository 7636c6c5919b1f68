import { statSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { StartError, messageOf } from "../failures.ts";
import { log } from "../log.ts";

/** Whether a database is whole, found out before it is used and whenever a page of it is read. */

/** Files up to this size are read through at the start. Measured: 1.4 ms of processor time a
 *  megabyte, which would be most of a second for a million documents of 500 bytes. */
const READ_THROUGH_BYTES = 32 << 20;

/** SQLite's primary result codes. @see https://www.sqlite.org/rescode.html */
const BUSY = 5;
const CORRUPT = 11;
const NOT_A_DATABASE = 26;

/** Whether it was SQLite that refused something. */
export function isOfSqlite(error: unknown): boolean {
  return codeOf(error) !== null;
}

function codeOf(error: unknown): number | null {
  const extended = (error as { errcode?: number } | null)?.errcode;
  return extended === undefined ? null : extended & 0xff;
}

const ANOTHER = "give another --db FILE";
const RESTORE = `restore a backup or ${ANOTHER}`;

/** Says in one line why a file cannot be used as a database. */
export function refusalOf(path: string, error: unknown): StartError {
  if (error instanceof StartError) return error;
  const reason = messageOf(error);
  switch (codeOf(error)) {
    case CORRUPT:
      return new StartError(`the database ${path} is damaged (${reason}): ${RESTORE}`);
    case BUSY:
      return new StartError(
        `the database ${path} is in use (${reason}): stop the engine that uses it or ${ANOTHER}`,
      );
    case NOT_A_DATABASE:
      return new StartError(`the database ${path} cannot be used (${reason}): ${RESTORE}`);
    default:
      return new StartError(`the database ${path} cannot be used (${reason}): ${ANOTHER}`);
  }
}

/** Refuses another program's database.
 *
 *  @param expected The tables there must be at least; none for a database that is to be made.
 */
export function checkTables(sqlite: DatabaseSync, path: string, expected: string[]): void {
  const rows = sqlite
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    .all();
  const found = new Set(rows.map((row) => row.name as string));
  const missing = expected.filter((name) => !found.has(name));
  if (!missing.length && (expected.length || !found.size)) return;
  const why = missing.length ? `it has no table ${missing[0]}` : `it has a table ${[...found][0]}`;
  throw new StartError(`the database ${path} is not one of this engine (${why}): ${ANOTHER}`);
}

/** Looks for pages that are no part of a whole database, all of them in a small one.
 *
 *  SQLite itself compares the file's pages with its header, but rounds a part of one up. Where
 *  there is a log, the file may be as a crash left it, and the log makes it whole.
 *
 *  @throws StartError
 */
export function checkPages(sqlite: DatabaseSync, path: string): void {
  const damaged = (reason: string) =>
    new StartError(`the database ${path} is damaged (${reason}): ${RESTORE}`);
  const { size } = statSync(path);
  const logged = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size;
  const { page_size: page } = sqlite.prepare("PRAGMA page_size").get() as { page_size: number };
  if (!logged && size % page) throw damaged("a part of its last page is missing");
  if (size > READ_THROUGH_BYTES) return;
  const found = sqlite.prepare("PRAGMA quick_check(1)").get()!.quick_check as string;
  if (found !== "ok") throw damaged(found.replace(/\s+/g, " "));
}

/** Ends the engine if an error says that a page is damaged: nothing it answers or writes from here
 *  on could be relied on.
 */
export function endIfDamaged(error: unknown): void {
  const code = codeOf(error);
  if (code !== CORRUPT && code !== NOT_A_DATABASE) return;
  log("error", `the database is damaged (${messageOf(error)}): stopping; ${RESTORE}`);
  process.exit(2);
}
