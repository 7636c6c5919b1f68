import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { describe, expect, it } from "vitest";

const FUNCTIONS = fileURLToPath(new URL("../../functions", import.meta.url));

const PUBLIC = {
  users: ["ensure", "me", "remove"],
  preferences: ["list", "remove", "set"],
  threads: ["archive", "create", "get", "list", "remove", "setPermission"],
  messages: ["byKey", "list", "stream"],
  toolCalls: ["list"],
};
const INTERNAL = {
  users: ["ensureSubject", "list", "removeSubject"],
  preferences: ["current", "forSubject", "removeFor", "setFor"],
  summaries: ["get", "keep", "uncovered"],
  threads: ["access", "createFor", "listFor", "removeFor"],
  messages: ["head", "history", "importMany", "read", "unfinished"],
  memory: ["mark", "unindexed"],
  removal: ["purgeThread", "purgeUser"],
  worker: ["append", "begin", "cancel", "complete", "fail", "startAttempt", "sweepDeltas"],
  toolCalls: ["awaitUser", "finish", "forMessage", "get", "record", "reply", "resume", "start"],
  analytics: ["forMessage", "list", "record"],
  flags: ["get", "list", "set"],
};

/** What `npx convex deploy` takes for the modules of the folder. */
async function moduleNames(): Promise<string[]> {
  const files = await readdir(FUNCTIONS, { recursive: true });
  return files
    .filter((file) => file.endsWith(".ts") && !file.startsWith("_generated"))
    .filter((file) => file.split("/").at(-1)!.split(".").length === 2) // no auth.config.ts
    .map((file) => file.slice(0, -".ts".length))
    .sort();
}

/** The code of a module as the deployment's runtime gets it: no Node in it. */
async function bundle(name: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(FUNCTIONS, `${name}.ts`)],
    bundle: true,
    write: false,
    platform: "browser",
    format: "esm",
    target: "esnext",
    conditions: ["convex", "module"],
    logLevel: "silent",
  });
  return outputFiles[0]!.text;
}

interface Registered {
  isPublic?: boolean;
  isInternal?: boolean;
  exportArgs(): string;
  exportReturns(): string;
}

async function load(name: string): Promise<Record<string, Registered>> {
  const code = Buffer.from(await bundle(name)).toString("base64");
  return await import(/* @vite-ignore */ `data:text/javascript;base64,${code}`);
}

async function exported(names: string[], property: "isPublic" | "isInternal") {
  const found: Record<string, string[]> = {};
  for (const name of names) {
    const functions = Object.entries(await load(name)).filter(([, fn]) => fn[property]);
    if (functions.length > 0) found[name] = functions.map(([key]) => key).sort();
  }
  return found;
}

const sorted = (names: Record<string, string[]>) =>
  Object.fromEntries(Object.entries(names).map(([name, keys]) => [name, [...keys].sort()]));

describe("a deployment", () => {
  it("bundles every module for a runtime without Node", async () => {
    const names = await moduleNames();
    expect(names).toContain("worker");
    for (const name of names) expect(await bundle(name)).not.toMatch(/from "node:/);
  });

  it("has exactly the functions of the contract", async () => {
    const names = await moduleNames();
    expect(await exported(names, "isPublic")).toEqual(sorted(PUBLIC));
    expect(await exported(names, "isInternal")).toEqual(sorted(INTERNAL));
  });

  it("exports nothing but functions from the modules that have some", async () => {
    for (const name of Object.keys({ ...PUBLIC, ...INTERNAL })) {
      for (const fn of Object.values(await load(name))) {
        expect(fn.isPublic ?? fn.isInternal).toBe(true);
      }
    }
  });

  it("validates the arguments and the returns of every function", async () => {
    for (const name of Object.keys({ ...PUBLIC, ...INTERNAL })) {
      for (const [key, fn] of Object.entries(await load(name))) {
        const [args, returns] = [JSON.parse(fn.exportArgs()), JSON.parse(fn.exportReturns())];
        expect(args, `${name}:${key} args`).toMatchObject({ type: "object" });
        expect(returns?.type ?? "any", `${name}:${key} returns`).not.toBe("any");
        expect(JSON.stringify([args, returns])).not.toContain('"any"');
      }
    }
  });

  it("reads every table through an index", async () => {
    for (const name of await moduleNames()) {
      const code = await readFile(join(FUNCTIONS, `${name}.ts`), "utf8");
      const reads = code.match(/\.query\("\w+"\)\s*\.\w+/g) ?? [];
      expect(code.match(/\.query\(/g) ?? [], name).toHaveLength(reads.length);
      for (const read of reads) expect(read, name).toMatch(/\.withIndex$/);
      expect(code, name).not.toMatch(/\.filter\(\(?q\)? =>/);
    }
  });
});
