/// <reference types="vite/client" />
import { convexTest } from "convex-test";
import type { TableNames } from "../../../functions/_generated/dataModel.js";
import schema from "../../../functions/schema.js";
import type { Backend, Caller } from "./backend.js";

const modules = import.meta.glob("../../../functions/**/*.{ts,js}");

type Anybody = {
  query(fn: unknown, args: unknown): Promise<any>;
  mutation(fn: unknown, args: unknown): Promise<any>;
};

export interface ConvexTest extends Backend {
  /** Runs what is scheduled, and what that schedules; `advance` moves the fake clock. */
  runScheduled(advance: () => void): Promise<void>;
  /** How many rows a table has, which no function tells. */
  count(table: TableNames): Promise<number>;
}

/** Convex's own test double, with the functions in this process. */
export async function startConvexTest(): Promise<ConvexTest> {
  const everyone = convexTest(schema, modules);
  return {
    admin: caller(everyone as Anybody),
    anonymous: caller(everyone as Anybody),
    as: (subject, name) => {
      const identity = { subject, ...(name !== undefined && { name }) };
      return caller(everyone.withIdentity(identity) as Anybody);
    },
    stop: async () => {},
    runScheduled: (advance) => everyone.finishAllScheduledFunctions(advance),
    count: (table) => everyone.run(async (ctx) => (await ctx.db.query(table).collect()).length),
  };
}

function caller(somebody: Anybody): Caller {
  return {
    query: (fn, args) => somebody.query(fn, args),
    mutation: (fn, args) => somebody.mutation(fn, args),
  };
}
