import { expect, test } from "vitest";
import { type Recorded, violationOf } from "./violations.ts";

/** What is no history of transactions run one after another is found to be none. */

type Versions = Record<number, string | null>;

function transaction(
  name: string,
  [began, ended]: [number, number],
  seen: Versions,
  wrote: Record<number, string> = {},
): Recorded {
  const byKey = <T>(versions: Record<number, T>) =>
    new Map(Object.entries(versions).map(([key, version]) => [Number(key), version]));
  return { name, began, ended, seen: byKey(seen), wrote: byKey(wrote), after: null };
}

test("one after another is in order, however they overlap", () => {
  const history = [
    transaction("write", [0, 10], { 1: null, 2: null }, { 1: "a", 2: "b" }),
    transaction("before", [1, 9], { 1: null, 2: null }),
    transaction("after", [1, 9], { 1: "a", 2: "b" }),
    transaction("again", [11, 12], { 1: "a" }, { 1: "c" }),
  ];
  expect(violationOf(history)).toBeNull();
});

test.each<[string, Recorded[], RegExp]>([
  [
    "a lost update",
    [
      transaction("one", [0, 9], { 1: null }, { 1: "a" }),
      transaction("two", [0, 9], { 1: null }, { 1: "b" }),
    ],
    /^one and two both wrote 1 after nothing$/,
  ],
  [
    "what was undone, or is not whole yet",
    [transaction("reader", [0, 9], { 1: "half" })],
    /^reader saw half, which nobody committed$/,
  ],
  [
    "a part of a transaction",
    [
      transaction("writer", [0, 9], { 1: null, 2: null }, { 1: "a", 2: "b" }),
      transaction("reader", [0, 9], { 1: "a", 2: null }),
    ],
    /^no order fits: writer before reader before writer$/,
  ],
  [
    "write skew",
    [
      transaction("one", [0, 9], { 1: null, 2: null }, { 1: "a" }),
      transaction("two", [0, 9], { 1: null, 2: null }, { 2: "b" }),
    ],
    /^no order fits: one before two before one$/,
  ],
  [
    "the past",
    [
      transaction("writer", [0, 1], { 1: null }, { 1: "a" }),
      transaction("reader", [2, 3], { 1: null }),
    ],
    /^no order fits: writer before reader before writer$/,
  ],
])("%s is found", (_, history, expected) => {
  expect(violationOf(history)).toMatch(expected);
});

test("a reader who is told of an earlier state after a later one is found", () => {
  const writer = transaction("writer", [0, 9], { 1: null }, { 1: "a" });
  const later = transaction("later", [0, 9], { 1: "a" });
  const earlier = { ...transaction("earlier", [0, 9], { 1: null }), after: later };
  expect(violationOf([writer, later, earlier])).toMatch(/^no order fits: /);
});
