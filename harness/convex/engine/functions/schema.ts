import { StartError } from "../failures.ts";
import type { Validator } from "../values/validators.ts";

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

interface ExportedTable extends TableSchema {
  searchIndexes: { indexDescriptor: string }[];
  vectorIndexes: { indexDescriptor: string }[];
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
    const [kind, index] = table.searchIndexes.length
      ? ["searchIndex", table.searchIndexes[0]]
      : ["vectorIndex", table.vectorIndexes[0]];
    if (index) {
      throw new StartError(
        `schema.ts: table "${table.tableName}" has a ${kind} "${index.indexDescriptor}", ` +
          "which this engine does not support: use Convex Cloud or a self-hosted Convex",
      );
    }
  }
  return schema;
}
