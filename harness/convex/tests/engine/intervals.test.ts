import fc from "fast-check";
import { expect, test } from "vitest";
import { IntervalTree } from "../../engine/sync/intervals.ts";

const point = fc.stringMatching(/^[a-d]{0,3}$/);
const step = fc.oneof(
  fc.record({ kind: fc.constant("add" as const), a: point, b: point }),
  fc.record({ kind: fc.constant("remove" as const), which: fc.nat() }),
  fc.record({ kind: fc.constant("ask" as const), at: point }),
);

test("an interval tree answers as a plain list does", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const tree = new IntervalTree<number>();
      const list: { interval: ReturnType<typeof tree.add> }[] = [];
      let owner = 0;
      for (const next of steps) {
        if (next.kind === "add") {
          const [low, high] = [next.a, next.b].sort();
          list.push({ interval: tree.add(low!, high!, owner++) });
        } else if (next.kind === "remove" && list.length) {
          tree.remove(list.splice(next.which % list.length, 1)[0]!.interval);
        } else if (next.kind === "ask") {
          const found: number[] = [];
          tree.containing(next.at, (one) => found.push(one));
          const expected = list
            .map(({ interval }) => interval)
            .filter(({ low, high }) => low <= next.at && next.at < high)
            .map((interval) => interval.owner);
          expect(found.sort((x, y) => x - y)).toEqual(expected.sort((x, y) => x - y));
        }
      }
      expect(tree.empty).toBe(list.length === 0);
    }),
    { numRuns: 500 },
  );
});
