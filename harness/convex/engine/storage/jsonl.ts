import {
  closeSync,
  createReadStream,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { StartError, messageOf } from "../failures.ts";
import { parseId } from "../values/ids.ts";
import type { Fields } from "../values/json.ts";
import { Catalog, type Table, entryKey } from "./catalog.ts";
import { openSqlite } from "./database.ts";

/** All of a project's tables as JSONL: `TABLE/documents.jsonl`, one document a line as it is stored, with its id
 *  and creation time; `_tables/documents.jsonl` has the tables' numbers, which ids contain.
 */

const TABLES = "_tables";
const FILE = "documents.jsonl";
const FLUSH_BYTES = 1 << 20;

/** Writes lines in large pieces. */
function writeLines(path: string, lines: Iterable<string>): number {
  mkdirSync(dirname(path), { recursive: true });
  const file = openSync(path, "wx");
  let count = 0;
  let buffer = "";
  try {
    for (const line of lines) {
      count++;
      buffer += `${line}\n`;
      if (buffer.length < FLUSH_BYTES) continue;
      writeSync(file, buffer);
      buffer = "";
    }
    writeSync(file, buffer);
  } finally {
    closeSync(file);
  }
  return count;
}

/** Writes every document of a database to a new folder, or nothing.
 *
 *  @returns How many documents there were.
 *  @throws StartError if the folder is there already, or the database cannot be read.
 */
export function exportTables(database: string, folder: string): number {
  if (!existsSync(database)) throw new StartError(`there is no database ${database}`);
  if (existsSync(folder)) throw new StartError(`${folder} is there already: give another --export`);
  const sqlite = openSqlite(database);
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  try {
    const catalog = new Catalog(sqlite);
    // What is scheduled stays behind: a copy must not do it a second time.
    const tables = catalog.all().filter(({ name }) => !name.startsWith("_"));
    const rows = tables.map(({ name, number }) => JSON.stringify({ name, number }));
    writeLines(join(partial, TABLES, FILE), rows);
    let count = 0;
    for (const table of tables) {
      count += writeLines(join(partial, table.name, FILE), catalog.texts(table));
    }
    renameSync(partial, folder);
    return count;
  } finally {
    sqlite.close();
    rmSync(partial, { recursive: true, force: true });
  }
}

async function* objectsOf(path: string): AsyncGenerator<{ line: number; object: Fields }> {
  let line = 0;
  for await (const text of createInterface({ input: createReadStream(path) })) {
    line++;
    if (!text.trim()) continue;
    try {
      yield { line, object: JSON.parse(text) as Fields };
    } catch (error) {
      throw new StartError(`${path}:${line}: ${messageOf(error)}`);
    }
  }
}

/** The table of an export in the database, made with the number it had. */
function tableFor(catalog: Catalog, { name, number }: Fields, path: string): Table {
  const found = catalog.find(name as string);
  if (found && found.number === number) return found;
  if (found || catalog.hasNumber(number as number)) {
    throw new StartError(
      `${path}: table "${name as string}" has number ${number as number}, which is another table's ` +
        "in this database: import into a new --db FILE",
    );
  }
  const table = catalog.create(name as string, number as number);
  catalog.save(table);
  return table;
}

/** Adds every document of an exported folder to a database, or none.
 *
 *  @param database Made if it is missing.
 *  @returns How many documents were added.
 *  @throws StartError naming the line that cannot be added, and why.
 */
export async function importTables(database: string, folder: string): Promise<number> {
  const list = join(folder, TABLES, FILE);
  if (!existsSync(list)) throw new StartError(`${list} is missing: ${folder} is no export`);
  const sqlite = openSqlite(database);
  try {
    sqlite.exec("BEGIN IMMEDIATE");
    const catalog = new Catalog(sqlite);
    const put = sqlite.prepare("INSERT INTO documents(number, id, json) VALUES(?, ?, ?)");
    const addEntry = sqlite.prepare("INSERT INTO entries(idx, key, document) VALUES(?, ?, ?)");
    for await (const { object } of objectsOf(list)) tableFor(catalog, object, list);
    let count = 0;
    for (const name of readdirSync(folder)) {
      const path = join(folder, name, FILE);
      if (name === TABLES || !statSync(path, { throwIfNoEntry: false })) continue;
      const table = catalog.find(name);
      if (!table) throw new StartError(`${path}: table "${name}" is not in ${list}`);
      for await (const { line, object } of objectsOf(path)) {
        const id = parseId(object._id);
        if (id?.table !== table.number) {
          throw new StartError(`${path}:${line}: ${String(object._id)} is no id of this table`);
        }
        try {
          put.run(id.document, object._id as string, JSON.stringify(object));
        } catch (error) {
          throw new StartError(`${path}:${line}: ${object._id as string}: ${messageOf(error)}`);
        }
        for (const index of table.indexes.values()) {
          addEntry.run(index.number, entryKey(index, object, id.document), id.document);
        }
        count++;
      }
    }
    // The next start holds them to the schema.
    sqlite.exec("UPDATE tables SET validator = NULL; COMMIT");
    return count;
  } finally {
    sqlite.close(); // which undoes what was not committed
  }
}
