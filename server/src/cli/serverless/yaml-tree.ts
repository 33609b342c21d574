import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from "yaml";

/** A value of a YAML file, with the line (from 1) that it, or its key, stands in. */
export type Tree = ScalarTree | ListTree | MapTree | CallTree;

export type ScalarTree = {
  readonly kind: "scalar";
  readonly line: number;
  readonly value: string | number | boolean | null;
  /** Where its value comes from when it is not in the file; set when variables are resolved. */
  readonly from?: Outside;
};
export type ListTree = { readonly kind: "list"; readonly line: number; readonly items: readonly Tree[] };
export type MapTree = { readonly kind: "map"; readonly line: number; readonly entries: ReadonlyMap<string, Tree> };
/** A function of CloudFormation: `!GetAtt Queue.Arn`, `Fn::GetAtt: [Queue, Arn]`, `Ref: Queue`. */
export type CallTree = {
  readonly kind: "call";
  readonly line: number;
  readonly name: string;
  readonly argument: Tree;
};

/** A value that is known only where the program runs: a variable of the environment, or something with no like here. */
export type Outside =
  | { readonly kind: "env"; readonly name: string; readonly otherwise: string }
  | { readonly kind: "elsewhere" };

/** What a file says that is taken over otherwise, or not at all. */
export type Gap = { readonly line: number; readonly says: string };

/** Largest file: a hundred times the largest that people write. */
export const YAML_BYTES_MAX = 1_048_576;
/** Deepest nesting, and most values with all aliases written out: what is beyond was made to do harm. */
const DEPTH_MAX = 64;
const NODES_MAX = 50_000;

/**
 * Reads YAML, with CloudFormation's short tags, as data: nothing in it is run, and aliases cannot make it large.
 * @returns the first thing that is wrong, when it is none.
 */
export function readYaml(
  text: string,
): Tree | { readonly kind: "fault"; readonly line: number; readonly says: string } {
  const counter = new LineCounter();
  if (Buffer.byteLength(text) > YAML_BYTES_MAX)
    return { kind: "fault", line: 1, says: `the file is larger than ${YAML_BYTES_MAX / 1_048_576} MiB` };
  try {
    const document = parseDocument(text, { lineCounter: counter, logLevel: "error", merge: true });
    const [error] = document.errors;
    if (error !== undefined) {
      // The parser goes down by recursion, and may tell so itself.
      if (error.message.includes("call stack")) return TOO_DEEP;
      const says = error.message.split("\n")[0]?.replace(/ at line \d+, column \d+:?$/, "") ?? error.code;
      return { kind: "fault", line: counter.linePos(error.pos[0]).line, says };
    }
    return new Reader(document, counter).read(document.contents, 1, 0);
  } catch (thrown) {
    if (thrown instanceof TreeFault) return { kind: "fault", line: thrown.line, says: thrown.message };
    if (thrown instanceof RangeError) return TOO_DEEP;
    throw thrown;
  }
}

const TOO_DEEP = { kind: "fault", line: 1, says: "it is nested too deeply" } as const;

class TreeFault extends Error {
  readonly line: number;

  constructor(line: number, says: string) {
    super(says);
    this.line = line;
  }
}

class Reader {
  readonly #document: Document.Parsed;
  readonly #counter: LineCounter;
  #left = NODES_MAX;

  constructor(document: Document.Parsed, counter: LineCounter) {
    this.#document = document;
    this.#counter = counter;
  }

  /** @param line of the key, when it has one. */
  read(node: unknown, line: number, depth: number): Tree {
    this.#left -= 1;
    if (depth > DEPTH_MAX) throw new TreeFault(line, "it is nested too deeply");
    if (this.#left < 0) throw new TreeFault(line, `it has more than ${NODES_MAX} values, its aliases written out`);
    const tag = (isScalar(node) || isSeq(node) || isMap(node)) && /^![A-Za-z]/.test(node.tag ?? "") ? node.tag : null;
    const tree = this.#plain(node, line, depth);
    return tag === null || tag === undefined ? tree : { kind: "call", line, name: tag.slice(1), argument: tree };
  }

  #plain(node: unknown, line: number, depth: number): Tree {
    if (isAlias(node)) {
      const target = node.resolve(this.#document);
      if (target === undefined) throw new TreeFault(line, `there is no anchor ${node.source}`);
      return this.read(target, line, depth + 1);
    }
    if (isSeq(node))
      return {
        kind: "list",
        line,
        items: node.items.map((item) => this.read(item, this.#lineOf(item, line), depth + 1)),
      };
    if (isMap(node)) return this.#map(node.items, line, depth);
    const value: unknown = isScalar(node) ? node.value : null;
    const isPlain = typeof value === "string" || typeof value === "number" || typeof value === "boolean";
    return { kind: "scalar", line, value: isPlain ? value : value === null ? null : String(value) };
  }

  #map(pairs: readonly { readonly key: unknown; readonly value: unknown }[], line: number, depth: number): Tree {
    const entries = new Map<string, Tree>();
    const merged: Tree[] = [];
    for (const { key, value } of pairs) {
      const at = this.#lineOf(key, line);
      const name = isScalar(key) ? String(key.value) : null;
      if (name === null) throw new TreeFault(at, "a key is a text");
      const tree = this.read(value, at, depth + 1);
      if (name === "<<") merged.push(...(tree.kind === "list" ? tree.items : [tree]));
      else entries.set(name, tree);
    }
    for (const one of merged)
      if (one.kind === "map") for (const [name, tree] of one.entries) if (!entries.has(name)) entries.set(name, tree);
    const [[name, argument] = [""]] = entries;
    if (entries.size === 1 && argument !== undefined && (name === "Ref" || name.startsWith("Fn::")))
      return { kind: "call", line, name: name.replace("Fn::", ""), argument };
    return { kind: "map", line, entries };
  }

  #lineOf(node: unknown, otherwise: number): number {
    const range = isScalar(node) || isSeq(node) || isMap(node) || isAlias(node) ? node.range : null;
    return range == null ? otherwise : this.#counter.linePos(range[0]).line;
  }
}

/** The entries of a map; of everything else none. */
export function entriesOf(tree: Tree | undefined): ReadonlyMap<string, Tree> {
  return tree?.kind === "map" ? tree.entries : new Map();
}

/** What a map has under a path of names. */
export function at(tree: Tree | undefined, ...path: readonly string[]): Tree | undefined {
  let found = tree;
  for (const name of path) found = entriesOf(found).get(name);
  return found;
}

/** The items of a list; one that is no list is a list of itself. */
export function itemsOf(tree: Tree | undefined): readonly Tree[] {
  if (tree === undefined) return [];
  return tree.kind === "list" ? tree.items : [tree];
}

/** A number, also one that is written as text; null when it is none. */
export function numberOf(tree: Tree | undefined): number | null {
  if (tree?.kind !== "scalar" || tree.value === null || tree.value === "" || typeof tree.value === "boolean")
    return null;
  const value = Number(tree.value);
  return Number.isFinite(value) ? value : null;
}

export function isTrue(tree: Tree | undefined): boolean {
  return tree?.kind === "scalar" && (tree.value === true || tree.value === "true");
}

export function isFalse(tree: Tree | undefined): boolean {
  return tree?.kind === "scalar" && (tree.value === false || tree.value === "false");
}
