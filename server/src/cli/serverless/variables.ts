import { at, entriesOf, type Gap, type Outside, type ScalarTree, type Tree } from "#cli/serverless/yaml-tree.ts";

/** Longest text that a variable may make, and how far variables may lead to others: what is beyond goes round. */
const CHARS_MAX = 16_384;
const DEPTH_MAX = 16;
const NODES_MAX = 50_000;
/** Variables in one text. */
const VARIABLES_MAX = 100;
/** The innermost `${source:…}`. `${AWS::Region}` and `${Queue.Arn}` are CloudFormation's. */
const VARIABLE = /\$\{((?!AWS::)[^${}]*:[^${}]*)\}/;
const ALL = /^\$\{((?!AWS::)[^${}]*:[^${}]*)\}$/;
const QUOTED = /^(["'])(.*)\1$/;

const STAGE = "dev";
const REGION = "us-east-1";

/**
 * Writes out the variables of the Serverless Framework: `self:`, `opt:`, `sls:`, `aws:`, and `env:` as something that is known
 * where the program runs. What is not known here (`ssm:`, `cf:`, `file(…)` …) is a gap, and stands as its words.
 *
 * Knowledge: https://www.serverless.com/framework/docs/guides/variables
 */
export function resolveVariables(root: Tree, gaps: Gap[]): Tree {
  return new Resolver(root, gaps).tree(root, 0);
}

class Resolver {
  readonly #root: Tree;
  readonly #gaps: Gap[];
  #left = NODES_MAX;

  constructor(root: Tree, gaps: Gap[]) {
    this.#root = root;
    this.#gaps = gaps;
  }

  tree(tree: Tree, depth: number): Tree {
    this.#left -= 1;
    if (this.#left === -1)
      this.#gaps.push({ line: tree.line, says: "there are too many variables; the rest is as it stands" });
    if (this.#left < 0) return tree;
    switch (tree.kind) {
      case "scalar":
        return typeof tree.value === "string" && VARIABLE.test(tree.value) ? this.#text(tree, tree.value, depth) : tree;
      case "list":
        return { ...tree, items: tree.items.map((item) => this.tree(item, depth)) };
      case "map": {
        const entries = [...tree.entries].map(([name, value]) => [name, this.tree(value, depth)] as const);
        return { ...tree, entries: new Map(entries) };
      }
      case "call":
        return { ...tree, argument: this.tree(tree.argument, depth) };
    }
  }

  #text(scalar: ScalarTree, text: string, depth: number): Tree {
    const { line } = scalar;
    if (depth > DEPTH_MAX) {
      this.#gaps.push({ line, says: `${shown(text)} leads back to itself` });
      return { kind: "scalar", line, value: "" };
    }
    const [, whole] = ALL.exec(text) ?? [];
    // All of it is one variable, which may be a list or a map.
    if (whole !== undefined) return { ...this.#source(whole, line, depth), line };
    let from: Outside | undefined;
    let made = text;
    let count = 0;
    for (let found = VARIABLE.exec(made); found !== null; found = VARIABLE.exec(made)) {
      const value = this.#source(found[1] ?? "", line, depth);
      if (value.kind === "scalar" && value.from !== undefined) from = { kind: "elsewhere" };
      const words = value.kind === "scalar" ? String(value.value ?? "") : "";
      made = made.slice(0, found.index) + words + made.slice(found.index + found[0].length);
      count += 1;
      if (made.length > CHARS_MAX || count > VARIABLES_MAX) {
        this.#gaps.push({ line, says: `${shown(text)} becomes too long` });
        return { kind: "scalar", line, value: "" };
      }
      const [, rest] = ALL.exec(made) ?? [];
      if (rest !== undefined) return { ...this.#source(rest, line, depth), line };
    }
    return { kind: "scalar", line, value: made, ...(from === undefined ? {} : { from }) };
  }

  /** What stands in the braces: sources and fallbacks, the first that is known. */
  #source(text: string, line: number, depth: number): Tree {
    const ways = text.split(",").map((way) => way.trim());
    for (const [place, way] of ways.entries()) {
      const isLast = place === ways.length - 1;
      const [, , quoted] = QUOTED.exec(way) ?? [];
      if (quoted !== undefined) return { kind: "scalar", line, value: quoted };
      const [, source = "", name = ""] = /^([\w-]+(?:\([^)]*\))?):(.*)$/.exec(way) ?? [];
      if (source === "env") return this.#env(name, ways.slice(place + 1), line);
      const known = this.#known(source, name, isLast, line, depth);
      if (known !== null) return known;
      // A number, a boolean, or null.
      if (source === "" && place > 0) return { kind: "scalar", line, value: way };
    }
    this.#gaps.push({ line, says: `\${${shown(text)}} is not known here; write what it stands for` });
    return { kind: "scalar", line, value: text.replaceAll(/[^A-Za-z0-9]+/g, "-"), from: { kind: "elsewhere" } };
  }

  #env(name: string, fallbacks: readonly string[], line: number): Tree {
    const [, , quoted] = QUOTED.exec(fallbacks[0] ?? "") ?? [];
    const otherwise = quoted ?? "";
    return { kind: "scalar", line, value: otherwise, from: { kind: "env", name, otherwise } };
  }

  #known(source: string, name: string, isLast: boolean, line: number, depth: number): Tree | null {
    const scalar = (value: string): Tree => ({ kind: "scalar", line, value });
    switch (source) {
      case "self":
        return this.#self(name, line, depth);
      case "sls":
        return name === "stage" ? this.#self("provider.stage", line, depth) : scalar(name);
      case "opt":
        // What nobody gave on a command line has its fallback; these two have a default.
        if (!isLast) return null;
        return name === "stage" ? scalar(STAGE) : name === "region" ? scalar(REGION) : null;
      case "aws":
        return name === "region" ? this.#self("provider.region", line, depth) : scalar("000000000000");
      default:
        return null;
    }
  }

  #self(path: string, line: number, depth: number): Tree | null {
    const names = path.split(".").filter((name) => name !== "");
    let found: Tree | undefined = this.#root;
    for (const name of names) found = found?.kind === "list" ? found.items[Number(name)] : entriesOf(found).get(name);
    if (path === "service" && found?.kind === "map") found = at(found, "name");
    if (found !== undefined) return this.tree(found, depth + 1);
    if (path === "provider.stage") return { kind: "scalar", line, value: STAGE };
    return path === "provider.region" ? { kind: "scalar", line, value: REGION } : null;
  }
}

function shown(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
