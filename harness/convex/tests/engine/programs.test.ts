import { type Value, compareValues, convexToJson, jsonToConvex } from "convex/values";
import fc from "fast-check";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type Answer,
  type Bound,
  type Field,
  type Fields,
  type Filter,
  INDEXES,
  type Ids,
  type Program,
  type Question,
  type Step,
} from "./fixtures/model/programs.ts";
import { type TestEngine, removeFolders, startEngine } from "./support.ts";

/** Random mutations and queries of real functions, through a real engine and on a plain list. */

const FUNCTIONS = join(import.meta.dirname, "fixtures", "model");

let engine: TestEngine;
let scopes = 0;

beforeAll(async () => {
  engine = await startEngine({ functions: FUNCTIONS });
});
afterAll(async () => {
  await engine.stop();
  removeFolders();
});

/** Every type, and values that are easily mistaken for one another. */
const value = fc.constantFrom<Value>(
  ...[null, -(2n ** 63n), 0n, 5n, -Infinity, -1.5, -0, 0, 1, NaN, false, true],
  ...["", "a", "a\0", "b", new ArrayBuffer(0), Uint8Array.of(0, 255).buffer],
  ...[[], [null], [1, "a"], {}, { x: 1 }, { x: [true] }, { x: "a", y: 5n }],
);
const field: fc.Arbitrary<Field> = fc.oneof(
  { weight: 5, arbitrary: value.map((some): Field => [some]) },
  { weight: 1, arbitrary: fc.constant(null) },
);
const fields: fc.Arbitrary<Fields> = fc.record({ a: field, b: field });
const bound: fc.Arbitrary<Bound> = fc.record({ inclusive: fc.boolean(), value: field });

const filter = fc.letrec<{ filter: Filter }>((tie) => ({
  filter: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.record({
      op: fc.constantFrom("eq", "neq", "lt", "lte", "gt", "gte"),
      field: fc.constantFrom("a", "b", "b.x"),
      value: field,
    }),
    fc.record({
      op: fc.constantFrom("and", "or"),
      parts: fc.array(tie("filter"), { minLength: 1, maxLength: 2 }),
    }),
    fc.record({ op: fc.constant("not" as const), part: tie("filter") }),
  ),
})).filter;

const ends = {
  whole: fc.constantFrom("collect", "iterate", "first", "unique").map((kind) => ({ kind })),
  take: fc.record({ kind: fc.constant("take" as const), count: fc.nat({ max: 4 }) }),
  paginate: fc.record({
    kind: fc.constant("paginate" as const),
    size: fc.integer({ min: 1, max: 3 }),
  }),
};

function questionOf(end: fc.Arbitrary<Question["end"]>): fc.Arbitrary<Question> {
  return fc
    .record({
      index: fc.constantFrom("by_a_b", "by_b", "by_b_x", null),
      equal: fc.array(field, { maxLength: 2 }),
      low: fc.option(bound),
      high: fc.option(bound),
      descending: fc.boolean(),
      filters: fc.array(filter, { maxLength: 2 }),
      end,
    })
    .map((drawn) => {
      const length = drawn.index ? INDEXES[drawn.index].length : 0;
      const equal = drawn.equal.slice(0, length);
      return equal.length < length
        ? { ...drawn, equal }
        : { ...drawn, equal, low: null, high: null };
    });
}

/** A function may paginate once only, so that programs leave it to queries of their own. */
const inside = questionOf(fc.oneof(ends.whole, ends.take) as fc.Arbitrary<Question["end"]>);
const outside = questionOf(
  fc.oneof(ends.whole, ends.take, ends.paginate) as fc.Arbitrary<Question["end"]>,
);

const label = fc.nat({ max: 20 }).map(String);
const { program } = fc.letrec<{ program: Program; step: Step }>((tie) => ({
  step: fc.oneof(
    { depthSize: "small" },
    { weight: 6, arbitrary: fc.record({ kind: fc.constant("insert" as const), label, fields }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("replace" as const), label, fields }) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant("patch" as const),
        label,
        changes: fc.record({ a: field, b: field }, { requiredKeys: [] }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("delete" as const), label }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("ask" as const),
        nested: fc.boolean(),
        question: inside,
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant("nested" as const), program: tie("program") }),
    },
  ) as fc.Arbitrary<Step>,
  program: fc.record({
    steps: fc.array(tie("step"), { maxLength: 6 }),
    fails: fc.integer({ min: 0, max: 4 }).map((drawn) => drawn === 4),
  }),
}));

