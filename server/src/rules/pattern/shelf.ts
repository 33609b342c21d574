import { invariant } from "#domain/invariant.ts";
import type { Plain, Scalar } from "./scalar.ts";

/** Rules that one and the same value brings up. */
export type Bucket<Entry> = { readonly entries: Entry[]; readonly forget: () => void };

export type Visit<Entry> = (bucket: Bucket<Entry>) => void;

/** Buckets of one kind at one path. An empty bucket is to be forgotten by its owner. */
export interface Shelf<Key, Entry> {
  /** Found or made. */
  bucket(key: Key): Bucket<Entry>;
  /** Counts who could be kept under a key, wherever they are kept. */
  ask(key: Key, change: 1 | -1): void;
  /** How many others an event would bring up here that has just what `key` asks for, if all were kept here that could be. */
  load(key: Key): number;
  /** Visits every bucket whose condition a value fulfils, and perhaps some whose condition it does not. */
  probe(value: Scalar, visit: Visit<Entry>): void;
}

/** Conditions that hold when something made of the value is equal. */
export class ExactShelf<Key extends Plain, Entry> implements Shelf<Key, Entry> {
  readonly #buckets = new Map<Key, Bucket<Entry>>();
  readonly #asked = new Counts<Key>();
  readonly #keyOf: (value: Scalar) => Key | undefined;

  constructor(keyOf: (value: Scalar) => Key | undefined) {
    this.#keyOf = keyOf;
  }

  bucket(key: Key): Bucket<Entry> {
    return findOrMake(this.#buckets, key, () => this.#buckets.delete(key));
  }

  ask(key: Key, change: 1 | -1): void {
    this.#asked.change(key, change);
  }

  load(key: Key): number {
    return this.#asked.of(key);
  }

  probe(value: Scalar, visit: Visit<Entry>): void {
    if (this.#buckets.size === 0) return;
    const key = this.#keyOf(value);
    const bucket = key === undefined ? undefined : this.#buckets.get(key);
    if (bucket !== undefined) visit(bucket);
  }
}

/** Conditions that hold when the value contains these characters; kept by their hash, which others may share. */
export class GramShelf<Entry> implements Shelf<string, Entry> {
  readonly #buckets = new Map<number, Bucket<Entry>>();
  readonly #asked = new Counts<string>();
  readonly #chars: number;

  /** @param chars that every key has. */
  constructor(chars: number) {
    this.#chars = chars;
  }

  bucket(key: string): Bucket<Entry> {
    const hash = hashAt(key, 0, this.#chars);
    return findOrMake(this.#buckets, hash, () => this.#buckets.delete(hash));
  }

  ask(key: string, change: 1 | -1): void {
    this.#asked.change(key, change);
  }

  load(key: string): number {
    return this.#asked.of(key);
  }

  probe(value: Scalar, visit: Visit<Entry>): void {
    if (this.#buckets.size === 0 || typeof value !== "string") return;
    for (let at = 0; at + this.#chars <= value.length; at += 1) {
      const bucket = this.#buckets.get(hashAt(value, at, this.#chars));
      if (bucket !== undefined) visit(bucket);
    }
  }
}

export function findOrMake<Key, Entry>(buckets: Map<Key, Bucket<Entry>>, key: Key, forget: () => void): Bucket<Entry> {
  let bucket = buckets.get(key);
  if (bucket === undefined) buckets.set(key, (bucket = { entries: [], forget }));
  return bucket;
}

/** How many of each; keeps nothing for none. */
export class Counts<Key> {
  readonly #counts = new Map<Key, number>();

  of(key: Key): number {
    return this.#counts.get(key) ?? 0;
  }

  change(key: Key, by: 1 | -1): void {
    const count = this.of(key) + by;
    if (count === 0) this.#counts.delete(key);
    else this.#counts.set(key, count);
  }
}

/** For finding candidates only: small integers are looked up faster than texts, and nothing is cut out for them. */
export const HASH_START = 0x1505;

export function hashWith(hash: number, code: number): number {
  return (Math.imul(hash ^ code, 0x01000193) ^ (hash >>> 15)) & 0x3fffffff;
}

function hashAt(text: string, from: number, chars: number): number {
  let hash = HASH_START;
  for (let at = from; at < from + chars; at += 1) hash = hashWith(hash, text.charCodeAt(at));
  return hash;
}

/** Takes one out of a list whose order does not matter. */
export function takeOut<Item>(list: Item[], item: Item): void {
  const at = list.indexOf(item);
  invariant(at !== -1, "only what is in a list is taken out");
  const last = list.pop();
  if (last !== undefined && at < list.length) list[at] = last;
}
