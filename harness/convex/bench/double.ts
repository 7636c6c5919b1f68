import { convexTest } from "convex-test";
import { makeFunctionReference } from "convex/server";
import { parseArgs } from "node:util";
import { CALLS, type Caller, repeated, workOf } from "./calls.ts";
import { messageOf, threadsOf } from "./corpus.ts";
import schema from "./project/schema.ts";

/** The same functions in `convex-test`, Convex's own test double: in this process, without a disk.
 *
 *  `node bench/double.ts --documents N --seconds S` prints the rate of each call as JSON.
 */

const FILL_MESSAGES = 1000;

const { values } = parseArgs({
  options: { documents: { type: "string" }, seconds: { type: "string" } },
});
const documents = Number(values.documents);
const double = convexTest(schema, {
  "./project/_generated/api.ts": async () => ({}), // by which it finds the project's folder
  "./project/messages.ts": () => import("./project/messages.ts"),
});
const caller: Caller = {
  query: (path, args) => double.query(makeFunctionReference<"query">(path), args as any),
  mutate: (path, args) => double.mutation(makeFunctionReference<"mutation">(path), args as any),
};

const began = performance.now();
for (let first = 0; first < documents; first += FILL_MESSAGES) {
  const count = Math.min(FILL_MESSAGES, documents - first);
  const messages = Array.from({ length: count }, (_, i) => messageOf(first + i, documents));
  await caller.mutate("messages:add", { messages });
}
const rates: Record<string, unknown> = { fillSeconds: (performance.now() - began) / 1000 };
for (const call of CALLS) {
  const work = workOf(call, caller, threadsOf(documents));
  rates[call] = await repeated([work], Number(values.seconds));
}
process.stdout.write(`${JSON.stringify(rates)}\n`);
