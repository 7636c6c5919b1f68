import { randomFillSync } from "node:crypto";

/** Document ids: 32 characters of Crockford's base 32, opaque to functions and clients.
 *
 *  They hold the table's number, the document's number (its row on disk) and nine random
 *  bytes, then a checksum by which text that never was an id is told apart.
 */

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const DIGIT = new Int8Array(128).fill(-1);
for (let i = 0; i < 32; i++) DIGIT[ALPHABET.charCodeAt(i)] = i;

const BYTES = 20;
const CHARACTERS = 32;
const RANDOM_BYTES = 9;
/** Table numbers that take exactly two bytes. */
export const FIRST_TABLE = 10_001;
export const FIRST_SYSTEM_TABLE = 8_193;

export interface IdParts {
  table: number;
  document: number;
}

const pool = Buffer.alloc(RANDOM_BYTES * 512);
let drawn = pool.length;

function drawRandom(into: Buffer, at: number): void {
  if (drawn === pool.length) {
    randomFillSync(pool);
    drawn = 0;
  }
  pool.copy(into, at, drawn, drawn + RANDOM_BYTES);
  drawn += RANDOM_BYTES;
}

/** Fletcher's checksum over all but the last two bytes. */
function checksum(bytes: Buffer): number {
  let low = 0;
  let high = 0;
  for (let i = 0; i < BYTES - 2; i++) {
    low = (low + bytes[i]!) % 255;
    high = (high + low) % 255;
  }
  return (high << 8) | low;
}

/** Makes the id of a new document. Its random part makes it unguessable. */
export function newId(parts: IdParts): string {
  const bytes = Buffer.alloc(BYTES);
  bytes.writeUInt16BE(parts.table, 0);
  bytes[2] = Math.floor(parts.document / 2 ** 48);
  bytes.writeUIntBE(parts.document % 2 ** 48, 3, 6);
  drawRandom(bytes, 9);
  bytes.writeUInt16BE(checksum(bytes), 18);
  let text = "";
  for (let i = 0; i < BYTES; i += 5) {
    // Five bytes are eight digits; 40 bits are split because shifts take 32.
    const upper = bytes.readUIntBE(i, 2) * 16 + (bytes[i + 2]! >> 4);
    const lower = (bytes[i + 2]! & 15) * 65536 + bytes.readUInt16BE(i + 3);
    for (let shift = 15; shift >= 0; shift -= 5) text += ALPHABET[(upper >> shift) & 31];
    for (let shift = 15; shift >= 0; shift -= 5) text += ALPHABET[(lower >> shift) & 31];
  }
  return text;
}

/** Reads an id, or answers null for anything that is not one. */
export function parseId(text: unknown): IdParts | null {
  if (typeof text !== "string" || text.length !== CHARACTERS) return null;
  const bytes = Buffer.alloc(BYTES);
  for (let i = 0; i < 4; i++) {
    let upper = 0;
    let lower = 0;
    for (let j = 0; j < 8; j++) {
      const digit = DIGIT[text.charCodeAt(i * 8 + j)] ?? -1;
      if (digit < 0) return null;
      if (j < 4) upper = upper * 32 + digit;
      else lower = lower * 32 + digit;
    }
    bytes.writeUInt16BE(upper >> 4, i * 5);
    bytes[i * 5 + 2] = ((upper & 15) << 4) | (lower >> 16);
    bytes.writeUInt16BE(lower & 0xffff, i * 5 + 3);
  }
  if (bytes.readUInt16BE(18) !== checksum(bytes)) return null;
  return {
    table: bytes.readUInt16BE(0),
    document: bytes[2]! * 2 ** 48 + bytes.readUIntBE(3, 6),
  };
}

/** Gives out the numbers of documents: 52 bits that grow with time.
 *
 *  A number divided by 2048 is the creation time in milliseconds, so that creation times
 *  are unique and two databases rarely give the same number.
 */
export class DocumentNumbers {
  #last: number;

  constructor(last: number) {
    this.#last = last;
  }

  next(nowMs: number): number {
    this.#last = Math.max(this.#last + 1, Math.floor(nowMs) * 2048);
    return this.#last;
  }
}

export function creationTimeOf(document: number): number {
  return document / 2048;
}

/** The document's number as it ends each of its index keys. */
export function numberSuffix(document: number): Buffer {
  const bytes = Buffer.alloc(7);
  bytes[0] = Math.floor(document / 2 ** 48);
  bytes.writeUIntBE(document % 2 ** 48, 1, 6);
  return bytes;
}
