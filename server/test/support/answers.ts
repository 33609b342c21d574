import type { Store } from "#ports/store.ts";

/** A store whose answers come in real time, for a test whose time is virtual: it knows what has yet to be answered. */
export class Answers {
  /** The store, as it is to be used. */
  readonly store: Store;
  readonly #asked = new Set<Promise<unknown>>();

  constructor(store: Store) {
    this.store = new Proxy(store, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== "function") return member;
        return (...given: readonly unknown[]): unknown => this.#note(Reflect.apply(member, target, given));
      },
    });
  }

  /** Waits for all that was asked so far; false when everything was answered already. */
  async all(): Promise<boolean> {
    if (this.#asked.size === 0) return false;
    await Promise.allSettled(this.#asked);
    return true;
  }

  #note(answer: unknown): unknown {
    if (!(answer instanceof Promise)) return answer;
    this.#asked.add(answer);
    void Promise.allSettled([answer]).then(() => this.#asked.delete(answer));
    return answer;
  }
}
