import { SUBSCRIPTIONS, SUPPRESSIONS } from "#directory/collections.ts";
import type { Draft } from "#engine/draft.ts";

/** Remembered at most; what is forgotten makes older work look itself up again, so forgetting is safe. */
const REVOCATIONS_MAX = 50_000;

/**
 * "Nothing after no", inside one process: a message that is on its way asks, at the last moment before the provider is
 * called, whether a no has been committed since it was routed. The engine tells of every commit before whoever asked
 * for it is answered, so once an unsubscribe was acknowledged no call begins.
 */
export class Revocations {
  #sequence = 0;
  /** Anything routed before this must look again. */
  #floor = 0;
  readonly #since = new Map<string, number>();

  /** To be taken before reading whether somebody wants to hear. */
  now(): number {
    return this.#sequence;
  }

  /** Whether one of these was revoked after `then`. */
  revokedSince(then: number, keys: readonly string[]): boolean {
    if (then < this.#floor) return true;
    if (this.#since.size === 0) return false;
    return keys.some((key) => (this.#since.get(key) ?? 0) > then);
  }

  /** Watches what the engine commits. */
  committed(draft: Draft): void {
    for (const { collection, id } of draft.deletes ?? []) if (collection === SUBSCRIPTIONS) this.#note(id);
    for (const { collection, id } of draft.puts ?? []) if (collection === SUPPRESSIONS) this.#note(id);
    for (const { collection } of draft.clear ?? []) if (collection === SUBSCRIPTIONS) this.#forgetAll();
  }

  #note(key: string): void {
    this.#sequence += 1;
    this.#since.set(key, this.#sequence);
    if (this.#since.size > REVOCATIONS_MAX) this.#forgetAll();
  }

  #forgetAll(): void {
    this.#sequence += 1;
    this.#floor = this.#sequence;
    this.#since.clear();
  }
}
