// Written by hand: `convex codegen` needs a deployment. Same exports as the generated file.
import type { ApiFromModules, FilterApi, FunctionReference } from "convex/server";
import type * as analytics from "../analytics.js";
import type * as flags from "../flags.js";
import type * as memory from "../memory.js";
import type * as messages from "../messages.js";
import type * as preferences from "../preferences.js";
import type * as removal from "../removal.js";
import type * as summaries from "../summaries.js";
import type * as threads from "../threads.js";
import type * as toolCalls from "../toolCalls.js";
import type * as users from "../users.js";
import type * as worker from "../worker.js";

declare const fullApi: ApiFromModules<{
  analytics: typeof analytics;
  flags: typeof flags;
  memory: typeof memory;
  messages: typeof messages;
  preferences: typeof preferences;
  removal: typeof removal;
  summaries: typeof summaries;
  threads: typeof threads;
  toolCalls: typeof toolCalls;
  users: typeof users;
  worker: typeof worker;
}>;

export declare const api: FilterApi<typeof fullApi, FunctionReference<any, "public">>;
export declare const internal: FilterApi<typeof fullApi, FunctionReference<any, "internal">>;
