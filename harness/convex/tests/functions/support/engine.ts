import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { ConvexHttpClient } from "convex/browser";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import type { Backend, Caller } from "./backend.js";

const ROOM = fileURLToPath(new URL("../../../", import.meta.url));
const ISSUER = "https://clerk.test.localhost";
const ADMIN_KEY = "admin-key-of-a-test";
const STOP_MS = 5_000;

/** The local engine in a process of its own, reached over HTTP by Convex's own client. */
export async function startEngine(): Promise<Backend> {
  const folder = await mkdtemp(join(tmpdir(), "convex-functions-"));
  const { privateKey, publicKey } = await generateKeyPair("RS256");
  const jwk = { ...(await exportJWK(publicKey)), kid: "test", alg: "RS256", use: "sig" };
  const jwks = Buffer.from(JSON.stringify({ keys: [jwk] })).toString("base64");
  const engine = spawn(
    process.execPath,
    ["engine/main.ts", "--functions", "functions", "--port", "0", "--db", join(folder, "db")],
    {
      cwd: ROOM,
      env: {
        ...process.env,
        CONVEX_ADMIN_KEY: ADMIN_KEY,
        CLERK_ISSUER: ISSUER,
        CLERK_JWKS_URL: `data:application/json;base64,${jwks}`,
        HARNESS_SQLITE_SYNCHRONOUS: "NORMAL",
      },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  const url = await listening(engine);
  const sign = (subject: string, name?: string) =>
    new SignJWT(name === undefined ? {} : { name })
      .setProtectedHeader({ alg: "RS256", kid: "test" })
      .setSubject(subject)
      .setIssuer(ISSUER)
      .setAudience("convex")
      .setIssuedAt()
      .setExpirationTime("10m")
      .sign(privateKey);
  return {
    admin: caller(url, async (client) => client.setAdminAuth(ADMIN_KEY)),
    anonymous: caller(url, async () => {}),
    as: (subject, name) => caller(url, async (client) => client.setAuth(await sign(subject, name))),
    stop: async () => {
      await stop(engine);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Convex's client, with the call that its types leave out, and any function. */
interface Client {
  setAuth(token: string): void;
  setAdminAuth(key: string): void;
  query(fn: unknown, args: unknown): Promise<any>;
  mutation(fn: unknown, args: unknown, options: { skipQueue: boolean }): Promise<any>;
}

function caller(url: string, authenticate: (client: Client) => Promise<void>): Caller {
  const client = new ConvexHttpClient(url, { logger: false }) as unknown as Client;
  let ready: Promise<void> | undefined;
  const authenticated = () => (ready ??= authenticate(client));
  return {
    query: async (fn, args) => {
      await authenticated();
      return await client.query(fn, args);
    },
    mutation: async (fn, args) => {
      await authenticated();
      // The client's queue would take the interleavings away.
      return await client.mutation(fn, args, { skipQueue: true });
    },
  };
}

/** Waits until the engine says where it listens.
 *
 * @throws Error with what it said instead.
 */
async function listening(engine: ChildProcess): Promise<string> {
  let said = "";
  engine.stderr!.on("data", (text: Buffer) => (said += text.toString()));
  for await (const line of createInterface({ input: engine.stdout! })) {
    const url = /^convex listening on (\S+)/.exec(line)?.[1];
    if (url !== undefined) {
      engine.stdout!.resume();
      return url;
    }
  }
  throw new Error(`the engine ended before it listened: ${said}`);
}

async function stop(engine: ChildProcess): Promise<void> {
  if (engine.exitCode !== null || engine.signalCode !== null) return;
  const ended = once(engine, "exit");
  engine.kill("SIGTERM");
  const impatience = setTimeout(() => engine.kill("SIGKILL"), STOP_MS);
  await ended;
  clearTimeout(impatience);
}
