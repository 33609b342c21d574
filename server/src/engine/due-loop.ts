import { errorText } from "#engine/error-text.ts";
import { LOOK_AGAIN_MS, NEWS_DUE_MS, WAKE_BATCH_MAX } from "#engine/limits.ts";
import type { Clock, Timer } from "#ports/clock.ts";
import type { Log } from "#ports/log.ts";
import type { Store } from "#ports/store.ts";

export type DueHouse = {
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Any job may have become ready. */
  readonly readied: () => void;
};

/**
 * Sleeps until the next job is due, then makes it ready: timers, retries, leases and loans that are over. With other nodes
 * on the same store it looks again soon after their word, and says now and then that there may be ready jobs, in case it
 * was lost.
 */
export class DueLoop {
  readonly #store: Store;
  readonly #house: DueHouse;
  #started = false;
  #timer: Timer | null = null;
  #atMs = Number.POSITIVE_INFINITY;
  /** The earliest time noted while the store was being asked, which its answer may not know yet. */
  #notedMs = Number.POSITIVE_INFINITY;
  #waking: Promise<void> | null = null;
  /** When it last said that there may be ready jobs because time had passed, monotonic. */
  #lookedMs = 0;

  constructor(store: Store, house: DueHouse) {
    this.#store = store;
    this.#house = house;
  }

  /** Resolves after the first look. Harmless when it runs already. */
  async start(): Promise<void> {
    if (this.#started || this.#house.signal.aborted) return;
    this.#started = true;
    this.#store.onWake(() => {
      this.#house.readied();
      this.note(this.#house.clock.nowMs() + NEWS_DUE_MS);
    });
    await this.#wake();
  }

  /** A job will be due then. */
  note(dueMs: number): void {
    if (!this.#started || this.#house.signal.aborted) return;
    if (this.#waking !== null) this.#notedMs = Math.min(this.#notedMs, dueMs);
    else if (dueMs < this.#atMs) this.#sleepUntil(dueMs);
  }

  /** After the signal has aborted: sleeps no more, and waits for the look that is under way. */
  async end(): Promise<void> {
    this.#timer?.cancel();
    await this.#waking;
  }

  #sleepUntil(dueMs: number): void {
    const { clock } = this.#house;
    this.#timer?.cancel();
    this.#atMs = dueMs;
    const delayMs = Math.max(0, Math.min(dueMs - clock.nowMs(), LOOK_AGAIN_MS));
    this.#timer = clock.after(delayMs, () => void this.#wake());
  }

  #wake(): Promise<void> {
    this.#waking ??= this.#wakeDue().then((nextDueMs) => {
      this.#waking = null;
      const nextMs = Math.min(nextDueMs, this.#notedMs);
      this.#notedMs = Number.POSITIVE_INFINITY;
      if (!this.#house.signal.aborted) this.#sleepUntil(nextMs);
    });
    return this.#waking;
  }

  /** Makes ready what is due; returns when to look again. */
  async #wakeDue(): Promise<number> {
    const { clock, log, signal, readied } = this.#house;
    try {
      for (;;) {
        const { woken, nextDueMs } = await this.#store.wakeDue(WAKE_BATCH_MAX);
        if (woken > 0 || this.#isTimeToLook()) readied();
        if (woken < WAKE_BATCH_MAX || signal.aborted) return nextDueMs ?? Number.MAX_SAFE_INTEGER;
      }
    } catch (fault) {
      log.error("Due jobs could not be woken; trying again", { error: errorText(fault) });
      return clock.nowMs() + 500;
    }
  }

  /** Other nodes make jobs ready, too, and their word of it may be lost. */
  #isTimeToLook(): boolean {
    const nowMs = this.#house.clock.monotonicMs();
    if (!this.#store.can.manyNodes || nowMs - this.#lookedMs < LOOK_AGAIN_MS) return false;
    this.#lookedMs = nowMs;
    return true;
  }
}
