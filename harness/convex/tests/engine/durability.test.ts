import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import {
  ENVIRONMENT,
  PROJECT,
  refusal,
  removeFolders,
  startEngine,
  temporaryFolder,
} from "./support.ts";

afterAll(removeFolders);

describe("what was answered", () => {
  test("is there after a kill, and no mutation was done twice or by half", async () => {
    const folder = temporaryFolder();
    const acknowledged: number[] = [];
    let rank = 0;
    for (let round = 0; round < 5; round++) {
      const engine = await startEngine({ folder });
      let killed = false;
      const writers = Array.from({ length: 4 }, async () => {
        while (!killed) {
          const mine = rank++;
          // Two documents a mutation: a half of it would show.
          await engine
            .run("mutation", "notes:addMany", { room: "kill", from: mine * 2, count: 2 })
            .then(
              () => acknowledged.push(mine),
              () => undefined,
            );
        }
      });
      const enough = acknowledged.length + 20 + round * 7;
      while (acknowledged.length < enough) await new Promise((resolve) => setImmediate(resolve));
      killed = true;
      await engine.stop("SIGKILL");
      await Promise.all(writers);
    }
    const engine = await startEngine({ folder });
    const ranks: number[] = await engine.run("query", "notes:between", { room: "kill" });
    await engine.stop();
    expect(new Set(ranks).size).toBe(ranks.length);
    const whole = new Set(ranks.filter((each) => each % 2 === 0).map((each) => each / 2));
    expect(ranks.length).toBe(whole.size * 2);
    expect(acknowledged.filter((each) => !whole.has(each))).toEqual([]);
  });

  test("is there after an orderly stop", async () => {
    const engine = await startEngine();
    await engine.run("mutation", "notes:add", { room: "stop", rank: 1, text: "a" });
    expect(await engine.stop("SIGTERM")).toBe(0);
    const again = await startEngine({ folder: engine.folder });
    expect(await again.run("query", "notes:inRoom", { room: "stop" })).toHaveLength(1);
    await again.stop();
  });

  test("is there too where syncing is left to the system", async () => {
    const environment = { ...ENVIRONMENT, HARNESS_SQLITE_SYNCHRONOUS: "NORMAL" };
    const engine = await startEngine({ environment });
    await engine.run("mutation", "notes:add", { room: "normal", rank: 1, text: "a" });
    await engine.stop("SIGKILL");
    const again = await startEngine({ folder: engine.folder });
    expect(await again.run("query", "notes:inRoom", { room: "normal" })).toHaveLength(1);
    await again.stop();
  });
});

test("ids and creation times go on after a restart", async () => {
  const engine = await startEngine();
  await engine.run("mutation", "notes:add", { room: "go on", rank: 1, text: "a" });
  await engine.stop();
  const again = await startEngine({ folder: engine.folder });
  await again.run("mutation", "notes:add", { room: "go on", rank: 2, text: "b" });
  const notes = await again.run("query", "notes:inRoom", { room: "go on" });
  expect(notes[1]._creationTime).toBeGreaterThan(notes[0]._creationTime);
  await again.stop();
});

