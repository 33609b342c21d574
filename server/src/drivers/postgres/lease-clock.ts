import type { Clock } from "#ports/clock.ts";

/**
 * Share of the time that passes by which this clock may run faster or slower to meet the wall clock again: makes good any
 * drift of a quartz, and ends no lease early to speak of when the wall clock was set.
 */
const SLEW_MAX = 0.01;

/**
 * What leases are written in: about Unix epoch ms, so that nodes agree on it, but moved by the passing of time alone. A
 * wall clock that jumps ends no lease.
 */
export class LeaseClock {
  readonly #clock: Clock;
  #atMonotonicMs: number;
  #nowMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#atMonotonicMs = clock.monotonicMs();
    this.#nowMs = clock.nowMs();
  }

  nowMs(): number {
    const monotonicMs = this.#clock.monotonicMs();
    const passedMs = monotonicMs - this.#atMonotonicMs;
    this.#atMonotonicMs = monotonicMs;
    const off = this.#clock.nowMs() - (this.#nowMs + passedMs);
    const slewMs = Math.min(Math.abs(off), passedMs * SLEW_MAX);
    this.#nowMs += passedMs + Math.sign(off) * slewMs;
    return this.#nowMs;
  }
}
