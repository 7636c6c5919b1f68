import { CarriedError, UserError, messageOf } from "../failures.ts";
import { endIfDamaged } from "../storage/integrity.ts";
import type { SerializedQuery } from "../storage/range.ts";
import type { Transaction } from "../storage/transaction.ts";
import type { Limits } from "../storage/usage.ts";
import { type Fields, type Json, kindOf } from "../values/json.ts";
import { type FunctionKind, type Invocation, current } from "./invocation.ts";

/** The calls functions make into the engine, as the official package makes them. */

/** What calls need beyond the documents. */
export interface Host {
  /** Runs a query or mutation as a part of the caller's transaction. */
  runNested: (
    caller: Invocation,
    path: string,
    kind: FunctionKind,
    args: Json,
    limits?: Partial<Limits>,
  ) => Promise<string>;
  /** Runs a function from an action, each in a transaction of its own. */
  runFromAction: (
    caller: Invocation,
    path: string,
    kind: FunctionKind,
    args: Json,
  ) => Promise<string>;
  schedule: (transaction: Transaction, path: string, args: Json, atMs: number) => string;
  cancel: (transaction: Transaction, id: Json) => void;
  /** Gives an action a transaction of its own to schedule in. */
  transact: <T>(job: (transaction: Transaction) => T) => Promise<T>;
}

/** A function's name as its caller wrote it. */
interface Address {
  name?: string;
  functionHandle?: string;
  reference?: string;
}

const HANDLE = "function://";

function pathOf(address: Address): string {
  if (address.name) return address.name;
  if (address.functionHandle?.startsWith(HANDLE))
    return address.functionHandle.slice(HANDLE.length);
  throw new UserError(
    `Functions of components are not supported by this engine (${address.reference ?? "no name"}).`,
  );
}

function transactionOf(invocation: Invocation, call: string): Transaction {
  if (!invocation.transaction) {
    throw new UserError(
      `${call} is not available in actions: use ctx.runQuery or ctx.runMutation.`,
    );
  }
  return invocation.transaction;
}

function refuseSystemTable(table: string | null): void {
  if (table?.startsWith("_")) {
    throw new UserError("System tables (prefixed with `_`) are read-only.");
  }
}

type Arguments = Fields & { id: Json; table?: string; value: Json };

/** Calls on documents: each answers JSON text at once. */
const DOCUMENT_CALLS: Record<
  string,
  (args: Arguments, transaction: Transaction, now: number) => string
> = {
  "1.0/queryStream": (args, transaction) => {
    const queryId = transaction.openQuery(args.query as unknown as SerializedQuery);
    return `{"queryId":${queryId}}`;
  },
  "1.0/queryStreamNext": (args, transaction) => {
    const row = transaction.next(args.queryId as number);
    return row ? `{"value":${row.json},"done":false}` : '{"value":null,"done":true}';
  },
  "1.0/queryCleanup": (args, transaction) => {
    transaction.closeQuery(args.queryId as number);
    return "{}";
  },
  "1.0/queryPage": (args, transaction) => {
    const result = transaction.page({
      query: args.query as unknown as SerializedQuery,
      cursor: args.cursor as string | null,
      endCursor: args.endCursor as string | null,
      pageSize: args.pageSize as number,
      maximumRowsRead: args.maximumRowsRead as number | null,
      maximumBytesRead: args.maximumBytesRead as number | null,
    });
    const { page, ...rest } = result;
    return `{"page":[${page.join(",")}],${JSON.stringify(rest).slice(1)}`;
  },
  "1.0/get": (args, transaction) => {
    const table = transaction.tableOf(args.id);
    if (table?.startsWith("_") && !args.isSystem) {
      throw new UserError("System tables can only be accessed with db.system.");
    }
    return transaction.get(args.id, args.table) ?? "null";
  },
  "1.0/count": (args, transaction) => String(transaction.count(args.table!)),
  "1.0/insert": (args, transaction, now) => {
    refuseSystemTable(args.table!);
    return `{"_id":"${transaction.insert(args.table!, args.value, now)}"}`;
  },
  "1.0/shallowMerge": (args, transaction) => {
    refuseSystemTable(transaction.tableOf(args.id));
    const changed = transaction.update("patch", args.id, args.table, (old) => {
      const merged = { ...old };
      for (const [name, value] of Object.entries(args.value as Fields)) {
        if (kindOf(value) === "undefined") delete merged[name];
        else merged[name] = value;
      }
      return merged;
    });
    return JSON.stringify(changed);
  },
  "1.0/replace": (args, transaction) => {
    refuseSystemTable(transaction.tableOf(args.id));
    return JSON.stringify(
      transaction.update("replace", args.id, args.table, () => args.value as Fields),
    );
  },
  "1.0/remove": (args, transaction) => {
    refuseSystemTable(transaction.tableOf(args.id));
    return JSON.stringify(transaction.remove(args.id, args.table));
  },
  "1.0/db/normalizeId": (args, transaction) =>
    JSON.stringify({ id: transaction.normalizeId(args.table!, args.idString!) }),
  "1.0/getTransactionMetrics": (_, transaction) => JSON.stringify(transaction.usage.metrics()),
};

