import type { Clock } from "#ports/clock.ts";

/** One look at the store serves all gauges of a scrape. */
const LOOK_MS = 500;

/** Asks again only when the last answer is older than `LOOK_MS`, or has failed. */
export function remembered<T>(clock: Clock, ask: () => Promise<T>): () => Promise<T> {
  let last: { readonly value: Promise<T>; readonly untilMs: number } | null = null;
  return () => {
    if (last === null || last.untilMs <= clock.monotonicMs()) {
      const value = ask();
      value.catch(() => (last = null));
      last = { value, untilMs: clock.monotonicMs() + LOOK_MS };
    }
    return last.value;
  };
}
