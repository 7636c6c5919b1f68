import { Cron } from "croner";
import { StartError, UserError, messageOf } from "../failures.ts";
import { CRON_JOBS, CRON_RUNS } from "../storage/catalog.ts";
import type { Transaction } from "../storage/transaction.ts";
import type { Fields, Json } from "../values/json.ts";
import type { Registry } from "./registry.ts";
import type { Runner } from "./runner.ts";
import type { Scheduler } from "./scheduler.ts";
import { log } from "../log.ts";

/** Cron jobs: what `crons.ts` exports, and the times they are due.
 *
 *  Each is a document that holds its next time. When that comes, the run is scheduled and the next
 *  time noted in one transaction, so none runs twice. As on Convex, times that passed while nothing
 *  ran are skipped but for one, and a job whose last run has not ended skips its turn.
 */

/** `setTimeout` counts in 31 bits. */
const LONGEST_SLEEP_MS = 2 ** 31 - 1;
const WEEKDAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

/** As the official package writes it. */
type Schedule =
  | { type: "interval"; seconds?: number; minutes?: number; hours?: number }
  | { type: "hourly"; minuteUTC?: number }
  | { type: "daily"; hourUTC: number; minuteUTC?: number }
  | { type: "weekly"; dayOfWeek: string; hourUTC: number; minuteUTC?: number }
  | { type: "monthly"; day: number; hourUTC: number; minuteUTC?: number }
  | { type: "cron"; cron: string };

export interface CronJob {
  identifier: string;
  /** The function's path. */
  path: string;
  args: Json;
  schedule: Schedule;
}

/** Reads the default export of a project's `crons.ts`; a project may have none.
 *  @throws StartError naming the job and what is wrong with it.
 */
export function readCrons(exported: unknown): CronJob[] {
  if (exported === undefined) return [];
  const crons = exported as { isCrons?: boolean; export?: () => string };
  if (!crons.isCrons || !crons.export) {
    throw new StartError("crons.ts: its default export is not made by cronJobs()");
  }
  const jobs = JSON.parse(crons.export()) as Record<
    string,
    { name: string; args: Json[]; schedule: Schedule }
  >;
  return Object.entries(jobs).map(([identifier, { name, args, schedule }]) => {
    try {
      nextTime(schedule, identifier, Date.now());
    } catch (error) {
      throw new StartError(`crons.ts: job "${identifier}": ${messageOf(error)}`);
    }
    return { identifier, path: name, args: args[0] ?? {}, schedule };
  });
}

/** A minute of the hour for a job that names none, always the same one for a job. */
function pickedMinute(identifier: string): number {
  let sum = 0;
  for (const character of identifier) sum = (sum * 31 + character.codePointAt(0)!) % 60;
  return sum;
}

function expressionOf(schedule: Exclude<Schedule, { type: "interval" }>, minute: number): string {
  switch (schedule.type) {
    case "hourly":
      return `${minute} * * * *`;
    case "daily":
      return `${minute} ${schedule.hourUTC} * * *`;
    case "weekly":
      return `${minute} ${schedule.hourUTC} * * ${WEEKDAYS.indexOf(schedule.dayOfWeek)}`;
    case "monthly":
      return `${minute} ${schedule.hourUTC} ${schedule.day} * *`;
    case "cron":
      return schedule.cron;
  }
}

/** The first time a job is due after another.
 *
 *  @param after Milliseconds since 1970; for an interval, a time at which the job was due.
 */
export function nextTime(schedule: Schedule, identifier: string, after: number): number {
  if (schedule.type === "interval") {
    const { seconds = 0, minutes = 0, hours = 0 } = schedule;
    return after + (seconds + 60 * minutes + 3600 * hours) * 1000;
  }
  const named = "minuteUTC" in schedule ? schedule.minuteUTC : undefined;
  const expression = expressionOf(schedule, named ?? pickedMinute(identifier));
  // Five fields, as Convex takes them: no seconds, and times are UTC.
  const next = new Cron(expression, { timezone: "UTC", mode: "5-part" }).nextRun(new Date(after));
  if (!next) throw new UserError(`"${expression}" names no time to come`);
  return next.getTime();
}

