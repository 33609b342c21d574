import { readdir, readFile, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { UsageFault } from "#cli/exit.ts";
import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";
import { cutOne } from "#rules/json-cut.ts";

/** A rule as a file says it. */
export type FileRule = {
  readonly bus: string;
  readonly name: string;
  /** What is put; its pattern is text, so that numbers stay as they were written. */
  readonly body: JsonObject;
  readonly file: string;
};

/**
 * Reads rules from JSON files: one rule or an array of them in each. Of a folder every `.json` in it, not in folders below.
 * @throws {UsageFault} which names the file and what is wrong.
 */
export async function readRuleFiles(cwd: string, path: string): Promise<readonly FileRule[]> {
  const rules: FileRule[] = [];
  for (const file of await filesAt(cwd, path)) rules.push(...rulesOf(file, await read(cwd, file)));
  const seen = new Map<string, string>();
  for (const { bus, name, file } of rules) {
    const before = seen.get(`${bus}/${name}`);
    if (before !== undefined) throw new UsageFault(`${file}: the rule ${bus}/${name} is in ${before} too`);
    seen.set(`${bus}/${name}`, file);
  }
  return rules;
}

async function filesAt(cwd: string, path: string): Promise<readonly string[]> {
  try {
    if (!(await stat(resolve(cwd, path))).isDirectory()) return [path];
    const names = (await readdir(resolve(cwd, path))).filter((name) => name.endsWith(".json"));
    return names.toSorted().map((name) => join(path, name));
  } catch {
    throw new UsageFault(`${path} cannot be read`);
  }
}

async function read(cwd: string, file: string): Promise<string> {
  try {
    return await readFile(resolve(cwd, file), "utf8");
  } catch {
    throw new UsageFault(`${file} cannot be read`);
  }
}

function rulesOf(file: string, text: string): readonly FileRule[] {
  let json: Json;
  try {
    // JSON.parse gives what JSON can say and nothing else.
    json = JSON.parse(text) as Json;
  } catch (error) {
    throw new UsageFault(`${file} is not JSON: ${error instanceof Error ? error.message : ""}`);
  }
  if (!Array.isArray(json)) return [ruleOf(file, json, text)];
  return json.map((one: Json, index) => ruleOf(file, one, cutOne(text, [index]) ?? ""));
}

function ruleOf(file: string, json: Json, text: string): FileRule {
  if (!isJsonObject(json)) throw new UsageFault(`${file}: a rule is an object with a name, a pattern and targets`);
  const { bus = "default", name } = json;
  if (typeof name !== "string" || name === "") throw new UsageFault(`${file}: a rule needs a name`);
  if (typeof bus !== "string") throw new UsageFault(`${file}: the bus of rule ${name} is not a name`);
  return { bus, name, body: ruleBody(json, text), file };
}

/**
 * What of a rule in a file is put: without what the server adds, and with its pattern as text.
 * @param text of which the rule was read.
 */
export function ruleBody(rule: JsonObject, text: string): JsonObject {
  const body: Record<string, Json> = {};
  for (const [member, value] of Object.entries(rule)) if (!NOT_PUT.has(member)) body[member] = value;
  if (isJsonObject(rule["pattern"])) body["pattern"] = cutOne(text, ["pattern"]) ?? "";
  return body;
}

const NOT_PUT: ReadonlySet<string> = new Set(["bus", "name", "arn", "managedBy", "created", "modified", "patternText"]);
