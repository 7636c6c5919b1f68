/** Convex values in their JSON encoding, the only form in which the engine handles them.
 *
 *  `bigint`, bytes and the floats that JSON lacks are objects with one `$` key, as the
 *  official clients encode them. Functions decode them on their own side.
 */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type Fields = { [key: string]: Json };

export type Kind =
  "undefined" | "null" | "int64" | "float64" | "boolean" | "string" | "bytes" | "array" | "object";

/** What a value is. `undefined` stands for an absent field. */
export function kindOf(value: Json | undefined): Kind {
  switch (typeof value) {
    case "undefined":
      return "undefined";
    case "number":
      return "float64";
    case "boolean":
      return "boolean";
    case "string":
      return "string";
  }
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return encodedKind(value as Fields) ?? "object";
}

function encodedKind(value: Fields): Kind | null {
  for (const key in value) {
    if (key.charCodeAt(0) !== DOLLAR) return null;
    if (key === "$integer") return "int64";
    if (key === "$float") return "float64";
    if (key === "$bytes") return "bytes";
    if (key === "$undefined") return "undefined";
    return null;
  }
  return null;
}

const DOLLAR = 36;

export const UNDEFINED: Fields = { $undefined: null };

/** The value that an expression or a patch carries; a field to be removed is undefined. */
export function present(value: Json | undefined): Json | undefined {
  return kindOf(value) === "undefined" ? undefined : value;
}

/** Decodes a value of kind `int64`. */
export function int64Of(value: Json): bigint {
  return Buffer.from((value as { $integer: string }).$integer, "base64").readBigInt64LE();
}

export function int64ToJson(value: bigint): Json {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(value);
  return { $integer: bytes.toString("base64") };
}

/** Decodes a value of kind `float64`. */
export function float64Of(value: Json): number {
  if (typeof value === "number") return value;
  return Buffer.from((value as { $float: string }).$float, "base64").readDoubleLE();
}

export function float64ToJson(value: number): Json {
  if (Number.isFinite(value) && !Object.is(value, -0)) return value;
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return { $float: bytes.toString("base64") };
}

/** Decodes a value of kind `bytes`. */
export function bytesOf(value: Json): Buffer {
  return Buffer.from((value as { $bytes: string }).$bytes, "base64");
}

/** The value at a dotted path of a document, or undefined. */
export function fieldAt(document: Fields, path: string): Json | undefined {
  if (!path.includes(".")) return Object.hasOwn(document, path) ? document[path] : undefined;
  let value: Json | undefined = document;
  for (const name of path.split(".")) {
    if (kindOf(value) !== "object" || !Object.hasOwn(value as Fields, name)) return undefined;
    value = (value as Fields)[name];
  }
  return value;
}
