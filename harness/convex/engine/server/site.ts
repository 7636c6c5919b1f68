import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { UserError, messageOf } from "../failures.ts";
import { type Caller, NOBODY } from "../functions/invocation.ts";
import type { HttpRouter } from "../functions/registry.ts";
import type { Runner } from "../functions/runner.ts";
import { log } from "../log.ts";
import type { Authenticator } from "./auth.ts";

/** HTTP actions, on an address of their own as on Convex. Everything an action answers is passed
 *  on as it is, its CORS headers too, and bodies are streamed in both directions.
 *
 *  @see https://docs.convex.dev/functions/http-actions
 */

export const MAX_BODY_BYTES = 20 << 20;

export interface SiteContext {
  runner: Runner;
  authenticator: Authenticator;
  router: HttpRouter | null;
}

function bounded(request: IncomingMessage): ReadableStream<Uint8Array> {
  const counted = async function* () {
    let size = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > MAX_BODY_BYTES) throw new Error(`the body is over ${MAX_BODY_BYTES} bytes`);
      yield new Uint8Array(chunk);
    }
  };
  return Readable.toWeb(Readable.from(counted())) as ReadableStream<Uint8Array>;
}

function requestOf(request: IncomingMessage, signal: AbortSignal): Request {
  const headers = new Headers();
  for (const [name, values] of Object.entries(request.headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value);
  }
  const empty = request.method === "GET" || request.method === "HEAD";
  return new Request(`http://${request.headers.host ?? "localhost"}${request.url}`, {
    method: request.method!,
    headers,
    signal,
    ...(empty ? {} : { body: bounded(request), duplex: "half" }),
  });
}

function answer(response: ServerResponse, status: number, text: string, type: string): void {
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(text) });
  response.end(text);
}

async function send(answered: Response, response: ServerResponse, head: boolean): Promise<void> {
  const headers: Record<string, string | string[]> = Object.fromEntries(answered.headers);
  const cookies = answered.headers.getSetCookie();
  if (cookies.length) headers["set-cookie"] = cookies;
  response.writeHead(answered.status, headers);
  if (!answered.body || head) {
    response.end();
    return;
  }
  await pipeline(Readable.fromWeb(answered.body as never), response);
}

async function callerOf(context: SiteContext, request: IncomingMessage): Promise<Caller> {
  try {
    const { identity } = await context.authenticator.fromHeader(request.headers.authorization);
    return { identity, admin: false };
  } catch {
    // An action may take tokens of others than the project's providers: its caller is nobody.
    return NOBODY;
  }
}

async function route(
  context: SiteContext,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { pathname } = new URL(request.url ?? "/", "http://engine");
  const found = context.router?.lookup(pathname, request.method!);
  if (!found) {
    const what = context.router ? `No HttpAction routed for ${pathname}` : "No HTTP actions here";
    return answer(response, 404, what, "text/plain");
  }
  const [action, method, path] = found;
  const left = new AbortController();
  response.once("close", () => left.abort());
  const asked = requestOf(request, left.signal);
  const caller = await callerOf(context, request);
  const failed = await context.runner.httpAction(`${method} ${path}`, caller, async () => {
    const answered = await action.invokeHttpAction(asked);
    if (!(answered instanceof Response)) {
      throw new UserError("HTTP actions must return a Response object.");
    }
    await send(answered, response, request.method === "HEAD");
  });
  if (!failed || left.signal.aborted) return;
  log("error", `${method} ${path} failed: ${failed.message}`);
  if (response.headersSent) return void response.destroy();
  const [code, ...trace] = failed.message.split("\n");
  const body = JSON.stringify({ code, trace: trace.join("\n") });
  return answer(response, 500, body, "application/json");
}

/** Answers one request to the site. */
export async function handleSiteRequest(
  context: SiteContext,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    await route(context, request, response);
  } catch (error) {
    log("error", `a request to the site failed: ${messageOf(error)}`);
    response.destroy();
  }
}
