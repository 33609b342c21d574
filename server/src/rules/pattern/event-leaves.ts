import { EVENT_DEPTH_MAX } from "./limits.ts";
import { BRACE, BRACE_END, BRACKET, BRACKET_END, COMMA, isJson, JsonReader } from "./json-reader.ts";
import type { Scalar } from "./scalar.ts";
import { follow, type Wanted, type WantedNode } from "./wanted.ts";

/** An element of an array, inside the element that the array lies in. The whole event is the outermost. */
export type Scope = {
  readonly outer: Scope | null;
  /** Tells the arrays of one event apart. */
  readonly array: number;
};

/** A value that is neither object nor array. Scalars that stand directly in an array belong to what is around it. */
export type Leaf = { readonly value: Scalar; readonly scope: Scope };

/** The wanted values of one event by their paths; a path without any is absent. */
export type EventLeaves = ReadonlyMap<string, readonly Leaf[]>;

/** What is in no array. */
export const OUTSIDE: Scope = { outer: null, array: 0 };

/**
 * Reads the wanted values of an event whose envelope is known and whose `detail` is JSON text. What nobody wants is skipped
 * and not judged; of a name that is repeated in one object the last counts.
 * @returns null when what is wanted cannot be read because `detail` is not JSON, or is nested out of all reason.
 */
export function readEvent(
  envelope: Readonly<Record<string, string | readonly string[]>>,
  detail: string,
  wanted: Wanted,
): EventLeaves | null {
  const node = wanted.root.children.get("detail");
  const start = (): Leaves => envelopeLeaves(envelope, wanted);
  return node === undefined ? start() : walk(start, detail, node, wanted);
}

/** Reads the wanted values of a whole event's text; null when that is not a JSON object. */
export function readEventText(text: string, wanted: Wanted): EventLeaves | null {
  if (!isJson(text) || !text.trimStart().startsWith("{")) return null;
  return walk(() => new Map(), text, wanted.root, wanted);
}

type Leaves = Map<string, Leaf[]>;

function envelopeLeaves(envelope: Readonly<Record<string, string | readonly string[]>>, wanted: Wanted): Leaves {
  const leaves: Leaves = new Map();
  for (const name of Object.keys(envelope)) {
    const node = follow(wanted.root, name);
    const value = envelope[name];
    if (node === undefined || node.asked === 0 || value === undefined) continue;
    if (typeof value === "string") addLeaf(leaves, node, value, OUTSIDE);
    else for (const text of value) addLeaf(leaves, node, text, OUTSIDE);
  }
  return leaves;
}

/** @param start makes what is known already. */
function walk(start: () => Leaves, text: string, node: WantedNode, wanted: Wanted): Leaves | null {
  const first = new Walk(start(), text, wanted, false);
  if (!first.whole(node)) return null;
  if (!first.metRepeat) return first.leaves;
  const second = new Walk(start(), text, wanted, true);
  return second.whole(node) ? second.leaves : null;
}

function addLeaf(leaves: Leaves, node: WantedNode, value: Scalar, scope: Scope): void {
  const there = leaves.get(node.path);
  if (there === undefined) leaves.set(node.path, [{ value, scope }]);
  else there.push({ value, scope });
}

/**
 * One walk through a text along the wanted paths. Repeated names are so rare that a walk only notices them; then a second one
 * goes through every object twice, first to see which member of a name is the last.
 */
class Walk {
  readonly leaves: Leaves;
  metRepeat = false;
  readonly #reader: JsonReader;
  readonly #wanted: Wanted;
  readonly #expectsRepeats: boolean;
  #arrays = 0;

  constructor(leaves: Leaves, text: string, wanted: Wanted, expectsRepeats: boolean) {
    this.leaves = leaves;
    this.#reader = new JsonReader(text);
    this.#wanted = wanted;
    this.#expectsRepeats = expectsRepeats;
  }

  /** Whether the text is one value and nothing else. */
  whole(node: WantedNode): boolean {
    return this.value(node, OUTSIDE, 0) && this.#reader.at === this.#reader.text.length;
  }

  /** Goes behind the value; false when it is not JSON. */
  value(node: WantedNode, scope: Scope, depth: number): boolean {
    if (depth > EVENT_DEPTH_MAX) return false;
    const code = this.#reader.code();
    if (code === BRACE) return node.children.size === 0 ? this.#reader.skip() : this.#object(node, scope, depth);
    if (code === BRACKET) return this.#array(node, scope, depth);
    if (node.asked === 0) return this.#reader.skip();
    const value = this.#reader.scalar();
    if (value === undefined) return false;
    addLeaf(this.leaves, node, value, scope);
    return true;
  }

  #object(node: WantedNode, scope: Scope, depth: number): boolean {
    const reader = this.#reader;
    const number = ++this.#wanted.objects;
    const lasts = this.#expectsRepeats ? new Map<WantedNode, number>() : null;
    reader.step();
    while (reader.code() !== BRACE_END) {
      const name = reader.name();
      if (name === undefined) return false;
      const child = follow(node, name);
      if (child !== undefined) {
        // An object further inside may have been here since; then it is not known, and looked at closely.
        if (child.seenIn >= number) this.metRepeat = true;
        child.seenIn = number;
        lasts?.set(child, reader.at);
      }
      const isRead = child === undefined || lasts !== null ? reader.skip() : this.value(child, scope, depth + 1);
      if (!isRead || !this.#comma(BRACE_END)) return false;
    }
    const end = reader.at;
    for (const [child, at] of lasts ?? []) {
      reader.at = at;
      if (!this.value(child, scope, depth + 1)) return false;
    }
    reader.at = end;
    reader.step();
    return true;
  }

  #array(node: WantedNode, scope: Scope, depth: number): boolean {
    const reader = this.#reader;
    const array = ++this.#arrays;
    reader.step();
    while (reader.code() !== BRACKET_END) {
      const isScalar = reader.code() !== BRACE && reader.code() !== BRACKET;
      const inside = isScalar ? scope : { outer: scope, array };
      if (!this.value(node, inside, depth + 1) || !this.#comma(BRACKET_END)) return false;
    }
    reader.step();
    return true;
  }

  /** Goes over a comma that another item follows; false unless there is one, or the end of what holds the items. */
  #comma(end: number): boolean {
    if (this.#reader.code() === end) return true;
    if (this.#reader.code() !== COMMA) return false;
    this.#reader.step();
    return this.#reader.code() !== end;
  }
}
