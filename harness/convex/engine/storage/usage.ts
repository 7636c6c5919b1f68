import { UserError } from "../failures.ts";

/** What one function call may read and write, with Convex's messages and names.
 *  @see https://docs.convex.dev/production/state/limits
 */

export const LIMITS = {
  documentsRead: 32_000,
  bytesRead: 16 << 20,
  /** Ranges of an index, and documents by their id. */
  databaseQueries: 4_096,
  documentsWritten: 16_000,
  bytesWritten: 16 << 20,
  functionsScheduled: 1_000,
  scheduledFunctionArgsBytes: 16 << 20,
};
export type Limits = typeof LIMITS;

const NOTHING: Limits = {
  documentsRead: 0,
  bytesRead: 0,
  databaseQueries: 0,
  documentsWritten: 0,
  bytesWritten: 0,
  functionsScheduled: 0,
  scheduledFunctionArgsBytes: 0,
};
const NAMES = Object.keys(LIMITS) as (keyof Limits)[];
/** Of files, which this engine does not have. */
const FILE_METRICS = ["filesWritten", "fileWriteBytes", "filesRead", "fileReadBytes"];

/** How much of each limit is used, as `ctx.meta.getTransactionMetrics()` answers it. */
export type Metrics = Record<string, { used: number; remaining: number }>;

const FEWER_READS =
  "Consider using smaller limits in your queries, paginating your queries, " +
  "or using indexed queries with a selective index range expressions.";

function tooMany(what: string, limit: string, remedy = ""): UserError {
  return new UserError(
    `Too many ${what} in a single function execution (limit: ${limit}). ${remedy}`.trim(),
  );
}

/** Counts what a transaction does; a nested call's part counts for its caller. */
export class Usage {
  #limits: Limits | null;
  readonly #used = { ...NOTHING };

  /** @param limits Null for the engine's own transactions. */
  constructor(limits: Limits | null) {
    this.#limits = limits;
  }

  range(): void {
    const limits = this.#limits;
    if (++this.#used.databaseQueries > (limits?.databaseQueries ?? Infinity)) {
      throw tooMany("reads", `${limits!.databaseQueries}`, FEWER_READS);
    }
  }

  /** @param json A document; its text stands for its size. */
  read(json: string): void {
    const [used, limits] = [this.#used, this.#limits];
    used.documentsRead++;
    used.bytesRead += json.length;
    if (!limits) return;
    if (used.documentsRead > limits.documentsRead) {
      throw tooMany("documents read", `${limits.documentsRead}`, FEWER_READS);
    }
    if (used.bytesRead > limits.bytesRead) {
      throw tooMany("bytes read", `${limits.bytesRead} bytes`, FEWER_READS);
    }
  }

  write(json: string): void {
    const [used, limits] = [this.#used, this.#limits];
    used.documentsWritten++;
    used.bytesWritten += json.length;
    if (!limits) return;
    if (used.documentsWritten > limits.documentsWritten) {
      throw tooMany("writes", `${limits.documentsWritten}`);
    }
    if (used.bytesWritten > limits.bytesWritten) {
      throw tooMany("bytes written", `${limits.bytesWritten} bytes`);
    }
  }

  /** @param bytes The size of the arguments. */
  schedule(bytes: number): void {
    const [used, limits] = [this.#used, this.#limits];
    used.functionsScheduled++;
    used.scheduledFunctionArgsBytes += bytes;
    if (!limits) return;
    if (used.functionsScheduled > limits.functionsScheduled) {
      throw new UserError(
        `Too many functions scheduled by this mutation (limit: ${limits.functionsScheduled})`,
      );
    }
    if (used.scheduledFunctionArgsBytes > limits.scheduledFunctionArgsBytes) {
      throw new UserError(
        "Too large total size of the arguments of scheduled functions from this mutation " +
          `(limit: ${limits.scheduledFunctionArgsBytes} bytes)`,
      );
    }
  }

  metrics(): Metrics {
    const limits = this.#limits ?? LIMITS;
    const metrics: Metrics = {};
    for (const name of NAMES) {
      const used = this.#used[name];
      metrics[name] = { used, remaining: Math.max(limits[name] - used, 0) };
    }
    for (const name of FILE_METRICS) metrics[name] = { used: 0, remaining: 0 };
    return metrics;
  }

  /** Lowers the limits for a nested call.
   *
   *  @param allowed What that call may do itself.
   *  @returns Puts them back.
   */
  narrow(allowed: Partial<Limits>): () => void {
    const before = this.#limits;
    const narrowed = { ...(before ?? LIMITS) };
    for (const name of NAMES) {
      const most = this.#used[name] + (allowed[name] ?? Infinity);
      narrowed[name] = Math.min(narrowed[name], most);
    }
    this.#limits = narrowed;
    return () => {
      this.#limits = before;
    };
  }
}
