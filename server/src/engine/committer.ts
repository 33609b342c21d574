import {
  BACKLOG_BYTES_MAX,
  BACKLOG_UNITS_MAX,
  BESIDE_FROM_UNITS,
  COMMIT_BYTES_MAX,
  COMMIT_UNITS_MAX,
  COMMITS_MAX,
  COMMITS_SHARED_MAX,
  GATHER_FROM_UNITS,
  GATHER_MS,
} from "#engine/limits.ts";
import { sleep } from "#engine/sleep.ts";
import { invariant } from "#domain/invariant.ts";
import type { Clock } from "#ports/clock.ts";
import type { Counter, Histogram, Meter } from "#ports/meter.ts";
import { type Store, StoreFault, type Unit, type Verdict } from "#ports/store.ts";

/**
 * Group commit. A lone unit goes at once. Units that arrive while a commit is under way gather, and go together when it
 * has ended, or beside it when they are many: while the disk is waited for, the next batch is made ready, and whoever
 * was in the first goes on meanwhile. Under load, seen by the size of the last batch, a small one waits a moment for
 * company: a commit costs much the same for one unit as for fifty.
 *
 *     submit ──none under way──▶ handed to the store ──answer──▶ verdicts
 *        │                          ▲
 *        ├──many wait──▶ beside ────┤ (two at most)
 *        └──few wait──▶ gathering ──┘ after GATHER_MS, or when they have become many
 *
 * Units are handed over in the order in which they were submitted. If the store cannot commit a batch, every unit in it
 * is rejected with the store's fault: nothing of it was done. If it throws anything else, one of the units is malformed,
 * which is a bug of whoever made it: each is committed by itself, so that the others do not suffer.
 */
export class Committer {
  readonly #store: Store;
  readonly #clock: Clock;
  /** Most under way at once. */
  readonly #commitsMax: number;
  readonly #waiting: Pending[] = [];
  #head = 0;
  #waitingBytes = 0;
  #gathering = false;
  #lastUnits = 0;
  /** Whether the store failed to do the last commit. */
  #failed = false;
  /** When each commit under way was handed to the store, monotonic; oldest first. */
  readonly #handedMs: number[] = [];
  #idle: (() => void)[] = [];
  readonly #units: Histogram;
  readonly #seconds: Histogram;
  readonly #failures: Counter;

  constructor(store: Store, clock: Clock, meter: Meter) {
    this.#store = store;
    this.#clock = clock;
    this.#commitsMax = store.can.manyNodes ? COMMITS_SHARED_MAX : COMMITS_MAX;
    this.#units = meter.histogram(
      "tidings_commit_units",
      "Units per commit.",
      {},
      [1, 2, 5, 10, 20, 50, 100, 200, 500],
    );
    this.#seconds = meter.histogram("tidings_commit_seconds", "Time of a commit, fsync included.", {}, SECONDS);
    this.#failures = meter.counter("tidings_commit_failures_total", "Commits that the store could not do.", {});
  }

  /** True when so much waits that new work should be refused at the doors. */
  get overloaded(): boolean {
    return this.#waiting.length - this.#head >= BACKLOG_UNITS_MAX || this.#waitingBytes >= BACKLOG_BYTES_MAX;
  }

  /** False when the store could not do the last commit, or has been at one for longer than `patienceMs`. */
  goesWell(patienceMs: number): boolean {
    return !this.#failed && this.#clock.monotonicMs() - (this.#handedMs[0] ?? Number.POSITIVE_INFINITY) <= patienceMs;
  }

  get waitingUnits(): number {
    return this.#waiting.length - this.#head;
  }

  /**
   * Resolves with the verdict when the unit is durable, or refused by one of its conditions.
   * @param bytes about how much text the unit holds; for the limits on memory.
   * @throws {StoreFault} when the store could not do it.
   */
  submit(unit: Unit, bytes: number): Promise<Verdict> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ unit, bytes, resolve, reject });
      this.#waitingBytes += bytes;
      this.#advance();
    });
  }

  /** Resolves when nothing waits and nothing is under way. */
  drained(): Promise<void> {
    if (this.#isIdle) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  get #isIdle(): boolean {
    return this.#handedMs.length === 0 && this.waitingUnits === 0;
  }

  /** Hands over what may go now. */
  #advance(): void {
    while (this.waitingUnits > 0) {
      const areMany = this.waitingUnits >= BESIDE_FROM_UNITS;
      const underWay = this.#handedMs.length;
      if (underWay > 0 && !(areMany && underWay < this.#commitsMax)) return;
      if (!areMany && this.#lastUnits >= GATHER_FROM_UNITS && this.waitingUnits < this.#lastUnits) {
        if (!this.#gathering) void this.#gather();
        return;
      }
      void this.#hand(this.#take());
    }
  }

  async #gather(): Promise<void> {
    this.#gathering = true;
    await sleep(this.#clock, GATHER_MS);
    this.#gathering = false;
    this.#lastUnits = 0;
    this.#advance();
  }

  async #hand(batch: readonly Pending[]): Promise<void> {
    this.#lastUnits = batch.length;
    const startMs = this.#clock.monotonicMs();
    this.#handedMs.push(startMs);
    await this.#commit(batch);
    this.#handedMs.splice(this.#handedMs.indexOf(startMs), 1);
    this.#units.observe(batch.length);
    this.#seconds.observe((this.#clock.monotonicMs() - startMs) / 1000);
    this.#advance();
    if (!this.#isIdle) return;
    this.#lastUnits = 0;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  async #commit(batch: readonly Pending[]): Promise<void> {
    try {
      const verdicts = await this.#store.commit(batch.map((pending) => pending.unit));
      this.#failed = false;
      for (const [at, pending] of batch.entries()) {
        const verdict = verdicts[at];
        invariant(verdict !== undefined, "a commit answers every unit");
        pending.resolve(verdict);
      }
    } catch (fault) {
      this.#failures.add(1);
      this.#failed ||= fault instanceof StoreFault;
      if (!(fault instanceof StoreFault) && batch.length > 1) {
        for (const pending of batch) await this.#commit([pending]);
      } else for (const pending of batch) pending.reject(fault);
    }
  }

  #take(): Pending[] {
    const batch: Pending[] = [];
    let bytes = 0;
    while (this.#head < this.#waiting.length && batch.length < COMMIT_UNITS_MAX && bytes < COMMIT_BYTES_MAX) {
      const pending = this.#waiting[this.#head];
      invariant(pending !== undefined, "the head of the line exists");
      batch.push(pending);
      bytes += pending.bytes;
      this.#head += 1;
    }
    this.#waitingBytes -= bytes;
    if (this.#head === this.#waiting.length) {
      this.#waiting.length = 0;
      this.#head = 0;
    } else if (this.#head > 1024) {
      this.#waiting.splice(0, this.#head);
      this.#head = 0;
    }
    return batch;
  }
}

type Pending = {
  readonly unit: Unit;
  readonly bytes: number;
  readonly resolve: (verdict: Verdict) => void;
  readonly reject: (fault: unknown) => void;
};

const SECONDS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5];
