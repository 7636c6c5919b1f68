import { ConvexClient, type ConvexClientOptions } from "convex/browser";
import { makeFunctionReference } from "convex/server";
import WebSocket from "ws";

/** The official JavaScript client, as a test uses it. */

export const query = (name: string) => makeFunctionReference<"query", any, any>(name);
export const mutation = (name: string) => makeFunctionReference<"mutation", any, any>(name);
export const action = (name: string) => makeFunctionReference<"action", any, any>(name);

const open: ConvexClient[] = [];
const sockets = new Map<string, WebSocket[]>();

/** A WebSocket client that `closeClients` closes. */
export function connect(url: string, options: ConvexClientOptions = {}): ConvexClient {
  class Kept extends WebSocket {
    constructor(address: string) {
      super(address);
      sockets.set(url, [...(sockets.get(url) ?? []), this]);
    }
  }
  const client = new ConvexClient(url, {
    webSocketConstructor: Kept as unknown as typeof globalThis.WebSocket,
    logger: false,
    ...options,
  });
  open.push(client);
  return client;
}

/** Breaks the connections of a deployment's clients, as a network does. */
export function breakConnections(url: string): void {
  for (const socket of sockets.get(url)?.splice(0) ?? []) socket.terminate();
}

export async function closeClients(): Promise<void> {
  await Promise.all(open.splice(0).map((client) => client.close()));
}

/** Everything a subscription says, as it says it. */
export function watch(client: ConvexClient, path: string, args: object) {
  const seen: any[] = [];
  const failures: Error[] = [];
  client.onUpdate(
    query(path),
    args,
    (value) => seen.push(value),
    (error) => failures.push(error),
  );
  return { seen, failures };
}

export const ranks = (notes: { rank: number }[]) => notes.map((note) => note.rank);
