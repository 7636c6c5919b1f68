import type { DatabaseSync } from "node:sqlite";
import { StartError, messageOf } from "./failures.ts";
import { type Bundle, bundleProject } from "./functions/bundle.ts";
import { Crons } from "./functions/crons.ts";
import { Registry } from "./functions/registry.ts";
import { Runner } from "./functions/runner.ts";
import { Scheduler } from "./functions/scheduler.ts";
import { attachHost } from "./functions/syscalls.ts";
import { log } from "./log.ts";
import { Authenticator, readProviders } from "./server/auth.ts";
import { HOST, type Listener, listen, listenSite, settledPort } from "./server/server.ts";
import { Catalog } from "./storage/catalog.ts";
import { type Synchronous, openSqlite, prepareStatements } from "./storage/database.ts";
import { History } from "./storage/history.ts";
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
  /** Of HTTP actions; 0 for any that is free. */
  sitePort: number;
  adminKey: string;
  synchronous: Synchronous;
  /** What functions see as `process.env`. */
  environment: Record<string, string>;
}

export interface Engine {
  url: string;
  /** Of HTTP actions; null for a project without. */
  siteUrl: string | null;
  stop: () => Promise<void>;
}

const PURGE_MS = 10 * 60 * 1000;

function openStore(sqlite: DatabaseSync, registry: Registry): Store & { history: History } {
  const catalog = new Catalog(sqlite);
  catalog.apply(registry.schema);
  const row = sqlite.prepare("SELECT max(number) AS last FROM documents").get();
  const statements = prepareStatements(sqlite);
  return {
    catalog,
    statements,
    history: new History(statements),
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
  const [port, sitePort] = [await settledPort(options.port), await settledPort(options.sitePort)];
  const [url, siteUrl] = [`http://${HOST}:${port}`, `http://${HOST}:${sitePort}`];
  const environment = { ...options.environment, CONVEX_CLOUD_URL: url, CONVEX_SITE_URL: siteUrl };
  const authenticator = authenticatorOf(authConfig, environment, options.adminKey);
  const registry = new Registry(functions, environment);
  const sqlite = openSqlite(options.database);
  const store = openStore(sqlite, registry);
  const sync = options.synchronous === "FULL" ? new WalSync(options.database) : null;
  const lane = new Lane(sqlite, sync);
  const clock = new Clock();
  const runner = new Runner(store, lane, registry, (commit) => {
    store.history.record(clock.tick(), commit.changes);
    queries.invalidate(commit.writes);
    if (commit.scheduled) scheduler.wake();
  });
  const queries = new LiveQueries(runner);
  const scheduler = new Scheduler(runner, registry);
  const crons = new Crons(runner, registry, scheduler);
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
  await crons.start();
  const { router } = registry;
  const { history } = store;
  const context = { lane, runner, queries, requests, authenticator, clock, history, router };
  const listeners: Listener[] = [await listen(port, context)];
  if (router) listeners.push(await listenSite(sitePort, context));
  const purging = setInterval(() => {
    Promise.all([lane.write(async () => requests.purge()), scheduler.purge()]).catch(
      (error: unknown) => log("warn", `old requests and jobs stay: ${messageOf(error)}`),
    );
  }, PURGE_MS);
  log("info", `${registry.size} functions from ${options.functions}, data in ${options.database}`);
  return {
    url,
    siteUrl: router ? siteUrl : null,
    stop: async () => {
      clearInterval(purging);
      await Promise.all(listeners.map((listener) => listener.close()));
      crons.stop();
      await scheduler.stop();
      await lane.drained();
      sync?.close();
      sqlite.close();
    },
  };
}
