import { StartError } from "../failures.ts";
import type { Validator } from "../values/validators.ts";
import { refuseMissingValidators } from "./unsupported.ts";

/** What `schema.ts` exports, as the official package writes it. */

export interface TableSchema {
  tableName: string;
  indexes: { indexDescriptor: string; fields: string[] }[];
  documentType: Validator | null;
}

export interface ProjectSchema {
  tables: TableSchema[];
  schemaValidation: boolean;
}

type Named = { indexDescriptor: string }[];

/** Indexes and validators that are staged are not in use yet, on Convex neither. */
interface ExportedTable extends TableSchema {
  searchIndexes: Named;
  stagedSearchIndexes: Named;
  vectorIndexes: Named;
  stagedVectorIndexes: Named;
}

/** @see https://docs.convex.dev/production/state/limits */
const MAX_INDEXES = 32;
const MAX_INDEX_FIELDS = 16;

function refuseSearch(table: ExportedTable): void {
  for (const [kind, indexes] of [
    ["searchIndex", [...table.searchIndexes, ...table.stagedSearchIndexes]],
    ["vectorIndex", [...table.vectorIndexes, ...table.stagedVectorIndexes]],
  ] as const) {
    if (!indexes.length) continue;
    throw new StartError(
      `schema.ts: table "${table.tableName}" has a ${kind} "${indexes[0]!.indexDescriptor}", ` +
        "which this engine does not support: use Convex Cloud or a self-hosted Convex",
    );
  }
}

function checkIndexes({ tableName, indexes }: ExportedTable): void {
  const refuse = (what: string): never => {
    throw new StartError(`schema.ts: table "${tableName}" ${what}`);
  };
  if (indexes.length > MAX_INDEXES) {
    refuse(`has ${indexes.length} indexes: Convex takes ${MAX_INDEXES}`);
  }
  const names = new Set<string>();
  for (const { indexDescriptor: name, fields } of indexes) {
    if (name === "by_id" || name === "by_creation_time" || name.startsWith("_")) {
      refuse(`cannot name an index "${name}", because the name is reserved`);
    }
    if (names.has(name)) refuse(`has two indexes named "${name}"`);
    names.add(name);
    if (fields.length > MAX_INDEX_FIELDS) {
      refuse(`has ${fields.length} fields in index "${name}": Convex takes ${MAX_INDEX_FIELDS}`);
    }
  }
}

/** Reads the default export of a project's `schema.ts`; a project may have none.
 *  @throws StartError for what the engine does not have.
 */
export function readSchema(exported: unknown): ProjectSchema {
  if (exported === undefined) return { tables: [], schemaValidation: false };
  const definition = exported as { export?: () => string };
  if (typeof definition.export !== "function") {
    throw new StartError("schema.ts: its default export is not made by defineSchema()");
  }
  const schema = JSON.parse(definition.export()) as {
    tables: ExportedTable[];
    schemaValidation: boolean;
  };
  for (const table of schema.tables) {
    refuseSearch(table);
    checkIndexes(table);
    refuseMissingValidators(`schema.ts: table "${table.tableName}"`, table.documentType);
  }
  return schema;
}
