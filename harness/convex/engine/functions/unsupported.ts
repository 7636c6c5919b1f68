import { readFileSync } from "node:fs";
import type { SourceMap } from "node:module";
import { StartError } from "../failures.ts";

/** What this engine does not have, found in a project's code before any of it runs. */

const REMEDY = "use Convex Cloud or a self-hosted Convex";

/** Ways to write it, in code without comments. Code that hides it fails when it is called. */
const CALLS: [RegExp, string][] = [
  [/\.storage\.(?:getUrl|generateUploadUrl|store|get|getMetadata|delete)\b/g, "file storage"],
  [/\(\s*"_storage"/g, "file storage"],
  [/\.vectorSearch\(/g, "vector search"],
  [/\.withSearchIndex\(/g, "full-text search"],
  [/\.auth\.signJwt\(/g, "auth.signJwt"],
  [/\.vars\.commitTs\b/g, "a commit timestamp (db.vars.commitTs)"],
  [/\.getSnapshotTs\(/g, "a commit timestamp (meta.getSnapshotTs)"],
];

const COMMENTS_BEFORE = /^(?:\s|\/\/.*\n|\/\*[^]*?\*\/)*/;

/** Refuses a validator of what is missing.
 *
 *  @param validator As the official package exports it.
 *  @throws StartError naming the place.
 */
export function refuseMissingValidators(place: string, validator: unknown): void {
  const commit = /"type":"commitTs"/.test(JSON.stringify(validator) ?? "");
  if (commit) refuse(place, "a commit timestamp (v.commitTs())");
}

function refuse(place: string, what: string): never {
  throw new StartError(`${place}: ${what} is not supported by this engine: ${REMEDY}`);
}

/** Refuses modules that ask for Node's runtime.
 *  @throws StartError naming the file.
 */
export function refuseNodeModules(files: Map<string, string>): void {
  for (const [module, file] of files) {
    const code = readFileSync(file, "utf8").replace(COMMENTS_BEFORE, "");
    if (/^["']use node["']/.test(code)) refuse(`${module}.ts`, '"use node"');
  }
}

/** Refuses calls to what is missing.
 *
 *  @param code The bundle, which has no comments.
 *  @param sources Maps it back to the project's files.
 *  @throws StartError naming file and line.
 */
export function refuseMissingCalls(code: string, sources: SourceMap): void {
  for (const [pattern, what] of CALLS) {
    for (const found of code.matchAll(pattern)) {
      const before = code.slice(0, found.index).split("\n");
      const entry = sources.findEntry(before.length - 1, before.at(-1)!.length);
      if (!("originalSource" in entry) || entry.originalSource.includes("node_modules")) continue;
      refuse(`${entry.originalSource}:${entry.originalLine + 1}`, what);
    }
  }
}
