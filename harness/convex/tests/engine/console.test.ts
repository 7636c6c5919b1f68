import { afterEach, expect, test, vi } from "vitest";
import { transactionGlobals } from "../../engine/functions/globals.ts";
import { NOBODY, current, newInvocation } from "../../engine/functions/invocation.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

test("what a function logs reaches the engine's log with its name and its request's id", () => {
  const written: string[] = [];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    written.push(String(text));
    return true;
  });
  const { console } = transactionGlobals({}) as { console: Console };
  const invocation = newInvocation({
    path: "notes:add",
    kind: "mutation",
    caller: NOBODY,
    transaction: null,
  });
  current.run(invocation, () => console.warn("is", { full: true }));
  expect(written).toEqual([`[notes:add ${invocation.requestId}] [WARN] is { full: true }\n`]);
  expect(invocation.logLines).toEqual(["[WARN] 'is' { full: true }"]);
});
