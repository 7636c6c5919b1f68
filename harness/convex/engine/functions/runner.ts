import { CarriedError, UserError, messageOf } from "../failures.ts";
import type { Statements } from "../storage/database.ts";
import type { Lane } from "../storage/lane.ts";
import type { Change } from "../storage/past.ts";
import type { KeyPoint, KeyRange } from "../storage/readset.ts";
import { type Store, Transaction } from "../storage/transaction.ts";
import { LIMITS, type Limits, Usage } from "../storage/usage.ts";
import type { Json } from "../values/json.ts";
import { checkArgumentsSize, checkResultSize } from "../values/limits.ts";
import { validationError } from "../values/validators.ts";
import {
  type Caller,
  type FunctionKind,
  type Invocation,
  addLogLine,
  current,
  newInvocation,
} from "./invocation.ts";
import { type Outcome, convexErrorData, failureOf } from "./outcome.ts";
import type { RegisteredFunction, Registry } from "./registry.ts";

/** Runs functions: queries and mutations in the lane, actions beside it. */

/** Queries and mutations that take longer are stopped, so that the lane goes on. */
const TRANSACTION_TIMEOUT_MS = 10_000;

export interface Call {
  path: string;
  /** The arguments' object. */
  args: Json;
  caller: Caller;
}

/** A query's result, with what is needed to know when it changes. */
export interface QueryRun {
  outcome: Outcome;
  reads: KeyRange[];
  journal: string | null;
  /** Who called made (or may have made) a difference. */
  identityRead: boolean;
  /** The time or chance made (or may have made) a difference. */
  volatile: boolean;
}

/** A committed write: what changed, for those who watch. */
export interface Commit {
  writes: KeyPoint[];
  /** What was before, if it is to be kept. */
  changes: Change[];
  /** Jobs were scheduled or cancelled. */
  scheduled: boolean;
}

interface MutationOptions {
  /** Answers what an earlier run of the same request answered, if there was one. */
  earlier?: () => Outcome | null;
  /** Runs in the same transaction after the function has ended well. */
  beforeCommit?: (outcome: Outcome & { ok: true }) => void;
  onCommit?: (outcome: Outcome) => void;
}

class Undone extends Error {
  readonly outcome: Outcome;

  constructor(outcome: Outcome) {
    super("the mutation failed");
    this.outcome = outcome;
  }
}

export class Runner {
  readonly #store: Store;
  readonly #lane: Lane;
  readonly #registry: Registry;
  readonly #committed: (commit: Commit) => void;

  constructor(store: Store, lane: Lane, registry: Registry, committed: (commit: Commit) => void) {
    this.#store = store;
    this.#lane = lane;
    this.#registry = registry;
    this.#committed = committed;
  }

  kindOf(path: string, caller: Caller): FunctionKind {
    return this.#registry.find(path, null, caller.admin).kind;
  }

  /** Runs a function of the named kind, whatever its kind for null. */
  async run(kind: FunctionKind | null, call: Call): Promise<Outcome> {
    let actual: FunctionKind;
    try {
      actual = kind ?? this.kindOf(call.path, call.caller);
    } catch (error) {
      return failureOf(
        error,
        newInvocation({ ...call, kind: "query", transaction: null }).requestId,
        [],
        String,
      );
    }
    if (actual === "query") return (await this.query(call)).outcome;
    return actual === "mutation" ? this.mutation(call) : this.action(call);
  }

  query(call: Call): Promise<QueryRun> {
    return this.#lane.read(() => this.queryNow(call, null));
  }

