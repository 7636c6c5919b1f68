import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Deployment, eventually, removeFolders, token } from "../engine/support.ts";
import { closeClients, connect, watch } from "./clients.ts";
import { OWN_KEYS, REMOTE, openDeployment } from "./deployment.ts";

let engine: Deployment;

beforeAll(async () => {
  engine = await openDeployment();
});
afterEach(closeClients);
afterAll(async () => {
  await engine.stop();
  removeFolders();
});

describe("identity over the socket", () => {
  test("is the token's, and changes with it", async ({ skip }) => {
    skip(REMOTE, OWN_KEYS);
    const client = connect(engine.url);
    const { seen } = watch(client, "people:whoami", {});
    await eventually(() => seen.length === 1);
    expect(seen[0]).toBeNull();
    client.setAuth(() => token({ subject: "ann" }));
    await eventually(() => seen.at(-1)?.subject === "ann");
  });

  test("is each session's own on one shared query", async ({ skip }) => {
    skip(REMOTE, OWN_KEYS);
    const names = ["ann", "bob", "cid"];
    const watched = names.map((subject) => {
      const client = connect(engine.url);
      client.setAuth(() => token({ subject }));
      return watch(client, "people:whoami", {});
    });
    await eventually(() => watched.every(({ seen }) => seen.at(-1)?.subject));
    expect(watched.map(({ seen }) => seen.at(-1).subject)).toEqual(names);
  });

  test("stays with a token that is renewed before its end, and is never nobody's", async ({
    skip,
  }) => {
    skip(REMOTE, OWN_KEYS);
    const client = connect(engine.url);
    let given = 0;
    client.setAuth(async () => {
      given++;
      return token({ subject: `user_${given}`, expiresAt: "3s" });
    });
    const { seen } = watch(client, "people:whoami", {});
    await eventually(() => given >= 3 && seen.at(-1)?.subject === `user_${given}`);
    expect(seen).not.toContain(null);
  });

  test("comes with the next token when the first one is refused", async ({ skip }) => {
    skip(REMOTE, OWN_KEYS);
    const client = connect(engine.url);
    const { seen } = watch(client, "people:whoami", {});
    client.setAuth(async ({ forceRefreshToken }) =>
      token({ subject: "ann", issuer: forceRefreshToken ? undefined : "https://nobody.example" }),
    );
    await eventually(() => seen.at(-1)?.subject === "ann");
  });

  test("ends with a token that is not renewed", async ({ skip }) => {
    skip(REMOTE, OWN_KEYS);
    const client = connect(engine.url);
    const { seen } = watch(client, "people:whoami", {});
    let given = 0;
    client.setAuth(async () => (given++ ? null : token({ expiresAt: "3s" })));
    await eventually(() => seen.some((identity) => identity?.subject === "user_1"));
    await eventually(() => seen.at(-1) === null);
  });
});
