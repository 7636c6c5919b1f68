import { type ChildProcess, spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { SignJWT } from "jose";

/** Engines as processes of their own, spoken to over real sockets. */

export const ADMIN_KEY = "test-admin-key";
export const ISSUER = "https://issuer.example";
export const PROJECT = join(import.meta.dirname, "fixtures", "project");
/** One with HTTP actions and cron jobs. */
export const SITE = join(import.meta.dirname, "fixtures", "site");
export const MAIN = join(import.meta.dirname, "..", "..", "engine", "main.ts");

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const jwks = {
  keys: [
    { ...rsa.publicKey.export({ format: "jwk" }), kid: "rsa", alg: "RS256" },
    { ...ec.publicKey.export({ format: "jwk" }), kid: "ec", alg: "ES256" },
  ],
};

export const ENVIRONMENT = {
  PATH: process.env.PATH ?? "",
  CONVEX_ADMIN_KEY: ADMIN_KEY,
  CLERK_ISSUER: ISSUER,
  CLERK_JWKS_URL: `data:application/json,${encodeURIComponent(JSON.stringify(jwks))}`,
};

interface TokenOptions {
  subject?: string;
  issuer?: string;
  audience?: string | null;
  expiresAt?: number | string;
  algorithm?: "RS256" | "ES256";
  claims?: Record<string, unknown>;
}

/** A token as the test's issuer signs it. */
export function token(options: TokenOptions = {}): Promise<string> {
  const algorithm = options.algorithm ?? "RS256";
  const [key, kid] = algorithm === "RS256" ? [rsa.privateKey, "rsa"] : [ec.privateKey, "ec"];
  const jwt = new SignJWT(options.claims ?? {})
    .setProtectedHeader({ alg: algorithm, kid })
    .setSubject(options.subject ?? "user_1")
    .setIssuer(options.issuer ?? ISSUER)
    .setIssuedAt()
    .setExpirationTime(options.expiresAt ?? "5m");
  if (options.audience !== null) jwt.setAudience(options.audience ?? "convex");
  return jwt.sign(key);
}

/** Something that serves a project: an engine, or a deployment elsewhere. */
export class Deployment {
  readonly url: string;
  readonly adminKey: string;

  constructor(url: string, adminKey: string) {
    this.url = url;
    this.adminKey = adminKey;
  }

  /** Lets go of it. */
  async stop(): Promise<unknown> {
    return undefined;
  }

  async call(
    kind: string,
    path: string,
    args: unknown = {},
    options: { format?: string; authorization?: string } = {},
  ): Promise<any> {
    const response = await fetch(`${this.url}/api/${kind}`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(options.authorization ? { authorization: options.authorization } : {}),
      },
      body: JSON.stringify({ path, args, format: options.format ?? "convex_encoded_json" }),
    });
    return response.json();
  }

  /** Calls as the holder of the admin key, and answers the value. */
  async run(kind: string, path: string, args: unknown = {}): Promise<any> {
    const answer = await this.call(kind, path, args, { authorization: `Convex ${this.adminKey}` });
    if (answer.status !== "success") throw new Error(answer.errorMessage ?? JSON.stringify(answer));
    return answer.value;
  }
}

export class TestEngine extends Deployment {
  /** Of HTTP actions, for a project that has some. */
  readonly siteUrl: string | null;
  readonly folder: string;
  readonly #process: ChildProcess;
  readonly #log: string[];

  constructor(
    url: string,
    siteUrl: string | null,
    folder: string,
    process: ChildProcess,
    log: string[],
  ) {
    super(url, ADMIN_KEY);
    this.siteUrl = siteUrl;
    this.folder = folder;
    this.#process = process;
    this.#log = log;
  }

  /** Waits for the end of an engine that nobody stops; answers its code. */
  async ended(): Promise<number | null> {
    const { exitCode } = this.#process;
    if (exitCode !== null) return exitCode;
    return new Promise((resolve) => this.#process.once("close", resolve));
  }

  /** What it wrote to its log. */
  get log(): string {
    return this.#log.join("");
  }

  /** Ends the process, at once or as a supervisor would, and waits for it. */
  override async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<number | null> {
    const { exitCode } = this.#process;
    if (exitCode !== null) return exitCode;
    const ended = new Promise<number | null>((resolve) => this.#process.once("exit", resolve));
    this.#process.kill(signal);
    return ended;
  }
}

const folders: string[] = [];

/** A folder that `removeFolders` removes. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "convex-engine-"));
  folders.push(folder);
  return folder;
}

export function removeFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

interface StartOptions {
  functions?: string;
  folder?: string;
  port?: number;
  environment?: Record<string, string>;
}

function spawnEngine(options: StartOptions, folder: string): ChildProcess {
  const args = ["--functions", options.functions ?? PROJECT, "--port", String(options.port ?? 0)];
  return spawn(process.execPath, [MAIN, ...args, "--db", join(folder, "convex.db")], {
    env: options.environment ?? ENVIRONMENT,
    stdio: ["ignore", "pipe", "pipe"],
  });
}

export async function startEngine(options: StartOptions = {}): Promise<TestEngine> {
  const folder = options.folder ?? temporaryFolder();
  const child = spawnEngine(options, folder);
  const log: string[] = [];
  child.stderr!.on("data", (data: Buffer) => log.push(data.toString()));
  let siteUrl: string | null = null;
  for await (const line of createInterface({ input: child.stdout! })) {
    siteUrl ??= /^HTTP actions at (http:\S+)$/.exec(line)?.[1] ?? null;
    const url = /^convex listening on (http:\S+)$/.exec(line)?.[1];
    if (!url) continue;
    child.stdout!.resume();
    return new TestEngine(url, siteUrl, folder, child, log);
  }
  throw new Error(`the engine did not start: ${log.join("")}`);
}

/** Starts an engine that is to refuse, and answers how it ended. */
export async function refusal(
  options: StartOptions,
): Promise<{ code: number | null; text: string }> {
  const child = spawnEngine(options, options.folder ?? temporaryFolder());
  let text = "";
  child.stderr!.on("data", (data: Buffer) => (text += data.toString()));
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, text };
}

/** Waits for something that other processes bring about. */
export async function eventually<T>(
  what: () => Promise<T> | T,
  isSo: (value: T) => boolean = Boolean,
): Promise<T> {
  for (;;) {
    const value = await what();
    if (isSo(value)) return value;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
