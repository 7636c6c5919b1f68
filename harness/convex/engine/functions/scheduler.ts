import { UserError, messageOf } from "../failures.ts";
import { log } from "../log.ts";
import { CRON_RUNS, SCHEDULED } from "../storage/catalog.ts";
import type { Transaction } from "../storage/transaction.ts";
import type { Fields, Json } from "../values/json.ts";
import { sizeOf } from "../values/limits.ts";
import { SYSTEM } from "./invocation.ts";
import type { Outcome } from "./outcome.ts";
import type { Registry } from "./registry.ts";
import type { Runner } from "./runner.ts";

/** Scheduled functions. They are documents, so that they commit with what scheduled them.
 *
 *  A mutation runs in the transaction that marks it done: exactly once. An action is marked
 *  before it starts: at most once.
 */

/** `setTimeout` counts in 31 bits. */
const LONGEST_SLEEP_MS = 2 ** 31 - 1;
const BATCH = 64;
/** Most that one purge removes of a kind. */
const PURGED = 10_000;
/** How long a stop waits for actions. */
const GRACE_MS = 2_000;
const KEPT_MS = 7 * 24 * 3600 * 1000;

type Jobs = typeof SCHEDULED | typeof CRON_RUNS;

function byState(table: Jobs, kind: string, limit: number, before?: number) {
  const upper =
    before === undefined
      ? []
      : [{ type: "Lt" as const, fieldPath: "scheduledTime", value: before }];
  return {
    source: {
      type: "IndexRange" as const,
      indexName: `${table}.by_state_time`,
      range: [{ type: "Eq" as const, fieldPath: "state.kind", value: kind }, ...upper],
      order: "asc" as const,
    },
    operators: [{ limit }],
  };
}

/** The first jobs of both tables, in the order of their times. */
function find(transaction: Transaction, kind: string, limit: number, before?: number): Fields[] {
  const found: Fields[] = [];
  for (const table of [SCHEDULED, CRON_RUNS] as const) {
    const query = transaction.openQuery(byState(table, kind, limit, before));
    for (let row = transaction.next(query); row; row = transaction.next(query)) {
      found.push(JSON.parse(row.json) as Fields);
    }
  }
  found.sort((one, other) => (one.scheduledTime as number) - (other.scheduledTime as number));
  return found.slice(0, limit);
}

function setState(transaction: Transaction, id: Json, state: Fields, completedTime?: number): void {
  transaction.update("patch", id, undefined, (old) => ({
    ...old,
    state,
    ...(completedTime === undefined ? {} : { completedTime }),
  }));
}

function stateAfter(outcome: Outcome): Fields {
  return outcome.ok ? { kind: "success" } : { kind: "failed", error: outcome.message };
}

export class Scheduler {
  readonly #runner: Runner;
  readonly #registry: Registry;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #looking = false;
  #lookAgain = false;
  readonly #actions = new Set<Promise<void>>();

  constructor(runner: Runner, registry: Registry) {
    this.#runner = runner;
    this.#registry = registry;
  }

