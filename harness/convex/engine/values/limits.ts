import { type Fields, type Json, bytesOf, kindOf } from "./json.ts";

/** The limits of Convex's documents, with its messages.
 *  @see https://docs.convex.dev/production/state/limits
 */

const MAX_DOCUMENT_BYTES = 1 << 20;
const MAX_NESTING = 64;
const MAX_ARRAY_ITEMS = 8192;
const MAX_FIELDS = 1024;

export class LimitError extends Error {}

/** The size of a value in bytes as Convex counts it. */
export function sizeOf(value: Json, depth = 0): number {
  if (depth > MAX_NESTING) {
    throw new LimitError(`Value is too nested (maximum nesting ${MAX_NESTING})`);
  }
  switch (kindOf(value)) {
    case "null":
    case "boolean":
      return 1;
    case "string":
      return 2 + Buffer.byteLength(value as string);
    case "bytes":
      return 2 + bytesOf(value).length;
    case "array":
      return sizeOfArray(value as Json[], depth);
    case "object":
      return sizeOfObject(value as Fields, depth);
    default:
      return 9;
  }
}

function sizeOfArray(items: Json[], depth: number): number {
  if (items.length > MAX_ARRAY_ITEMS) {
    throw new LimitError(
      `Array length is too long (${items.length} > maximum length ${MAX_ARRAY_ITEMS})`,
    );
  }
  let size = 2;
  for (const item of items) size += sizeOf(item, depth + 1);
  return size;
}

function sizeOfObject(fields: Fields, depth: number): number {
  let size = 2;
  let count = 0;
  for (const name in fields) {
    count++;
    size += name.length + 1 + sizeOf(fields[name]!, depth + 1);
  }
  if (count > MAX_FIELDS) {
    throw new LimitError(`Object has too many fields (${count} > maximum number ${MAX_FIELDS})`);
  }
  return size;
}

/** Refuses a document past a limit.
 *  @throws LimitError
 */
export function checkDocumentSize(document: Fields): void {
  const size = sizeOf(document);
  if (size > MAX_DOCUMENT_BYTES) {
    throw new LimitError(
      `Value is too large (${(size / (1 << 20)).toFixed(2)} MiB > maximum size 1 MiB)`,
    );
  }
}
