import { UserError } from "../failures.ts";
import { type Json, present } from "../values/json.ts";
import { above, after, encodeKey } from "../values/keys.ts";
import { BY_CREATION, type Catalog, type Index, type Table, keyOfId } from "./catalog.ts";
import type { Filter } from "./filters.ts";

/** The range of one index that a query asks for. */

export interface RangeExpression {
  type: "Eq" | "Gt" | "Gte" | "Lt" | "Lte";
  fieldPath: string;
  value: Json;
}

export interface SerializedQuery {
  source:
    | { type: "FullTableScan"; tableName: string; order: "asc" | "desc" | null }
    | {
        type: "IndexRange";
        indexName: string;
        range: RangeExpression[];
        order: "asc" | "desc" | null;
      }
    | { type: "Search"; indexName: string };
  operators: ({ filter: Filter } | { limit: number })[];
}

/** An interval of one index's keys, and the direction to walk it. */
export interface IndexRange {
  index: Index;
  low: Buffer;
  /** Exclusive. */
  high: Buffer;
  descending: boolean;
}

const EVERYTHING = { low: Buffer.alloc(0), high: Buffer.of(0xff) };

function describe(range: RangeExpression[]): string {
  const operator = { Eq: "==", Gt: ">", Gte: ">=", Lt: "<", Lte: "<=" };
  return range.map((part) => `${part.fieldPath} ${operator[part.type]} …`).join(", ");
}

function bounds(
  name: string,
  index: Index,
  range: RangeExpression[],
): { low: Buffer; high: Buffer } {
  const equal: (Json | undefined)[] = [];
  let lower: RangeExpression | null = null;
  let upper: RangeExpression | null = null;
  const refuse = (why: string): never => {
    throw new UserError(
      `Tried to query index ${name} but the query ${why}.\nInvalid index range: [${describe(range)}]\n` +
        `Fields of the index: [${index.fields.join(", ")}]`,
    );
  };
  for (const part of range) {
    if (part.fieldPath !== index.fields[equal.length]) {
      refuse("didn't use the index fields in order");
    }
    if (part.type === "Eq") {
      if (lower || upper) refuse("has an equality after a bound");
      equal.push(present(part.value));
    } else if (part.type === "Gt" || part.type === "Gte") {
      if (lower) refuse("has more than one lower bound");
      lower = part;
    } else {
      if (upper) refuse("has more than one upper bound");
      upper = part;
    }
  }
  const prefix = encodeKey(equal);
  const end = (part: RangeExpression) => encodeKey([...equal, present(part.value)]);
  return {
    low: !lower ? prefix : lower.type === "Gt" ? above(end(lower)) : end(lower),
    high: !upper ? above(prefix) : upper.type === "Lte" ? above(end(upper)) : end(upper),
  };
}

/** The system index on `_id`. Ids of a table grow with the number of their document, and so with its
 *  creation time: the index by that has the same order, and a key of it for every id.
 */
function boundsById(catalog: Catalog, table: Table, range: RangeExpression[]) {
  let { low, high }: { low: Buffer; high: Buffer } = EVERYTHING;
  for (const { type, fieldPath, value } of range) {
    if (fieldPath !== "_id") {
      throw new UserError(`Tried to query index ${table.name}.by_id by ${fieldPath}: use "_id".`);
    }
    const id = catalog.ofId(value);
    if (id?.table !== table) {
      if (type === "Eq") return { low: EVERYTHING.low, high: EVERYTHING.low };
      throw new UserError(
        `Tried to query index ${table.name}.by_id with ${JSON.stringify(value)}, ` +
          "which is no ID of this table.",
      );
    }
    const key = keyOfId(id.document);
    const [from, to] = [type === "Gt" ? after(key) : key, type === "Lt" ? key : after(key)];
    if (type !== "Lt" && type !== "Lte" && Buffer.compare(from, low) > 0) low = from;
    if (type !== "Gt" && type !== "Gte" && Buffer.compare(to, high) < 0) high = to;
  }
  return { low, high };
}

/** A table nobody has written to yet is known from now on, so that who found it empty can be
 *  told of its first document. */
function tableNamed(catalog: Catalog, name: string): Table {
  return catalog.find(name) ?? catalog.create(name);
}

/** Finds the range of a query.
 *
 *  @throws UserError for an unknown index or a range that is none.
 */
export function rangeOf(catalog: Catalog, query: SerializedQuery): IndexRange {
  const { source } = query;
  if (source.type === "Search") {
    throw new UserError(`Search index ${source.indexName} is not supported by this engine.`);
  }
  const descending = source.order === "desc";
  if (source.type === "FullTableScan") {
    const index = tableNamed(catalog, source.tableName).indexes.get(BY_CREATION)!;
    return { index, ...EVERYTHING, descending };
  }
  const [tableName, indexName] = source.indexName.split(".") as [string, string];
  const table = tableNamed(catalog, tableName);
  if (indexName === "by_id") {
    const index = table.indexes.get(BY_CREATION)!;
    return { index, ...boundsById(catalog, table, source.range), descending };
  }
  const index = table.indexes.get(indexName);
  if (!index) throw new UserError(`Index ${source.indexName} not found.`);
  return { index, ...bounds(source.indexName, index, source.range), descending };
}
