import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * The fence between rooms: who may import whom, as one table and one checker. Linters see how an import is *spelled*;
 * this looks at where it *leads*, for plain, type-only, re-exported, side-effect and dynamic imports, `import(…)` types
 * and `require`, spelled `#room/…`, `../…` or by the name of a workspace.
 */

/** The repository. */
export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");

type Row = {
  /** Rooms that this one may import besides itself; "any" for a place where the parts are joined. */
  readonly rooms: readonly string[] | "any";
  /** Machine access: modules of Node's own. */
  readonly node: "any" | "none";
  /** npm packages by name, `@scope/*` for a scope, or "any". */
  readonly packages: readonly string[] | "any";
  /** Loads files that nobody here knows: computed imports are its task. */
  readonly loads?: true;
};

/** Rooms as their row says. A room's name is its folder; `drivers/x` and `providers/x` are rooms one by one. */
export const FENCE: Readonly<Record<string, Row>> = {
  contract: { rooms: [], node: "none", packages: ["typebox"] },
  // What users' functions import.
  sdk: { rooms: [], node: "none", packages: [] },
  console: { rooms: ["contract"], node: "none", packages: "any" },
  domain: { rooms: [], node: "none", packages: [] },
  ports: { rooms: ["domain", "sdk"], node: "none", packages: [] },
  config: { rooms: ["domain"], node: "none", packages: ["typebox"] },
  templates: { rooms: ["domain"], node: "none", packages: [] },
  engine: { rooms: ["domain", "ports"], node: "none", packages: [] },
  directory: { rooms: ["domain", "ports", "engine"], node: "none", packages: [] },
  pipeline: { rooms: ["domain", "ports", "engine", "templates", "directory"], node: "none", packages: [] },
  queues: { rooms: ["domain", "ports", "engine"], node: "none", packages: [] },
  rules: { rooms: ["domain", "ports", "engine", "queues", "pipeline"], node: "none", packages: [] },
  webhooks: { rooms: ["domain", "ports", "engine", "rules"], node: "none", packages: [] },
  schemas: {
    rooms: ["domain", "ports", "engine", "rules"],
    node: "none",
    packages: ["ajv", "ajv-formats", "re2js"],
  },
  documents: { rooms: ["domain", "ports", "engine"], node: "none", packages: [] },
  blobs: { rooms: ["domain", "ports", "engine"], node: "none", packages: [] },
  functions: {
    rooms: ["domain", "ports", "engine", "pipeline", "directory", "queues", "rules", "documents", "blobs", "sdk"],
    node: "none",
    packages: ["croner"],
  },
  topology: {
    rooms: ["domain", "ports", "engine", "directory", "queues", "rules", "webhooks", "functions"],
    node: "none",
    packages: [],
  },
  observers: { rooms: ["domain", "ports", "engine", "contract"], node: "none", packages: [] },
  doors: {
    rooms: [
      "domain",
      "ports",
      "engine",
      "pipeline",
      "directory",
      "queues",
      "rules",
      "webhooks",
      "schemas",
      "documents",
      "blobs",
      "functions",
      "topology",
      "observers",
      "contract",
    ],
    node: "any",
    packages: ["fastify", "@fastify/*", "typebox"],
  },
  "drivers/*": { rooms: ["domain", "ports", "sdk"], node: "any", packages: "any" },
  "drivers/threads": { rooms: ["domain", "ports", "sdk"], node: "any", packages: [], loads: true },
  "providers/*": { rooms: ["domain", "ports"], node: "any", packages: "any" },
  conformance: { rooms: ["domain", "ports"], node: "any", packages: ["fast-check"] },
  app: { rooms: "any", node: "any", packages: "any" },
  cli: { rooms: "any", node: "any", packages: "any" },
  scripts: { rooms: [], node: "any", packages: [] },
  // The one that measures the inside, so it may open the server's rooms; nobody imports it.
  bench: { rooms: "any", node: "any", packages: "any" },
  examples: { rooms: ["contract", "sdk"], node: "any", packages: "any" },
  // server/test: the whole house.
  test: { rooms: "any", node: "any", packages: "any" },
};

