import type { Clock } from "#ports/clock.ts";
import type { Dice } from "#ports/dice.ts";
import { StoreFault, type Unit } from "#ports/store.ts";
import type { Counts, Kind } from "./coverage.ts";

/** A commit fails, or its answer is lost. */
const FAIL_CHANCE = 0.03;
const LOST_ANSWER_CHANCE = 0.02;
/** Longest wait before a commit, and after it until its answer is heard. */
const SLOW_MS_MAX = 3_000;
const SLOW_CHANCE = 0.04;
/** How long after a heartbeat that found nobody a lease may run out: its whole length. */
const LEASE_MS = 30_000;

/** The computer underneath: its disk, its link to the store, and whether it behaves. */
export class Machine {
  readonly dice: Dice;
  readonly counts: Counts;
  readonly #clock: () => Clock;
  /** Nothing bad happens. */
  calm = true;
  failedCommits = 0;
  lostAnswers = 0;
  #fullUntilMs = 0;
  /** Stretches of monotonic time in which heartbeats found nobody. */
  readonly #deaf: { readonly fromMs: number; readonly untilMs: number }[] = [];

  constructor(dice: Dice, counts: Counts, clock: () => Clock) {
    this.dice = dice;
    this.counts = counts;
    this.#clock = clock;
  }

  happens(chance: number): boolean {
    return !this.calm && this.dice.next() < chance;
  }

  /** Takes its time, now and then. */
  async dawdle(kind: Kind, chance = SLOW_CHANCE, mostMs = SLOW_MS_MAX): Promise<void> {
    if (!this.happens(chance)) return;
    this.counts.add(kind);
    await this.wait(Math.ceil(this.dice.next() * mostMs));
  }

  async wait(ms: number): Promise<void> {
    await new Promise<void>((resolve) => this.#clock().after(ms, resolve));
  }

  get nowMs(): number {
    return this.#clock().monotonicMs();
  }

  get isFull(): boolean {
    return !this.calm && this.nowMs < this.#fullUntilMs;
  }

  fillDisk(ms: number): void {
    this.#fullUntilMs = this.nowMs + ms;
  }

  get isDeaf(): boolean {
    const last = this.#deaf.at(-1);
    return !this.calm && last !== undefined && this.nowMs < last.untilMs;
  }

  /** Heartbeats find nobody for a while; not so soon after the last time that the two become one. */
  deafen(ms: number): boolean {
    const last = this.#deaf.at(-1);
    if (last !== undefined && this.nowMs < last.untilMs + LEASE_MS) return false;
    this.#deaf.push({ fromMs: this.nowMs, untilMs: this.nowMs + ms });
    return true;
  }

  /** Whether a lease may have run out between the two. Beats come ten seconds apart and may be late, but none is lost. */
  mayHaveLapsed(fromMs: number, toMs: number): boolean {
    return this.#deaf.some((deaf) => fromMs <= deaf.untilMs + LEASE_MS && toMs >= deaf.fromMs);
  }

  /** Before a commit: it may fail. */
  readonly before = (): void => {
    const { isFull } = this;
    if (!isFull && !this.happens(FAIL_CHANCE)) return;
    this.failedCommits += 1;
    if (isFull) this.counts.add("store.full");
    throw new StoreFault(isFull ? "store.full" : "store.failed", "the disk says no");
  };

  /** After it: whoever committed may not hear of it. */
  readonly after = (units: readonly Unit[]): void => {
    if (!this.happens(LOST_ANSWER_CHANCE)) return;
    this.lostAnswers += 1;
    this.counts.add("store.lostStep", units.filter(({ job }) => job?.end.kind === "keep").length);
    throw new StoreFault("store.failed", "the answer was lost");
  };
}
