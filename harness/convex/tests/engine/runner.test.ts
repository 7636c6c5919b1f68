import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { Registry } from "../../engine/functions/registry.ts";
import { Runner } from "../../engine/functions/runner.ts";
import { Catalog } from "../../engine/storage/catalog.ts";
import { openSqlite, prepareStatements } from "../../engine/storage/database.ts";
import { Lane } from "../../engine/storage/lane.ts";
import { DocumentNumbers } from "../../engine/values/ids.ts";
import { removeFolders, temporaryFolder } from "./support.ts";

afterAll(removeFolders);

function newRunner() {
  const sqlite = openSqlite(join(temporaryFolder(), "runner.db"));
  const catalog = new Catalog(sqlite);
  const store = {
    catalog,
    statements: prepareStatements(sqlite),
    numbers: new DocumentNumbers(0),
  };
  const commits: number[] = [];
  const registry = {} as Registry; // only functions are looked up in it
  const runner = new Runner(store, new Lane(sqlite, null), registry, ({ writes }) =>
    commits.push(writes.length),
  );
  return { sqlite, runner, commits };
}

test("a table that an undone write made is made again by the next write of the commit", async () => {
  const { sqlite, runner } = newRunner();
  const undone = runner.transact((transaction) => {
    transaction.insert("fresh", { n: 1 }, Date.now());
    throw new Error("undone");
  });
  const kept = runner.transact((transaction) => transaction.insert("fresh", { n: 2 }, Date.now()));
  await expect(undone).rejects.toThrow("undone");
  await kept;
  expect(new Catalog(sqlite).find("fresh")).toBeDefined();
});

test("what was undone is told to nobody", async () => {
  const { runner, commits } = newRunner();
  await runner
    .transact((transaction) => {
      transaction.insert("fresh", { n: 1 }, Date.now());
      throw new Error("undone");
    })
    .catch(() => undefined);
  await runner.transact((transaction) => transaction.insert("fresh", { n: 2 }, Date.now()));
  // One entry by creation time, one by id.
  expect(commits).toEqual([2]);
});
