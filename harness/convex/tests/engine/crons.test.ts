import { cpSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { nextTime } from "../../engine/functions/crons.ts";
import {
  SITE,
  type TestEngine,
  eventually,
  refusal,
  removeFolders,
  startEngine,
  temporaryFolder,
} from "./support.ts";

afterAll(removeFolders);

const MODULES = join(import.meta.dirname, "..", "..", "node_modules");
const at = (text: string) => Date.parse(text);
const AFTER = at("2026-02-27T23:30:10Z"); // a Friday

describe("a cron job is due", () => {
  test.each([
    [{ type: "interval", minutes: 5 } as const, "2026-02-27T23:35:10Z"],
    [{ type: "hourly", minuteUTC: 15 } as const, "2026-02-28T00:15:00Z"],
    [{ type: "daily", hourUTC: 23, minuteUTC: 30 } as const, "2026-02-28T23:30:00Z"],
    [
      { type: "weekly", dayOfWeek: "monday", hourUTC: 4, minuteUTC: 0 } as const,
      "2026-03-02T04:00:00Z",
    ],
    [{ type: "monthly", day: 31, hourUTC: 0, minuteUTC: 0 } as const, "2026-03-31T00:00:00Z"],
    [{ type: "cron", cron: "*/20 9-17 * * 1-5" } as const, "2026-03-02T09:00:00Z"],
  ])("after %o", (schedule, expected) => {
    expect(new Date(nextTime(schedule, "job", AFTER))).toEqual(new Date(expected));
  });

  test("at a minute of its own when it names none, the same every hour", () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 0, max: AFTER }), (identifier, after) => {
        const first = nextTime({ type: "hourly" }, identifier, after);
        expect(first).toBeGreaterThan(after);
        expect(nextTime({ type: "hourly" }, identifier, first)).toBe(first + 3_600_000);
      }),
    );
  });
});

/** A project of its own, whose cron jobs a test may change. */
function project(): { functions: string; setCrons: (lines: string) => void } {
  const folder = temporaryFolder();
  const functions = join(folder, "convex");
  cpSync(SITE, functions, { recursive: true });
  symlinkSync(MODULES, join(folder, "node_modules"));
  const setCrons = (lines: string) =>
    writeFileSync(
      join(functions, "crons.ts"),
      `import { cronJobs, makeFunctionReference } from "convex/server";
       const crons = cronJobs();
       const add = makeFunctionReference("visits:add");
       ${lines}
       export default crons;`,
    );
  return { functions, setCrons };
}

const placesOf = (engine: TestEngine): Promise<string[]> => engine.run("query", "visits:places");

describe("cron jobs", () => {
  test("run when due, and one that has not ended is not started again", async () => {
    const engine = await startEngine({ functions: SITE });
    const places = await eventually(
      () => placesOf(engine),
      (found) => found.filter((place) => place === "often").length >= 3,
    );
    expect(places.filter((place) => place === "slow")).toHaveLength(1);
    expect(places).not.toContain("hourly");
    // As on Convex, functions do not find them among those that functions scheduled.
    expect(await engine.run("query", "visits:scheduled")).toBe(0);
    await engine.stop();
  });

  test("keep their times over a restart, and take them anew when they change", async () => {
    const { functions, setCrons } = project();
    const folder = temporaryFolder();
    const started = async (crons: string, expected: string[]) => {
      setCrons(crons);
      const engine = await startEngine({ functions, folder });
      // A job of its own for each start shows that those that were due have run.
      await eventually(
        () => placesOf(engine),
        (places) => places.length === expected.length,
      );
      expect(await placesOf(engine)).toEqual(expected);
      await engine.stop("SIGKILL");
    };
    const every = (hours: number, place: string) =>
      `crons.interval("${place}", { hours: ${hours} }, add, { place: "${place}" });`;
    await started(every(1, "a"), ["a"]);
    await started(every(1, "a") + every(1, "b"), ["a", "b"]);
    await started(every(2, "a") + every(1, "b"), ["a", "b", "a"]);
    await started(every(1, "b") + every(1, "c"), ["a", "b", "a", "c"]);
  });

  test.each([
    [
      "an unknown function",
      'crons.daily("night", { hourUTC: 3 }, makeFunctionReference("no:where"));',
      /crons\.ts: job "night" calls no:where, which does not exist/,
    ],
    [
      "a wrong expression",
      'crons.cron("often", "61 * * * *", add, { place: "here" });',
      /crons\.ts: job "often": .*61/,
    ],
  ])("with %s stop the start", async (_, lines, expected) => {
    const { functions, setCrons } = project();
    setCrons(lines);
    const { code, text } = await refusal({ functions });
    expect(code).toBe(2);
    expect(text).toMatch(expected);
  });
});
