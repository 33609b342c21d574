import { readdirSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { FUNCTION_NAME, FUNCTION_NAME_CHARS_MAX } from "tidings/load";
import type { LoadFault } from "#ports/function-host.ts";

/** A file that may be a function. */
export type FunctionFile = { readonly name: string; readonly path: string; readonly shown: string };

/** Files that a folder may have below it: more is not a folder of functions. */
const FILES_MAX = 2_000;
const ENDING = /\.(?:ts|mts|js|mjs)$/;
const NONE = /(?:^|[/\\])[._]|\.test\.[mc]?[jt]s$|\.spec\.[mc]?[jt]s$|\.d\.m?ts$|(?:^|[/\\])node_modules[/\\]/;

/** The files of a functions' folder by name, and those that can have none. A folder that is not there has none. */
export function functionFiles(
  folder: string,
  root: string,
): { readonly files: readonly FunctionFile[]; readonly faults: readonly LoadFault[] } {
  const files = new Map<string, FunctionFile>();
  const faults: LoadFault[] = [];
  for (const path of list(folder)) {
    if (!ENDING.test(path) || NONE.test(path)) continue;
    const name = path.replace(ENDING, "").split(sep).join(".");
    const shown = relative(root, join(folder, path)).split(sep).join("/");
    const other = files.get(name);
    const fits = FUNCTION_NAME.test(name) && name.length <= FUNCTION_NAME_CHARS_MAX;
    if (!fits)
      faults.push({
        name,
        file: shown,
        line: null,
        says: `a function's file is named with letters, digits, "-" and "_", at most ${FUNCTION_NAME_CHARS_MAX} characters with its folders`,
      });
    else if (other !== undefined)
      faults.push({ name, file: shown, line: null, says: `${other.shown} has the same name, ${name}` });
    else files.set(name, { name, path: join(folder, path), shown });
  }
  return { files: [...files.values()], faults };
}

function list(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: "utf8" }).toSorted().slice(0, FILES_MAX);
  } catch {
    return [];
  }
}
