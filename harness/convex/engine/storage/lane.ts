import type { DatabaseSync, StatementSync } from "node:sqlite";
import { messageOf } from "../failures.ts";
import { log } from "../log.ts";
import { endIfDamaged } from "./integrity.ts";
import type { WalSync } from "./walsync.ts";

/** The one lane in which all transactions run, one after another.
 *
 *  Mutations that wait together are committed together: each runs inside a savepoint of
 *  one SQLite transaction, and all are answered once that is on disk. Between commits the
 *  waiting queries run, which therefore see committed data only; they too are answered when
 *  what they have seen is on disk.
 */

const MAX_BATCH = 256;
/** How long reads, or one batch of writes, may keep the other side waiting. */
const TURN_MS = 8;

interface Write {
  run: () => Promise<() => void>;
  failed: (error: unknown) => void;
}

export class Lane {
  readonly #sqlite: DatabaseSync;
  readonly #sync: WalSync | null;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #savepoint: StatementSync;
  readonly #release: StatementSync;
  readonly #undo: StatementSync;
  readonly #writes: Write[] = [];
  readonly #reads: (() => Promise<void>)[] = [];
  #awake = false;
  #idle: (() => void)[] = [];

  /** @param sync Null where commits need not survive the machine. */
  constructor(sqlite: DatabaseSync, sync: WalSync | null) {
    this.#sqlite = sqlite;
    this.#sync = sync;
    this.#begin = sqlite.prepare("BEGIN IMMEDIATE");
    this.#commit = sqlite.prepare("COMMIT");
    this.#savepoint = sqlite.prepare("SAVEPOINT part");
    this.#release = sqlite.prepare("RELEASE part");
    this.#undo = sqlite.prepare("ROLLBACK TO part");
  }

  /** Runs a job alone, with the committed data before it. */
  read<T>(job: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#reads.push(async () => {
        try {
          const value = await job();
          this.#whenSettled(() => resolve(value));
        } catch (error) {
          endIfDamaged(error);
          reject(error as Error);
        }
      });
      this.#wake();
    });
  }

  /** Runs a job that writes, and answers once what it wrote is on disk.
   *
   *  @param job If it rejects, what it wrote is undone.
   *  @param committed Called once it is on disk, before anything else runs.
   */
  write<T>(job: () => Promise<T>, committed?: (value: T) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      const run = async () => {
        try {
          const value = await this.atomically(job);
          return () => {
            committed?.(value);
            this.#whenSettled(() => resolve(value));
          };
        } catch (error) {
          return () => reject(error as Error);
        }
      };
      this.#writes.push({ run, failed: reject });
      this.#wake();
    });
  }

  /** Runs a part of a write whose effects are undone if it rejects. Parts nest. */
  async atomically<T>(part: () => Promise<T>): Promise<T> {
    this.#savepoint.run();
    try {
      const value = await part();
      this.#release.run();
      return value;
    } catch (error) {
      endIfDamaged(error);
      this.#undo.run();
      this.#release.run();
      throw error;
    }
  }

  /** Resolves when all that has been committed is on disk; null if it is so already. */
  settled(): Promise<void> | null {
    return this.#sync?.settled() ?? null;
  }

  /** Waits until nothing is left to run. */
  async drained(): Promise<void> {
    if (this.#awake) await new Promise<void>((resolve) => this.#idle.push(resolve));
    await this.settled();
  }

  #whenSettled(answer: () => void): void {
    const settled = this.settled();
    if (settled) void settled.then(answer);
    else answer();
  }

  #wake(): void {
    if (this.#awake) return;
    this.#awake = true;
    // What other sockets have to say in this round of the event loop joins the batch.
    setImmediate(() => {
      this.#run().catch((error: unknown) => {
        // Whoever waits would wait for ever; a supervisor can start what has ended.
        log("error", `the lane of transactions broke (${messageOf(error)}): stopping`);
        process.exit(1);
      });
    });
  }

  async #run(): Promise<void> {
    while (this.#writes.length || this.#reads.length) {
      if (this.#writes.length) await this.#commitBatch();
      const end = performance.now() + TURN_MS;
      while (this.#reads.length && performance.now() < end) await this.#reads.shift()!();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#awake = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  async #commitBatch(): Promise<void> {
    const batch: Write[] = [];
    const answers: (() => void)[] = [];
    try {
      this.#begin.run();
      const end = performance.now() + TURN_MS;
      while (this.#writes.length && batch.length < MAX_BATCH && performance.now() < end) {
        const write = this.#writes.shift()!;
        batch.push(write);
        answers.push(await write.run());
      }
      this.#commit.run();
      this.#sync?.committed();
    } catch (error) {
      endIfDamaged(error);
      if (this.#sqlite.isTransaction) this.#sqlite.exec("ROLLBACK");
      for (const write of batch) write.failed(error);
      return;
    }
    for (const answer of answers) answer();
  }
}
