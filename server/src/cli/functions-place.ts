import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { OperatorFault } from "#domain/faults.ts";
import { isJsonObject, type Json } from "#domain/json.ts";
import type { FunctionsPlace } from "#ports/functions-place.ts";

/** Where functions are looked for when nothing is said. */
const FOLDER = "functions";
const MEMBERS = ["folder", "settings", "secrets"];

/**
 * Reads `functions` of `tidings.config.ts`. A folder `functions` is enough: it needs no configuration.
 * @param named by TIDINGS_FUNCTIONS_DIR, which goes first.
 * @returns null when there is neither.
 * @throws {OperatorFault} "config.invalid" when it says what cannot be.
 */
export function functionsPlace(cwd: string, given: unknown, named: string | null): FunctionsPlace | null {
  if (given === undefined) {
    const folder = resolve(cwd, named ?? FOLDER);
    if (named !== null && !isFolder(folder)) throw notThere(folder);
    return isFolder(folder) ? { folder, root: cwd, settings: {}, secrets: {} } : null;
  }
  // What a file of the user's exports is looked at member by member.
  const place = given as Json;
  if (!isJsonObject(place)) throw wrong("functions is an object: { folder, settings, secrets }");
  const unknown = Object.keys(place).find((name) => !MEMBERS.includes(name));
  if (unknown !== undefined) throw wrong(`functions has no ${unknown}; it has ${MEMBERS.join(", ")}`);
  const { folder = FOLDER, settings = {}, secrets = {} } = place;
  if (typeof folder !== "string" || folder === "") throw wrong("functions.folder is the path of a folder");
  if (!isJsonObject(settings)) throw wrong("functions.settings is an object");
  if (!isJsonObject(secrets)) throw wrong("functions.secrets is an object of texts");
  const path = resolve(cwd, named ?? folder);
  if (!isFolder(path)) throw named === null ? wrong(`functions.folder: there is no folder ${path}`) : notThere(path);
  return { folder: path, root: cwd, settings, secrets: textsOf(secrets) };
}

function textsOf(secrets: Readonly<Record<string, Json>>): Readonly<Record<string, string>> {
  const texts: Record<string, string> = {};
  for (const [name, value] of Object.entries(secrets)) {
    if (typeof value !== "string") throw wrong(`functions.secrets.${name} is a text`);
    texts[name] = value;
  }
  return texts;
}

function isFolder(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory();
}

function notThere(path: string): OperatorFault {
  return new OperatorFault("config.invalid", `TIDINGS_FUNCTIONS_DIR: there is no folder ${path}\n`);
}

function wrong(says: string): OperatorFault {
  return new OperatorFault("config.invalid", `tidings.config.ts: ${says}\n`);
}
