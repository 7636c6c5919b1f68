import { closeSync, fdatasync, fstatSync, openSync, writeSync } from "node:fs";
import { log } from "../log.ts";
import { LOG_BYTES } from "./database.ts";

/** Two at once: a commit made while one runs need not wait for its end before its own begins. */
const MAX_SYNCS = 2;
const ZEROS = Buffer.alloc(1 << 20);

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
  /** The last commit that a sync covers, begun or ended. */
  #begun = 0;
  #synced = 0;
  #running = 0;

  constructor(databasePath: string) {
    this.#file = openSync(`${databasePath}-wal`, "r+");
    this.#reserve();
  }

  /** To be called after each commit. */
  committed(): void {
    this.#commits++;
    this.#sync();
  }

  /** Resolves when every commit so far is on disk; null if it is so already. */
  settled(): Promise<void> | null {
    const commit = this.#commits;
    if (this.#synced >= commit) return null;
    return new Promise((resolve) => this.#waiting.push({ commit, resolve }));
  }

  close(): void {
    closeSync(this.#file);
  }

  /** Gives the log the size it grows to. Syncing a file that has grown makes the file system write
   *  its own journal too; SQLite takes zeros for the log's end.
   */
  #reserve(): void {
    for (let end = fstatSync(this.#file).size; end < LOG_BYTES;) {
      end += writeSync(this.#file, ZEROS, 0, Math.min(ZEROS.length, LOG_BYTES - end), end);
    }
  }

  #sync(): void {
    if (this.#running === MAX_SYNCS || this.#begun === this.#commits) return;
    this.#running++;
    const covered = (this.#begun = this.#commits);
    fdatasync(this.#file, (error) => {
      if (error) {
        // What the disk holds is unknown now, so nothing may be promised any more.
        log("error", `the disk refused to sync the database (${error.message}): stopping`);
        process.exit(1);
      }
      this.#running--;
      this.#synced = Math.max(this.#synced, covered);
      while (this.#waiting.length && this.#waiting[0]!.commit <= this.#synced) {
        this.#waiting.shift()!.resolve();
      }
      this.#sync();
    });
  }
}
