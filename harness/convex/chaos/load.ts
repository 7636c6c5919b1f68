import { openSync, writeSync } from "node:fs";
import { createServer } from "node:http";
import { ConvexClient, ConvexHttpClient } from "convex/browser";
import { makeFunctionReference } from "convex/server";
import WebSocket from "ws";

/** The load of a chaos run: unmodified clients over HTTP and WebSockets, in a process that lives
 *  on while the engine is killed, and writes down a line for everything it was told.
 *
 *  It listens itself: `POST /began/KEY` is told by actions, `POST /up` by who started the engine,
 *  and `POST /stop` ends the load and is answered once nothing is under way any more.
 */

const { CHAOS_ENGINE, CHAOS_SEEN, CHAOS_PORT, CHAOS_SEED } = process.env as Record<string, string>;

const ACCOUNTS = 8;
const HTTP_WRITERS = 8;
const SOCKET_CLIENTS = 4;
/** Mutations that one client has under way. */
const SOCKET_WRITERS = 3;
const WATCHERS = 2;
const READ_EVERY_MS = 50;
const PAUSE_MS = 5;
/** After a request that was not answered. */
const AWAY_MS = 50;
const LONGEST_DELAY_MS = 300;
const KINDS = ["plain", "nested", "schedules", "acts"] as const;

const open = makeFunctionReference<"mutation">("ledger:open");
const transfer = makeFunctionReference<"mutation">("ledger:transfer");
const state = makeFunctionReference<"query", Record<string, never>, State>("ledger:state");

interface State {
  total: number;
  entries: number;
  latest: string[];
}

const seen = openSync(CHAOS_SEEN!, "a");
const note = (...fields: unknown[]) => writeSync(seen, `${JSON.stringify(fields)}\n`);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Marsaglia's xorshift: a seed makes the same operations again. */
let drawn = (Number(CHAOS_SEED) ^ 0x9e3779b9) | 1;
function below(limit: number): number {
  drawn ^= drawn << 13;
  drawn ^= drawn >>> 17;
  drawn ^= drawn << 5;
  return (drawn >>> 0) % limit;
}

let operations = 0;
function newTransfer(via: string) {
  const kind = KINDS[operations++ % KINDS.length]!;
  const from = below(ACCOUNTS);
  const to = (from + 1 + below(ACCOUNTS - 1)) % ACCOUNTS;
  const key = `${via}-${operations}`;
  return { key, kind, from, to, amount: 1 + below(100), delayMs: below(LONGEST_DELAY_MS) };
}

let stopping = false;

/** Sends each once: whether an unanswered one was done is not known. */
async function writeOverHttp(): Promise<void> {
  const client = new ConvexHttpClient(CHAOS_ENGINE!, { logger: false });
  while (!stopping) {
    const args = newTransfer("http");
    note("sent", Date.now(), args.key);
    try {
      await client.mutation(transfer, args);
      note("acked", Date.now(), args.key);
      await pause(PAUSE_MS);
    } catch (error) {
      // What fetch throws when there was no answer; a failed function is another error.
      if (!(error instanceof TypeError)) note("refused", args.key, String(error));
      await pause(AWAY_MS);
    }
  }
}

/** The client sends again what was not answered, under the same session and request. */
async function writeOverSocket(client: ConvexClient): Promise<void> {
  while (!stopping) {
    const args = newTransfer("socket");
    note("sent", Date.now(), args.key);
    await client.mutation(transfer, args).then(
      () => note("acked", Date.now(), args.key),
      (error: unknown) => note("refused", args.key, String(error)),
    );
    await pause(PAUSE_MS);
  }
}

/** Notes what somebody was shown, each key once. */
function onlooker(name: string): (shown: State) => void {
  let known = new Set<string>();
  return ({ total, entries, latest }) => {
    note(
      "shown",
      name,
      total,
      entries,
      latest.filter((key) => !known.has(key)),
    );
    known = new Set(latest);
  };
}

async function readOverHttp(): Promise<void> {
  const client = new ConvexHttpClient(CHAOS_ENGINE!, { logger: false });
  const look = onlooker("reader");
  while (!stopping) {
    await client.query(state, {}).then(look, () => undefined);
    await pause(READ_EVERY_MS);
  }
}

function connect(): ConvexClient {
  return new ConvexClient(CHAOS_ENGINE!, {
    webSocketConstructor: WebSocket as unknown as typeof globalThis.WebSocket,
    unsavedChangesWarning: false,
    logger: false,
  });
}

async function main(): Promise<void> {
  // Where a browser tells the client that the network is back, so that it waits no longer.
  const window = Object.assign(globalThis, { window: new EventTarget() }).window as EventTarget;
  await new ConvexHttpClient(CHAOS_ENGINE!, { logger: false }).mutation(open, {
    accounts: ACCOUNTS,
  });
  const watchers = Array.from({ length: WATCHERS }, (_, number) => {
    const client = connect();
    client.onUpdate(state, {}, onlooker(`watcher ${number}`));
    return client;
  });
  const writers = Array.from({ length: SOCKET_CLIENTS }, connect);
  const working = Promise.all([
    readOverHttp(),
    ...Array.from({ length: HTTP_WRITERS }, writeOverHttp),
    ...writers.flatMap((client) =>
      Array.from({ length: SOCKET_WRITERS }, () => writeOverSocket(client)),
    ),
  ]);
  const server = createServer((request, response) => {
    const [, what, key] = request.url!.split("/");
    if (what === "began") note("began", key);
    if (what === "up") window.dispatchEvent(new Event("online"));
    if (what !== "stop") {
      response.end();
      return;
    }
    stopping = true;
    void working
      .then(() => Promise.all([...watchers, ...writers].map((client) => client.close())))
      .then(() => response.end());
  });
  server.listen(Number(CHAOS_PORT), "127.0.0.1");
}

await main();
