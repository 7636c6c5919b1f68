import { closeSync, fdatasync, openSync } from "node:fs";
import { log } from "../log.ts";

/** Writes commits through to the disk while the engine goes on.
 *
 *  SQLite's own `synchronous = FULL` stops the whole process for every commit. Here SQLite
 *  commits into its log (`NORMAL`), the log is synced beside it, and whoever waits for a
 *  commit, or has seen it in an answer, hears nothing before that sync has ended. One sync
 *  covers all commits made before it began.
 */
export class WalSync {
  readonly #file: number;
  readonly #waiting: { commit: number; resolve: () => void }[] = [];
  #commits = 0;
  #synced = 0;
  #running = false;

  constructor(databasePath: string) {
    this.#file = openSync(`${databasePath}-wal`, "r+");
  }

  /** To be called after each commit. */
  committed(): void {
    this.#commits++;
    if (!this.#running) this.#sync();
  }

  /** Resolves when every commit so far is on disk; null if it is so already. */
  settled(): Promise<void> | null {
    const commit = this.#commits;
    if (this.#synced === commit) return null;
    return new Promise((resolve) => this.#waiting.push({ commit, resolve }));
  }

  close(): void {
    closeSync(this.#file);
  }

  #sync(): void {
    this.#running = true;
    const covered = this.#commits;
    fdatasync(this.#file, (error) => {
      if (error) {
        // What the disk holds is unknown now, so nothing may be promised any more.
        log("error", `the disk refused to sync the database (${error.message}): stopping`);
        process.exit(1);
      }
      this.#synced = covered;
      while (this.#waiting.length && this.#waiting[0]!.commit <= covered) {
        this.#waiting.shift()!.resolve();
      }
      this.#running = false;
      if (this.#commits > covered) this.#sync();
    });
  }
}
