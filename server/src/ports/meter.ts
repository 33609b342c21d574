/** Where numbers go. Instruments are made once, at start; adding to one costs a few nanoseconds. */
export interface Meter {
  counter(name: string, help: string, labels: Labels): Counter;
  /** Seconds or plain numbers, gathered into the buckets given (upper bounds, rising). */
  histogram(name: string, help: string, labels: Labels, buckets: readonly number[]): Histogram;
  /** `read` is called when somebody looks. */
  gauge(name: string, help: string, read: () => readonly GaugeSample[] | Promise<readonly GaugeSample[]>): void;
}

export type Labels = Readonly<Record<string, string>>;
export type GaugeSample = { readonly labels: Labels; readonly value: number };
export interface Counter {
  add(n: number): void;
}
export interface Histogram {
  observe(value: number): void;
}

export const silentMeter: Meter = {
  counter: () => ({ add() {} }),
  histogram: () => ({ observe() {} }),
  gauge() {},
};

/** Names from the data that have series of their own: more than this would eat the memory of whoever gathers them. */
export const NAMES_MAX = 1_000;
/** By what the rest goes, all together. No queue, rule or webhook can be called so. */
export const OTHERS = "(others)";

/**
 * Counters by a name that comes from the data, such as a rule's: the first `NAMES_MAX` names that are counted have their
 * own, all others share those of `OTHERS`. Sums over all names stay right.
 */
export class CountersByName<Kind extends string> {
  readonly #make: (name: string, kind: Kind) => Counter;
  readonly #byName = new Map<string, Partial<Record<Kind, Summed>>>();

  /** @param make is called once for each name and kind. */
  constructor(make: (name: string, kind: Kind) => Counter) {
    this.#make = make;
  }

  add(name: string, kind: Kind, n: number): void {
    const known = this.#byName.get(name);
    if (known === undefined && name !== OTHERS && this.#byName.size >= NAMES_MAX) {
      this.add(OTHERS, kind, n);
      return;
    }
    const counters: Partial<Record<Kind, Summed>> = known ?? {};
    if (known === undefined) this.#byName.set(name, counters);
    const one = (counters[kind] ??= { counter: this.#make(name, kind), sum: 0 });
    one.counter.add(n);
    one.sum += n;
  }

  /** How often it was counted for a name; also 0 when it was counted for `OTHERS`. */
  sum(name: string, kind: Kind): number {
    return this.#byName.get(name)?.[kind]?.sum ?? 0;
  }

  /** Names that were counted, `OTHERS` left out. */
  names(): readonly string[] {
    return [...this.#byName.keys()].filter((name) => name !== OTHERS);
  }
}

/** Meters give no number back, so it is kept beside. */
type Summed = { readonly counter: Counter; sum: number };
