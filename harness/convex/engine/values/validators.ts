import { displayValue } from "./display.ts";
import { type Fields, type Json, kindOf } from "./json.ts";
import { compareValues } from "./keys.ts";

/** Validation of arguments, results and documents, with Convex's messages. */

export type Validator =
  | { type: "any" | "null" | "number" | "bigint" | "boolean" | "string" | "bytes" | "commitTs" }
  | { type: "literal"; value: Json }
  | { type: "id"; tableName: string }
  | { type: "array"; value: Validator }
  | { type: "union"; value: Validator[] }
  | { type: "record"; keys: Validator; values: { fieldType: Validator } }
  | { type: "object"; value: { [field: string]: FieldValidator } };

export interface FieldValidator {
  fieldType: Validator;
  optional: boolean;
}

/** The table an id belongs to, or null for text that is no id of a known table. */
export type TableOfId = (id: string) => string | null;

interface Problem {
  path: string;
  /** The problem alone, as an item of a list of several. */
  short: string;
  /** The whole message; what is between is the path. */
  full: [string, string];
}

const PRIMITIVES: Record<string, string> = {
  null: "null",
  number: "float64",
  bigint: "int64",
  boolean: "boolean",
  string: "string",
  bytes: "bytes",
  commitTs: "int64",
};

export function displayValidator(validator: Validator): string {
  switch (validator.type) {
    case "literal":
      return `v.literal(${displayValue(validator.value)})`;
    case "id":
      return `v.id("${validator.tableName}")`;
    case "array":
      return `v.array(${displayValidator(validator.value)})`;
    case "union":
      return `v.union(${validator.value.map(displayValidator).join(", ")})`;
    case "record":
      return `v.record(${displayValidator(validator.keys)}, ${displayValidator(validator.values.fieldType)})`;
    case "object":
      return `v.object({${Object.entries(validator.value)
        .sort(([left], [right]) => (left < right ? -1 : 1))
        .map(([name, field]) => `${name}: ${displayField(field)}`)
        .join(", ")}})`;
    default:
      return `v.${PRIMITIVES[validator.type] ?? validator.type}()`;
  }
}

function displayField(field: FieldValidator): string {
  const inner = displayValidator(field.fieldType);
  return field.optional ? `v.optional(${inner})` : inner;
}

function noMatch(validator: Validator, value: Json, path: string): Problem {
  const [shownValue, shownValidator] = [displayValue(value), displayValidator(validator)];
  return {
    path,
    short: `\`${shownValue}\` does not match validator \`${shownValidator}\``,
    full: [
      "Value does not match validator.\n",
      `Value: ${shownValue}\nValidator: ${shownValidator}`,
    ],
  };
}

function sentence(text: string, path: string): Problem {
  return { path, short: text, full: [text, ""] };
}

function checkId(
  validator: { type: "id"; tableName: string },
  value: Json,
  path: string,
  tables: TableOfId,
): Problem | null {
  const table = typeof value === "string" ? tables(value) : null;
  if (table === validator.tableName) return null;
  if (table === null) return noMatch(validator, value, path);
  const found = table.startsWith("_") ? "a system table" : `table \`${table}\``;
  return sentence(
    `Found ID "${value as string}" from ${found}, ` +
      `which does not match the table name in validator \`${displayValidator(validator)}\`.`,
    path,
  );
}

function severalProblems(problems: Problem[], shown: string, path: string): Problem {
  const items = problems.map(
    (problem) => `- ${problem.short}${problem.path ? ` Path: ${problem.path}` : ""}`,
  );
  return {
    path,
    short: items.join("\n"),
    full: [`Object has multiple validation errors:\n${items.join("\n")}\n${shown}`, ""],
  };
}

function checkObject(
  validator: { type: "object"; value: { [field: string]: FieldValidator } },
  value: Fields,
  path: string,
  tables: TableOfId,
): Problem | null {
  let problems: Problem[] | null = null;
  const add = (problem: Problem) => (problems ??= []).push(problem);
  const shown = () => `Object: ${displayValue(value)}\nValidator: ${displayValidator(validator)}`;
  for (const name in validator.value) {
    const field = validator.value[name]!;
    const item = value[name];
    if (item !== undefined) {
      const problem = check(field.fieldType, item, `${path}.${name}`, tables);
      if (problem) add(problem);
    } else if (!field.optional) {
      const text =
        `Object is missing the required field \`${name}\`. ` +
        "Consider wrapping the field validator in `v.optional(...)` if this is expected.\n";
      add({ path, short: `missing required field \`${name}\``, full: [text, shown()] });
    }
  }
  for (const name in value) {
    if (Object.hasOwn(validator.value, name)) continue;
    const text = `Object contains extra field \`${name}\` that is not in the validator.\n`;
    const short = `extra field \`${name}\` that is not in the validator`;
    add({ path, short, full: [text, shown()] });
  }
  if (!problems) return null;
  const found = problems as Problem[];
  return found.length === 1 ? found[0]! : severalProblems(found, shown(), path);
}

function checkRecord(
  validator: { type: "record"; keys: Validator; values: { fieldType: Validator } },
  value: Fields,
  path: string,
  tables: TableOfId,
): Problem | null {
  for (const [name, item] of Object.entries(value)) {
    const problem =
      check(validator.keys, name, path, tables) ??
      check(validator.values.fieldType, item, `${path}.${name}`, tables);
    if (problem) return problem;
  }
  return null;
}

function check(validator: Validator, value: Json, path: string, tables: TableOfId): Problem | null {
  switch (validator.type) {
    case "any":
      return null;
    case "id":
      return checkId(validator, value, path, tables);
    case "literal":
      return compareValues(validator.value, value) === 0
        ? null
        : sentence(
            `\`${displayValue(value)}\` does not match literal validator \`${displayValidator(validator)}\`.`,
            path,
          );
    case "array":
      if (!Array.isArray(value)) return noMatch(validator, value, path);
      for (let i = 0; i < value.length; i++) {
        const problem = check(validator.value, value[i]!, `${path}[${i}]`, tables);
        if (problem) return problem;
      }
      return null;
    case "union":
      for (const member of validator.value) if (!check(member, value, path, tables)) return null;
      return noMatch(validator, value, path);
    case "object":
      if (kindOf(value) !== "object") return noMatch(validator, value, path);
      return checkObject(validator, value as Fields, path, tables);
    case "record":
      if (kindOf(value) !== "object") return noMatch(validator, value, path);
      return checkRecord(validator, value as Fields, path, tables);
    default:
      return kindOf(value) === PRIMITIVES[validator.type] ? null : noMatch(validator, value, path);
  }
}

/** Says what of a value a validator refuses, in Convex's words, or null if nothing. */
export function validationError(
  validator: Validator,
  value: Json,
  tables: TableOfId,
): string | null {
  const problem = check(validator, value, "", tables);
  if (!problem) return null;
  const [head, tail] = problem.full;
  const path = problem.path ? `Path: ${problem.path}` : "";
  if (!tail) return path ? `${head}\n${path}` : head;
  return `${head}${path}\n${tail}`;
}
