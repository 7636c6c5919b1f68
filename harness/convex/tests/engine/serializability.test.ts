import { ConvexClient, ConvexHttpClient } from "convex/browser";
import { makeFunctionReference } from "convex/server";
import fc from "fast-check";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import WebSocket from "ws";
import type { Access, Observed } from "./fixtures/model/registers.ts";
import { type Recorded, violationOf } from "./violations.ts";
import { type TestEngine, eventually, removeFolders, startEngine } from "./support.ts";

/** Random transactions of several clients at once, over real sockets. */

const FUNCTIONS = join(import.meta.dirname, "fixtures", "model");
const KEYS = 6;
const transact = makeFunctionReference<"mutation", Mutation, Observed>("registers:transact");
const look = makeFunctionReference<"query", Query, Observed>("registers:look");
/** More than any step scans: a client answers a query that it watches from what it was told last. */
const everything: Access[] = [{ kind: "scan", from: 0, to: KEYS + 1 }];

type Query = { scope: string; accesses: Access[] };
type Mutation = Query & { version: string; fails: boolean };

/** What the clients of both kinds have in common. */
interface Client {
  mutation: (reference: typeof transact, args: Mutation) => Promise<Observed>;
  query: (reference: typeof look, args: Query) => Promise<Observed>;
}

let engine: TestEngine;
let sockets: ConvexClient[];
let clients: Client[];
let scopes = 0;

beforeAll(async () => {
  engine = await startEngine({ functions: FUNCTIONS });
  const webSocketConstructor = WebSocket as unknown as typeof globalThis.WebSocket;
  sockets = [1, 2, 3].map(
    () => new ConvexClient(engine.url, { webSocketConstructor, logger: false }),
  );
  const overHttp = [1, 2, 3].map(() => new ConvexHttpClient(engine.url, { logger: false }));
  clients = [...sockets, ...overHttp];
});
afterAll(async () => {
  await Promise.all(sockets.map((socket) => socket.close()));
  await engine.stop();
  removeFolders();
});

const key = fc.nat({ max: KEYS - 1 });
const access: fc.Arbitrary<Access> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("write" as const), key }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("read" as const), key }) },
  {
    weight: 1,
    arbitrary: fc
      .record({ kind: fc.constant("scan" as const), from: key, length: fc.nat({ max: KEYS }) })
      .map(({ kind, from, length }) => ({ kind, from, to: Math.min(from + length, KEYS) })),
  },
);
const step = fc.record({
  isQuery: fc.boolean(),
  fails: fc.integer({ min: 0, max: 9 }).map((drawn) => drawn === 9),
  accesses: fc.array(access, { minLength: 1, maxLength: 4 }),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const byKey = (seen: Observed) =>
  new Map(Object.entries(seen).map(([at, version]) => [Number(at), version]));

/** Runs one client's steps, one after another. */
async function work(
  client: Client,
  name: string,
  scope: string,
  steps: Step[],
  history: Recorded[],
): Promise<void> {
  for (const [at, { isQuery, fails, accesses }] of steps.entries()) {
    const version = `${name}.${at}`;
    const writes = accesses.flatMap((each) => (each.kind === "write" ? [each.key] : []));
    const reads = accesses.filter(({ kind }) => kind !== "write");
    const began = performance.now();
    const answer = isQuery
      ? client.query(look, { scope, accesses: reads })
      : client.mutation(transact, { scope, version, accesses, fails });
    const seen = await answer.catch((error: unknown) => {
      if (fails) return null; // its version must never be seen
      throw error;
    });
    const wrote = new Map(isQuery ? [] : writes.map((written) => [written, version]));
    const ended = performance.now();
    if (seen) history.push({ name: version, began, ended, seen: byKey(seen), wrote, after: null });
  }
}

/** Notes each state a subscriber is told: none is older than the one before. */
function watch(socket: ConvexClient, name: string, scope: string, history: Recorded[]) {
  const began = performance.now();
  let before: Recorded | null = null;
  let latest: Observed = {};
  let count = 0;
  const stop = socket.onUpdate(look, { scope, accesses: everything }, (seen) => {
    const told: Recorded = {
      name: `${name}.${count++}`,
      began,
      ended: performance.now(),
      seen: byKey(seen),
      wrote: new Map(),
      after: before,
    };
    history.push(told);
    before = told;
    latest = seen;
  });
  return { told: () => latest, stop };
}

test("what clients see at once fits an order that agrees with real time", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(step, { minLength: 5, maxLength: 25 }), {
        minLength: 6,
        maxLength: 6,
      }),
      async (plans) => {
        const scope = `run ${++scopes}`;
        const history: Recorded[] = [];
        const watching = sockets.map((socket, at) =>
          watch(socket, `watcher ${at}`, scope, history),
        );
        await Promise.all(
          plans.map((steps, at) => work(clients[at]!, `client ${at}`, scope, steps, history)),
        );
        expect(violationOf(history)).toBeNull();
        const last = await clients.at(-1)!.query(look, { scope, accesses: everything });
        for (const { told, stop } of watching) {
          // Nobody is left behind with a state of the past.
          await eventually(told, (seen) => isDeepStrictEqual(seen, last));
          stop();
        }
      },
    ),
    { numRuns: 12, endOnFailure: true },
  );
});
