import { type Server, createServer } from "node:http";
import { WebSocketServer } from "ws";
import { StartError, messageOf } from "../failures.ts";
import { Session, type SessionContext } from "../sync/session.ts";
import { type HttpContext, handleRequest } from "./http.ts";
import { type SiteContext, handleSiteRequest } from "./site.ts";

/** The listening sockets: HTTP requests and the WebSockets of sync sessions, and the site. */

const SYNC = /^\/api\/([^/]+\/)?sync$/;
/** Clients take a connection for dead after 30 s of silence. */
const PING_MS = 5_000;
const MAX_MESSAGE_BYTES = 64 << 20;
/** How long a stop waits for requests and clients. */
const GRACE_MS = 2_000;
export const HOST = "127.0.0.1";

export interface Listener {
  /** Stops taking requests, and gives those that run a moment to be answered. */
  close: () => Promise<void>;
}

function acceptSessions(server: Server, context: SessionContext): Set<Session> {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES });
  const sessions = new Set<Session>();
  server.on("upgrade", (request, socket, head) => {
    const { pathname } = new URL(request.url ?? "/", "http://engine");
    if (!SYNC.test(pathname)) {
      socket.end("HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n");
      return;
    }
    sockets.handleUpgrade(request, socket, head, (client) => {
      const session = new Session(client, context);
      sessions.add(session);
      client.on("message", (data) => session.receive((data as Buffer).toString()));
      // `close` follows every error.
      client.on("error", () => undefined);
      client.on("close", () => {
        session.close();
        sessions.delete(session);
      });
    });
  });
  return sessions;
}

/** Listens on 127.0.0.1.
 *
 *  @throws StartError if the port cannot be had.
 */
export async function listen(
  port: number,
  context: SessionContext & HttpContext,
): Promise<Listener> {
  const server = createServer(
    (request, response) => void handleRequest(context, request, response),
  );
  server.keepAliveTimeout = 75_000;
  const sessions = acceptSessions(server, context);
  const pings = setInterval(() => {
    for (const session of sessions) session.ping();
  }, PING_MS);
  await bind(server, port, "--port");
  return {
    close: () => {
      clearInterval(pings);
      const closed = close(server, () => {
        for (const session of sessions) session.terminate();
      });
      for (const session of sessions) session.end();
      return closed;
    },
  };
}

/** Serves HTTP actions on 127.0.0.1.
 *
 *  @throws StartError if the port cannot be had.
 */
export async function listenSite(port: number, context: SiteContext): Promise<Listener> {
  const server = createServer(
    (request, response) => void handleSiteRequest(context, request, response),
  );
  await bind(server, port, "--site-port");
  return { close: () => close(server) };
}

/** The port itself, or one that is free for 0: functions know their addresses before they load. */
export async function settledPort(port: number): Promise<number> {
  if (port) return port;
  const probe = createServer();
  await bind(probe, 0, "--port");
  const free = (probe.address() as { port: number }).port;
  await close(probe);
  return free;
}

async function bind(server: Server, port: number, option: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) =>
      reject(
        new StartError(
          `cannot listen on ${HOST}:${port} (${messageOf(error)}): give another ${option}`,
        ),
      ),
    );
    server.listen(port, HOST, resolve);
  });
}

function close(server: Server, whenLate = () => {}): Promise<void> {
  return new Promise((resolve) => {
    const late = setTimeout(() => {
      server.closeAllConnections();
      whenLate();
    }, GRACE_MS);
    server.close(() => {
      clearTimeout(late);
      resolve();
    });
    server.closeIdleConnections();
  });
}
