import { StartError, UserError, messageOf } from "../failures.ts";
import type { Validator } from "../values/validators.ts";
import type { Bundle } from "./bundle.ts";
import { type CronJob, readCrons } from "./crons.ts";
import { actionGlobals, transactionGlobals } from "./globals.ts";
import type { FunctionKind } from "./invocation.ts";
import { type ProjectSchema, readSchema } from "./schema.ts";
import { refuseMissingValidators } from "./unsupported.ts";

/** The project's functions by name. */

export interface RegisteredFunction {
  path: string;
  kind: FunctionKind;
  internal: boolean;
  args: Validator;
  returns: Validator | null;
  /** Takes the arguments as JSON text and answers the result as JSON text. */
  invoke: (args: string) => Promise<string>;
}

/** What the official package makes of a handler. */
interface Exported {
  isQuery?: true;
  isMutation?: true;
  isAction?: true;
  isHttp?: true;
  isInternal?: true;
  exportArgs: () => string;
  exportReturns: () => string;
  invokeQuery: (args: string) => Promise<string>;
  invokeMutation: (args: string) => Promise<string>;
  invokeAction: (requestId: string, args: string) => Promise<string>;
}

/** What `httpRouter()` of the official package makes. */
export interface HttpRouter {
  isRouter: true;
  /** The action for a request, with the method and path it was routed by. */
  lookup: (path: string, method: string) => readonly [HttpAction, string, string] | null;
}

interface HttpAction {
  invokeHttpAction: (request: Request) => Promise<Response>;
}

type Modules = Record<string, Record<string, unknown>>;

function kindOf(exported: Exported): FunctionKind | null {
  if (exported.isQuery) return "query";
  if (exported.isMutation) return "mutation";
  return exported.isAction ? "action" : null;
}

function register(path: string, exported: Exported, kind: FunctionKind): RegisteredFunction {
  try {
    const [args, returns] = [
      JSON.parse(exported.exportArgs()),
      JSON.parse(exported.exportReturns()),
    ];
    for (const validator of [args, returns]) refuseMissingValidators(path, validator);
    return {
      path,
      kind,
      internal: exported.isInternal === true,
      args: args as Validator,
      returns: returns as Validator | null,
      invoke:
        kind === "query"
          ? (args) => exported.invokeQuery(args)
          : kind === "mutation"
            ? (args) => exported.invokeMutation(args)
            : (args) => exported.invokeAction("", args),
    };
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError(`${path}: ${messageOf(error)}`);
  }
}

function refuseUnsupported(modules: Modules): void {
  if (modules["convex.config"]) {
    throw new StartError(
      "convex.config.ts: components are not supported by this engine: " +
        "use Convex Cloud or a self-hosted Convex",
    );
  }
}

function readRouter(exported: unknown): HttpRouter | null {
  if (exported === undefined) return null;
  const router = exported as HttpRouter;
  if (router.isRouter) return router;
  throw new StartError("http.ts: its default export is not made by httpRouter()");
}

const SUFFIX = /\.(ts|js|tsx|jsx|mjs)(?=:|$)/;

function capitalized(kind: FunctionKind): string {
  return kind[0]!.toUpperCase() + kind.slice(1);
}

export class Registry {
  readonly schema: ProjectSchema;
  readonly crons: CronJob[];
  readonly router: HttpRouter | null;
  readonly mapStack: (stack: string) => string;
  readonly #functions = new Map<string, RegisteredFunction>();

  /** @throws StartError for a project that needs what the engine does not have. */
  constructor(bundle: Bundle, environment: Record<string, string>) {
    this.mapStack = bundle.mapStack;
    // Queries and mutations see a still clock and no network, as on Convex; actions do not.
    const forTransactions = bundle.load(transactionGlobals(environment));
    const forActions = bundle.load(actionGlobals(environment));
    refuseUnsupported(forTransactions);
    this.schema = readSchema(forTransactions.schema?.default);
    this.crons = readCrons(forTransactions.crons?.default);
    this.router = readRouter(forActions.http?.default);
    for (const module of Object.keys(forTransactions)) {
      for (const [name, value] of Object.entries(forTransactions[module]!)) {
        const exported = value as Exported | null;
        if (typeof exported !== "function") continue;
        const kind = kindOf(exported);
        if (!kind) continue;
        const realm = kind === "action" ? forActions : forTransactions;
        const path = `${module}:${name}`;
        this.#functions.set(path, register(path, realm[module]![name] as Exported, kind));
      }
    }
  }

  get size(): number {
    return this.#functions.size;
  }

  /** Finds a function as its caller may see it.
   *
   *  @param path `module:name`, with or without the module's suffix.
   *  @param kind What the caller takes it for; null if anything.
   *  @throws UserError in Convex's words.
   */
  find(path: string, kind: FunctionKind | null, mayUseInternal: boolean): RegisteredFunction {
    const plain = path.replace(SUFFIX, "");
    const found = this.#functions.get(plain.includes(":") ? plain : `${plain}:default`);
    if (!found || (found.internal && !mayUseInternal)) {
      const what = mayUseInternal ? "function" : "public function";
      throw new UserError(
        `Could not find ${what} for '${plain}'. ` +
          "Did you forget to run `npx convex dev` or `npx convex deploy`?",
      );
    }
    if (kind && found.kind !== kind) {
      throw new UserError(
        `Trying to execute ${path} as ${capitalized(kind)}, but it is defined as ${capitalized(found.kind)}.`,
      );
    }
    return found;
  }
}
