import { UserError, messageOf } from "../failures.ts";
import type { Json } from "../values/json.ts";

/** How a function ended, in the form its caller is told. */
export type Outcome =
  | { ok: true; value: string; logLines: string[] }
  | { ok: false; message: string; data: Json | undefined; logLines: string[] };

const CONVEX_ERROR = Symbol.for("ConvexError");

/** The data of a ConvexError that a function threw; undefined for any other error. */
export function convexErrorData(error: unknown): Json | undefined {
  if (typeof error !== "object" || error === null || !(CONVEX_ERROR in error)) return undefined;
  // The official package leaves the data as JSON text on what a handler threw.
  const { data } = error as { data?: unknown };
  return typeof data === "string" ? (JSON.parse(data) as Json) : ((data ?? null) as Json);
}

function stackOf(error: unknown, mapStack: (stack: string) => string): string {
  if (!(error instanceof Error) || !error.stack) return String(error);
  const [, ...frames] = mapStack(error.stack).split("\n    at ");
  const own = frames.filter((frame) => !/node_modules|node:|\/engine\/|convex-bundle/.test(frame));
  return [`${error.name}: ${error.message}`, ...own].join("\n    at ");
}

export function failureOf(
  error: unknown,
  requestId: string,
  logLines: string[],
  mapStack: (stack: string) => string,
): Outcome & { ok: false } {
  const head = `[Request ID: ${requestId}] Server Error\n`;
  if (error instanceof UserError) {
    return { ok: false, message: `${head}${messageOf(error)}`, data: undefined, logLines };
  }
  return {
    ok: false,
    message: `${head}Uncaught ${stackOf(error, mapStack)}`,
    data: convexErrorData(error),
    logLines,
  };
}
