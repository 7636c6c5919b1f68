import { existsSync, readdirSync, statSync } from "node:fs";
import { SourceMap } from "node:module";
import { join, relative, sep } from "node:path";
import vm from "node:vm";
import { type BuildFailure, type Message, build, stop } from "esbuild";
import { StartError, messageOf } from "../failures.ts";
import { refuseMissingCalls, refuseNodeModules } from "./unsupported.ts";

/** A project's functions, bundled as a deployment would bundle them. */

/** The name by which the bundle shows in stack traces. */
const BUNDLE = "convex-bundle.js";

export interface Bundle {
  /** Evaluates the code with its globals given by name, and answers its modules. */
  load: (globals: Record<string, unknown>) => Record<string, Record<string, unknown>>;
  /** Turns places in the bundle into places in the project's files. */
  mapStack: (stack: string) => string;
}

const CONFIGURATION = /^(auth|convex)\.config\./;
const SCRIPT = /\.(ts|tsx|js|jsx|mjs)$/;

/** The modules of a project, by the name functions are called with; no configuration. */
function modulesOf(root: string, folder = root): Map<string, string> {
  const modules = new Map<string, string>();
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) {
      if (name === "_generated" || name === "node_modules") continue;
      for (const [module, file] of modulesOf(root, path)) modules.set(module, file);
      continue;
    }
    if (!SCRIPT.test(name) || name.startsWith(".")) continue;
    // As with `convex deploy`: a name with two dots (x.test.ts, x.d.ts) is no module.
    if (name.split(".").length > 2 && !CONFIGURATION.test(name)) continue;
    const module = relative(root, path).replace(SCRIPT, "").split(sep).join("/");
    modules.set(module, path);
  }
  return modules;
}

function placeOf(message: Message): string {
  const at = message.location;
  return at ? `${at.file}:${at.line}:${at.column}: ` : "";
}

async function bundleCode(root: string, contents: string): Promise<{ code: string; map: string }> {
  try {
    const result = await build({
      stdin: { contents, resolveDir: root, sourcefile: "modules", loader: "ts" },
      absWorkingDir: root,
      bundle: true,
      write: false,
      format: "iife",
      globalName: "__modules",
      platform: "browser",
      target: "esnext",
      conditions: ["convex", "module"],
      sourcemap: "external",
      sourcesContent: false,
      outfile: BUNDLE,
      logLevel: "silent",
    });
    const text = (suffix: string) =>
      result.outputFiles.find((file) => file.path.endsWith(suffix))!.text;
    return { code: text(".js"), map: text(".js.map") };
  } catch (error) {
    const first = (error as BuildFailure).errors?.[0];
    throw new StartError(
      first
        ? `${placeOf(first)}${first.text}`
        : `the functions in ${root} cannot be bundled: ${messageOf(error)}`,
    );
  }
}

function stackMapper(sources: SourceMap): (stack: string) => string {
  const place = new RegExp(`${BUNDLE.replace(".", "\\.")}:(\\d+):(\\d+)`, "g");
  return (stack) =>
    stack.replace(place, (found, line, column) => {
      const entry = sources.findEntry(Number(line) - 1, Number(column) - 1);
      if (!("originalSource" in entry)) return found;
      return `${entry.originalSource}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
    });
}

/** Evaluates one bundle with the given names shadowing the globals of Node. */
function evaluate(
  code: string,
  globals: Record<string, unknown>,
  mapStack: (stack: string) => string,
): Record<string, Record<string, unknown>> {
  const names = Object.keys(globals);
  try {
    // The parameters stand on the bundle's own first line, so that lines keep their numbers.
    const script = new vm.Script(`(function(${names.join(",")}){${code}\nreturn __modules;})`, {
      filename: BUNDLE,
    });
    const make = script.runInThisContext() as (...values: unknown[]) => {
      default: Record<string, Record<string, unknown>>;
    };
    return make(...names.map((name) => globals[name])).default;
  } catch (error) {
    const stack = error instanceof Error ? mapStack(error.stack ?? error.message) : String(error);
    const [message, ...frames] = stack.split("\n");
    const place = /([^\s(]+\.[jt]sx?:\d+:\d+)/.exec(frames.join("\n"))?.[1];
    throw new StartError(`${place ? `${place}: ` : ""}${message}`);
  }
}

async function makeBundle(root: string, files: Map<string, string>): Promise<Bundle> {
  const imports = [...files.values()].map(
    (file, i) => `import * as m${i} from ${JSON.stringify(file)};`,
  );
  const entries = [...files.keys()].map((module, i) => `${JSON.stringify(module)}: m${i}`);
  const { code, map } = await bundleCode(
    root,
    `${imports.join("")}\nexport default {${entries.join(", ")}};`,
  );
  const sources = new SourceMap(JSON.parse(map));
  refuseMissingCalls(code, sources);
  const mapStack = stackMapper(sources);
  return { load: (globals) => evaluate(code, globals, mapStack), mapStack };
}

/** Bundles every module of a project, and its auth configuration apart from them.
 *
 *  @param root The project's functions folder.
 *  @throws StartError naming file and line of what is broken.
 */
export async function bundleProject(
  root: string,
): Promise<{ functions: Bundle; authConfig: Bundle | null }> {
  if (!existsSync(root)) {
    throw new StartError(`there is no functions folder ${root}: give --functions DIR`);
  }
  const files = modulesOf(root);
  const authFile = files.get("auth.config");
  files.delete("auth.config");
  refuseNodeModules(files);
  try {
    return {
      functions: await makeBundle(root, files),
      authConfig: authFile ? await makeBundle(root, new Map([["auth.config", authFile]])) : null,
    };
  } finally {
    await stop();
  }
}
