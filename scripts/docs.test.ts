import assert from "node:assert/strict";
import { existsSync, globSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, sep } from "node:path";
import { test } from "node:test";
import { ROOT } from "./fence.ts";

/** The words of the project name files, scripts and commands; what they name is there. */

const PAGES = globSync("{*.md,{contract,server,console,examples,bench,docs}/**/*.md}", {
  cwd: ROOT,
  exclude: (path) => path.split(sep).includes("node_modules"),
}).toSorted();

for (const page of PAGES) {
  const text = readFileSync(join(ROOT, page), "utf8");

  test(`${page}: every link leads to a file, and to a heading in it`, () => {
    assert.deepEqual(
      linksOf(text).filter((link) => !leadsSomewhere(page, link)),
      [],
    );
  });

  test(`${page}: every path in backticks exists`, () => {
    assert.deepEqual(
      pathsOf(text).filter((path) => !existsSync(join(ROOT, path))),
      [],
    );
  });

  test(`${page}: every npm script and every command exists`, () => {
    assert.deepEqual(
      // Of the repository, or of the folder in which the page stands.
      scriptsOf(text).filter((name) => !SCRIPTS.has(name) && !scriptsBeside(page).includes(name)),
      [],
    );
    assert.deepEqual(
      commandsOf(text).filter((name) => !COMMANDS.has(name)),
      [],
    );
  });
}

test("what is looked for is found where it stands, and named where it does not", () => {
  const sample = "See [a](b.md#c), [d](https://e.example), `server/src/f.ts`, `npm run g`; `npm test`, `tidings why`.";
  assert.deepEqual(linksOf(sample), ["b.md#c"]);
  assert.deepEqual(pathsOf(sample), ["server/src/f.ts"]);
  assert.deepEqual(scriptsOf(sample), ["g", "test"]);
  assert.deepEqual(commandsOf(`${sample}\n\`\`\`sh\ntidings h i\n\`\`\``), ["why", "h"]);
  assert.equal(leadsSomewhere("README.md", "LICENSE"), true);
  assert.equal(leadsSomewhere("README.md", "LICENSE.nowhere"), false);
  assert.equal(leadsSomewhere("docs/README.md", "start.md#what-happens-on-failure"), true);
  assert.equal(leadsSomewhere("docs/README.md", "start.md#nowhere"), false);
  assert.ok(PAGES.includes("README.md") && PAGES.includes(join("docs", "start.md")));
});

function scriptsBeside(page: string): readonly string[] {
  const beside = join(ROOT, dirname(page), "package.json");
  if (!existsSync(beside)) return [];
  const { scripts = {} } = JSON.parse(readFileSync(beside, "utf8")) as {
    readonly scripts?: Readonly<Record<string, string>>;
  };
  return Object.keys(scripts);
}

/** Targets of Markdown links that lead into the repository. */
function linksOf(text: string): string[] {
  return Array.from(withoutBlocks(text).matchAll(/\]\(([^()\s]+)\)/g), ([, target = ""]) => target).filter(
    (target) => !/^[a-z]+:/.test(target),
  );
}

function leadsSomewhere(page: string, link: string): boolean {
  const [path = "", heading] = link.split("#");
  const file = path === "" ? page : normalize(join(dirname(page), path));
  if (!existsSync(join(ROOT, file))) return false;
  return heading === undefined || headingsOf(readFileSync(join(ROOT, file), "utf8")).has(heading);
}

/** Headings as GitHub makes anchors of them. */
function headingsOf(text: string): ReadonlySet<string> {
  const headings = Array.from(withoutBlocks(text).matchAll(/^#+ (.+)$/gm), ([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
  return new Set(headings);
}

/** What stands in backticks and begins with a folder or file of the repository's root. */
function pathsOf(text: string): string[] {
  return spansOf(text).filter((span) => {
    const [root = ""] = span.split("/");
    return /^[\w./-]+$/.test(span) && TOP.has(root) && (span.includes("/") || /\.[a-z]+$/.test(span));
  });
}

function scriptsOf(text: string): string[] {
  return Array.from(
    text.matchAll(/\bnpm (?:run (?:--silent )?([\w:-]+)|(start|test)\b)/g),
    ([, run, builtIn]) => run ?? builtIn ?? "",
  );
}

/** `tidings x` in backticks and at the beginning of a line of a block, or behind `npm run tidings --`. */
function commandsOf(text: string): string[] {
  const spans = spansOf(text).flatMap((span) => span.match(/^tidings ([a-z]+)/)?.[1] ?? []);
  const lines = Array.from(text.matchAll(/^(?:\S+=\S+ )*tidings ([a-z]+)/gm), ([, name = ""]) => name);
  const byNpm = Array.from(text.matchAll(/npm run (?:--silent )?tidings -- ([a-z]+)/g), ([, name = ""]) => name);
  return [...spans, ...lines, ...byNpm];
}

function spansOf(text: string): string[] {
  return Array.from(withoutBlocks(text).matchAll(/`([^`\n]+)`/g), ([, span = ""]) => span);
}

function withoutBlocks(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```$/gm, "");
}

const TOP: ReadonlySet<string> = new Set(readdirSync(ROOT).filter((name) => name !== "node_modules"));
const COMMANDS: ReadonlySet<string> = new Set(
  globSync("server/src/cli/commands/*.ts", { cwd: ROOT, exclude: ["**/*.test.ts"] }).map(
    (path) => path.split(sep).at(-1)?.slice(0, -".ts".length) ?? "",
  ),
);
const SCRIPTS: ReadonlySet<string> = new Set(scriptNames(readFileSync(join(ROOT, "package.json"), "utf8")));

function scriptNames(text: string): readonly string[] {
  // npm itself reads it so.
  const { scripts } = JSON.parse(text) as { readonly scripts: Readonly<Record<string, string>> };
  return Object.keys(scripts);
}
