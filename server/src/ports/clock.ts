/** Time, handed in, so that a week passes inside one test. */
export interface Clock {
  /** Unix epoch in ms. Never goes back: a wall clock set back is followed by running slow until it is caught up. */
  nowMs(): number;
  /** Milliseconds since an arbitrary start, unaffected by the wall clock; for measuring and for leases. */
  monotonicMs(): number;
  /** Calls `run` once, `delayMs` of monotonic time from now. */
  after(delayMs: number, run: () => void): Timer;
}

export interface Timer {
  /** Harmless after it has run. */
  cancel(): void;
}
