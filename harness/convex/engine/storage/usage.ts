import { UserError } from "../failures.ts";

/** What one function call may read and write, with Convex's messages.
 *  @see https://docs.convex.dev/production/state/limits
 */

export const LIMITS = {
  documentsRead: 32_000,
  bytesRead: 16 << 20,
  rangesRead: 4_096,
  documentsWritten: 16_000,
  bytesWritten: 16 << 20,
  functionsScheduled: 1_000,
};
export type Limits = typeof LIMITS;

const FEWER_READS =
  "Consider using smaller limits in your queries, paginating your queries, " +
  "or using indexed queries with a selective index range expressions.";

/** Counts what a transaction does; a nested call's part counts for its caller. */
export class Usage {
  readonly #limits: Limits | null;
  #documentsRead = 0;
  #bytesRead = 0;
  #rangesRead = 0;
  #documentsWritten = 0;
  #bytesWritten = 0;
  #functionsScheduled = 0;

  /** @param limits Null for the engine's own transactions. */
  constructor(limits: Limits | null) {
    this.#limits = limits;
  }

  /** A range of an index, or a document by its id. */
  range(): void {
    this.#rangesRead++;
    this.#check("Too many reads", this.#rangesRead, this.#limits?.rangesRead);
  }

  /** @param json A document; its text stands for its size. */
  read(json: string): void {
    this.#documentsRead++;
    this.#bytesRead += json.length;
    const { documentsRead, bytesRead } = this.#limits ?? {};
    this.#check("Too many documents read", this.#documentsRead, documentsRead, "", FEWER_READS);
    this.#check("Too many bytes read", this.#bytesRead, bytesRead, " bytes", FEWER_READS);
  }

  write(json: string): void {
    this.#documentsWritten++;
    this.#bytesWritten += json.length;
    this.#check("Too many writes", this.#documentsWritten, this.#limits?.documentsWritten);
    this.#check("Too many bytes written", this.#bytesWritten, this.#limits?.bytesWritten, " bytes");
  }

  schedule(): void {
    this.#functionsScheduled++;
    this.#check(
      "Too many functions scheduled",
      this.#functionsScheduled,
      this.#limits?.functionsScheduled,
    );
  }

  #check(what: string, count: number, limit = Infinity, unit = "", remedy = ""): void {
    if (count <= limit) return;
    const message = `${what} in a single function execution (limit: ${limit}${unit}).`;
    throw new UserError(`${message} ${remedy}`.trim());
  }
}