  /** Takes up what an earlier run of the engine left. */
  async start(): Promise<void> {
    await this.#runner.transact((transaction) => {
      // An action in progress when the engine stopped may have done anything: not again.
      for (const job of find(transaction, "inProgress", Number.MAX_SAFE_INTEGER)) {
        const error = "The engine stopped while this action ran.";
        setState(transaction, job._id!, { kind: "failed", error }, Date.now());
      }
    });
    await this.purge();
    this.wake();
  }

  /** Removes what ended long ago. */
  async purge(): Promise<void> {
    const old = Date.now() - KEPT_MS;
    await this.#runner.transact((transaction) => {
      for (const kind of ["success", "failed", "canceled"]) {
        for (const job of find(transaction, kind, PURGED, old)) transaction.remove(job._id!);
      }
    });
  }

  /** @param table Where the job is kept. */
  schedule(
    transaction: Transaction,
    path: string,
    args: Json,
    atMs: number,
    table: Jobs = SCHEDULED,
  ): string {
    const { path: name } = this.#registry.find(path, null, true);
    transaction.usage.schedule(sizeOf([args]));
    transaction.scheduled = true;
    const job = { name, args: [args], scheduledTime: atMs, state: { kind: "pending" } };
    return transaction.insert(table, job, Date.now());
  }

  cancel(transaction: Transaction, id: Json): void {
    const json = transaction.get(id, SCHEDULED);
    if (!json) throw new UserError(`Scheduled function ${id as string} was not found.`);
    const { kind } = (JSON.parse(json) as { state: { kind: string } }).state;
    if (kind === "pending" || kind === "inProgress") {
      setState(transaction, id, { kind: "canceled" }, Date.now());
    }
  }

  /** Looks for what is due; called whenever jobs were scheduled. */
  wake(): void {
    if (this.#stopped) return;
    if (this.#looking) {
      this.#lookAgain = true;
      return;
    }
    this.#looking = true;
    const done = () => {
      this.#looking = false;
      if (!this.#lookAgain) return;
      this.#lookAgain = false;
      this.wake();
    };
    this.#look().then(done, (error: unknown) => {
      log("error", `the scheduler cannot read its jobs: ${messageOf(error)}`);
      done();
    });
  }

  /** Starts nothing more and gives the actions that run a moment to end. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    let late: NodeJS.Timeout | undefined;
    const patience = new Promise((resolve) => (late = setTimeout(resolve, GRACE_MS)));
    await Promise.race([Promise.allSettled(this.#actions), patience]);
    clearTimeout(late);
  }

  async #look(): Promise<void> {
    clearTimeout(this.#timer);
    const pending = await this.#runner.examine((transaction) =>
      find(transaction, "pending", BATCH),
    );
    const due = pending.filter((job) => (job.scheduledTime as number) <= Date.now());
    // They start in their order, and are committed together.
    await Promise.all(due.map((job) => this.#runJob(job)));
    const next = pending[due.length];
    if (due.length === BATCH) this.#lookAgain = true;
    else if (next) this.#sleepUntil(next.scheduledTime as number);
  }

  #sleepUntil(atMs: number): void {
    if (this.#stopped) return;
    const delay = Math.min(Math.max(atMs - Date.now(), 0), LONGEST_SLEEP_MS);
    this.#timer = setTimeout(() => this.wake(), delay);
  }

  async #runJob(job: Fields): Promise<void> {
    const call = { path: job.name as string, args: (job.args as Json[])[0]!, caller: SYSTEM };
    const kind = await this.#runner.transact(async (transaction) => {
      if (!this.#isPending(transaction, job._id!)) return null;
      const kind = this.#kindOf(call.path);
      if (kind === "action") {
        setState(transaction, job._id!, { kind: "inProgress" });
        return kind;
      }
      const outcome = await this.#runner.mutationWithin(transaction, call);
      setState(transaction, job._id!, stateAfter(outcome), Date.now());
      return kind;
    });
    if (kind !== "action") return;
    const ran = this.#runner.action(call).then(async (outcome) => {
      await this.#runner.transact((transaction) => {
        const json = transaction.get(job._id!);
        const state = json && (JSON.parse(json) as { state: { kind: string } }).state.kind;
        if (state === "inProgress") {
          setState(transaction, job._id!, stateAfter(outcome), Date.now());
        }
      });
    });
    this.#actions.add(ran);
    void ran.finally(() => this.#actions.delete(ran));
  }

  #isPending(transaction: Transaction, id: Json): boolean {
    const json = transaction.get(id);
    return (
      json !== null && (JSON.parse(json) as { state: { kind: string } }).state.kind === "pending"
    );
  }

  /** A function that was removed since it was scheduled fails as a mutation does. */
  #kindOf(path: string): string {
    try {
      return this.#registry.find(path, null, true).kind;
    } catch {
      return "mutation";
    }
  }
}
