/** How much was done in the last whole tenth of a second. */
export class Pace {
  #windowMs = 0;
  #count = 0;
  #last = 0;

  /** @param nowMs monotonic. */
  done(count: number, nowMs: number): void {
    this.#turn(nowMs);
    this.#count += count;
  }

  /** @param nowMs monotonic. */
  inLastWindow(nowMs: number): number {
    this.#turn(nowMs);
    return this.#last;
  }

  #turn(nowMs: number): void {
    const windowMs = Math.floor(nowMs / WINDOW_MS) * WINDOW_MS;
    if (windowMs === this.#windowMs) return;
    // Of what lies longer back nothing is known.
    this.#last = windowMs - this.#windowMs === WINDOW_MS ? this.#count : 0;
    this.#windowMs = windowMs;
    this.#count = 0;
  }
}

const WINDOW_MS = 100;
