import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  DocumentNumbers,
  FIRST_TABLE,
  creationTimeOf,
  newId,
  numberSuffix,
  parseId,
} from "../../engine/values/ids.ts";

const parts = fc.record({
  table: fc.integer({ min: 0, max: 65_535 }),
  document: fc.maxSafeNat(),
});

describe("an id", () => {
  test("gives back its table and document", () => {
    fc.assert(
      fc.property(parts, (made) => {
        expect(parseId(newId(made))).toEqual(made);
      }),
    );
  });

  test("has 32 characters of its alphabet", () => {
    const made = { table: FIRST_TABLE, document: 1 };
    expect(newId(made)).toMatch(/^[0-9a-hjkmnp-tv-z]{32}$/);
  });

  test("differs from another one of the same document number", () => {
    const made = { table: FIRST_TABLE, document: 1 };
    expect(newId(made)).not.toBe(newId(made));
  });

  test("is refused with two neighbouring characters exchanged", () => {
    const refused = Array.from({ length: 500 }, (_, document) => {
      const id = newId({ table: FIRST_TABLE, document });
      return (
        parseId(id.slice(0, 20) + id[21] + id[20] + id.slice(22)) === null || id[20] === id[21]
      );
    });
    expect(refused.every(Boolean)).toBe(true);
  });

  test.each([null, 7, "", "short", "ü".repeat(32), "u".repeat(32), "A".repeat(32)])(
    "is not %j",
    (text) => expect(parseId(text)).toBeNull(),
  );
});

describe("document numbers", () => {
  test("grow when the clock stands still or goes back", () => {
    const numbers = new DocumentNumbers(0);
    const given = [1000, 1000, 1000, 10].map((now) => numbers.next(now));
    expect(given).toEqual([...given].sort((a, b) => a - b));
    expect(new Set(given).size).toBe(4);
  });

  test("go on after the last one on disk", () => {
    expect(new DocumentNumbers(2048 * 5000).next(10)).toBe(2048 * 5000 + 1);
  });

  test("give creation times in milliseconds, exact and unique", () => {
    const now = 1_795_459_587_366;
    const numbers = new DocumentNumbers(0);
    const [first, second] = [numbers.next(now), numbers.next(now)].map(creationTimeOf);
    expect(first).toBe(now);
    expect(second).toBeGreaterThan(first!);
  });

  test("end keys in their own order", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (a, b) => {
        expect(Buffer.compare(numberSuffix(a), numberSuffix(b))).toBe(Math.sign(a - b));
      }),
    );
  });
});
