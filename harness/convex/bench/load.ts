import { createInterface } from "node:readline";
import { type CallName, type Caller, repeated, workOf } from "./calls.ts";
import { messageOf, threadsOf } from "./corpus.ts";
import { HttpConnection } from "./http.ts";
import { type PushRequest, measurePush } from "./push.ts";
import { SyncSocket } from "./socket.ts";

/** The bench's load generator: reads a request a line, and answers a line of JSON each. */

interface RateRequest {
  url: string;
  call: CallName;
  over: "http" | "websocket";
  clients: number;
  seconds: number;
  /** Stored ones, which say how many threads there are. */
  documents: number;
}

interface FillRequest {
  url: string;
  documents: number;
}

type Request =
  ({ do: "rate" } & RateRequest) | ({ do: "fill" } & FillRequest) | ({ do: "push" } & PushRequest);

const FILL_MESSAGES = 1000;
const FILL_CLIENTS = 4;

interface Client extends Caller {
  close: () => void;
}

async function connected(url: string, over: "http" | "websocket"): Promise<Client> {
  if (over === "websocket") return SyncSocket.open(url);
  const connection = new HttpConnection(url);
  return {
    query: (path, args) => connection.call("query", path, args),
    mutate: (path, args) => connection.call("mutation", path, args),
    close: () => connection.close(),
  };
}

async function measureRate(request: RateRequest): Promise<unknown> {
  const threads = threadsOf(request.documents);
  const clients: Client[] = [];
  for (let i = 0; i < request.clients; i++) {
    clients.push(await connected(request.url, request.over));
  }
  const works = clients.map((client) => workOf(request.call, client, threads));
  const result = await repeated(works, request.seconds);
  for (const client of clients) client.close();
  return result;
}

/** Adds the stored messages by mutations of a thousand each. */
async function fill({ url, documents }: FillRequest): Promise<unknown> {
  const began = performance.now();
  let next = 0;
  const client = async () => {
    const connection = new HttpConnection(url);
    while (next < documents) {
      const first = next;
      next = Math.min(documents, next + FILL_MESSAGES);
      const messages = Array.from({ length: next - first }, (_, i) =>
        messageOf(first + i, documents),
      );
      await connection.call("mutation", "messages:add", { messages });
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: FILL_CLIENTS }, client));
  return { seconds: (performance.now() - began) / 1000 };
}

function answer(request: Request): Promise<unknown> {
  switch (request.do) {
    case "rate":
      return measureRate(request);
    case "fill":
      return fill(request);
    case "push":
      return measurePush(request);
  }
}

process.on("uncaughtException", (error) => {
  process.stdout.write(`${JSON.stringify({ error: error.message })}\n`, () => process.exit(1));
});

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line) as Request))}\n`);
}
