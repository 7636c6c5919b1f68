import { randomUUID } from "node:crypto";
import { Deployment, startEngine } from "../engine/support.ts";

/** What the contract is held against: a local engine, or the deployment that the environment names.
 *  @see README.md
 */

const { CONVEX_URL, CONVEX_DEPLOY_KEY } = process.env;

/** The deployment is not a process of the test's own, nor does it know the test's keys. */
export const REMOTE = Boolean(CONVEX_URL && CONVEX_DEPLOY_KEY);

export const OWN_PROCESS = "stops and starts an engine of its own";
export const OWN_KEYS = "signs tokens with keys that only a local engine is given";

const RUN = randomUUID().slice(0, 8);

/** A name that no earlier run has used: a deployment keeps what was written. */
export function own(name: string): string {
  return `${name} ${RUN}`;
}

/** @throws Error if the deployment does not have the contract's project. */
export async function openDeployment(): Promise<Deployment> {
  if (!REMOTE) return startEngine();
  const deployment = new Deployment(CONVEX_URL!.replace(/\/$/, ""), CONVEX_DEPLOY_KEY!);
  const answer = await deployment.call("query", "values:echo", { value: "contract" });
  if (answer.value === "contract") return deployment;
  throw new Error(
    `${CONVEX_URL} does not run the contract's project (${answer.errorMessage ?? answer.message}): ` +
      "deploy it as tests/contract/README.md says, or unset CONVEX_URL",
  );
}
