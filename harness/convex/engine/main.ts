import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { type EngineOptions, startEngine } from "./engine.ts";
import { StartError, messageOf } from "./failures.ts";
import { log } from "./log.ts";
import type { Synchronous } from "./storage/database.ts";
import { isOfSqlite, refusalOf } from "./storage/integrity.ts";
import { exportTables, importTables } from "./storage/jsonl.ts";

/** `node engine/main.ts --functions DIR --port P --db FILE [--site-port P]`; or, for a database that
 *  no engine uses, `--db FILE --export DIR` and `--db FILE --import DIR`.
 */

const USAGE =
  "node engine/main.ts --functions DIR --port P --db FILE [--site-port P], " +
  "or --db FILE and --export DIR or --import DIR";
const ADMIN_KEY = "CONVEX_ADMIN_KEY";

function readPort(option: string, text: string | undefined): number {
  const port = Number(text);
  if (text === undefined || !Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new StartError(
      `--${option} is ${text ?? "missing"}: give a number from 0 to 65535 (0: any)`,
    );
  }
  return port;
}

function readSynchronous(text: string | undefined): Synchronous {
  if (text === undefined || text === "" || text === "FULL") return "FULL";
  if (text === "NORMAL") return "NORMAL";
  throw new StartError(`HARNESS_SQLITE_SYNCHRONOUS is ${text}: give FULL or NORMAL`);
}

function readArguments(): Record<string, string | undefined> {
  try {
    const { values } = parseArgs({
      options: {
        functions: { type: "string" },
        port: { type: "string" },
        "site-port": { type: "string" },
        db: { type: "string" },
        export: { type: "string" },
        import: { type: "string" },
        help: { type: "boolean" },
      },
    });
    const { help, ...given } = values;
    if (help) {
      process.stdout.write(`${USAGE}\n`);
      process.exit(0);
    }
    return given;
  } catch (error) {
    throw new StartError(`${messageOf(error)} (usage: ${USAGE})`);
  }
}

function databaseOf(values: Record<string, string | undefined>): string {
  if (!values.db) throw new StartError(`--db is missing (usage: ${USAGE})`);
  return resolve(values.db);
}

function readOptions(values: Record<string, string | undefined>): EngineOptions {
  const { [ADMIN_KEY]: adminKey, ...environment } = process.env;
  if (!values.functions) throw new StartError(`--functions is missing (usage: ${USAGE})`);
  if (!adminKey) {
    throw new StartError(
      `${ADMIN_KEY} is not set: set it to the key that may call internal functions`,
    );
  }
  return {
    functions: resolve(values.functions),
    database: databaseOf(values),
    port: readPort("port", values.port),
    sitePort: readPort("site-port", values["site-port"] ?? "0"),
    adminKey,
    synchronous: readSynchronous(process.env.HARNESS_SQLITE_SYNCHRONOUS),
    environment: environment as Record<string, string>,
  };
}

async function main(): Promise<void> {
  const values = readArguments();
  try {
    await perform(values);
  } catch (error) {
    throw isOfSqlite(error) ? refusalOf(databaseOf(values), error) : error;
  }
}

async function perform(values: Record<string, string | undefined>): Promise<void> {
  if (values.export) {
    const count = exportTables(databaseOf(values), resolve(values.export));
    process.stdout.write(`exported ${count} documents to ${values.export}\n`);
  } else if (values.import) {
    const count = await importTables(databaseOf(values), resolve(values.import));
    process.stdout.write(`imported ${count} documents from ${values.import}\n`);
  } else {
    await serve(readOptions(values));
  }
}

async function serve(options: EngineOptions): Promise<void> {
  const engine = await startEngine(options);
  if (engine.siteUrl) process.stdout.write(`HTTP actions at ${engine.siteUrl}\n`);
  process.stdout.write(`convex listening on ${engine.url}\n`);
  const stop = (signal: string) => {
    log("info", `${signal}: stopping`);
    engine.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log("error", `could not stop cleanly: ${messageOf(error)}`);
        process.exit(1);
      },
    );
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
}

process.on("unhandledRejection", (error) => {
  // A function that did not await a call that failed: its own fault, not the engine's end.
  log("error", `a promise was left alone and failed: ${messageOf(error)}`);
});

main().catch((error: unknown) => {
  process.stderr.write(`convex: ${messageOf(error)}\n`);
  process.exit(error instanceof StartError ? 2 : 1);
});
