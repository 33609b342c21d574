import { errorText } from "#engine/error-text.ts";
import { sleep } from "#engine/sleep.ts";
import type { Clock } from "#ports/clock.ts";
import type { Log } from "#ports/log.ts";
import type { Store } from "#ports/store.ts";

/** How often the store's backlog is counted; counting a million jobs takes a quarter of a second of another thread. */
const COUNT_EVERY_MS = 15_000;

/**
 * How much work lies in the store, looked at now and then: beyond the limit doors refuse new work, so that a provider
 * that is down for a week fills neither the disk nor the patience of whoever comes next.
 */
export class Backlog {
  readonly #parts: { readonly store: Store; readonly clock: Clock; readonly log: Log };
  readonly #jobsMax: number;
  #full = false;

  constructor(parts: { readonly store: Store; readonly clock: Clock; readonly log: Log }, jobsMax: number) {
    this.#parts = parts;
    this.#jobsMax = jobsMax;
  }

  get full(): boolean {
    return this.#full;
  }

  /** Counts until `signal` aborts. */
  async watch(signal: AbortSignal): Promise<void> {
    const { store, clock, log } = this.#parts;
    while (!signal.aborted) {
      await sleep(clock, COUNT_EVERY_MS, signal);
      if (signal.aborted) return;
      try {
        const depths = await store.depths();
        const jobs = depths.reduce((sum, { waiting, ready, held }) => sum + waiting + ready + held, 0);
        const full = jobs >= this.#jobsMax;
        if (full && !this.#full)
          log.warn("The backlog is at its limit; new sends are refused until it shrinks", { jobs });
        this.#full = full;
      } catch (fault) {
        log.warn("The backlog could not be counted; the next look will", { error: errorText(fault) });
      }
    }
  }
}
