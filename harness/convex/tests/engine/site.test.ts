import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SITE, type TestEngine, removeFolders, startEngine, token } from "./support.ts";

let engine: TestEngine;
let site: string;

beforeAll(async () => {
  engine = await startEngine({ functions: SITE });
  site = engine.siteUrl!;
});
afterAll(async () => {
  await engine.stop();
  removeFolders();
});

describe("an HTTP action", () => {
  test("runs mutations, and answers with its own status and headers", async () => {
    const body = JSON.stringify({ place: "garden" });
    const answer = await fetch(`${site}/visits`, { method: "POST", body });
    expect(answer.status).toBe(201);
    expect(answer.headers.get("access-control-allow-origin")).toBe("https://shop.example");
    expect(await answer.json()).toMatchObject({ site });
    expect(await engine.run("query", "visits:places")).toContain("garden");
  });

  test("answers a preflight as it likes: the site adds nothing", async () => {
    const answer = await fetch(`${site}/visits`, {
      method: "OPTIONS",
      headers: { "access-control-request-method": "POST" },
    });
    expect(answer.status).toBe(204);
    expect(answer.headers.get("access-control-allow-methods")).toBe("POST");
    expect(answer.headers.get("access-control-allow-origin")).toBeNull();
  });

  test.each([
    ["a user's token", async () => `Bearer ${await token({ subject: "user_9" })}`, "user_9"],
    ["no token", async () => "", "nobody"],
    ["a token of somebody else's", async () => "Bearer sk_live_123", "nobody"],
  ])("knows its caller by %s", async (_, authorization, expected) => {
    const header = await authorization();
    const answer = await fetch(`${site}/me`, {
      headers: header ? { authorization: header } : {},
    });
    expect(await answer.text()).toBe(expected);
  });

  test("gets any body by a prefix, byte for byte, and may set several cookies", async () => {
    const body = Uint8Array.from({ length: 200_000 }, (_, i) => (i * 7919) % 256);
    const answer = await fetch(`${site}/echo/some/where`, { method: "POST", body });
    expect(answer.headers.get("x-path")).toBe("/echo/some/where");
    expect(answer.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect(new Uint8Array(await answer.arrayBuffer())).toEqual(body);
  });

  test("streams: the first piece is there before the last one is made", async () => {
    const answer = await fetch(`${site}/pieces`);
    const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader.read()).value).toBe("first");
    // The action makes its last piece when it has heard that the first one arrived.
    await engine.run("mutation", "visits:add", { place: "seen" });
    expect((await reader.read()).value).toBe(" and last");
    expect((await reader.read()).done).toBe(true);
  });

  test("answers HEAD like GET, without the body", async () => {
    const answer = await fetch(`${site}/pieces`, { method: "HEAD" });
    expect(answer.headers.get("content-type")).toBe("text/plain");
    expect(await answer.text()).toBe("");
  });

  test("that throws answers 500 with its message and place", async () => {
    const answer = await fetch(`${site}/broken`);
    expect(answer.status).toBe(500);
    const { code, trace } = (await answer.json()) as { code: string; trace: string };
    expect(code).toMatch(/^\[Request ID: \w+\] Server Error$/);
    expect(trace).toMatch(/Error: the door is stuck[^]*http\.ts:\d+/);
  });

  test("is not found at another path or method", async () => {
    const answer = await fetch(`${site}/nowhere`);
    expect(answer.status).toBe(404);
    expect(await answer.text()).toBe("No HttpAction routed for /nowhere");
    expect((await fetch(`${site}/visits`, { method: "PUT" })).status).toBe(404);
  });

  test("is not on the port of the API, nor the API on the site's", async () => {
    expect((await fetch(`${engine.url}/visits`, { method: "POST", body: "{}" })).status).toBe(404);
    const body = JSON.stringify({ path: "visits:places", args: {} });
    expect((await fetch(`${site}/api/query`, { method: "POST", body })).status).toBe(404);
  });
});
