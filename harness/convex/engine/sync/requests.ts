import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Outcome } from "../functions/outcome.ts";

/** Mutations already done, by session and request: a client that lost its connection sends
 *  them again, and must get the same answer without a second effect. */

const KEPT_MS = 3600 * 1000;

export class RequestLog {
  readonly #find: StatementSync;
  readonly #keep: StatementSync;
  readonly #purge: StatementSync;

  constructor(sqlite: DatabaseSync) {
    this.#find = sqlite.prepare("SELECT answer FROM requests WHERE session = ? AND request = ?");
    this.#keep = sqlite.prepare(
      "INSERT INTO requests(session, request, at, answer) VALUES(?, ?, ?, ?)",
    );
    this.#purge = sqlite.prepare("DELETE FROM requests WHERE at < ?");
  }

  find(session: string, request: number): Outcome | null {
    const row = this.#find.get(session, request) as { answer: string } | undefined;
    return row ? { ok: true, value: row.answer, logLines: [] } : null;
  }

  /** Called in the mutation's own transaction. */
  keep(session: string, request: number, answer: string): void {
    this.#keep.run(session, request, Date.now(), answer);
  }

  purge(): void {
    this.#purge.run(Date.now() - KEPT_MS);
  }
}
