import { expect, test } from "vitest";
import { type Filter, passes } from "../../engine/storage/filters.ts";

const DOCUMENT = { n: 7, big: { $integer: "AgAAAAAAAAA=" }, text: "a", nested: { on: true } };
const field = (path: string): Filter => ({ $field: path });
const literal = (value: Filter): Filter => ({ $literal: value });
const big = (encoded: string): Filter => literal({ $integer: encoded });

test.each<[string, Filter, Filter]>([
  ["n + 1", { $add: [field("n"), literal(1)] }, literal(8)],
  ["n - 1", { $sub: [field("n"), literal(1)] }, literal(6)],
  ["n * 2", { $mul: [field("n"), literal(2)] }, literal(14)],
  ["n / 2", { $div: [field("n"), literal(2)] }, literal(3.5)],
  ["n % 4", { $mod: [field("n"), literal(4)] }, literal(3)],
  ["-n", { $neg: field("n") }, literal(-7)],
  ["2n + 2n", { $add: [field("big"), field("big")] }, big("BAAAAAAAAAA=")],
  ["-2n", { $neg: field("big") }, big("/v////////8=")],
])("%s is calculated as Convex does", (_, expression, expected) => {
  expect(passes({ $eq: [expression, expected] }, DOCUMENT)).toBe(true);
});

test("a field that is missing is below every value, and equal to undefined", () => {
  expect(passes({ $lt: [field("none"), literal(null)] }, DOCUMENT)).toBe(true);
  expect(passes({ $eq: [field("none"), literal({ $undefined: null })] }, DOCUMENT)).toBe(true);
});

test.each<[string, Filter, string]>([
  ["a missing field", field("none"), "Cannot use value undefined (type undefined) as a Boolean"],
  ["text", field("text"), 'Cannot use value "a" (type String) as a Boolean'],
  ["a part that is no boolean", { $and: [field("n")] }, "Cannot use value 7.0 (type Float64)"],
  ["numbers of two types", { $add: [field("n"), field("big")] }, "needs two numbers of one type"],
])("%s is no condition", (_, filter, message) => {
  expect(() => passes(filter, DOCUMENT)).toThrow(message);
});