function metadata(operation: string, invocation: Invocation): Json | undefined {
  switch (operation) {
    case "1.0/getFunctionMetadata":
      return { name: invocation.path, componentPath: "" };
    case "1.0/getDeploymentMetadata":
      return { name: "local", region: null, class: "s16" };
    case "1.0/getRequestMetadata":
      return {
        ip: null,
        userAgent: null,
        requestId: invocation.requestId,
        scheduledFunctionId: null,
        authToken: null,
      };
    default:
      return undefined;
  }
}

let host: Host | null = null;

/** Connects functions with the engine that runs them. */
export function attachHost(attached: Host): void {
  host = attached;
}

async function callWithHost(
  operation: string,
  args: Arguments,
  invocation: Invocation,
): Promise<string | null> {
  const engine = host!;
  const address = args as unknown as Address;
  switch (operation) {
    case "1.0/getUserIdentity":
      if (invocation.transaction) invocation.transaction.identityRead = true;
      return JSON.stringify(invocation.caller.identity);
    case "1.0/runUdf": {
      const kind = args.udfType === "mutation" ? "mutation" : "query";
      const limits = args.transactionLimits as Partial<Limits> | undefined;
      return engine.runNested(invocation, pathOf(address), kind, args.args!, limits);
    }
    case "1.0/actions/query":
    case "1.0/actions/mutation":
    case "1.0/actions/action": {
      const kind = operation.slice("1.0/actions/".length) as FunctionKind;
      return engine.runFromAction(invocation, pathOf(address), kind, args.args!);
    }
    case "1.0/schedule":
    case "1.0/actions/schedule": {
      const schedule = (transaction: Transaction) =>
        engine.schedule(transaction, pathOf(address), args.args!, (args.ts as number) * 1000);
      const { transaction } = invocation;
      return JSON.stringify(transaction ? schedule(transaction) : await engine.transact(schedule));
    }
    case "1.0/cancel_job":
    case "1.0/actions/cancel_job": {
      const cancel = (transaction: Transaction) => engine.cancel(transaction, args.id);
      if (invocation.transaction) cancel(invocation.transaction);
      else await engine.transact(cancel);
      return "null";
    }
    case "1.0/createFunctionHandle":
      return JSON.stringify(HANDLE + pathOf(address));
    default:
      return null;
  }
}

function running(operation: string): Invocation {
  const invocation = current.getStore();
  if (!invocation) throw new Error(`${operation} was called outside of a function.`);
  if (invocation.finished) {
    throw new Error(
      `${operation} was called by ${invocation.path} after it had ended: await every call.`,
    );
  }
  return invocation;
}

function syscall(operation: string, argsText: string): string {
  const invocation = running(operation);
  const call = DOCUMENT_CALLS[operation];
  if (!call) throw new Error(`Unknown operation ${operation}`);
  const transaction = transactionOf(invocation, operation);
  return call(JSON.parse(argsText) as Arguments, transaction, invocation.now);
}

async function asyncSyscall(operation: string, argsText: string): Promise<string> {
  const invocation = running(operation);
  // A nested mutation may be undone: what its caller writes meanwhile must come after it.
  while (invocation.nested) await invocation.nested;
  const call = DOCUMENT_CALLS[operation];
  const args = JSON.parse(argsText) as Arguments;
  try {
    if (call) return call(args, transactionOf(invocation, operation), invocation.now);
    const answer = await callWithHost(operation, args, invocation);
    if (answer !== null) return answer;
    const known = metadata(operation, invocation);
    if (known !== undefined) return JSON.stringify(known);
  } catch (error) {
    endIfDamaged(error); // before the function can catch it
    // The package reads `data` off what is thrown here to rebuild a ConvexError.
    if (error instanceof CarriedError) throw error;
    throw new Error(messageOf(error));
  }
  throw new Error(`Unknown async operation ${operation}: this engine does not support it.`);
}

function jsSyscall(operation: string): never {
  throw new Error(`${operation} is not supported by this engine (file storage).`);
}

/** The object that functions know as `Convex`. */
export const convexGlobal = { syscall, asyncSyscall, jsSyscall };
