import { type Fields, type Json, bytesOf, float64Of, int64Of, kindOf } from "./json.ts";

/** Order-preserving encoding of Convex values.
 *
 *  Comparing two encoded keys byte by byte gives Convex's order of the values:
 *  undefined < null < int64 < float64 < boolean < string < bytes < array < object.
 *  Every encoding is self-delimiting, so tuples are encoded by concatenation and a
 *  prefix of a tuple is a prefix of its key.
 */

const TAG = {
  undefined: 1,
  null: 2,
  int64: 3,
  float64: 4,
  boolean: 5,
  string: 6,
  bytes: 7,
  array: 8,
  object: 9,
} as const;

/** Ends a string, array or object. Sorts below every tag, so that shorter is lower. */
const END = 0;
/** Follows a zero byte that belongs to a string. Above every tag, so that longer is higher. */
const ESCAPED = 0xff;

/** Above every key that begins with the same prefix. */
const ABOVE = Buffer.from([0xff]);

let scratch = Buffer.alloc(1024);
let length = 0;

function reserve(count: number): void {
  if (length + count <= scratch.length) return;
  const grown = Buffer.alloc(Math.max(scratch.length * 2, length + count));
  scratch.copy(grown, 0, 0, length);
  scratch = grown;
}

function writeEscaped(bytes: Uint8Array): void {
  reserve(bytes.length * 2 + 1);
  for (const byte of bytes) {
    scratch[length++] = byte;
    if (byte === 0) scratch[length++] = ESCAPED;
  }
  scratch[length++] = END;
}

function writeString(text: string): void {
  // A UTF-16 unit takes at most three bytes of UTF-8.
  reserve(text.length * 3 + 1);
  const start = length;
  length += scratch.write(text, length);
  if (scratch.subarray(start, length).includes(0)) {
    const raw = Buffer.from(scratch.subarray(start, length));
    length = start;
    writeEscaped(raw);
  } else {
    scratch[length++] = END;
  }
}

function writeFloat(value: number): void {
  scratch.writeDoubleBE(value, length);
  // IEEE 754 orders like an unsigned integer once the sign is flipped, and all
  // the other bits too when the number is negative.
  if (scratch[length]! & 0x80) for (let i = 0; i < 8; i++) scratch[length + i]! ^= 0xff;
  else scratch[length]! ^= 0x80;
  length += 8;
}

function write(value: Json | undefined): void {
  const kind = kindOf(value);
  reserve(16);
  scratch[length++] = TAG[kind];
  switch (kind) {
    case "undefined":
    case "null":
      return;
    case "int64":
      scratch.writeBigUInt64BE(BigInt.asUintN(64, int64Of(value!)) ^ (1n << 63n), length);
      length += 8;
      return;
    case "float64":
      return writeFloat(float64Of(value!));
    case "boolean":
      scratch[length++] = value ? 1 : 0;
      return;
    case "string":
      return writeString(value as string);
    case "bytes":
      return writeEscaped(bytesOf(value!));
    case "array":
      for (const item of value as Json[]) write(item);
      break;
    case "object":
      for (const name of Object.keys(value as Fields).sort()) {
        write(name);
        write((value as Fields)[name]);
      }
  }
  reserve(1);
  scratch[length++] = END;
}

/** Encodes a tuple of values.
 *
 *  @param values In the order of the index's fields; undefined for an absent field.
 *  @param suffix Appended as it is.
 */
export function encodeKey(values: readonly (Json | undefined)[], suffix?: Uint8Array): Buffer {
  length = 0;
  for (const value of values) write(value);
  if (suffix) {
    reserve(suffix.length);
    scratch.set(suffix, length);
    length += suffix.length;
  }
  return Buffer.from(scratch.subarray(0, length));
}

/** The lowest key above all keys that begin with `prefix`. */
export function above(prefix: Uint8Array): Buffer {
  return Buffer.concat([prefix, ABOVE]);
}

/** The lowest key above `key` itself. */
export function after(key: Uint8Array): Buffer {
  return Buffer.concat([key, Buffer.of(0)]);
}

/** Compares two values in Convex's order. */
export function compareValues(left: Json | undefined, right: Json | undefined): number {
  if (typeof left === "number" && typeof right === "number" && left !== right) {
    return left < right ? -1 : 1;
  }
  return Buffer.compare(encodeKey([left]), encodeKey([right]));
}
