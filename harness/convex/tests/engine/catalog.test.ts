import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import type { ProjectSchema } from "../../engine/functions/schema.ts";
import { Catalog } from "../../engine/storage/catalog.ts";
import { openSqlite, prepareStatements } from "../../engine/storage/database.ts";
import { Transaction } from "../../engine/storage/transaction.ts";
import { DocumentNumbers } from "../../engine/values/ids.ts";
import type { Fields } from "../../engine/values/json.ts";
import { removeFolders, temporaryFolder } from "./support.ts";

/** One database under schemas that come and go. */

let catalog: Catalog;
let insert: (row: Fields) => string;

beforeEach(() => {
  const sqlite = openSqlite(join(temporaryFolder(), "catalog.db"));
  catalog = new Catalog(sqlite);
  const statements = prepareStatements(sqlite);
  const store = { catalog, statements, numbers: new DocumentNumbers(0) };
  insert = (row) => new Transaction(store, { writable: true }).insert("rows", row, Date.now());
});
afterAll(removeFolders);

const numbered: ProjectSchema = {
  tables: [
    {
      tableName: "rows",
      indexes: [{ indexDescriptor: "by_n", fields: ["n"] }],
      documentType: {
        type: "object",
        value: { n: { fieldType: { type: "number" }, optional: false } },
      },
    },
  ],
  schemaValidation: true,
};

test.each<[string, ProjectSchema]>([
  ["a schema without the table", { tables: [], schemaValidation: true }],
  ["a schema that is not enforced", { ...numbered, schemaValidation: false }],
])("what came under %s is checked when the old one is back", (_, between) => {
  catalog.apply(numbered);
  expect(() => insert({ n: "text" })).toThrow("does not match the schema");
  catalog.apply(between);
  const id = insert({ n: "text" });
  expect(() => catalog.apply(numbered)).toThrow(
    `Document with ID "${id}" in table "rows" does not match the schema`,
  );
});

test("a table that the schema names no more keeps its documents, and no index of its own", () => {
  catalog.apply(numbered);
  insert({ n: 1 });
  catalog.apply({ tables: [], schemaValidation: true });
  const table = catalog.find("rows")!;
  expect([...table.indexes.keys()]).toEqual(["by_creation_time"]);
  expect([...catalog.texts(table)]).toHaveLength(1);
});
