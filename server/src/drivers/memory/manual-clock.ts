import { invariant } from "#domain/invariant.ts";
import { steadyWall } from "#domain/steady-wall.ts";
import type { Clock, Timer } from "#ports/clock.ts";

type Waiting = { readonly dueMs: number; readonly run: () => void; canceled: boolean };

/** 2026-01-01T00:00:00Z: a round number to read in a failing test. */
export const MANUAL_START_MS = Date.UTC(2026, 0, 1);

/** Time that passes only when a test says so. Keeps the promises of `Clock`, also when the wall is made to jump. */
export class ManualClock implements Clock {
  readonly #wall = steadyWall();
  /** Sorted by due time; those due together in the order of their creation. */
  readonly #waiting: Waiting[] = [];
  #wallMs: number;
  #monotonicMs = 0;

  constructor(startMs: number = MANUAL_START_MS) {
    this.#wallMs = startMs;
  }

  nowMs(): number {
    return this.#wall(this.#wallMs, this.#monotonicMs);
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  after(delayMs: number, run: () => void): Timer {
    const waiting: Waiting = { dueMs: this.#monotonicMs + Math.max(0, delayMs), run, canceled: false };
    this.#waiting.splice(this.#placeAfter(waiting.dueMs), 0, waiting);
    return {
      cancel: () => {
        if (waiting.canceled) return;
        waiting.canceled = true;
        const at = this.#waiting.indexOf(waiting);
        if (at >= 0) this.#waiting.splice(at, 1);
      },
    };
  }

  /** Lets `ms` pass and runs what falls due meanwhile, each at its own time; also what those runs set up. */
  advance(ms: number): void {
    invariant(ms >= 0, `time does not go back, got ${ms} ms`);
    const untilMs = this.#monotonicMs + ms;
    for (let next = this.#waiting[0]; next !== undefined && next.dueMs <= untilMs; next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#pass(next.dueMs);
      next.run();
    }
    this.#pass(untilMs);
  }

  /** Sets the wall clock forward or, if negative, back. Monotonic time and timers do not notice. */
  jumpWall(ms: number): void {
    this.nowMs(); // What was shown up to now is what must not be undercut.
    this.#wallMs += ms;
  }

  /** Monotonic ms until the next timer is due; null when nothing waits. A simulation jumps from one to the next. */
  nextInMs(): number | null {
    const next = this.#waiting[0];
    return next === undefined ? null : Math.max(0, next.dueMs - this.#monotonicMs);
  }

  #pass(untilMs: number): void {
    this.#wallMs += untilMs - this.#monotonicMs;
    this.#monotonicMs = untilMs;
    this.nowMs();
  }

  /** Binary search for the place behind everything that is due at `dueMs` or sooner. */
  #placeAfter(dueMs: number): number {
    let [low, high] = [0, this.#waiting.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#waiting[middle]?.dueMs ?? 0) <= dueMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
