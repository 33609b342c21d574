import { realpathSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { version } from "#app/version.ts";

/** The package `tidings` of the program that runs: beside the server in a clone. */
const SDK = fileURLToPath(new URL("../../../../sdk", import.meta.url));

/**
 * What a new project depends on: the version that runs, or, where that is a clone of the repository, its folder, seen from the
 * project, so that both may be moved together.
 */
export function tidingsDependency(project: string): string {
  if (import.meta.url.includes("/node_modules/")) return `^${version}`;
  return `file:${relative(realDirectory(project), realpathSync(SDK)).split(sep).join("/")}`;
}

/** Of a folder that may not be there yet: npm resolves links before it goes up. */
function realDirectory(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    return join(realDirectory(dirname(folder)), folder.slice(dirname(folder).length));
  }
}
