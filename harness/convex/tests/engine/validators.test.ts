import { v } from "convex/values";
import { describe, expect, test } from "vitest";
import type { Json } from "../../engine/values/json.ts";
import { type Validator, validationError } from "../../engine/values/validators.ts";

const tables = (id: string) =>
  id.startsWith("n:") ? "notes" : id.startsWith("u:") ? "users" : null;

/** The official package keeps a validator's JSON form out of its types. */
function errorOf(validator: object, value: Json): string | null {
  return validationError((validator as { json: Validator }).json, value, tables);
}

const INTEGER = { $integer: "AQAAAAAAAAA=" };
const BYTES = { $bytes: "AAE=" };

describe("accepts", () => {
  test.each<[string, object, Json]>([
    ["any", v.any(), { a: [1] }],
    ["null", v.null(), null],
    ["a number", v.number(), 1.5],
    ["an infinite number", v.number(), { $float: "AAAAAAAA8H8=" }],
    ["an int64", v.int64(), INTEGER],
    ["bytes", v.bytes(), BYTES],
    ["a literal", v.literal("a"), "a"],
    ["an int64 literal", v.literal(1n), INTEGER],
    ["an id", v.id("notes"), "n:1"],
    ["an array", v.array(v.string()), ["a", "b"]],
    ["a member of a union", v.union(v.string(), v.null()), null],
    ["a record", v.record(v.string(), v.number()), { a: 1, b: 2 }],
    ["an absent optional field", v.object({ a: v.optional(v.string()) }), {}],
  ])("%s", (_, validator, value) => expect(errorOf(validator, value)).toBeNull());
});

describe("refuses, in Convex's words,", () => {
  test("a value of another type", () => {
    expect(errorOf(v.object({ a: v.array(v.string()) }), { a: ["x", 1] })).toBe(
      "Value does not match validator.\nPath: .a[1]\nValue: 1.0\nValidator: v.string()",
    );
  });

  test("a missing field", () => {
    expect(errorOf(v.object({ a: v.string(), b: v.number() }), { b: 1 })).toBe(
      "Object is missing the required field `a`. Consider wrapping the field validator in " +
        "`v.optional(...)` if this is expected.\n\nObject: {b: 1.0}\n" +
        "Validator: v.object({a: v.string(), b: v.float64()})",
    );
  });

  test("an extra field", () => {
    expect(errorOf(v.object({}), { a: "x" })).toBe(
      "Object contains extra field `a` that is not in the validator.\n\n" +
        'Object: {a: "x"}\nValidator: v.object({})',
    );
  });

  test("an id of another table", () => {
    expect(errorOf(v.id("notes"), "u:1")).toBe(
      'Found ID "u:1" from table `users`, which does not match the table name in validator `v.id("notes")`.',
    );
  });

  test("text that is no id", () => {
    expect(errorOf(v.id("notes"), "nonsense")).toBe(
      'Value does not match validator.\n\nValue: "nonsense"\nValidator: v.id("notes")',
    );
  });

  test("another literal", () => {
    expect(errorOf(v.literal("a"), "b")).toBe(
      '`"b"` does not match literal validator `v.literal("a")`.',
    );
  });

  test("an int64 where a number is wanted", () => {
    expect(errorOf(v.number(), INTEGER)).toContain("Value: 1n\nValidator: v.float64()");
  });

  test("a record's key", () => {
    expect(errorOf(v.record(v.id("notes"), v.number()), { "u:1": 1 })).toContain(
      "from table `users`",
    );
  });

  test("several problems at once, listing each", () => {
    const error = errorOf(v.object({ a: v.string(), b: v.object({ c: v.number() }) }), {
      b: { c: "x" },
      d: true,
    });
    expect(error?.split("\n").slice(0, 4)).toEqual([
      "Object has multiple validation errors:",
      "- missing required field `a`",
      '- `"x"` does not match validator `v.float64()` Path: .b.c',
      "- extra field `d` that is not in the validator",
    ]);
  });
});
