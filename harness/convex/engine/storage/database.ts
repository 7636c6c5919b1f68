import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { StartError } from "../failures.ts";
import { type Count, type Scan, countBy, scanBy } from "./entries.ts";
import { checkPages, checkTables, refusalOf } from "./integrity.ts";

/** The file on disk. Documents live in one table, the entries of all indexes in another,
 *  ordered by (index, key). */

export const DATABASE_VERSION = 1;

/** So much of the file is read where the system keeps it, without a copy into SQLite's own cache:
 *  in a database larger than that cache, reading ten documents takes a tenth less time. The most
 *  SQLite takes. @see https://www.sqlite.org/mmap.html
 */
const MAPPED_BYTES = 0x7fff0000;

/** SQLite copies its log into the database when it has so many pages, and begins it anew. */
const CHECKPOINT_PAGES = 4000;
/** What those take in the log. @see https://www.sqlite.org/fileformat2.html#the_write_ahead_log */
export const LOG_BYTES = 32 + CHECKPOINT_PAGES * (24 + 4096);

const LAYOUT = `
  CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE tables(number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, validator TEXT);
  CREATE TABLE indexes(number INTEGER PRIMARY KEY, tbl INTEGER NOT NULL, name TEXT NOT NULL,
    fields TEXT NOT NULL, UNIQUE(tbl, name));
  CREATE TABLE documents(number INTEGER PRIMARY KEY, id TEXT NOT NULL, json TEXT NOT NULL);
  CREATE TABLE entries(idx INTEGER NOT NULL, key BLOB NOT NULL, document INTEGER NOT NULL,
    PRIMARY KEY(idx, key)) WITHOUT ROWID;
  CREATE TABLE requests(session TEXT NOT NULL, request INTEGER NOT NULL, at INTEGER NOT NULL,
    answer TEXT NOT NULL, PRIMARY KEY(session, request)) WITHOUT ROWID;
  CREATE INDEX requests_by_age ON requests(at);
`;
const TABLES = [...LAYOUT.matchAll(/CREATE TABLE (\w+)/g)].map((found) => found[1]!);

/** FULL: what a client has been told survives the machine (see `WalSync`). NORMAL: it
 *  survives the process, and the machine may lose the last commits when it stops. */
export type Synchronous = "FULL" | "NORMAL";

/** The version of a database, 0 for one that is to be made. Changes nothing.
 *
 *  @throws StartError for another or a newer program's.
 */
function versionOf(sqlite: DatabaseSync, path: string): number {
  const { user_version: found } = sqlite.prepare("PRAGMA user_version").get() as {
    user_version: number;
  };
  if (found > DATABASE_VERSION) {
    throw new StartError(
      `the database ${path} has schema version ${found}, this engine knows up to ` +
        `${DATABASE_VERSION}: update the engine or give another --db FILE`,
    );
  }
  checkTables(sqlite, path, found ? TABLES : []);
  return found;
}

function prepare(sqlite: DatabaseSync, path: string): void {
  const version = versionOf(sqlite, path);
  sqlite.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA locking_mode = EXCLUSIVE;
    PRAGMA cache_size = -65536;
    PRAGMA mmap_size = ${MAPPED_BYTES};
    PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES};
  `);
  if (version) checkPages(sqlite, path);
  else sqlite.exec(`BEGIN; ${LAYOUT} PRAGMA user_version = ${DATABASE_VERSION}; COMMIT;`);
}

/** Opens (or makes) the database file.
 *
 *  @throws StartError if the file is no database, damaged, or another or a newer program's.
 */
export function openSqlite(path: string): DatabaseSync {
  let sqlite: DatabaseSync | null = null;
  try {
    mkdirSync(dirname(path), { recursive: true });
    sqlite = new DatabaseSync(path);
    prepare(sqlite, path);
    return sqlite;
  } catch (error) {
    sqlite?.close();
    throw refusalOf(path, error);
  }
}

/** The statements that reads and writes of documents are made of. */
export interface Statements {
  get: StatementSync;
  put: StatementSync;
  update: StatementSync;
  remove: StatementSync;
  addEntry: StatementSync;
  removeEntry: StatementSync;
  ascending: Scan;
  descending: Scan;
  count: Count;
}

export function prepareStatements(sqlite: DatabaseSync): Statements {
  // CROSS JOIN keeps SQLite from turning the order of the two tables around.
  const scan = `SELECT e.document, d.json
    FROM entries e CROSS JOIN documents d ON d.number = e.document
    WHERE e.idx = ? AND e.key >= ? AND e.key < ? ORDER BY e.key`;
  return {
    get: sqlite.prepare("SELECT json FROM documents WHERE number = ? AND id = ?"),
    put: sqlite.prepare("INSERT INTO documents(number, id, json) VALUES(?, ?, ?)"),
    update: sqlite.prepare("UPDATE documents SET json = ? WHERE number = ?"),
    remove: sqlite.prepare("DELETE FROM documents WHERE number = ?"),
    addEntry: sqlite.prepare("INSERT INTO entries(idx, key, document) VALUES(?, ?, ?)"),
    removeEntry: sqlite.prepare("DELETE FROM entries WHERE idx = ? AND key = ?"),
    ascending: scanBy(sqlite.prepare(`${scan} LIMIT ?`)),
    descending: scanBy(sqlite.prepare(`${scan} DESC LIMIT ?`)),
    count: countBy(
      sqlite.prepare("SELECT count(*) FROM entries WHERE idx = ? AND key >= ? AND key < ?"),
    ),
  };
}
