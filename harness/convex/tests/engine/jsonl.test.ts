import { execFile } from "node:child_process";
import { appendFileSync, existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MAIN, type TestEngine, removeFolders, startEngine, temporaryFolder } from "./support.ts";

const run = promisify(execFile);

async function transfer(folder: string, option: "export" | "import", files: string) {
  const args = [MAIN, "--db", join(folder, "convex.db"), `--${option}`, files];
  return run(process.execPath, args).then(
    ({ stdout }) => ({ code: 0, text: stdout }),
    ({ code, stderr }: { code: number; stderr: string }) => ({ code, text: stderr }),
  );
}

const everything = async (engine: TestEngine) => ({
  kept: await engine.run("query", "notes:inRoom", { room: "kept" }),
  values: await engine.run("query", "values:inOrder"),
});

const documents = (files: string, table: string) =>
  readFileSync(join(files, table, "documents.jsonl"), "utf8");

describe("a database", () => {
  let source: TestEngine;
  let before: Awaited<ReturnType<typeof everything>>;
  let files: string;

  beforeAll(async () => {
    source = await startEngine();
    await source.run("mutation", "notes:addMany", { room: "kept", from: 0, count: 50 });
    const one = { $integer: "AQAAAAAAAAA=" };
    await source.run("mutation", "values:keep", { name: "bytes", value: { $bytes: "AAEC" } });
    await source.run("mutation", "values:keep", { name: "one", value: one });
    await source.run("mutation", "jobs:addLater", { name: "later", delayMs: 3_600_000 });
    before = await everything(source);
    await source.stop();
    files = join(temporaryFolder(), "exported");
  });
  afterAll(removeFolders);

  test("is exported whole, and the same when it is imported elsewhere", async () => {
    const exported = await transfer(source.folder, "export", files);
    expect(exported.text).toMatch(/^exported \d+ documents/);
    const folder = temporaryFolder();
    expect((await transfer(folder, "import", files)).code).toBe(0);
    const copy = await startEngine({ folder });
    expect(await everything(copy)).toEqual(before);
    const id = await copy.run("mutation", "notes:add", { room: "kept", rank: 99, text: "new" });
    expect((await everything(copy)).kept.at(-1)._id).toBe(id);
    await copy.stop();
    const again = join(temporaryFolder(), "again");
    await transfer(folder, "export", again);
    expect(documents(again, "values")).toBe(documents(files, "values"));
  });

  test("is not exported over a folder that is there", async () => {
    const { code, text } = await transfer(source.folder, "export", files);
    expect(code).toBe(2);
    expect(text).toMatch(/exported is there already: give another --export/);
  });

  test("in use is neither exported nor left half exported", async () => {
    const engine = await startEngine();
    const elsewhere = join(temporaryFolder(), "files");
    const { code, text } = await transfer(engine.folder, "export", elsewhere);
    expect(code).toBe(2);
    expect(text).toMatch(/is in use \(database is locked\)/);
    expect(existsSync(elsewhere)).toBe(false);
    await engine.stop();
  });

  test("takes nothing of an import with one wrong line", async () => {
    const folder = temporaryFolder();
    const broken = join(temporaryFolder(), "broken");
    await transfer(source.folder, "export", broken);
    appendFileSync(join(broken, "notes", "documents.jsonl"), '{"_id":"nothing"}\n');
    const { code, text } = await transfer(folder, "import", broken);
    expect(code).toBe(2);
    expect(text).toMatch(/notes\/documents\.jsonl:\d+: nothing is no id of this table/);
    const engine = await startEngine({ folder });
    expect((await everything(engine)).kept).toEqual([]);
    await engine.stop();
  });

  test("does not take a document twice", async () => {
    const folder = temporaryFolder();
    await transfer(folder, "import", files);
    const { code, text } = await transfer(folder, "import", files);
    expect(code).toBe(2);
    expect(text).toMatch(/UNIQUE constraint failed/);
  });

  test("is exported as lines with ids and creation times", () => {
    // What is scheduled is not among them: a copy must not do it again.
    expect(readdirSync(files).sort()).toEqual(["_tables", "notes", "rooms", "values"]);
    const [first] = documents(files, "notes").split("\n");
    expect(JSON.parse(first!)).toMatchObject({ _id: before.kept[0]._id, room: "kept", rank: 0 });
  });
});
