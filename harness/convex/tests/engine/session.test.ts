import { expect, test } from "vitest";
import type { WebSocket } from "ws";
import type { Outcome } from "../../engine/functions/outcome.ts";
import { Session, type SessionContext } from "../../engine/sync/session.ts";

/** Stands for a client's socket: says whether more of it is read. */
class Socket {
  reading = true;
  pause() {
    this.reading = false;
  }
  resume() {
    this.reading = true;
  }
}

test("a client that sends faster than it is served is not read from until half is done", async () => {
  const socket = new Socket();
  const running: ((outcome: Outcome) => void)[] = [];
  const runner = {
    mutation: () => new Promise<Outcome>((resolve) => running.push(resolve)),
  };
  const session = new Session(
    socket as unknown as WebSocket,
    { runner } as unknown as SessionContext,
  );
  const settled = () => new Promise((resolve) => setTimeout(resolve));
  session.receive('{"type":"Connect","sessionId":"fast"}');
  const send = async (requestId: number) => {
    session.receive(`{"type":"Mutation","requestId":${requestId},"udfPath":"a:b","args":[{}]}`);
    await settled();
  };
  for (let request = 0; request < 200; request++) await send(request);
  expect(socket.reading).toBe(true);
  for (let request = 200; request < 256; request++) await send(request);
  expect(socket.reading).toBe(false);
  const finish = async (count: number) => {
    for (const resolve of running.splice(0, count)) resolve({ ok: true, value: "1", logLines: [] });
    await settled();
  };
  await finish(127);
  expect(socket.reading).toBe(false);
  await finish(1);
  expect(socket.reading).toBe(true);
});
