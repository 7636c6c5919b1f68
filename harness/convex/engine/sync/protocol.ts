import type { Fields, Json } from "../values/json.ts";
import { type Timestamp, encodeTimestamp } from "./clock.ts";

/** Messages of the sync protocol, as `convex/browser/sync/protocol` defines them. */

export interface AddQuery {
  type: "Add";
  queryId: number;
  udfPath: string;
  args: Json[] | Json;
  journal?: string | null;
}

export interface RemoveQuery {
  type: "Remove";
  queryId: number;
}

export type ClientMessage =
  | {
      type: "Connect";
      sessionId: string;
      connectionCount: number;
      lastCloseReason: string | null;
      maxObservedTimestamp?: string;
    }
  | {
      type: "ModifyQuerySet";
      baseVersion: number;
      newVersion: number;
      modifications: (AddQuery | RemoveQuery)[];
    }
  | {
      type: "Mutation" | "Action";
      requestId: number;
      udfPath: string;
      args: Json[] | Json;
    }
  | { type: "Authenticate"; tokenType: "None"; baseVersion: number }
  | { type: "Authenticate"; tokenType: "User"; value: string; baseVersion: number }
  | {
      type: "Authenticate";
      tokenType: "Admin";
      value: string;
      baseVersion: number;
      impersonating?: Fields;
    }
  | { type: "Event" };

/** How far a session's view has come. */
export interface StateVersion {
  querySet: number;
  identity: number;
  ts: Timestamp;
}

/** The one object of arguments, which clients send as it is or in a list. */
export function argumentsOf(args: Json[] | Json | undefined): Json {
  return (Array.isArray(args) ? args[0] : args) ?? {};
}

function versionText(version: StateVersion): string {
  return `{"querySet":${version.querySet},"identity":${version.identity},"ts":"${encodeTimestamp(version.ts)}"}`;
}

/** @param modifications As JSON text. */
export function transitionText(
  start: StateVersion,
  end: StateVersion,
  modifications: readonly string[],
): string {
  const versions = `"startVersion":${versionText(start)},"endVersion":${versionText(end)}`;
  return `{"type":"Transition",${versions},"modifications":[${modifications.join(",")}]}`;
}
