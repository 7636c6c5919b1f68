import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { plainJson, withFloats } from "../../engine/server/output.ts";

describe("numbers as floats", () => {
  test.each([
    ["1", "1.0"],
    ["-7", "-7.0"],
    ["1.5", "1.5"],
    ["1e+21", "1e+21"],
    ['{"a":[1,2.5],"b1":3}', '{"a":[1.0,2.5],"b1":3.0}'],
    ['"12 and 3"', '"12 and 3"'],
    ['["\\"1\\\\",2]', '["\\"1\\\\",2.0]'],
  ])("%s becomes %s", (json, expected) => expect(withFloats(json)).toBe(expected));

  test("the values stay the same", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const json = JSON.stringify(value);
        expect(JSON.parse(withFloats(json))).toEqual(JSON.parse(json));
      }),
    );
  });
});

test("plain JSON has integers and bytes as text", () => {
  const encoded = {
    n: { $integer: "AQAAAAAAAAA=" },
    b: [{ $bytes: "AAE=" }],
    f: { $float: "AAAAAAAA8H8=" },
  };
  expect(plainJson(encoded)).toEqual({ n: "1", b: ["AAE="], f: "Infinity" });
});
