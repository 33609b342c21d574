/** About 10 MB. */
const KNOWN_MAX = 100_000;

/**
 * When messages were first received. Nothing is written at a receive, so this is in memory: of those that are deleted
 * soon, which are nearly all, nobody asks again. Who is not known any more counts from now.
 */
export class FirstReceives {
  readonly #known = new Map<string, number>();

  /** @param isFirst it was never received before. */
  of(key: string, isFirst: boolean, nowMs: number): number {
    const known = isFirst ? undefined : this.#known.get(key);
    if (known !== undefined) return known;
    this.#known.delete(key);
    this.#known.set(key, nowMs);
    if (this.#known.size > KNOWN_MAX) for (const oldest of this.#known.keys()) return this.#drop(oldest, nowMs);
    return nowMs;
  }

  forget(key: string): void {
    this.#known.delete(key);
  }

  #drop(key: string, nowMs: number): number {
    this.#known.delete(key);
    return nowMs;
  }
}
