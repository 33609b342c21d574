import { unreachable } from "#domain/invariant.ts";
import { addressBits } from "./address.ts";
import type { Condition, Test } from "./condition.ts";
import { GRAM_CHARS } from "./limits.ts";
import { EndShelf } from "./end-shelf.ts";
import { RangeShelf } from "./range-shelf.ts";
import { foldCase, LongNumber, type Plain, type Scalar } from "./scalar.ts";
import { type Bucket, ExactShelf, GramShelf, type Shelf, type Visit } from "./shelf.ts";
import type { Wildcard } from "./wildcard.ts";

/** A bucket in which an entry would be found, and how many others a matching event would bring up with it. */
export type Offer<Entry> = { readonly load: number; readonly open: () => Bucket<Entry> };

/** Finds entries by the values at one path. Shelves are made when the first condition of their kind comes. */
export class FieldIndex<Entry> {
  /** How many tests look at this path, here or elsewhere kept. */
  asked = 0;
  readonly #values = new ExactShelf<Plain, Entry>((value) => (value instanceof LongNumber ? undefined : value));
  #ranges: RangeShelf<Entry> | null = null;
  readonly #texts = new Map<TextKind, Shelf<string, Entry>>();

  /** Visits at least every bucket with an entry whose condition the value fulfils. */
  probe(value: Scalar, visit: Visit<Entry>): void {
    this.#values.probe(value, visit);
    this.#ranges?.probe(value, visit);
    for (const shelf of this.#texts.values()) shelf.probe(value, visit);
  }

  /** Counts a test that looks at this path, so that it is known what is rare; taken back with -1. */
  ask(test: Test, change: 1 | -1): void {
    this.asked += change;
    for (const key of keysOf(test)) {
      if (key.kind === "value") this.#values.ask(key.value, change);
      else if (key.kind === "texts") for (const { kind, text } of key.texts) this.#shelf(kind).ask(text, change);
    }
  }

  /** Buckets that together bring an entry up whenever a value that is there fulfils `test`. */
  offers(test: Test): readonly Offer<Entry>[] {
    return keysOf(test).map((key) => {
      switch (key.kind) {
        case "value":
          return { load: this.#values.load(key.value), open: () => this.#values.bucket(key.value) };
        case "range": {
          const load = (this.#ranges?.load(key) ?? 0) + RANGE_BIAS;
          return { load, open: () => (this.#ranges ??= new RangeShelf()).bucket(key) };
        }
        case "texts":
          return key.texts
            .map((text) => this.#offer(text))
            .reduce((best, offer) => (offer.load < best.load ? offer : best));
        default:
          return unreachable(key);
      }
    });
  }

  #offer({ kind, text }: TextKey): Offer<Entry> {
    const shelf = this.#shelf(kind);
    return { load: shelf.load(text) + biasOf(kind, text), open: () => shelf.bucket(text) };
  }

  #shelf(kind: TextKind): Shelf<string, Entry> {
    let shelf = this.#texts.get(kind);
    if (shelf === undefined) this.#texts.set(kind, (shelf = SHELVES[kind]<Entry>()));
    return shelf;
  }
}

/** Where a condition may be kept. */
type Key =
  | { readonly kind: "value"; readonly value: Plain }
  | { readonly kind: "range"; readonly low: number; readonly high: number }
  /** In any one of these. */
  | { readonly kind: "texts"; readonly texts: readonly [TextKey, ...TextKey[]] };
type TextKey = { readonly kind: TextKind; readonly text: string };

function keysOf(test: Test): readonly Key[] {
  return [
    ...test.values.map((value) => ({ kind: "value" as const, value })),
    ...test.longs.map((digits) => textKey("long", digits)),
    ...test.addresses.map((bits) => textKey("address", bits)),
    ...test.others.map(keyOf),
  ];
}

function keyOf(condition: Condition): Key {
  switch (condition.kind) {
    case "prefix":
      return textKey(condition.ignoresCase ? "folded head" : "head", condition.text);
    case "suffix":
      return textKey(condition.ignoresCase ? "folded tail" : "tail", condition.text);
    case "ignoring case":
      return textKey("folded", condition.text);
    case "block":
      return textKey("block", condition.bits);
    case "range":
      return condition;
    case "wildcard":
      return { kind: "texts", texts: wildcardKeys(condition.wildcard) };
    case "present":
    case "not":
      return textKey("any", "");
    default:
      return unreachable(condition);
  }
}

function textKey(kind: TextKind, text: string): Key {
  return { kind: "texts", texts: [{ kind, text }] };
}

/** Its head, its tail, or some characters of a literal in between. */
function wildcardKeys({ head, inner, tail }: Wildcard): readonly [TextKey, ...TextKey[]] {
  const keys: TextKey[] = [];
  if (head !== "") keys.push({ kind: "head", text: head });
  if (tail !== "") keys.push({ kind: "tail", text: tail });
  for (const literal of inner) {
    for (let at = 0; at + GRAM_CHARS <= literal.length; at += 1) {
      keys.push({ kind: "gram", text: literal.slice(at, at + GRAM_CHARS) });
    }
  }
  const [first, ...others] = keys;
  return first === undefined ? [{ kind: "any", text: "" }] : [first, ...others];
}

type TextKind =
  | "long"
  | "address"
  | "folded"
  | "head"
  | "tail"
  | "folded head"
  | "folded tail"
  | "block"
  | "gram"
  /** What any value brings up. */
  | "any";

const SHELVES: { readonly [Kind in TextKind]: <Entry>() => Shelf<string, Entry> } = {
  long: () => new ExactShelf((value) => (value instanceof LongNumber ? value.digits : undefined)),
  address: () => new ExactShelf(bitsOf),
  folded: () => new ExactShelf(foldedOf),
  any: () => new ExactShelf(() => ""),
  head: () => new EndShelf("head", stringOf),
  tail: () => new EndShelf("tail", stringOf),
  "folded head": () => new EndShelf("head", foldedOf),
  "folded tail": () => new EndShelf("tail", foldedOf),
  block: () => new EndShelf("head", bitsOf),
  gram: () => new GramShelf(GRAM_CHARS),
};

/**
 * How many patterns ask for the same says little about how many events have it, so a guess is added: a short beginning is
 * met more often than one value, and anything at all is what most events have.
 */
const RANGE_BIAS = 1;
const ANY_BIAS = 4;

function biasOf(kind: TextKind, text: string): number {
  return kind === "any" ? ANY_BIAS : 1 / (1 + text.length);
}

function stringOf(value: Scalar): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function foldedOf(value: Scalar): string | undefined {
  return typeof value === "string" ? foldCase(value) : undefined;
}

function bitsOf(value: Scalar): string | undefined {
  return typeof value === "string" ? (addressBits(value) ?? undefined) : undefined;
}
