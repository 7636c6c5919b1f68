import { format, inspect } from "node:util";
import { addLogLine, current } from "./invocation.ts";
import { convexGlobal } from "./syscalls.ts";

/** What functions find under the names of globals, instead of Node's own. */

const INSPECT = { depth: 8, breakLength: 120 } as const;

function line(level: string, values: unknown[]): string {
  const shown = values.map((value) =>
    typeof value === "string" ? `'${value}'` : inspect(value, INSPECT),
  );
  return `[${level}] ${shown.join(" ")}`;
}

/** A console whose lines go to the function's caller and to the engine's log. */
function functionConsole(): Record<string, unknown> {
  const counts = new Map<string, number>();
  const timers = new Map<string, number>();
  const write = (level: string, ...values: unknown[]) => {
    const invocation = current.getStore();
    if (invocation) addLogLine(invocation.logLines, line(level, values));
    const place = invocation ? `[${invocation.path} ${invocation.requestId}] ` : "";
    process.stdout.write(`${place}[${level}] ${format(...values)}\n`);
  };
  return {
    log: (...values: unknown[]) => write("LOG", ...values),
    info: (...values: unknown[]) => write("INFO", ...values),
    warn: (...values: unknown[]) => write("WARN", ...values),
    error: (...values: unknown[]) => write("ERROR", ...values),
    debug: (...values: unknown[]) => write("DEBUG", ...values),
    trace: (...values: unknown[]) => write("LOG", ...values),
    table: (value: unknown) => write("LOG", value),
    assert: (condition: unknown, ...values: unknown[]) => {
      if (!condition) write("ERROR", "Assertion failed", ...values);
    },
    count: (label = "default") => {
      counts.set(label, (counts.get(label) ?? 0) + 1);
      write("INFO", `${label}: ${counts.get(label)}`);
    },
    time: (label = "default") => void timers.set(label, performance.now()),
    timeEnd: (label = "default") => {
      write("INFO", `${label}: ${(performance.now() - (timers.get(label) ?? 0)).toFixed(3)}ms`);
      timers.delete(label);
    },
    group: () => undefined,
    groupEnd: () => undefined,
  };
}

/** What the running function does from now on depends on more than the documents. */
function noteVolatile(): void {
  const transaction = current.getStore()?.transaction;
  if (transaction) transaction.volatile = true;
}

/** A Date whose present is the running function's. */
function stillDate(): DateConstructor {
  const now = () => {
    noteVolatile();
    return current.getStore()?.now ?? Date.now();
  };
  class StillDate extends Date {
    constructor(...values: []) {
      if (values.length) super(...values);
      else super(now());
    }

    static override now(): number {
      return now();
    }
  }
  return new Proxy(StillDate, {
    apply: () => new StillDate().toString(),
  }) as unknown as DateConstructor;
}

function seededMath(): Math {
  const properties = Object.getOwnPropertyDescriptors(Math);
  const random = () => {
    noteVolatile();
    return (current.getStore()?.random ?? Math.random)();
  };
  properties.random.value = random;
  return Object.create(Object.prototype, properties) as Math;
}

/** Node's own, as it may be used for what is no chance, such as digests. */
function notedCrypto(): Crypto {
  return new Proxy(crypto, {
    get: (target, name) => {
      if (name === "randomUUID" || name === "getRandomValues") noteVolatile();
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

function refused(name: string): () => never {
  return () => {
    throw new Error(
      `Can't use ${name} in queries and mutations. Please consider using an action. ` +
        "See https://docs.convex.dev/functions/actions for more details.",
    );
  };
}

function commonGlobals(environment: Record<string, string>): Record<string, unknown> {
  return {
    Convex: convexGlobal,
    console: functionConsole(),
    process: { env: { ...environment } },
    // Node's own, which a deployment does not have.
    require: undefined,
    module: undefined,
    Buffer: undefined,
    setImmediate: undefined,
    clearImmediate: undefined,
  };
}

/** For queries and mutations: deterministic, with no way to the outside. */
export function transactionGlobals(environment: Record<string, string>): Record<string, unknown> {
  const outside = ["fetch", "setTimeout", "setInterval"];
  return {
    ...commonGlobals(environment),
    Date: stillDate(),
    Math: seededMath(),
    crypto: notedCrypto(),
    ...Object.fromEntries(
      outside.map((name) => [name, refused(name === "fetch" ? "fetch()" : name)]),
    ),
    performance: undefined,
    WebSocket: undefined,
  };
}

/** For actions, which may wait and speak to the network. */
export function actionGlobals(environment: Record<string, string>): Record<string, unknown> {
  return commonGlobals(environment);
}
