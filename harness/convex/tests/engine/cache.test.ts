import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type TestEngine, removeFolders, startEngine } from "./support.ts";

let engine: TestEngine;
let runs = 0;

beforeAll(async () => {
  engine = await startEngine();
});
afterAll(async () => {
  await engine.stop();
  removeFolders();
});

const rank = fc.integer({ min: 0, max: 4 });
const write = fc.oneof(
  fc.record({ path: fc.constant("notes:add"), rank }),
  fc.record({ path: fc.constant("notes:rewrite"), rank, at: fc.nat() }),
  fc.record({ path: fc.constant("notes:change"), at: fc.nat() }),
  fc.record({ path: fc.constant("notes:remove"), at: fc.nat() }),
);
type Write = typeof write extends fc.Arbitrary<infer T> ? T : never;

/** The same few questions of a room again and again. */
function questions(room: string, id: string): [string, object][] {
  const paginationOpts = { numItems: 2, cursor: null };
  return [
    ["notes:inRoom", { room }],
    ["notes:newest", { room, count: 2 }],
    ["notes:between", { room, gt: 0, lte: 3 }],
    ["notes:open", { room }],
    ["notes:pages", { room, paginationOpts }],
    ["notes:get", { id }],
    ["notes:countNested", { room }],
  ];
}

test("what is kept of a query is what it would answer now, whatever was written", async () => {
  const perform = async (room: string, ids: string[], next: Write) => {
    const at = "at" in next ? next.at % Math.max(ids.length, 1) : 0;
    const id = ids[at];
    const note = { room, rank: "rank" in next ? next.rank : 0, text: `text ${Math.random()}` };
    if (next.path === "notes:add") {
      ids.push(await engine.run("mutation", next.path, note));
    } else if (id !== undefined) {
      const { text } = note;
      const fields = { "notes:rewrite": note, "notes:change": { text }, "notes:remove": {} };
      await engine.run("mutation", next.path, { id, ...fields[next.path] });
      if (next.path === "notes:remove") ids.splice(at, 1);
    }
  };
  await fc.assert(
    fc.asyncProperty(fc.array(write, { maxLength: 8 }), async (writes) => {
      const room = `cached ${runs++}`;
      const first = await engine.run("mutation", "notes:add", { room, rank: 1, text: "first" });
      const ids = [first];
      for (const next of writes) {
        await perform(room, ids, next);
        for (const [path, args] of questions(room, first)) {
          const asked = await engine.call("query", path, args);
          // A function that is called without its kind is always run.
          const run = await engine.call("function", path, args);
          expect(asked).toEqual(run);
        }
      }
    }),
    { numRuns: 15 },
  );
});
