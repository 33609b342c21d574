import { addressBits, readBlock } from "./address.ts";
import type { Condition, Test } from "./condition.ts";
import { isTreeList, isTreeNumber, isTreeObject, Refusal, type Tree, type TreeObject } from "./pattern-tree.ts";
import { foldCase, LongNumber, type Plain } from "./scalar.ts";
import { readRange } from "./range.ts";
import { readWildcard } from "./wildcard.ts";

/** What a list of conditions says: about a value that is there, and whether there may be none. */
export type Conditions = { readonly test: Test; readonly mayBeAbsent: boolean };

/** @throws {Refusal} */
export function readConditions(list: readonly Tree[]): Conditions {
  const reading = new Reading();
  let mayBeAbsent = false;
  for (const item of list) {
    if (isTreeList(item)) throw new Refusal("Match value must be String, number, true, false, or null");
    if (!isTreeObject(item)) reading.add(item);
    else if (readOperator(item, reading) === "absent") mayBeAbsent = true;
  }
  return { test: reading.test, mayBeAbsent };
}

/** A test as it comes together. */
class Reading {
  readonly #values = new Set<Plain>();
  readonly #longs = new Set<string>();
  readonly #addresses = new Set<string>();
  readonly others: Condition[] = [];

  /** Most tests have one kind of condition; what is empty is shared, because there may be many patterns. */
  get test(): Test {
    const orNone = <Item>(items: readonly Item[]): readonly Item[] => (items.length === 0 ? NONE : items);
    return {
      values: orNone([...this.#values]),
      valueSet: this.#values.size > LIST_MAX ? this.#values : null,
      longs: orNone([...this.#longs]),
      addresses: orNone([...this.#addresses]),
      others: orNone(this.others),
    };
  }

  /** One literal; a text that is an IP address stands for its other spellings too. */
  add(value: Plain | LongNumber): void {
    const bits = typeof value === "string" ? addressBits(value) : null;
    if (bits !== null) this.#addresses.add(bits);
    this.addExactly(value);
  }

  addExactly(value: Plain | LongNumber): void {
    if (value instanceof LongNumber) this.#longs.add(value.digits);
    else this.#values.add(value);
  }

  addWildcard(text: string): void {
    const read = readWildcard(text);
    if (read.kind === "refused") throw new Refusal(read.reason);
    if (read.kind === "literal") this.#values.add(read.text);
    else this.others.push({ kind: "wildcard", wildcard: read.wildcard });
  }
}

const NONE: readonly never[] = [];
/** Values that are looked for one after the other; with more a set is faster. */
const LIST_MAX = 8;

function readOperator(operator: TreeObject, into: Reading): "absent" | undefined {
  const [name, argument] = onlyMember(operator, "Only one key allowed in match expression");
  switch (name) {
    case "exactly":
      into.add(textOf(argument, name));
      return;
    case "prefix":
    case "suffix":
      into.others.push(readEnd(name, argument));
      return;
    case "equals-ignore-case":
      into.others.push({ kind: "ignoring case", text: foldCase(textOf(argument, name)) });
      return;
    case "wildcard":
      into.addWildcard(textOf(argument, name));
      return;
    case "anything-but":
      into.others.push({ kind: "not", test: readExcluded(argument) });
      return;
    case "numeric": {
      const range = readRange(argument);
      if (typeof range === "number") into.addExactly(range);
      else into.others.push(range);
      return;
    }
    case "cidr": {
      const block = readBlock(textOf(argument, "prefix"));
      if (!block.ok) throw new Refusal(block.reason);
      into.others.push({ kind: "block", bits: block.bits });
      return;
    }
    case "exists":
      if (typeof argument !== "boolean") throw new Refusal("exists match pattern must be either true or false.");
      if (!argument) return "absent";
      into.others.push({ kind: "present" });
      return;
    default:
      throw new Refusal(`Unrecognized match type ${name}`);
  }
}

function readEnd(kind: "prefix" | "suffix", argument: Tree): Condition {
  if (!isTreeObject(argument)) return { kind, text: textOf(argument, kind), ignoresCase: false };
  const [name, text] = onlyMember(argument, "Only one key allowed in match expression");
  if (name !== "equals-ignore-case") throw new Refusal(`Unrecognized match type ${name}`);
  return { kind, text: foldCase(textOf(text, name)), ignoresCase: true };
}

function readExcluded(argument: Tree): Test {
  const excluded = new Reading();
  if (isTreeList(argument)) for (const value of readAlike(argument)) excluded.addExactly(value);
  else if (typeof argument === "string" || isTreeNumber(argument)) excluded.addExactly(argument);
  else if (isTreeObject(argument)) {
    const [name, values] = onlyMember(argument, "Only one key allowed in match expression");
    if (!EXCLUDING.has(name))
      throw new Refusal("Value of anything-but must be an array or single string/number value.");
    for (const value of isTreeList(values) ? readAlike(values) : [values]) exclude(name, value, excluded);
  } else throw new Refusal("Value of anything-but must be an array or single string/number value.");
  return excluded.test;
}

const EXCLUDING: ReadonlySet<string> = new Set(["prefix", "suffix", "equals-ignore-case", "wildcard"]);

function exclude(name: string, value: Tree, from: Reading): void {
  switch (name) {
    case "prefix":
    case "suffix":
      if (typeof value !== "string") throw new Refusal("prefix/suffix match pattern must be a string");
      if (value === "") throw new Refusal("Null prefix/suffix not allowed");
      from.others.push({ kind: name, text: value, ignoresCase: false });
      return;
    case "equals-ignore-case":
      from.others.push({ kind: "ignoring case", text: foldCase(textOf(value, name)) });
      return;
    default:
      from.addWildcard(textOf(value, name));
  }
}

/** A list of strings or a list of numbers. */
function readAlike(list: readonly Tree[]): readonly (string | number | LongNumber)[] {
  const known = list.filter((item) => typeof item === "string" || isTreeNumber(item));
  if (known.length < list.length) {
    throw new Refusal("Inside anything but list, start|null|boolean is not supported.");
  }
  const strings = known.filter((item) => typeof item === "string").length;
  if (known.length === 0 || (strings > 0 && strings < known.length)) {
    throw new Refusal("Inside anything but list, either all values are number or string, mixed type is not supported");
  }
  return known;
}

function onlyMember(object: TreeObject, otherwise: string): readonly [string, Tree] {
  const [first, second] = object;
  if (first === undefined) throw new Refusal("Empty objects are not allowed");
  if (second !== undefined) throw new Refusal(otherwise);
  return first;
}

function textOf(argument: Tree, operator: string): string {
  if (typeof argument !== "string") throw new Refusal(`${operator} match pattern must be a string`);
  return argument;
}
