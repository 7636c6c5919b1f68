import type { FunctionArgs, FunctionReference, FunctionReturnType } from "convex/server";
import { afterAll, beforeAll, describe } from "vitest";
import { startConvexTest } from "./convexTest.js";
import { startEngine } from "./engine.js";

type Query = FunctionReference<"query", any>;
type Mutation = FunctionReference<"mutation", any>;

/** Calls functions as somebody. */
export interface Caller {
  query<Q extends Query>(fn: Q, args: FunctionArgs<Q>): Promise<FunctionReturnType<Q>>;
  mutation<M extends Mutation>(fn: M, args: FunctionArgs<M>): Promise<FunctionReturnType<M>>;
}

/** Something that runs the functions. */
export interface Backend {
  /** The worker: whoever has the deployment's key. */
  readonly admin: Caller;
  /** Nobody: a call without a token. */
  readonly anonymous: Caller;
  as(subject: string, name?: string): Caller;
  stop(): Promise<void>;
}

const starters: [string, () => Promise<Backend>][] = [
  ["convex-test", startConvexTest],
  ["the local engine", startEngine],
];

/** Runs the same tests on Convex's own test double and on the local engine. */
export function describeFunctions(name: string, tests: (backend: Backend) => void): void {
  describe.each(starters)(`${name} on %s`, (_, start) => {
    let backend: Backend;
    beforeAll(async () => {
      backend = await start();
    });
    afterAll(async () => await backend?.stop());
    tests({
      get admin() {
        return backend.admin;
      },
      get anonymous() {
        return backend.anonymous;
      },
      as: (subject, name) => backend.as(subject, name),
      stop: () => backend.stop(),
    });
  });
}
