import { PREFIX_LENGTHS_MAX } from "./limits.ts";
import type { Scalar } from "./scalar.ts";
import { type Bucket, Counts, findOrMake, HASH_START, hashWith, type Shelf, type Visit } from "./shelf.ts";

/**
 * Conditions that hold when something made of the value begins with a text, or ends with it. The value is hashed once from that
 * end, and looked up at every length that occurs; what has the same hash by chance is sorted out by matching. When too many
 * lengths occur, texts are kept by a shorter beginning of theirs.
 */
export class EndShelf<Entry> implements Shelf<string, Entry> {
  /** By rising length. */
  #levels: readonly Level<Entry>[] = [];
  readonly #asked = new Counts<string>();
  readonly #textOf: (value: Scalar) => string | undefined;
  readonly #isTail: boolean;

  constructor(end: "head" | "tail", textOf: (value: Scalar) => string | undefined) {
    this.#textOf = textOf;
    this.#isTail = end === "tail";
  }

  bucket(key: string): Bucket<Entry> {
    const level = this.#levelFor(key.length);
    const hash = this.#hash(key, level.length);
    return findOrMake(level.buckets, hash, () => {
      level.buckets.delete(hash);
      if (level.buckets.size === 0) this.#levels = this.#levels.filter((other) => other !== level);
    });
  }

  ask(key: string, change: 1 | -1): void {
    this.#asked.change(key, change);
  }

  load(key: string): number {
    let load = this.#asked.of(key);
    this.#visit(key, ({ entries }) => {
      load += entries.length;
    });
    return load;
  }

  probe(value: Scalar, visit: Visit<Entry>): void {
    if (this.#levels.length === 0) return;
    const text = this.#textOf(value);
    if (text !== undefined) this.#visit(text, visit);
  }

  #visit(text: string, visit: Visit<Entry>): void {
    let hash = HASH_START;
    let hashed = 0;
    for (const { length, buckets } of this.#levels) {
      if (length > text.length) return;
      for (; hashed < length; hashed += 1) hash = hashWith(hash, this.#codeAt(text, hashed));
      const bucket = buckets.get(hash);
      if (bucket !== undefined) visit(bucket);
    }
  }

  #hash(text: string, length: number): number {
    let hash = HASH_START;
    for (let at = 0; at < length; at += 1) hash = hashWith(hash, this.#codeAt(text, at));
    return hash;
  }

  #codeAt(text: string, at: number): number {
    return text.charCodeAt(this.#isTail ? text.length - 1 - at : at);
  }

  /** Of the length itself while there is room for it, else of the next shorter one; at worst of none of the characters. */
  #levelFor(length: number): Level<Entry> {
    const nearest = this.#levels.findLast((level) => level.length <= length);
    if (nearest?.length === length) return nearest;
    const isFull = this.#levels.length >= PREFIX_LENGTHS_MAX;
    if (isFull && nearest !== undefined) return nearest;
    const level: Level<Entry> = { length: isFull ? 0 : length, buckets: new Map() };
    this.#levels = [...this.#levels, level].toSorted((a, b) => a.length - b.length);
    return level;
  }
}

/** Buckets of texts of one length, by hash. */
type Level<Entry> = { readonly length: number; readonly buckets: Map<number, Bucket<Entry>> };
