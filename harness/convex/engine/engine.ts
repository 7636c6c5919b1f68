import type { DatabaseSync } from "node:sqlite";
import { StartError, messageOf } from "./failures.ts";
import { type Bundle, bundleProject } from "./functions/bundle.ts";
import { Registry } from "./functions/registry.ts";
import { Runner } from "./functions/runner.ts";
import { Scheduler } from "./functions/scheduler.ts";
import { attachHost } from "./functions/syscalls.ts";
import { log } from "./log.ts";
import { Authenticator, readProviders } from "./server/auth.ts";
import { listen } from "./server/server.ts";
import { Catalog } from "./storage/catalog.ts";
import { type Synchronous, openSqlite, prepareStatements } from "./storage/database.ts";
import { Lane } from "./storage/lane.ts";
import type { Store } from "./storage/transaction.ts";
import { WalSync } from "./storage/walsync.ts";
import { Clock } from "./sync/clock.ts";
import { LiveQueries } from "./sync/livequeries.ts";
import { RequestLog } from "./sync/requests.ts";
import { DocumentNumbers } from "./values/ids.ts";

/** Puts the parts together. */

export interface EngineOptions {
  functions: string;
  database: string;
  port: number;
  adminKey: string;
  synchronous: Synchronous;
  /** What functions see as `process.env`. */
  environment: Record<string, string>;
}

export interface Engine {
  port: number;
  stop: () => Promise<void>;
}

const PURGE_MS = 10 * 60 * 1000;

function openStore(sqlite: DatabaseSync, registry: Registry): Store {
  const catalog = new Catalog(sqlite);
  catalog.apply(registry.schema);
  const row = sqlite.prepare("SELECT max(number) AS last FROM documents").get();
  return {
    catalog,
    statements: prepareStatements(sqlite),
    numbers: new DocumentNumbers((row?.last as number | null) ?? 0),
  };
}

/** Evaluates `auth.config.ts`, and names the variables it misses. */
function authenticatorOf(
  config: Bundle | null,
  environment: Record<string, string>,
  adminKey: string,
): Authenticator {
  if (!config) return new Authenticator([], adminKey);
  const missing: string[] = [];
  const env = new Proxy(environment, {
    get: (target, name: string) => {
      if (!target[name]) missing.push(name);
      return target[name];
    },
  });
  const exported = config.load({ process: { env } })["auth.config"]!.default;
  try {
    return new Authenticator(readProviders(exported), adminKey);
  } catch (error) {
    const remedy = missing.length ? `: set ${[...new Set(missing)].join(" and ")}` : "";
    throw new StartError(`${messageOf(error)}${remedy}`);
  }
}

/** Starts an engine.
 *  @throws StartError in one readable line.
 */
export async function startEngine(options: EngineOptions): Promise<Engine> {
  const { functions, authConfig } = await bundleProject(options.functions);
  const authenticator = authenticatorOf(authConfig, options.environment, options.adminKey);
  const registry = new Registry(functions, options.environment);
  const sqlite = openSqlite(options.database);
  const store = openStore(sqlite, registry);
  const sync = options.synchronous === "FULL" ? new WalSync(options.database) : null;
  const lane = new Lane(sqlite, sync);
  const clock = new Clock();
  const runner = new Runner(store, lane, registry, (commit) => {
    clock.tick();
    queries.invalidate(commit.writes);
    if (commit.scheduled) scheduler.wake();
  });
  const queries = new LiveQueries(runner);
  const scheduler = new Scheduler(runner, registry);
  const requests = new RequestLog(sqlite);
  attachHost({
    runNested: (...call) => runner.runNested(...call),
    runFromAction: (...call) => runner.runFromAction(...call),
    schedule: (...job) => scheduler.schedule(...job),
    cancel: (...job) => scheduler.cancel(...job),
    transact: (job) => runner.transact(job),
  });
  await lane.write(async () => requests.purge());
  await scheduler.start();
  const context = { lane, runner, queries, requests, authenticator, clock };
  const listener = await listen(options.port, context);
  const purging = setInterval(() => {
    lane
      .write(async () => requests.purge())
      .catch((error: unknown) => log("warn", `old requests stay: ${messageOf(error)}`));
  }, PURGE_MS);
  log("info", `${registry.size} functions from ${options.functions}, data in ${options.database}`);
  return {
    port: listener.port,
    stop: async () => {
      clearInterval(purging);
      await listener.close();
      await scheduler.stop();
      await lane.drained();
      sync?.close();
      sqlite.close();
    },
  };
}
