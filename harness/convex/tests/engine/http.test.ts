import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ConvexHttpClient } from "convex/browser";
import { type UserIdentityAttributes, makeFunctionReference } from "convex/server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  ADMIN_KEY,
  ENVIRONMENT,
  ISSUER,
  type TestEngine,
  removeFolders,
  startEngine,
  temporaryFolder,
  token,
} from "./support.ts";

/** What the client's published types leave out. */
interface AdminClient {
  setAdminAuth: (key: string, actingAs: UserIdentityAttributes) => void;
}

let engine: TestEngine;

beforeAll(async () => {
  engine = await startEngine();
});
afterAll(async () => {
  await engine.stop();
  removeFolders();
});

const post = (path: string, body: string, headers: Record<string, string> = {}) =>
  fetch(engine.url + path, { method: "POST", body, headers });

describe("the HTTP API", () => {
  test.each(["/version", "/instance_name"])("answers %s", async (path) => {
    expect((await fetch(engine.url + path)).status).toBe(200);
  });

  test("lets pages of other origins call it, with the headers they ask for", async () => {
    const preflight = await fetch(`${engine.url}/api/query`, {
      method: "OPTIONS",
      headers: {
        origin: "https://shop.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,convex-client,x-own",
      },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get("access-control-allow-headers")).toContain("x-own");
    const answer = await post("/api/query", "{}", { origin: "https://shop.example" });
    expect(answer.headers.get("access-control-allow-origin")).toBe("*");
  });

  test("prints whole numbers as floats, which the Python client needs", async () => {
    const body = JSON.stringify({
      path: "values:echo",
      args: { value: [1, "1"] },
      format: "convex_encoded_json",
    });
    expect(await (await post("/api/query", body)).text()).toContain('"value":[1.0,"1"]');
  });

  test.each([
    ["a body that is not JSON", "/api/query", "{", 400, "BadJsonBody"],
    ["a body that is no object", "/api/query", "[]", 400, "BadJsonBody"],
    ["no path", "/api/query", "{}", 400, "BadConvexFunctionPath"],
    [
      "arguments that are no object",
      "/api/query",
      '{"path":"a:b","args":7}',
      400,
      "BadConvexFunctionArgs",
    ],
    ["an unknown format", "/api/query", '{"path":"a:b","format":"xml"}', 400, "BadFormat"],
    ["an unknown address", "/api/nothing", "{}", 404, "NotFound"],
  ])("refuses %s", async (_, path, body, status, code) => {
    const answer = await post(path, body);
    expect([answer.status, (await answer.json()).code]).toEqual([status, code]);
  });

  test("refuses bytes that are no UTF-8", async () => {
    const body = new Uint8Array([0x7b, 0xff, 0x7d]);
    const answer = await fetch(`${engine.url}/api/query`, { method: "POST", body });
    expect([answer.status, (await answer.json()).code]).toEqual([400, "BadJsonBody"]);
  });

  test("refuses a body over 32 MiB", async () => {
    const answer = await post("/api/query", " ".repeat((32 << 20) + 1));
    expect(answer.status).toBe(413);
  });
});

describe("a function's failure", () => {
  test("names the place in the project's own file", async () => {
    const answer = await engine.call("query", "errors:inQuery", { kind: "plain" });
    expect(answer.errorMessage).toMatch(
      /^\[Request ID: \w+\] Server Error\nUncaught Error: plain failure\n {4}at thrown \(errors\.ts:5:\d+\)/,
    );
    expect(answer).not.toHaveProperty("errorData");
  });
});

describe("the admin key", () => {
  test("may act as a user, as the official client asks for it", async () => {
    const client = new ConvexHttpClient(engine.url);
    (client as unknown as AdminClient).setAdminAuth(ADMIN_KEY, {
      subject: "user_é",
      issuer: "https://issuer.example",
      name: "Zoë",
    });
    expect(await client.query(makeFunctionReference<"query">("people:whoami"))).toEqual({
      tokenIdentifier: "https://issuer.example|user_é",
      subject: "user_é",
      issuer: "https://issuer.example",
      name: "Zoë",
    });
  });

  test("is refused when it is wrong", async () => {
    const body = '{"path":"people:secret"}';
    const answer = await post("/api/query", body, { authorization: `Convex ${ADMIN_KEY}x` });
    expect([answer.status, (await answer.json()).code]).toEqual([401, "BadAdminKey"]);
  });
});

describe("a user's token", () => {
  const whoami = async (jwt: string) =>
    engine.call("query", "people:whoami", {}, { authorization: `Bearer ${jwt}` });

  test("gives the identity Convex gives", async () => {
    const claims = { name: "Ann", email: "ann@example.com", email_verified: true, org: "o1" };
    expect((await whoami(await token({ subject: "ann", claims }))).value).toEqual({
      tokenIdentifier: `${ISSUER}|ann`,
      issuer: ISSUER,
      subject: "ann",
      name: "Ann",
      email: "ann@example.com",
      emailVerified: true,
      org: "o1",
    });
  });

  test("of a second provider is taken with its algorithm", async () => {
    const jwt = await token({
      issuer: "https://second.example",
      algorithm: "ES256",
      audience: null,
    });
    expect((await whoami(jwt)).value.issuer).toBe("https://second.example");
  });

  test.each([
    ["another audience", { audience: "other" }, "NoAuthProvider"],
    ["no audience", { audience: null }, "NoAuthProvider"],
    ["an unknown issuer", { issuer: "https://elsewhere.example" }, "NoAuthProvider"],
    ["another algorithm", { algorithm: "ES256" as const }, "InvalidToken"],
    ["an end in the past", { expiresAt: 1_000_000 }, "ExpiredToken"],
  ])("with %s is refused", async (_, options, code) => {
    expect((await whoami(await token(options))).code).toBe(code);
  });

  test("is checked by the keys of a file, which is read again for new keys", async () => {
    const folder = temporaryFolder();
    const file = join(folder, "jwks.json");
    writeFileSync(file, JSON.stringify({ keys: [] }));
    const environment = { ...ENVIRONMENT, CLERK_JWKS_URL: pathToFileURL(file).href };
    const other = await startEngine({ environment });
    const ask = async () =>
      other.call("query", "people:whoami", {}, { authorization: `Bearer ${await token()}` });
    expect(await ask()).toMatchObject({ code: "InvalidToken" });
    writeFileSync(file, decodeURIComponent(ENVIRONMENT.CLERK_JWKS_URL.split(",")[1]!));
    expect(await ask()).toMatchObject({ value: { subject: "user_1" } });
    await other.stop();
  });

  test("with another signature is refused", async () => {
    const [head, , signature] = (await token()).split(".");
    const [, payload] = (await token({ subject: "someone else" })).split(".");
    expect((await whoami([head, payload, signature].join("."))).code).toBe("InvalidToken");
  });

  test("that is none is refused", async () => {
    expect((await whoami("nonsense")).code).toBe("InvalidAuthHeader");
  });

  test("does not reach internal functions", async () => {
    const authorization = `Bearer ${await token()}`;
    const answer = await engine.call("query", "people:secret", {}, { authorization });
    expect(answer.errorMessage).toContain("Could not find public function");
  });
});