/** Gives each insert a label of its own, and makes the other steps mostly name one of those. */
function labelled(drawn: Program, count: { labels: number }): Program {
  const steps = drawn.steps.map((step): Step => {
    switch (step.kind) {
      case "insert":
        return { ...step, label: `r${count.labels++}` };
      case "nested":
        return { ...step, program: labelled(step.program, count) };
      case "ask":
        return step;
      default:
        return { ...step, label: `r${Number(step.label) % Math.max(1, count.labels)}` };
    }
  });
  return { ...drawn, steps };
}

interface Row {
  label: string;
  a?: Value;
  b?: Value;
}

const present = (some: Field): Value | undefined => (some === null ? undefined : some[0]);

function valueAt(row: Row, path: string): Value | undefined {
  if (path !== "b.x") return row[path as "a" | "b"];
  const { b } = row;
  const isObject =
    typeof b === "object" && b !== null && Object.getPrototypeOf(b) === Object.prototype;
  return isObject ? (b as Record<string, Value>).x : undefined;
}

function passes(row: Row, asked: Filter): boolean {
  if ("part" in asked) return !passes(row, asked.part);
  if ("parts" in asked) {
    return asked.op === "and"
      ? asked.parts.every((part) => passes(row, part))
      : asked.parts.some((part) => passes(row, part));
  }
  const order = compareValues(valueAt(row, asked.field), present(asked.value));
  return {
    eq: order === 0,
    neq: order !== 0,
    lt: order < 0,
    lte: order <= 0,
    gt: order > 0,
    gte: order >= 0,
  }[asked.op];
}

/** Every row the question is about, however many of them it takes. */
function matching(rows: Row[], asked: Question): Row[] {
  const paths = asked.index ? INDEXES[asked.index] : [];
  const within = (row: Row) => {
    const equal = asked.equal.every(
      (some, at) => compareValues(valueAt(row, paths[at]!), present(some)) === 0,
    );
    const next = (some: Bound) =>
      compareValues(valueAt(row, paths[asked.equal.length]!), present(some.value));
    const { low, high } = asked;
    const above = !low || next(low) > 0 || (low.inclusive && next(low) === 0);
    const below = !high || next(high) < 0 || (high.inclusive && next(high) === 0);
    return equal && above && below && asked.filters.every((part) => passes(row, part));
  };
  const compare = (left: Row, right: Row) =>
    paths.reduce(
      (order, path) => order || compareValues(valueAt(left, path), valueAt(right, path)),
      0,
    );
  // Rows stand in the order of their creation, which decides between equals.
  const found = rows.filter(within).sort(compare);
  return asked.descending ? reversed(rows, found, compare) : found;
}

/** Equals turn around too: the time of creation is the last field of every index. */
function reversed(rows: Row[], found: Row[], compare: (a: Row, b: Row) => number): Row[] {
  const age = new Map(rows.map((row, at) => [row, at]));
  return found.sort((a, b) => compare(b, a) || age.get(b)! - age.get(a)!);
}

function taken(rows: Row[], { end }: Question): Row[] | "error" {
  if (end.kind === "unique" && rows.length > 1) return "error";
  if (end.kind === "first") return rows.slice(0, 1);
  return end.kind === "take" ? rows.slice(0, end.count) : rows;
}

class Failure extends Error {}