function timeToCome(schedule: Schedule, identifier: string, due: number, now: number): number {
  if (schedule.type !== "interval") return nextTime(schedule, identifier, Math.max(due, now));
  const period = nextTime(schedule, identifier, 0);
  return due + period * (Math.max(0, Math.floor((now - due) / period)) + 1);
}

function allJobs(transaction: Transaction): Fields[] {
  const query = transaction.openQuery({
    source: { type: "FullTableScan", tableName: CRON_JOBS, order: "asc" },
    operators: [],
  });
  const found: Fields[] = [];
  for (let row = transaction.next(query); row; row = transaction.next(query)) {
    found.push(JSON.parse(row.json) as Fields);
  }
  return found;
}

export class Crons {
  readonly #runner: Runner;
  readonly #scheduler: Scheduler;
  readonly #jobs: Map<string, CronJob>;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  /** @throws StartError for a job whose function the project does not have. */
  constructor(runner: Runner, registry: Registry, scheduler: Scheduler) {
    this.#runner = runner;
    this.#scheduler = scheduler;
    this.#jobs = new Map(registry.crons.map((job) => [job.identifier, job]));
    for (const { identifier, path } of registry.crons) {
      try {
        registry.find(path, null, true);
      } catch {
        throw new StartError(`crons.ts: job "${identifier}" calls ${path}, which does not exist`);
      }
    }
  }

  /** Takes up jobs that are new or changed, drops those that are gone, and waits for the first. */
  async start(): Promise<void> {
    const now = Date.now();
    await this.#runner.transact((transaction) => {
      const missing = new Map(this.#jobs);
      for (const kept of allJobs(transaction)) {
        const job = this.#jobs.get(kept.identifier as string);
        missing.delete(kept.identifier as string);
        const same = job && kept.schedule === JSON.stringify(job.schedule);
        if (!job) transaction.remove(kept._id!);
        else if (!same) this.#put(transaction, kept, { ...this.#fresh(job, now) });
      }
      for (const job of missing.values()) {
        transaction.insert(CRON_JOBS, this.#fresh(job, now), now);
      }
    });
    await this.#look();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** An interval begins when it is first deployed. */
  #fresh(job: CronJob, now: number): Fields {
    const { identifier, schedule } = job;
    const due = schedule.type === "interval" ? now : nextTime(schedule, identifier, now);
    return { identifier, schedule: JSON.stringify(schedule), due, last: null };
  }

  #put(transaction: Transaction, kept: Fields, changes: Fields): void {
    transaction.update("patch", kept._id!, CRON_JOBS, (old) => ({ ...old, ...changes }));
  }

  async #look(): Promise<void> {
    const due = await this.#runner.transact((transaction) => {
      const now = Date.now();
      const times = allJobs(transaction).map((kept) => this.#turn(transaction, kept, now));
      return Math.min(...times);
    });
    if (this.#stopped || !Number.isFinite(due)) return;
    const delay = Math.min(Math.max(due - Date.now(), 0), LONGEST_SLEEP_MS);
    this.#timer = setTimeout(() => {
      this.#look().catch((error: unknown) => {
        log("error", `cron jobs cannot be read: ${messageOf(error)}`);
      });
    }, delay);
  }

  /** Schedules a job that is due, and answers when it is due next. */
  #turn(transaction: Transaction, kept: Fields, now: number): number {
    const due = kept.due as number;
    if (due > now) return due;
    const { identifier, path, args, schedule } = this.#jobs.get(kept.identifier as string)!;
    const next = timeToCome(schedule, identifier, due, now);
    const runs = this.#isRunning(transaction, kept.last ?? null);
    if (runs) log("warn", `cron job "${identifier}" skips its turn: its last run has not ended`);
    const run = () => this.#scheduler.schedule(transaction, path, args, due, CRON_RUNS);
    const last = runs ? kept.last! : run();
    this.#put(transaction, kept, { due: next, last });
    return next;
  }

  #isRunning(transaction: Transaction, last: Json): boolean {
    const json = last === null ? null : transaction.get(last);
    if (!json) return false;
    const { kind } = (JSON.parse(json) as { state: { kind: string } }).state;
    return kind === "pending" || kind === "inProgress";
  }
}