  /** Runs a query on documents of another time.
   *  @param statements Finds what reads them, once nothing else runs.
   */
  queryAt(statements: () => Statements, call: Call): Promise<Outcome> {
    return this.#lane.read(async () => {
      const store = { ...this.#store, statements: statements() };
      return (await this.queryNow(call, null, store)).outcome;
    });
  }

  /** Runs a query at once, for a caller that is in the lane already. */
  async queryNow(call: Call, journal: string | null, store = this.#store): Promise<QueryRun> {
    const transaction = new Transaction(store, { writable: false, journal, limits: LIMITS });
    const invocation = newInvocation({ ...call, kind: "query", transaction });
    const outcome = await this.#outcomeOf(invocation, call);
    return {
      outcome,
      reads: transaction.reads(),
      journal: transaction.paginated ? transaction.journal : null,
      identityRead: transaction.identityRead,
      volatile: transaction.volatile,
    };
  }

  /** Runs a mutation; answers once it is on disk, or undone. */
  async mutation(call: Call, options: MutationOptions = {}): Promise<Outcome> {
    const transaction = new Transaction(this.#store, { writable: true, limits: LIMITS });
    const job = async (): Promise<Outcome> => {
      const known = options.earlier?.();
      if (known) return known;
      const invocation = newInvocation({ ...call, kind: "mutation", transaction });
      const outcome = await this.#outcomeOf(invocation, call);
      if (!outcome.ok) throw new Undone(outcome);
      options.beforeCommit?.(outcome);
      return outcome;
    };
    try {
      return await this.#write(transaction, job, options.onCommit);
    } catch (error) {
      if (error instanceof Undone) return error.outcome;
      throw error;
    }
  }

  async action(call: Call): Promise<Outcome> {
    return this.#outcomeOf(newInvocation({ ...call, kind: "action", transaction: null }), call);
  }

  /** Runs an HTTP action, which takes and answers no Convex values.
   *
   *  @param path What it is called in the log.
   *  @param action Ends when its answer is sent: it may still call functions while it streams.
   *  @returns What it failed with, if it did.
   */
  async httpAction(
    path: string,
    caller: Caller,
    action: () => Promise<void>,
  ): Promise<(Outcome & { ok: false }) | null> {
    const invocation = newInvocation({ path, kind: "action", transaction: null, caller });
    try {
      await current.run(invocation, action);
      return null;
    } catch (error) {
      const { requestId, logLines } = invocation;
      return failureOf(error, requestId, logLines, this.#registry.mapStack);
    } finally {
      invocation.finished = true;
    }
  }

  /** Runs a piece of the engine's own in a transaction. */
  transact<T>(job: (transaction: Transaction) => T | Promise<T>): Promise<T> {
    const transaction = new Transaction(this.#store, { writable: true });
    return this.#write(transaction, async () => job(transaction));
  }

  /** Reads for the engine's own purposes. */
  examine<T>(job: (transaction: Transaction) => T): Promise<T> {
    const transaction = new Transaction(this.#store, { writable: false });
    return this.#lane.read(async () => job(transaction));
  }

  /** Runs a mutation inside a transaction of the engine's own, undoing its part if it fails. */
  async mutationWithin(transaction: Transaction, call: Call): Promise<Outcome> {
    const invocation = newInvocation({ ...call, kind: "mutation", transaction });
    transaction.usage = new Usage(LIMITS);
    try {
      return await this.#undoable(transaction, async () => {
        const outcome = await this.#outcomeOf(invocation, call);
        if (!outcome.ok) throw new Undone(outcome);
        return outcome;
      });
    } catch (error) {
      if (error instanceof Undone) return error.outcome;
      throw error;
    }
  }

  /** `ctx.runQuery` and `ctx.runMutation` of queries and mutations.
   *  @param limits Lower ones of the caller's, for this call.
   */
  async runNested(
    parent: Invocation,
    path: string,
    kind: FunctionKind,
    args: Json,
    limits?: Partial<Limits>,
  ): Promise<string> {
    const transaction = parent.transaction!;
    if (kind === "mutation" && parent.kind !== "mutation") {
      throw new UserError(`Queries cannot run mutations (${path}).`);
    }
    const { caller, requestId, now, random, logLines } = parent;
    const child = newInvocation({
      path,
      kind,
      transaction,
      caller,
      requestId,
      now,
      random,
      logLines,
    });
    const run = async () => {
      const putBack = limits && transaction.usage.narrow(limits);
      try {
        return await this.#invoke(child, { path, args, caller: { ...caller, admin: true } });
      } finally {
        putBack?.();
      }
    };
    if (kind === "query") return this.#carry(run);
    const ran = this.#carry(() => this.#undoable(transaction, run));
    const settled = ran.then(
      () => undefined,
      () => undefined,
    );
    parent.nested = settled;
    try {
      return await ran;
    } finally {
      if (parent.nested === settled) parent.nested = null;
    }
  }

  /** `ctx.runQuery`, `ctx.runMutation` and `ctx.runAction` of actions. */
  async runFromAction(
    parent: Invocation,
    path: string,
    kind: FunctionKind,
    args: Json,
  ): Promise<string> {
    const caller = { ...parent.caller, admin: true };
    const outcome = await this.run(kind, { path, args, caller });
    for (const line of outcome.logLines) addLogLine(parent.logLines, line);
    if (outcome.ok) return outcome.value;
    const message = outcome.message.replace(/^\[Request ID: \w+\] Server Error\n(Uncaught )?/, "");
    if (outcome.data !== undefined) throw new CarriedError(message, outcome.data);
    throw new Error(message);
  }

  async #write<T>(
    transaction: Transaction,
    job: () => Promise<T>,
    onCommit?: (value: T) => void,
  ): Promise<T> {
    const nothing = { writes: 0, changes: 0, created: 0 };
    // Before the next mutation of the same commit runs, which must not build on what is undone.
    const forgetful = () =>
      job().catch((error: unknown) => {
        transaction.forgetSince(nothing);
        throw error;
      });
    try {
      return await this.#lane.write(forgetful, (value) => {
        const { writes, changes, scheduled } = transaction;
        this.#committed({ writes, changes, scheduled });
        onCommit?.(value);
      });
    } catch (error) {
      transaction.forgetSince(nothing); // the commit itself failed
      throw error;
    }
  }

  async #undoable<T>(transaction: Transaction, part: () => Promise<T>): Promise<T> {
    const mark = transaction.mark();
    try {
      return await this.#lane.atomically(part);
    } catch (error) {
      transaction.forgetSince(mark);
      throw error;
    }
  }

  /** Turns what a nested function threw into what its caller's side expects. */
  async #carry(run: () => Promise<string>): Promise<string> {
    try {
      return await run();
    } catch (error) {
      const data = convexErrorData(error);
      if (data !== undefined) throw new CarriedError(messageOf(error), data);
      throw error;
    }
  }

  async #outcomeOf(invocation: Invocation, call: Call): Promise<Outcome> {
    try {
      const value = await this.#invoke(invocation, call);
      return { ok: true, value, logLines: invocation.logLines };
    } catch (error) {
      return failureOf(error, invocation.requestId, invocation.logLines, this.#registry.mapStack);
    }
  }

  /** Finds, checks and runs a function. Answers its result as JSON text. */
  async #invoke(invocation: Invocation, call: Call): Promise<string> {
    const found = this.#registry.find(call.path, invocation.kind, call.caller.admin);
    checkArgumentsSize(found.path, call.args);
    this.#checkArguments(found, call.args);
    const args = JSON.stringify([call.args]);
    const ran = current.run(invocation, () => found.invoke(args));
    try {
      const value = invocation.transaction ? await withTimeout(ran, found.path) : await ran;
      checkResultSize(found.path, value);
      this.#checkResult(found, value);
      return value;
    } finally {
      invocation.finished = true;
    }
  }

  #checkArguments(found: RegisteredFunction, args: Json): void {
    const problem = validationError(found.args, args, this.#store.catalog.tableOfId);
    if (problem) throw new UserError(`ArgumentValidationError: ${problem}`);
  }

  #checkResult(found: RegisteredFunction, value: string): void {
    if (!found.returns || found.returns.type === "any") return;
    const problem = validationError(
      found.returns,
      JSON.parse(value) as Json,
      this.#store.catalog.tableOfId,
    );
    if (problem) throw new UserError(`ReturnsValidationError: ${problem}`);
  }
}

function withTimeout(ran: Promise<string>, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const late = () =>
      reject(
        new UserError(
          `Function execution timed out: ${path} (maximum duration: ${TRANSACTION_TIMEOUT_MS / 1000}s)`,
        ),
      );
    const timer = setTimeout(late, TRANSACTION_TIMEOUT_MS);
    ran.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