/** Rooms that join the others: only these may be imported by nobody but the listed. */
const NOT_FOR: Readonly<Record<string, readonly string[]>> = {
  app: ["cli", "bench", "test"],
  cli: ["test"],
  bench: [],
  test: ["bench"],
  examples: [],
  scripts: [],
  conformance: ["test"],
};

export type Breach = { readonly file: string; readonly line: number; readonly says: string };

/** Looks at every source file of the repository; each breach says what may be imported instead. */
export function checkFence(root: string = ROOT): readonly Breach[] {
  return sourceFiles(root).flatMap((file) => breachesOf(file, readFileSync(join(root, file), "utf8")));
}

/** The files that the fence looks at, relative to the repository, with `/`. */
export function sourceFiles(root: string = ROOT): readonly string[] {
  return globSync("{contract,sdk,console,server,examples,bench,scripts}/**/*.{ts,tsx,mts,cts,js,jsx,mjs,cjs}", {
    cwd: root,
    exclude: (path) => /(^|\/)(node_modules|dist|coverage)$/.test(path),
  })
    .map((path) => path.split(sep).join("/"))
    .toSorted();
}

/**
 * What is wrong with the imports of one file.
 *
 * @param file path relative to the repository; it need not exist, nor must what it imports (`tsc` sees to that).
 */
export function breachesOf(file: string, text: string): readonly Breach[] {
  const from = roomOf(file);
  if (from === null) return [{ file, line: 1, says: "stands in no room that scripts/fence.ts knows: give it a row" }];
  const isTest = /\.test\.[cm]?[jt]sx?$/.test(file);
  return importsOf(text).flatMap(({ specifier, line }) => {
    const says = complaint(file, from, isTest, specifier);
    return says === null ? [] : [{ file, line, says: `${quote(specifier)}: ${says}` }];
  });
}

function complaint(file: string, from: string, isTest: boolean, specifier: string | null): string | null {
  const row = FENCE[from] ?? FENCE[rowName(from)];
  if (row === undefined) return `${from}/ has no row in scripts/fence.ts`;
  if (specifier === null)
    return isTest || row.rooms === "any" || row.loads === true ? null : "a computed import cannot be checked";
  if (specifier.startsWith("node:")) {
    return isTest || row.node === "any" ? null : `${from}/ reaches the machine only through ports/`;
  }
  const target = targetOf(file, specifier);
  if (target === null) return packageComplaint(from, row, isTest, specifier);
  if (target === "server/" && specifier.startsWith("@")) return "the server has no door for other workspaces";
  const to = roomOf(target);
  if (to === null) return null;
  if (to === from) return null;
  if (isTest && workspaceOf(file) === "server" && workspaceOf(target) === "server") return null;
  const guests = NOT_FOR[to];
  if (guests !== undefined && !guests.includes(from) && !isTest) return `${to}/ joins the parts; nobody imports it`;
  if (row.rooms !== "any" && !row.rooms.includes(to)) return `${from}/ may import ${list(row.rooms)}`;
  if (specifier.startsWith(".") && workspaceOf(file) === workspaceOf(target) && !isTest && from !== "test") {
    return `cross a folder with #${to}/…`;
  }
  return null;
}

function packageComplaint(from: string, row: Row, isTest: boolean, specifier: string): string | null {
  if (isTest || row.packages === "any") return null;
  const name = specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
  const known = row.packages.some((one) => one === name || (one.endsWith("/*") && name.startsWith(one.slice(0, -1))));
  return known ? null : `${from}/ may use ${row.packages.length === 0 ? "no npm package" : list(row.packages)}`;
}

