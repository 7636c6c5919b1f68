import { parseArgs } from "node:util";
import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { DocumentNumbers, FIRST_TABLE, creationTimeOf, newId } from "../engine/values/ids.ts";
import { messageOf } from "./corpus.ts";

/** Writes the stored messages as an export that the engine imports.
 *
 *  `node bench/documents.ts --count N --to DIR`
 */

const TABLE = "messages";
const LINES = 1000;

function writeDocuments(folder: string, count: number): void {
  for (const name of ["_tables", TABLE]) mkdirSync(join(folder, name), { recursive: true });
  const tables = openSync(join(folder, "_tables", "documents.jsonl"), "w");
  writeSync(tables, `${JSON.stringify({ name: TABLE, number: FIRST_TABLE })}\n`);
  closeSync(tables);
  const numbers = new DocumentNumbers(0);
  const began = Date.now() - count;
  const file = openSync(join(folder, TABLE, "documents.jsonl"), "w");
  for (let first = 0; first < count; first += LINES) {
    let lines = "";
    for (let number = first; number < Math.min(count, first + LINES); number++) {
      const document = numbers.next(began + number);
      const _id = newId({ table: FIRST_TABLE, document });
      const fields = { ...messageOf(number, count), _creationTime: creationTimeOf(document), _id };
      lines += `${JSON.stringify(fields)}\n`;
    }
    writeSync(file, lines);
  }
  closeSync(file);
}

const { values } = parseArgs({ options: { count: { type: "string" }, to: { type: "string" } } });
writeDocuments(values.to!, Number(values.count));
