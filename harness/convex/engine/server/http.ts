import type { IncomingMessage, ServerResponse } from "node:http";
import { RequestError, messageOf } from "../failures.ts";
import { type Caller, type FunctionKind, newRequestId } from "../functions/invocation.ts";
import type { Outcome } from "../functions/outcome.ts";
import type { Runner } from "../functions/runner.ts";
import { log } from "../log.ts";
import type { History } from "../storage/history.ts";
import type { Lane } from "../storage/lane.ts";
import { type Clock, type Timestamp, decodeTimestamp, encodeTimestamp } from "../sync/clock.ts";
import type { LiveQueries } from "../sync/livequeries.ts";
import { argumentsOf } from "../sync/protocol.ts";
import type { Fields, Json } from "../values/json.ts";
import type { Authenticator } from "./auth.ts";
import { plainJson, withFloats } from "./output.ts";

/** Convex's HTTP API.
 *  @see https://docs.convex.dev/http-api/
 */

/** More than arguments may have, so that the function's own limit is told of. */
const MAX_BODY_BYTES = 32 << 20;
const VERSION = "harness-convex-engine 0.1.0";

const KINDS: Record<string, FunctionKind | null> = {
  "/api/query": "query",
  "/api/query_at_ts": "query",
  "/api/mutation": "mutation",
  "/api/action": "action",
  "/api/function": null,
};

/** Refuses bytes that are no UTF-8 instead of changing them. */
const UTF8 = new TextDecoder("utf-8", { fatal: true });

const CORS = {
  "access-control-allow-origin": "*",
  "access-control-allow-headers": "authorization, content-type, convex-client",
  "access-control-allow-methods": "GET, POST, OPTIONS",
};

interface FunctionRequest {
  kind: FunctionKind | null;
  path: string;
  args: Json;
  encoded: boolean;
  /** The time whose documents a query is to read; null for the present. */
  at: Timestamp | null;
}

export interface HttpContext {
  lane: Lane;
  runner: Runner;
  queries: LiveQueries;
  authenticator: Authenticator;
  clock: Clock;
  history: History;
}

/** By events: a small call would spend a good part of its time in an iterator. */
function bytesOf(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= MAX_BODY_BYTES) {
        chunks.push(chunk);
        return;
      }
      chunks.length = 0;
      reject(new RequestError(413, "RequestTooLarge", `The body is over ${MAX_BODY_BYTES} bytes.`));
    });
    request.on("end", () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    request.on("error", reject);
  });
}

async function bodyOf(request: IncomingMessage): Promise<Fields> {
  const bytes = await bytesOf(request);
  try {
    const text = UTF8.decode(bytes);
    const body: unknown = text ? JSON.parse(text) : {};
    if (typeof body === "object" && body !== null && !Array.isArray(body)) return body as Fields;
  } catch (error) {
    throw new RequestError(400, "BadJsonBody", `The body is not JSON: ${messageOf(error)}`);
  }
  throw new RequestError(400, "BadJsonBody", "The body is not a JSON object.");
}

function encodedFormat(format: Json | undefined): boolean {
  if (format === undefined || format === null || format === "json") return false;
  if (format === "convex_encoded_json") return true;
  throw new RequestError(
    400,
    "BadFormat",
    `Unknown format ${JSON.stringify(format)}: use "json" or "convex_encoded_json".`,
  );
}

function argumentsObject(value: Json | undefined): Json {
  const args = argumentsOf(value);
  if (typeof args === "object" && args !== null && !Array.isArray(args)) return args;
  throw new RequestError(400, "BadConvexFunctionArgs", "Arguments must be one object.");
}

/** `/api/run/folder/file/name` calls `folder/file:name`. */
function pathOfRun(pathname: string): string {
  const parts = decodeURIComponent(pathname.slice("/api/run/".length)).split("/");
  return parts.length > 1 ? `${parts.slice(0, -1).join("/")}:${parts.at(-1)}` : parts[0]!;
}

function queryOfAddress(url: URL): Fields {
  const text = url.searchParams.get("args") ?? "{}";
  try {
    return {
      path: url.searchParams.get("path"),
      format: url.searchParams.get("format"),
      args: JSON.parse(text) as Json,
    };
  } catch {
    throw new RequestError(400, "BadConvexFunctionArgs", `args is not JSON: ${text.slice(0, 200)}`);
  }
}

