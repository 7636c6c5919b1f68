import type { FunctionArgs } from "convex/server";
import type { internal } from "../../../functions/_generated/api.js";
import { fresh } from "./given.js";

export type Call = FunctionArgs<typeof internal.toolCalls.record>["calls"][number];

/** A call as a model asks for it; it only reads unless the test says more. */
export function newCall(more: Partial<Call> = {}): Call {
  return {
    callId: fresh("call"),
    index: 0,
    name: "view_file",
    arguments: '{"path": "notes.md"}',
    effect: "read",
    idempotent: false,
    chosenBy: "first",
    ...more,
  };
}
