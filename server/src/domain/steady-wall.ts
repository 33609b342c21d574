/** How fast our time runs while the wall clock stands behind it: slow enough to meet soon, never backwards. */
export const CATCH_UP_SPEED = 0.9;

/**
 * Makes a wall clock that never goes back. Forward jumps are followed at once. After a jump back, time runs on at
 * `CATCH_UP_SPEED` until the wall has caught up: a clock set back by a minute is right again ten minutes later.
 *
 * @returns a function of the wall clock (Unix epoch ms) and of monotonic time (ms), which gives whole ms of our time.
 */
export function steadyWall(): (wallMs: number, monotonicMs: number) => number {
  let shownMs = Number.NEGATIVE_INFINITY;
  let seenMs = 0;
  return (wallMs, monotonicMs) => {
    shownMs = Math.max(wallMs, shownMs + (monotonicMs - seenMs) * CATCH_UP_SPEED);
    seenMs = monotonicMs;
    return Math.floor(shownMs);
  };
}
