/** What a query has read, as ranges of index keys. A write outside of them cannot change it. */

/** Stands for the documents themselves, by id, beside the numbers of real indexes. */
export const BY_ID = 0;

/** One range of keys. Bytes are held as Latin-1 text, which compares byte by byte. */
export interface KeyRange {
  index: number;
  low: string;
  /** Exclusive. */
  high: string;
}

export interface KeyPoint {
  index: number;
  key: string;
}

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}
