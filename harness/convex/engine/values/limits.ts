import { UserError, messageOf } from "../failures.ts";
import { type Fields, type Json, bytesOf, kindOf } from "./json.ts";

/** The limits of Convex's documents, with its messages.
 *  @see https://docs.convex.dev/production/state/limits
 */

const MIB = 1 << 20;
const MAX_DOCUMENT_BYTES = MIB;
const MAX_DOCUMENT_NESTING = 16;
const MAX_NESTING = 64;
const MAX_ARRAY_ITEMS = 8192;
const MAX_FIELDS = 1024;
/** Of a function's arguments, and of its result. */
const MAX_CALL_BYTES = 16 * MIB;
/** No text below this length holds an array that is too long, or a value that is too large. */
const HARMLESS_CHARACTERS = 2 * MAX_ARRAY_ITEMS;

export class LimitError extends Error {}

/** Levels of arrays and objects in the value that was measured last. */
let nesting = 0;

/** The size of a value in bytes as Convex counts it.
 *  @throws LimitError for a value that is none to Convex.
 */
export function sizeOf(value: Json): number {
  nesting = 0;
  return measure(value, 0);
}

function measure(value: Json, depth: number): number {
  switch (kindOf(value)) {
    case "null":
    case "boolean":
      return 1;
    case "string":
      return 2 + Buffer.byteLength(value as string);
    case "bytes":
      return 2 + bytesOf(value).length;
    case "array":
      return measureArray(value as Json[], depth + 1);
    case "object":
      return measureObject(value as Fields, depth + 1);
    default:
      return 9;
  }
}

function enter(level: number): void {
  if (level > MAX_NESTING) throw tooNested("Value", level, MAX_NESTING);
  if (level > nesting) nesting = level;
}

function tooNested(what: string, levels: number, limit: number): LimitError {
  return new LimitError(
    `${what} is too nested (nested ${levels} levels deep > maximum nesting ${limit})`,
  );
}

function measureArray(items: Json[], level: number): number {
  enter(level);
  if (items.length > MAX_ARRAY_ITEMS) {
    throw new LimitError(
      `Array length is too long (${items.length} > maximum length ${MAX_ARRAY_ITEMS})`,
    );
  }
  let size = 2;
  for (const item of items) size += measure(item, level);
  return size;
}

function measureObject(fields: Fields, level: number): number {
  enter(level);
  let size = 2;
  let count = 0;
  for (const name in fields) {
    count++;
    size += name.length + 1 + measure(fields[name]!, level);
  }
  if (count > MAX_FIELDS) {
    throw new LimitError(`Object has too many fields (${count} > maximum number ${MAX_FIELDS})`);
  }
  return size;
}

function inMiB(bytes: number): string {
  return `${(bytes / MIB).toFixed(2)} MiB`;
}

/** Refuses a document past a limit.
 *  @throws LimitError
 */
export function checkDocumentSize(document: Fields): void {
  const size = sizeOf(document);
  if (nesting > MAX_DOCUMENT_NESTING) throw tooNested("Document", nesting, MAX_DOCUMENT_NESTING);
  if (size > MAX_DOCUMENT_BYTES) {
    throw new LimitError(`Value is too large (${inMiB(size)} > maximum size 1 MiB)`);
  }
}

/** Refuses arguments past a limit.
 *  @throws UserError
 */
export function checkArgumentsSize(path: string, args: Json): void {
  const size = measured([args], (problem) => `Invalid arguments for ${path}: ${problem}`);
  if (size <= MAX_CALL_BYTES) return;
  throw new UserError(
    `Arguments for ${path} are too large (actual: ${inMiB(size)}, limit: ${MAX_CALL_BYTES / MIB} MiB)`,
  );
}

/** Refuses a function's result past a limit.
 *
 *  @param text The result's JSON.
 *  @throws UserError
 */
export function checkResultSize(path: string, text: string): void {
  if (text.length < HARMLESS_CHARACTERS) return;
  const size = measured(
    JSON.parse(text) as Json,
    (problem) => `Function ${path} return value invalid: ${problem}`,
  );
  if (size <= MAX_CALL_BYTES) return;
  throw new UserError(
    `Function return value is too large (actual: ${size}, limit: ${MAX_CALL_BYTES})`,
  );
}

function measured(value: Json, told: (problem: string) => string): number {
  try {
    return sizeOf(value);
  } catch (error) {
    throw new UserError(told(messageOf(error)));
  }
}