/** Runs a program on a list; answers the list after it, and what the program was answered. */
function simulated(before: Row[], { steps, fails }: Program): { rows: Row[]; answers: Answer[] } {
  let rows = before;
  const answers: Answer[] = [];
  const change = (of: string, next: (row: Row) => Row | null) => {
    if (!rows.some((row) => row.label === of)) throw new Failure();
    rows = rows.flatMap((row) => (row.label === of ? (next(row) ?? []) : row));
  };
  for (const step of steps) {
    switch (step.kind) {
      case "insert":
        rows = [...rows, rowOf(step.label, step.fields)];
        break;
      case "replace":
        change(step.label, () => rowOf(step.label, step.fields));
        break;
      case "patch":
        change(step.label, (row) => {
          const changes = Object.entries(step.changes).map(([name, some]) => [name, present(some)]);
          return { ...row, ...Object.fromEntries(changes) };
        });
        break;
      case "delete":
        change(step.label, () => null);
        break;
      case "ask": {
        const found = taken(matching(rows, step.question), step.question);
        answers.push(found === "error" ? found : found.map((row) => row.label));
        break;
      }
      case "nested":
        try {
          const done = simulated(rows, step.program);
          rows = done.rows;
          answers.push(...done.answers);
        } catch (error) {
          if (!(error instanceof Failure)) throw error;
          answers.push("error");
        }
    }
  }
  if (fails) throw new Failure();
  return { rows, answers };
}

function rowOf(of: string, { a, b }: Fields): Row {
  return { label: of, a: present(a), b: present(b) };
}

/** Comparable text of a row, wherever it comes from. */
function textOf({ label: of, a, b }: Row): string {
  const json = (some: Value | undefined) => (some === undefined ? null : [convexToJson(some)]);
  return JSON.stringify([of, json(a), json(b)]);
}

function call(kind: string, path: string, args: object): Promise<any> {
  return engine.call(kind, `programs:${path}`, convexToJson(args as Value));
}

/** What a query of the project answers; undefined if it fails. */
async function result(path: string, args: object): Promise<any> {
  const answer = await call("query", path, args);
  return answer.status === "success" ? jsonToConvex(answer.value) : undefined;
}

async function mutate(scope: string, wanted: Program, ids: Ids) {
  const answer = await call("mutation", "mutate", { scope, program: wanted, ids });
  if (answer.status === "success") {
    return jsonToConvex(answer.value) as unknown as { ids: Ids; answers: Answer[] };
  }
  expect(answer.errorMessage).toMatch(/this program fails|there is no |on nonexistent document/);
  return null;
}

/** All pages of a question; each but the last is full. */
async function paged(scope: string, asked: Question, size: number): Promise<Row[]> {
  const rows: Row[] = [];
  let cursor: string | null = null;
  for (;;) {
    const page = await result("asked", { scope, question: asked, cursor });
    rows.push(...page.page);
    if (page.isDone) return rows;
    expect(page.page).toHaveLength(size);
    cursor = page.continueCursor;
  }
}

async function expectSame(scope: string, rows: Row[], asked: Question): Promise<void> {
  const expected = taken(matching(rows, asked), asked);
  const { end } = asked;
  const found =
    end.kind === "paginate"
      ? await paged(scope, asked, end.size)
      : await result("asked", { scope, question: asked, cursor: null });
  expect(found?.map(textOf)).toEqual(expected === "error" ? undefined : expected.map(textOf));
}

test("functions read and write as they would in a plain list, whatever is undone", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(program, { minLength: 1, maxLength: 5 }),
      fc.array(outside, { minLength: 1, maxLength: 6 }),
      async (drawn, questions) => {
        const scope = `run ${++scopes}`;
        const count = { labels: 0 };
        let rows: Row[] = [];
        let ids: Ids = {};
        for (const wanted of drawn.map((each) => labelled(each, count))) {
          const done = await mutate(scope, wanted, ids);
          try {
            const simulation = simulated(rows, wanted);
            expect(done?.answers).toEqual(simulation.answers);
            rows = simulation.rows;
            ids = done!.ids;
          } catch (error) {
            if (!(error instanceof Failure)) throw error;
            expect(done).toBeNull();
          }
        }
        for (const asked of questions) await expectSame(scope, rows, asked);
        for (const [of, id] of Object.entries(ids)) {
          const kept = rows.find((row) => row.label === of);
          const found = await result("get", { id });
          expect(found && textOf(found)).toEqual(kept ? textOf(kept) : null);
        }
        await call("mutation", "clear", { scope });
      },
    ),
    { numRuns: 100 },
  );
});
