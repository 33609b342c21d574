/**
 * Cuts parts out of a JSON text without reading its values: what is cut out is as it was written, so a number of twenty
 * digits stays one. The text must be JSON already; doors see to that.
 */

/** The way from the root: names of members, and places in arrays. */
export type JsonPath = readonly (string | number)[];

/** Paths woven together, so that one walk through a text finds all of them. */
export type PathTree = {
  /** Which of the asked paths end here. */
  readonly ends: number[];
  readonly members: Map<string, PathTree>;
  readonly items: Map<number, PathTree>;
};

/**
 * Cuts along every path. Of a member that is written twice the last one counts.
 * @returns the text at each path, in the order of `weave`; undefined where there is none.
 */
export function cut(text: string, tree: PathTree, paths: number): readonly (string | undefined)[] {
  const found: (string | undefined)[] = Array.from({ length: paths });
  walk(text, skipBlanks(text, 0), tree, found);
  return found;
}

/** The text at one path; undefined when there is none. */
export function cutOne(text: string, path: JsonPath): string | undefined {
  return cut(text, weave([path]), 1)[0];
}

/** Makes the tree of some paths. */
export function weave(paths: readonly JsonPath[]): PathTree {
  const root = emptyTree();
  for (const [index, path] of paths.entries()) {
    let node = root;
    for (const step of path) node = typeof step === "string" ? branch(node.members, step) : branch(node.items, step);
    node.ends.push(index);
  }
  return root;
}

/** Reads `$`, `$.a.b-c[0]`, `$['a name']`; null when the text is no such path. */
export function readJsonPath(text: string): JsonPath | null {
  if (text[0] !== "$") return null;
  const path: (string | number)[] = [];
  for (let at = 1; at < text.length; ) {
    STEP.lastIndex = at;
    const step = STEP.exec(text);
    if (step === null) return null;
    const [whole, name, quoted, double, index] = step;
    path.push(index === undefined ? (name ?? quoted ?? double ?? "") : Number(index));
    at += whole.length;
  }
  return path;
}

const STEP = /\.([^.[\]'"\s]+)|\['([^']+)'\]|\["([^"]+)"\]|\[(\d{1,9})\]/y;

function emptyTree(): PathTree {
  return { ends: [], members: new Map(), items: new Map() };
}

function branch<Key>(branches: Map<Key, PathTree>, key: Key): PathTree {
  let node = branches.get(key);
  if (node === undefined) branches.set(key, (node = emptyTree()));
  return node;
}

/** @returns where the value that begins at `at` ends. */
function walk(text: string, at: number, tree: PathTree, found: (string | undefined)[]): number {
  const first = text.charCodeAt(at);
  let end: number;
  if (first === BRACE && tree.members.size > 0) end = walkMembers(text, at, tree, found);
  else if (first === BRACKET && tree.items.size > 0) end = walkItems(text, at, tree, found);
  else end = skipValue(text, at);
  for (const index of tree.ends) found[index] = text.slice(at, end);
  return end;
}

function walkMembers(text: string, start: number, tree: PathTree, found: (string | undefined)[]): number {
  let at = skipBlanks(text, start + 1);
  while (text.charCodeAt(at) === QUOTE) {
    const keyEnd = skipString(text, at);
    const node = tree.members.get(keyOf(text, at, keyEnd));
    // Behind the colon.
    const value = skipBlanks(text, skipBlanks(text, keyEnd) + 1);
    if (node === undefined) at = skipValue(text, value);
    else {
      forget(node, found);
      at = walk(text, value, node, found);
    }
    at = skipComma(text, at);
  }
  return at + 1;
}

function walkItems(text: string, start: number, tree: PathTree, found: (string | undefined)[]): number {
  let at = skipBlanks(text, start + 1);
  for (let index = 0; at < text.length && text.charCodeAt(at) !== BRACKET_END; index += 1) {
    const node = tree.items.get(index);
    at = skipComma(text, node === undefined ? skipValue(text, at) : walk(text, at, node, found));
  }
  return at + 1;
}

/** A member that comes again begins anew, with all that was found in it. */
function forget(tree: PathTree, found: (string | undefined)[]): void {
  for (const index of tree.ends) found[index] = undefined;
  for (const node of tree.members.values()) forget(node, found);
  for (const node of tree.items.values()) forget(node, found);
}

function keyOf(text: string, start: number, end: number): string {
  const raw = text.slice(start + 1, end - 1);
  // A JSON string gives a string.
  return raw.includes("\\") ? (JSON.parse(text.slice(start, end)) as string) : raw;
}

function skipComma(text: string, from: number): number {
  const at = skipBlanks(text, from);
  return text.charCodeAt(at) === COMMA ? skipBlanks(text, at + 1) : at;
}

/** @returns the first place from `at` on that is no blank of JSON's. */
export function skipBlanks(text: string, from: number): number {
  let at = from;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at;
    at += 1;
  }
}

/** @returns where the value that begins at `from` ends. */
export function skipValue(text: string, from: number): number {
  const first = text.charCodeAt(from);
  if (first === QUOTE) return skipString(text, from);
  if (first !== BRACE && first !== BRACKET) {
    ATOM_END.lastIndex = from;
    return ATOM_END.exec(text)?.index ?? text.length;
  }
  let depth = 0;
  for (let at = from; at < text.length; ) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = skipString(text, at);
      continue;
    }
    at += 1;
    if (code === BRACE || code === BRACKET) depth += 1;
    else if ((code === BRACE_END || code === BRACKET_END) && --depth === 0) return at;
  }
  return text.length;
}

function skipString(text: string, from: number): number {
  for (let at = from + 1; ; ) {
    const quote = text.indexOf('"', at);
    if (quote === -1) return text.length;
    let slashes = 0;
    while (text.charCodeAt(quote - 1 - slashes) === BACKSLASH) slashes += 1;
    if (slashes % 2 === 0) return quote + 1;
    at = quote + 1;
  }
}

const ATOM_END = /[\s,\]}]/g;
const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const BRACE = 0x7b;
const BRACE_END = 0x7d;
const BRACKET = 0x5b;
const BRACKET_END = 0x5d;
