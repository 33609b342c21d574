import { PATTERN_DEPTH_MAX } from "./limits.ts";
import { BRACE, BRACE_END, BRACKET, BRACKET_END, COMMA, isJson, JsonReader } from "./json-reader.ts";
import { LongNumber, type Scalar } from "./scalar.ts";

/** A pattern's text as it is nested. Of a name that is repeated the last counts. */
export type Tree = Scalar | readonly Tree[] | TreeObject;
export type TreeObject = ReadonlyMap<string, Tree>;

/** Why a pattern is refused, on its way out of the recursion; never leaves `compilePattern`. */
export class Refusal extends Error {}

/** @throws {Refusal} */
export function readTree(text: string): Tree {
  if (!isJson(text)) throw new Refusal("Filter is not valid JSON");
  return read(new JsonReader(text), 0);
}

export function isTreeObject(tree: Tree | undefined): tree is TreeObject {
  return tree instanceof Map;
}

export function isTreeList(tree: Tree | undefined): tree is readonly Tree[] {
  return Array.isArray(tree);
}

/** Any number, also one that no double holds. */
export function isTreeNumber(tree: Tree | undefined): tree is number | LongNumber {
  return typeof tree === "number" || tree instanceof LongNumber;
}

/** The text is known to be JSON, so only its nesting is in question. */
function read(reader: JsonReader, depth: number): Tree {
  if (depth > PATTERN_DEPTH_MAX) throw new Refusal(`Filter is nested deeper than ${PATTERN_DEPTH_MAX} levels`);
  if (reader.code() === BRACKET) {
    const items: Tree[] = [];
    for (reader.step(); reader.code() !== BRACKET_END; skipComma(reader)) items.push(read(reader, depth + 1));
    reader.step();
    return items;
  }
  if (reader.code() === BRACE) {
    const members = new Map<string, Tree>();
    for (reader.step(); reader.code() !== BRACE_END; skipComma(reader)) {
      members.set(reader.name() ?? broken(), read(reader, depth + 1));
    }
    reader.step();
    return members;
  }
  const value = reader.scalar();
  return value === undefined ? broken() : value;
}

function skipComma(reader: JsonReader): void {
  if (reader.code() === COMMA) reader.step();
}

function broken(): never {
  throw new Refusal("Filter is not valid JSON");
}
