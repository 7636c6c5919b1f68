import { HttpConnection } from "./http.ts";
import { SyncSocket } from "./socket.ts";

/** How soon subscribers see what others write. */

export interface PushRequest {
  url: string;
  /** Each has a connection and a thread of its own. */
  subscriptions: number;
  /** Writes a second, each to one of the threads; they are sent on time however slow the answers. */
  rate: number;
  seconds: number;
}

export interface PushResult {
  /** From a write's commit to its subscriber, milliseconds each. */
  pushed: number[];
  /** From the moment a write was sent to its subscriber, milliseconds each. */
  seen: number[];
}

const CONNECTIONS = 32;
const WAIT_S = 10;
/** An order that no thread reaches. */
const END = 1e9;

const now = () => performance.timeOrigin + performance.now();

/** Writes that are on their way to one subscriber, by the order they will get. */
class Follower {
  readonly thread: string;
  #expected: number[] = [];
  #seen = 0;

  constructor(thread: string) {
    this.thread = thread;
  }

  get waiting(): number {
    return this.#expected.length - this.#seen;
  }

  expect(): void {
    this.#expected.push(now());
  }

  /** One result may bring several writes. Answers when those were sent. */
  arrived(written: number): number[] {
    const sent = this.#expected.slice(this.#seen, written);
    this.#seen = Math.max(this.#seen, written);
    return sent;
  }
}

async function subscribed(
  url: string,
  follower: Follower,
  result: PushResult,
): Promise<SyncSocket> {
  const socket = await SyncSocket.open(url);
  await new Promise<void>((resolve) => {
    let before: number | null = null;
    socket.watch(
      "messages:recent",
      { thread: follower.thread, before: END },
      (value, committedMs) => {
        const at = now();
        const written = value.length ? value[0].order + 1 : 0;
        if (before === null) {
          before = written;
          return resolve();
        }
        const sent = follower.arrived(written - before);
        for (const sentAt of sent) result.seen.push(at - sentAt);
        if (sent.length) result.pushed.push(at - committedMs);
      },
    );
  });
  return socket;
}

async function writeOnTime(request: PushRequest, followers: Follower[]): Promise<void> {
  const idle = Array.from({ length: CONNECTIONS }, () => new HttpConnection(request.url));
  const writes: Promise<void>[] = [];
  const began = performance.now();
  const total = request.rate * request.seconds;
  for (let number = 0; number < total; number++) {
    const due = began + (number * 1000) / request.rate;
    const early = due - performance.now();
    if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
    const follower = followers[Math.floor(Math.random() * followers.length)]!;
    const connection = idle.pop() ?? new HttpConnection(request.url);
    follower.expect();
    const write = async () => {
      await connection.call("mutation", "messages:send", {
        thread: follower.thread,
        text: "A message.",
      });
      idle.push(connection);
    };
    writes.push(write());
  }
  await Promise.all(writes);
  for (const connection of idle) connection.close();
}

/** @throws Error if a write reached nobody. */
export async function measurePush(request: PushRequest): Promise<PushResult> {
  const result: PushResult = { pushed: [], seen: [] };
  const followers = Array.from(
    { length: request.subscriptions },
    (_, number) => new Follower(`watched-${number}`),
  );
  const sockets: SyncSocket[] = [];
  for (const follower of followers) sockets.push(await subscribed(request.url, follower, result));
  await writeOnTime(request, followers);
  const late = performance.now() + WAIT_S * 1000;
  while (followers.some((follower) => follower.waiting)) {
    if (performance.now() > late) throw new Error(`a write was not pushed within ${WAIT_S} s`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  for (const socket of sockets) socket.close();
  return result;
}