function project(files: Record<string, string>): string {
  const folder = join(temporaryFolder(), "functions");
  mkdirSync(folder);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

// Found by its path, as these projects stand in a temporary folder.
const definition = join(import.meta.dirname, "..", "..", "node_modules", "convex", "dist", "esm");
const IMPORTS = `
  import { defineSchema, defineTable, queryGeneric as query, mutationGeneric as mutation }
    from ${JSON.stringify(join(definition, "server", "index.js"))};
  import { v } from ${JSON.stringify(join(definition, "values", "index.js"))};
`;

describe("a changed schema", () => {
  const rows =
    'export const add = mutation({ handler: (ctx, row) => ctx.db.insert("rows", row) });';
  const find = `export const find = query({ handler: (ctx, { n }) =>
    ctx.db.query("rows").withIndex("by_n", (q) => q.eq("n", n)).collect() });`;
  const before = { "rows.ts": IMPORTS + rows };

  test("fills a new index from the documents there are", async () => {
    const engine = await startEngine({ functions: project(before) });
    for (const n of [1, 2, 2]) await engine.run("mutation", "rows:add", { n });
    await engine.stop();
    const schema = `${IMPORTS} export default defineSchema({
      rows: defineTable({ n: v.number() }).index("by_n", ["n"]) });`;
    const functions = project({ "rows.ts": IMPORTS + rows + find, "schema.ts": schema });
    const again = await startEngine({ functions, folder: engine.folder });
    expect(await again.run("query", "rows:find", { n: 2 })).toHaveLength(2);
    await again.stop();
  });

  test("that a document does not match stops the start and names it", async () => {
    const engine = await startEngine({ functions: project(before) });
    const id = await engine.run("mutation", "rows:add", { n: "text" });
    await engine.stop();
    const schema = `${IMPORTS} export default defineSchema({ rows: defineTable({ n: v.number() }) });`;
    const functions = project({ ...before, "schema.ts": schema });
    const { code, text } = await refusal({ functions, folder: engine.folder });
    expect(code).toBe(2);
    expect(text).toContain(
      `Document with ID "${id}" in table "rows" does not match the schema: Value does not match validator.`,
    );
  });
});

describe("the start is refused in one line", () => {
  const lines = (text: string) => text.trim().split("\n");

  test("for a file that cannot be parsed, with its place", async () => {
    const functions = project({ "broken.ts": "export const a = 1;\nexport const b = (;\n" });
    const { code, text } = await refusal({ functions });
    expect(code).toBe(2);
    expect(lines(text)).toEqual(['convex: broken.ts:2:18: Unexpected ";"']);
  });

  test("for a module that throws, with its place", async () => {
    const functions = project({ "throws.ts": "const a = 1;\nthrow new Error(`no ${a}`);\n" });
    const { text } = await refusal({ functions });
    expect(lines(text)).toEqual(["convex: throws.ts:2:7: Error: no 1"]);
  });

  test("for an import that does not exist, with its place", async () => {
    const functions = project({ "a.ts": 'import "./nowhere.js";\n' });
    const { text } = await refusal({ functions });
    expect(lines(text)).toEqual(['convex: a.ts:1:7: Could not resolve "./nowhere.js"']);
  });

  test.each([
    ["convex.config.ts", "export default {};", /^convex: convex\.config\.ts: components are not/],
    ["mail.ts", '// Sends.\n"use node";\n', /^convex: mail\.ts: "use node" is not supported/],
    [
      "files.ts",
      `${IMPORTS}// ctx.storage.get(id) in a comment is nothing.
       export const url = query({ handler: (ctx, { id }) => ctx.storage.getUrl(id) });`,
      /^convex: files\.ts:6: file storage is not supported/,
    ],
    [
      "schema.ts",
      `${IMPORTS} export default defineSchema({ a: defineTable({ file: v.id("_storage") }) });`,
      /^convex: schema\.ts:5: file storage is not supported/,
    ],
    [
      "near.ts",
      `${IMPORTS} export const near = query({ handler: (ctx) => ctx.vectorSearch("a", "b", {}) });`,
      /^convex: near\.ts:5: vector search is not supported/,
    ],
    [
      "sign.ts",
      `${IMPORTS} export const sign = mutation({ handler: (ctx) => ctx.auth.signJwt({}) });`,
      /^convex: sign\.ts:5: auth\.signJwt is not supported/,
    ],
    [
      "stamp.ts",
      `${IMPORTS} export const stamp = mutation({
         handler: (ctx) => ctx.db.insert("rows", { at: ctx.db.vars.commitTs }) });`,
      /^convex: stamp\.ts:6: a commit timestamp \(db\.vars\.commitTs\) is not supported/,
    ],
    [
      "since.ts",
      `${IMPORTS} export const since = query({ args: { at: v.commitTs() }, handler: () => null });`,
      /^convex: since:since: a commit timestamp \(v\.commitTs\(\)\) is not supported/,
    ],
    [
      "schema.ts",
      `${IMPORTS} export default defineSchema({ rows: defineTable({ text: v.string() })
         .searchIndex("by_text", { searchField: "text", staged: true }) });`,
      /^convex: schema\.ts: table "rows" has a searchIndex "by_text", which this engine does not/,
    ],
    [
      "schema.ts",
      `${IMPORTS} export default defineSchema({ rows: defineTable({ n: v.number() })
         .index("by_id", ["n"]) });`,
      /^convex: schema\.ts: table "rows" cannot name an index "by_id", because the name is reserved/,
    ],
  ])("for a project that needs what the engine does not have: %s", async (file, code, expected) => {
    const { text } = await refusal({ functions: project({ [file]: code }) });
    expect(lines(text)).toEqual([expect.stringMatching(expected)]);
  });

  test("for a variable that auth.config.ts misses", async () => {
    const { CLERK_ISSUER: _, ...environment } = ENVIRONMENT;
    const { text } = await refusal({ environment });
    expect(lines(text)).toEqual([
      "convex: auth.config.ts: provider 1 has no issuer: set CLERK_ISSUER",
    ]);
  });

  test("without an admin key", async () => {
    const { CONVEX_ADMIN_KEY: _, ...environment } = ENVIRONMENT;
    const { text } = await refusal({ environment });
    expect(lines(text)).toEqual([expect.stringMatching(/^convex: CONVEX_ADMIN_KEY is not set/)]);
  });

  test("for a way of syncing that is none", async () => {
    const environment = { ...ENVIRONMENT, HARNESS_SQLITE_SYNCHRONOUS: "OFF" };
    const { code, text } = await refusal({ environment });
    expect(code).toBe(2);
    expect(lines(text)).toEqual(["convex: HARNESS_SQLITE_SYNCHRONOUS is OFF: give FULL or NORMAL"]);
  });

  test("for a port in use", async () => {
    const engine = await startEngine();
    const { text } = await refusal({ port: Number(new URL(engine.url).port) });
    await engine.stop();
    expect(lines(text).at(-1)).toMatch(/^convex: cannot listen on 127\.0\.0\.1:\d+ .*EADDRINUSE/);
  });

  test("for a folder that is not there", async () => {
    const { text } = await refusal({ functions: join(PROJECT, "nowhere") });
    expect(lines(text)).toEqual([expect.stringMatching(/^convex: there is no functions folder/)]);
  });
});
