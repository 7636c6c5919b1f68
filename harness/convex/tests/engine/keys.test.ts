import { compareValues as officialCompare, convexToJson, type Value } from "convex/values";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Json } from "../../engine/values/json.ts";
import { above, after, compareValues, encodeKey } from "../../engine/values/keys.ts";

/** Any Convex value, with the awkward ones often. */
const leaf: fc.Arbitrary<Value> = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.double({ noNaN: true }),
  fc.constantFrom(0, -0, Infinity, -Infinity, NaN, Number.MIN_VALUE),
  fc.string({ unit: "grapheme" }),
  fc.constantFrom("", "\0", "\0\0", "a\0", "a", "a\0b", "ab", "\u{1F600}", "\uFFFD"),
  fc.uint8Array().map((bytes) => bytes.slice().buffer),
);
const name = fc.stringMatching(/^[a-z]{1,3}$/);
const value: fc.Arbitrary<Value> = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    leaf,
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(name, tie("value"), { maxKeys: 3, noNullPrototype: true }),
  ),
})).value;

const key = (...values: (Value | undefined)[]) =>
  encodeKey(values.map((item) => (item === undefined ? undefined : convexToJson(item))));

describe("the encoding of keys", () => {
  test("orders any two values as the official package does", () => {
    fc.assert(
      fc.property(value, value, (left, right) => {
        expect(Math.sign(Buffer.compare(key(left), key(right)))).toBe(
          Math.sign(officialCompare(left, right)),
        );
      }),
      { numRuns: 2000 },
    );
  });

  test("puts an absent field before everything", () => {
    fc.assert(
      fc.property(value, (present) => {
        expect(Buffer.compare(key(undefined), key(present))).toBe(-1);
      }),
    );
  });

  test("orders tuples by their first difference", () => {
    fc.assert(
      fc.property(value, value, value, value, (a, b, c, d) => {
        const expected = officialCompare(a, c) || officialCompare(b, d);
        expect(Math.sign(Buffer.compare(key(a, b), key(c, d)))).toBe(Math.sign(expected));
      }),
      { numRuns: 1000 },
    );
  });

  test("keeps every longer tuple of a prefix between the prefix and what is above it", () => {
    fc.assert(
      fc.property(value, value, (first, second) => {
        const prefix = key(first);
        const longer = key(first, second);
        expect(Buffer.compare(prefix, longer)).toBe(-1);
        expect(Buffer.compare(longer, above(prefix))).toBe(-1);
      }),
    );
  });

  test("keeps other values out of a prefix's interval", () => {
    fc.assert(
      fc.property(value, value, value, (first, other, second) => {
        fc.pre(officialCompare(first, other) !== 0);
        const prefix = key(first);
        const stranger = key(other, second);
        const inside =
          Buffer.compare(stranger, prefix) >= 0 && Buffer.compare(stranger, above(prefix)) < 0;
        expect(inside).toBe(false);
      }),
      { numRuns: 1000 },
    );
  });

  test("has nothing between a key and the one after it", () => {
    const one = encodeKey(["a"]);
    expect(after(one)).toEqual(Buffer.concat([one, Buffer.of(0)]));
  });

  test("grows its buffer for a long string", () => {
    const long = "ä".repeat(100_000);
    expect(encodeKey([long]).length).toBe(1 + 200_000 + 1);
  });
});

test("values compare alike by key and in place", () => {
  fc.assert(
    fc.property(value, value, (left, right) => {
      const encoded = (item: Value): Json => convexToJson(item);
      expect(Math.sign(compareValues(encoded(left), encoded(right)))).toBe(
        Math.sign(officialCompare(left, right)),
      );
    }),
  );
});
