import { steadyWall } from "#domain/steady-wall.ts";
import type { Clock, Timer } from "#ports/clock.ts";

/** Longest delay that Node's timers take; longer ones are waited for in pieces. */
export const TIMER_MS_MAX = 2 ** 31 - 1;

/** The machine's time. A timer never runs early, however long it is, and keeps the process alive until then. */
export function systemClock(): Clock {
  const wall = steadyWall();
  return {
    nowMs: () => wall(Date.now(), performance.now()),
    monotonicMs: () => performance.now(),
    after,
  };
}

/** Node's timers may run up to a millisecond early and reach 24 days; both are mended by looking at the clock again. */
function after(delayMs: number, run: () => void): Timer {
  const dueMs = performance.now() + delayMs;
  const wait = (leftMs: number) => setTimeout(look, Math.min(Math.max(1, Math.ceil(leftMs)), TIMER_MS_MAX));
  const look = (): void => {
    const leftMs = dueMs - performance.now();
    if (leftMs > 0) timer = wait(leftMs);
    else run();
  };
  let timer = wait(delayMs);
  return { cancel: () => clearTimeout(timer) };
}
