/** Timestamps of the sync protocol: nanoseconds in an unsigned 64-bit integer. */

export type Timestamp = bigint;

export function encodeTimestamp(timestamp: Timestamp): string {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(timestamp);
  return bytes.toString("base64");
}

export function decodeTimestamp(text: string): Timestamp {
  return Buffer.from(text, "base64").readBigUInt64LE();
}

/** A client that claims to have seen more than this of the future is not believed. */
const FURTHEST_MS = 24 * 3600 * 1000;

/** Never goes back, also when the machine's clock does. */
export class Clock {
  #last: Timestamp = BigInt(Date.now()) * 1_000_000n;

  /** The last commit's. */
  get last(): Timestamp {
    return this.#last;
  }

  /** The next commit's. */
  tick(): Timestamp {
    const now = BigInt(Date.now()) * 1_000_000n;
    this.#last = now > this.#last ? now : this.#last + 1n;
    return this.#last;
  }

  /** Moves past a timestamp that a client got from an earlier run of the engine. */
  observe(timestamp: Timestamp): void {
    const furthest = BigInt(Date.now() + FURTHEST_MS) * 1_000_000n;
    if (timestamp > this.#last && timestamp < furthest) this.#last = timestamp;
  }
}