/** `server/src/drivers/fs/x.ts` stands in "drivers/fs", `server/src/engine/x.ts` in "engine". Null: in none. */
export function roomOf(file: string): string | null {
  const parts = file.split("/");
  const [workspace, folder, room, inner] = parts;
  // The command of the package `tidings` is the server's program.
  if (workspace === "sdk" && folder === "bin") return "cli";
  if (workspace !== "server") return workspace !== undefined && Object.hasOwn(FENCE, workspace) ? workspace : null;
  if (folder === "conformance" || folder === "test") return folder;
  if (folder === "bin") return "cli";
  if (folder !== "src" || room === undefined || parts.length < 4) return null;
  if (room === "drivers" || room === "providers") return parts.length < 5 ? null : `${room}/${inner}`;
  return Object.hasOwn(FENCE, room) ? room : null;
}

function rowName(room: string): string {
  return room.replace(/^(drivers|providers)\/.*/, "$1/*");
}

function workspaceOf(file: string): string {
  return file.slice(0, file.indexOf("/"));
}

/** Where an import leads, relative to the repository; null for an npm package. */
function targetOf(file: string, specifier: string): string | null {
  if (specifier.startsWith("#")) {
    const rest = specifier.slice(1);
    return rest.startsWith("conformance/") ? `server/${rest}` : `server/src/${rest}`;
  }
  // The package of users' functions has the product's own name.
  if (specifier === "@tidings/server/bin/tidings.cjs") return "server/bin/tidings.cjs";
  if (specifier === "tidings" || specifier.startsWith("tidings/")) return "sdk/";
  if (specifier.startsWith("@tidings/")) return `${specifier.slice("@tidings/".length)}/`;
  if (!specifier.startsWith(".") && !specifier.startsWith("/")) return null;
  return relative(ROOT, resolve(ROOT, dirname(file), specifier))
    .split(sep)
    .join("/");
}

type Import = { readonly specifier: string | null; readonly line: number };

/** Tokens that can hide or hold an import: comments, strings, templates and regular expressions, in this order. */
const TOKEN =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|(?<=(?:^|[(,=:[!&|?{};>\n]|\breturn)\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/g;

/** An import, once strings are numbered `"7"` and everything that could hide one is gone. */
const IMPORT =
  /\bimport\s*"(\d+)"|\b(?:import|export)\b[\w\s{},*$"]*?\bfrom\s*"(\d+)"|(?<![.\w$#])(?:import|require)\s*\(\s*(?:"(\d+)"|(?=[^)\s]))/g;

/** Every import of a module, of any kind, in the order of the text. `specifier` is null when it is computed. */
export function importsOf(text: string): readonly Import[] {
  const strings: { readonly value: string; readonly line: number }[] = [];
  const lineAt = lineCounter(text);
  const bare = text.replace(TOKEN, (token, at: number) => {
    const breaks = "\n".repeat(token.split("\n").length - 1);
    if (token.startsWith("/")) return ` ${breaks}`;
    if (token.startsWith("`") && token.includes("${")) return `0x0${breaks}`;
    strings.push({ value: token.slice(1, -1), line: lineAt(at) });
    return `"${strings.length - 1}"${breaks}`;
  });
  const lineOfBare = lineCounter(bare);
  return Array.from(bare.matchAll(IMPORT), (match) => {
    const number = match[1] ?? match[2] ?? match[3];
    const string = number === undefined ? undefined : strings[Number(number)];
    return string === undefined
      ? { specifier: null, line: lineOfBare(match.index) }
      : { specifier: string.value, line: string.line };
  });
}

function lineCounter(text: string): (at: number) => number {
  let line = 1;
  let seen = 0;
  return (at) => {
    for (; seen < at; seen += 1) if (text.charCodeAt(seen) === 10) line += 1;
    return line;
  };
}

function list(names: readonly string[]): string {
  return names.length === 0 ? "nothing of ours" : names.map((name) => `${name}/`).join(", ");
}

function quote(specifier: string | null): string {
  return specifier === null ? "import(…)" : `"${specifier}"`;
}

if (import.meta.main) {
  const breaches = checkFence();
  for (const { file, line, says } of breaches) console.error(`${file}:${line}: ${says}`);
  process.exitCode = breaches.length === 0 ? 0 : 1;
}