async function functionRequest(
  request: IncomingMessage,
  url: URL,
): Promise<FunctionRequest | null> {
  const run = url.pathname.startsWith("/api/run/");
  const kind = run ? null : KINDS[url.pathname];
  if (kind === undefined) return null;
  const get = request.method === "GET";
  if (request.method !== "POST" && !(get && kind === "query")) {
    throw new RequestError(405, "MethodNotAllowed", `${url.pathname} takes POST.`);
  }
  const body = get ? queryOfAddress(url) : await bodyOf(request);
  const path = run ? pathOfRun(url.pathname) : body.path;
  if (typeof path !== "string" || !path) {
    throw new RequestError(400, "BadConvexFunctionPath", 'The body has no "path" of a function.');
  }
  return {
    kind,
    path,
    args: argumentsObject(body.args),
    encoded: encodedFormat(body.format),
    at: url.pathname === "/api/query_at_ts" ? timestampOf(body.ts) : null,
  };
}

function timestampOf(text: Json | undefined): Timestamp {
  const bytes = Buffer.from(typeof text === "string" ? text : "", "base64");
  if (bytes.length === 8) return decodeTimestamp(text as string);
  throw new RequestError(
    400,
    "BadTimestamp",
    'The body has no "ts" of a query: give one that /api/query_ts answered.',
  );
}

/** The last commit's, whose documents can be read from now on for a while. */
function freshTimestamp({ lane, clock, history }: HttpContext): Promise<Timestamp> {
  return lane.read(async () => {
    history.keep(clock.last);
    return clock.last;
  });
}

function runRequest(context: HttpContext, asked: FunctionRequest, caller: Caller) {
  const { lane, runner, queries, history, clock } = context;
  const call = { path: asked.path, args: asked.args, caller };
  const { at } = asked;
  if (at === null) {
    if (asked.kind === "query") return lane.read(() => queries.answer(call));
    return runner.run(asked.kind, call);
  }
  return runner.queryAt(() => history.at(at, clock.last), call);
}

function outcomeText(outcome: Outcome, encoded: boolean): string {
  const logLines = JSON.stringify(outcome.logLines);
  if (outcome.ok) {
    const value = encoded
      ? outcome.value
      : JSON.stringify(plainJson(JSON.parse(outcome.value) as Json));
    return `{"status":"success","value":${withFloats(value)},"logLines":${logLines}}`;
  }
  let data = "";
  if (outcome.data !== undefined) {
    const value = encoded ? outcome.data : plainJson(outcome.data);
    data = `,"errorData":${withFloats(JSON.stringify(value))}`;
  }
  return `{"status":"error","errorMessage":${JSON.stringify(outcome.message)}${data},"logLines":${logLines}}`;
}

function answerText(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, {
    ...CORS,
    "content-type": type,
    "content-length": Buffer.byteLength(text),
  });
  response.end(text);
}

function answerPreflight(request: IncomingMessage, response: ServerResponse): void {
  const asked = request.headers["access-control-request-headers"];
  response.writeHead(204, asked ? { ...CORS, "access-control-allow-headers": asked } : CORS).end();
}

function answerJson(response: ServerResponse, status: number, text: string): void {
  answerText(response, status, "application/json", text);
}

async function route(
  context: HttpContext,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? "/", "http://engine");
  if (request.method === "OPTIONS") return answerPreflight(request, response);
  switch (url.pathname) {
    case "/":
    case "/version":
      return answerText(response, 200, "text/plain", VERSION);
    case "/instance_name":
      return answerText(response, 200, "text/plain", "local");
    case "/api/query_ts":
      return answerJson(
        response,
        200,
        `{"ts":"${encodeTimestamp(await freshTimestamp(context))}"}`,
      );
  }
  const asked = await functionRequest(request, url);
  if (!asked) {
    throw new RequestError(404, "NotFound", `There is nothing at ${url.pathname}.`);
  }
  const caller = await context.authenticator.fromHeader(request.headers.authorization);
  const outcome = await runRequest(context, asked, caller);
  // A function's error is an answer (200), as the Python client cannot read Convex's 560.
  answerJson(response, 200, outcomeText(outcome, asked.encoded));
}

/** Answers one request. */
export async function handleRequest(
  context: HttpContext,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    await route(context, request, response);
  } catch (error) {
    if (error instanceof RequestError) {
      const { status, code, message } = error;
      answerJson(response, status, JSON.stringify({ code, message }));
      return;
    }
    const id = newRequestId();
    log("error", `request ${id} failed: ${messageOf(error)}`);
    const message = `The engine failed. Look for request ${id} in its log.`;
    answerJson(response, 500, JSON.stringify({ code: "InternalServerError", message }));
  }
}
