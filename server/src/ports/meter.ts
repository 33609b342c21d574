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
