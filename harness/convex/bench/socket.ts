import { randomUUID } from "node:crypto";
import { WebSocket } from "ws";

/** A client of the sync protocol with as little of its own as can be; the official one adds what
 *  applications need, and with hundreds in one process it would be what is measured.
 */

/** Told each result, with the time of the commit that made it in milliseconds since the epoch. */
export type Watcher = (value: any, committedMs: number) => void;

interface Sent {
  resolve: (value: any) => void;
  reject: (error: Error) => void;
  value?: any;
  ts?: bigint;
}

const NANOSECONDS = 1e6;

function decodeTimestamp(text: string): bigint {
  return Buffer.from(text, "base64").readBigUInt64LE();
}

export class SyncSocket {
  readonly #socket: WebSocket;
  readonly #mutations = new Map<number, Sent>();
  readonly #watchers = new Map<number, Watcher>();
  #version = 0;
  #queries = 0;
  #requests = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data) => this.#receive(JSON.parse((data as Buffer).toString())));
    socket.on("close", () => {
      for (const { reject } of this.#mutations.values()) reject(new Error("the engine hung up"));
    });
  }

  static open(url: string): Promise<SyncSocket> {
    const socket = new WebSocket(`${url.replace(/^http/, "ws")}/api/1.0.0/sync`);
    return new Promise((resolve, reject) => {
      socket.once("error", reject);
      socket.once("open", () => {
        const client = new SyncSocket(socket);
        client.#send({
          type: "Connect",
          sessionId: randomUUID(),
          connectionCount: 0,
          lastCloseReason: null,
        });
        resolve(client);
      });
    });
  }

  /** Resolves as in the official client: once a transition has passed the mutation. */
  mutate(path: string, args: unknown): Promise<any> {
    const requestId = this.#requests++;
    this.#send({ type: "Mutation", requestId, udfPath: path, args: [args] });
    return new Promise((resolve, reject) => this.#mutations.set(requestId, { resolve, reject }));
  }

  /** Answers the query's number, by which `unwatch` ends it. */
  watch(path: string, args: unknown, watcher: Watcher): number {
    const queryId = this.#queries++;
    this.#watchers.set(queryId, watcher);
    this.#modify([{ type: "Add", queryId, udfPath: path, args: [args] }]);
    return queryId;
  }

  unwatch(queryId: number): void {
    this.#watchers.delete(queryId);
    this.#modify([{ type: "Remove", queryId }]);
  }

  /** The result of a query that is watched only until it is there. */
  query(path: string, args: unknown): Promise<any> {
    return new Promise((resolve) => {
      const queryId = this.watch(path, args, (value) => {
        this.unwatch(queryId);
        resolve(value);
      });
    });
  }

  close(): void {
    this.#socket.terminate();
  }

  #modify(modifications: unknown[]): void {
    const baseVersion = this.#version++;
    const newVersion = this.#version;
    this.#send({ type: "ModifyQuerySet", baseVersion, newVersion, modifications });
  }

  #send(message: unknown): void {
    this.#socket.send(JSON.stringify(message));
  }

  #receive(message: any): void {
    if (message.type === "MutationResponse") this.#respond(message);
    else if (message.type === "Transition") this.#advance(message);
    else if (message.type !== "Ping") throw new Error(`the engine sent ${JSON.stringify(message)}`);
  }

  #respond({ requestId, success, result, ts }: any): void {
    const sent = this.#mutations.get(requestId)!;
    if (success) {
      sent.value = result;
      sent.ts = decodeTimestamp(ts);
      return;
    }
    this.#mutations.delete(requestId);
    sent.reject(new Error(result));
  }

  #advance({ modifications, endVersion }: any): void {
    const ts = decodeTimestamp(endVersion.ts);
    for (const change of modifications) {
      if (change.type === "QueryFailed") throw new Error(change.errorMessage);
      if (change.type !== "QueryUpdated") continue;
      this.#watchers.get(change.queryId)?.(change.value, Number(ts) / NANOSECONDS);
    }
    for (const [requestId, sent] of this.#mutations) {
      if (sent.ts === undefined || sent.ts > ts) continue;
      this.#mutations.delete(requestId);
      sent.resolve(sent.value);
    }
  }
}
