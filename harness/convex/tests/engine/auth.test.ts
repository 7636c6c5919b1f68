import { type KeyObject, generateKeyPairSync } from "node:crypto";
import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { SignJWT } from "jose";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Authenticator, readProviders } from "../../engine/server/auth.ts";

/** A provider of identities on this machine, whose keys a test changes. */

let server: Server;
let issuer: string;
let keys: { kid: string; privateKey: KeyObject; publicKey: KeyObject }[];
let fetched: string[];

function newKey(kid: string) {
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  keys.push({ kid, ...pair });
}

beforeEach(async () => {
  keys = [];
  fetched = [];
  newKey("first");
  server = createServer((request, response) => {
    fetched.push(request.url!);
    const found: Record<string, object> = {
      "/.well-known/openid-configuration": { issuer, jwks_uri: `${issuer}/keys` },
      "/keys": {
        keys: keys.map(({ kid, publicKey }) => ({ ...publicKey.export({ format: "jwk" }), kid })),
      },
    };
    const answer = found[request.url!];
    response.writeHead(answer ? 200 : 404, { "content-type": "application/json" });
    response.end(JSON.stringify(answer ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  vi.useRealTimers();
  await new Promise((resolve) => server.close(resolve));
});

function signed(claims: object, audience = "app"): Promise<string> {
  const { kid, privateKey } = keys.at(-1)!;
  return new SignJWT({ ...claims })
    .setProtectedHeader({ alg: "ES256", kid })
    .setSubject("ann")
    .setIssuer(issuer)
    .setAudience(audience)
    .setExpirationTime("5m")
    .sign(privateKey);
}

const authenticator = (...providers: object[]) =>
  new Authenticator(readProviders({ providers }), "admin-key");
const identityBy = async (auth: Authenticator, token: string) =>
  (await auth.user(token)).caller.identity;

test("a provider's keys are found by its discovery document, and kept", async () => {
  const auth = authenticator({ domain: issuer, applicationID: "app" });
  const claims = { given_name: "Ann", team: { id: 7 } };
  expect(await identityBy(auth, await signed(claims))).toEqual({
    tokenIdentifier: `${issuer}|ann`,
    issuer,
    subject: "ann",
    givenName: "Ann",
    team: { id: 7 },
  });
  await auth.user(await signed({}));
  expect(fetched).toEqual(["/.well-known/openid-configuration", "/keys"]);
});

test.each([
  ["a discovered provider", () => ({ domain: issuer, applicationID: "app" })],
  [
    "keys at an address",
    () => ({ type: "customJwt", issuer, jwks: `${issuer}/keys`, algorithm: "ES256" }),
  ],
])("of %s, a new key is fetched when a token names it", async (_, provider) => {
  const auth = authenticator(provider());
  await auth.user(await signed({}));
  newKey("second");
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 1_100 }); // they are not fetched more often
  expect((await identityBy(auth, await signed({})))!.subject).toBe("ann");
});

test("applications of one issuer are providers of their own", async () => {
  const auth = authenticator(
    { domain: issuer, applicationID: "web" },
    { domain: `${issuer}/`, applicationID: "phone" },
  );
  for (const audience of ["web", "phone"]) await auth.user(await signed({}, audience));
  await expect(auth.user(await signed({}, "other"))).rejects.toThrow(
    `No auth provider found matching the given token (issuer ${issuer}, audience other).`,
  );
});

test("nested claims of a custom token have dotted names, as on Convex", async () => {
  const auth = authenticator({
    type: "customJwt",
    issuer,
    jwks: `${issuer}/keys`,
    algorithm: "ES256",
  });
  const claims = { properties: { id: "123", tags: ["a"] } };
  expect(await identityBy(auth, await signed(claims))).toMatchObject({
    "properties.id": "123",
    "properties.tags": ["a"],
  });
});

test("a provider that cannot be reached refuses its tokens, and says so", async () => {
  const auth = authenticator({ domain: `${issuer}/nowhere`, applicationID: "app" });
  const token = await new SignJWT({})
    .setProtectedHeader({ alg: "ES256", kid: "first" })
    .setSubject("ann")
    .setIssuer(`${issuer}/nowhere`)
    .setAudience("app")
    .setExpirationTime("5m")
    .sign(keys[0]!.privateKey);
  await expect(auth.user(token)).rejects.toThrow(
    `${issuer}/nowhere/.well-known/openid-configuration answered 404`,
  );
});
