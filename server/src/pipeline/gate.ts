import type { Lane } from "#domain/job.ts";
import type { Outcome } from "#domain/outcome.ts";
import { retryDelayMs } from "#domain/retry.ts";
import { errorText } from "#engine/error-text.ts";
import type { Clock, Timer } from "#ports/clock.ts";
import type { Dice } from "#ports/dice.ts";
import type { Log } from "#ports/log.ts";
import type { Envelope, Provider } from "#ports/provider.ts";

/** Failures of the provider itself, one after the other, before it is left alone for a while. */
const BREAKER_FAILURES = 8;
/** Longest rest before it is probed again. */
const BREAKER_REST_MS_MAX = 60_000;
/** A line in which nothing moves for so long goes back to the store: others need the hands that hold it. */
const STALL_MS = 5_000;

/** What a gate needs to know of a message that wants through. */
export type Passage = {
  readonly envelope: Envelope;
  readonly lane: Lane;
  /** Asked at the last moment; false when somebody said no meanwhile, or the job is not ours any more. */
  readonly mayGo: () => boolean;
};

/** What comes of it: the provider's outcome, or why it was not called. */
export type Passed =
  | Outcome
  /** Not called: it was revoked, or the job was lost. */
  | { readonly kind: "withdrawn" }
  /** Not called: the destination rests or its line is too long; come back then. No attempt was made. */
  | { readonly kind: "later"; readonly atMs: number; readonly reason: string };

/**
 * The way to one destination: bounded concurrency, transactional first, and a breaker.
 *
 *     closed ──8 failures of the provider in a row──▶ resting ──time over──▶ probing (one at a time)
 *       ▲                                               ▲                      │
 *       └───────────────── an answer ───────────────────┼──────────────────────┤
 *                                                       └──── still failing ───┘
 *
 * A line in which nothing moves goes back to the store, too: one destination that stalls does not keep the hands that
 * others need. Overload answers (429, 421, policy codes) bring rest, too, and halve how many may be under way; each success lets
 * one more in again, up to the provider's own limit.
 */
export class Gate {
  readonly #provider: Provider;
  readonly #clock: Clock;
  readonly #dice: Dice;
  readonly #log: Log;
  readonly #signal: AbortSignal;
  readonly #lines: Record<Lane, Waiting[]> = { transactional: [], bulk: [] };
  #underWay = 0;
  #slots: number;
  #failures = 0;
  #rests = 0;
  #restUntilMs = 0;
  #restReason = "";
  /** Outcomes so far: whether anything moves. */
  #moves = 0;
  #stalled = false;
  #watch: Timer | null = null;

  constructor(provider: Provider, parts: { clock: Clock; dice: Dice; log: Log; signal: AbortSignal }) {
    this.#provider = provider;
    this.#clock = parts.clock;
    this.#dice = parts.dice;
    this.#log = parts.log;
    this.#signal = parts.signal;
    this.#slots = provider.concurrencyMax;
  }

  get idle(): boolean {
    return this.#underWay === 0 && this.#failures === 0 && this.#restUntilMs <= this.#clock.nowMs();
  }

  /** Passes one message to the provider when it is its turn. */
  pass(passage: Passage): Promise<Passed> {
    const nowMs = this.#clock.nowMs();
    if (nowMs < this.#restUntilMs) return Promise.resolve(this.#later(this.#restUntilMs, this.#restReason));
    const line = this.#lines[passage.lane];
    if (this.#stalled && this.#underWay >= this.#slots) {
      return Promise.resolve(this.#later(nowMs + STALL_MS, `${this.#provider.key} does not answer`));
    }
    return new Promise((resolve) => {
      line.push({ passage, resolve });
      this.#advanceSoon();
    });
  }

  #later(atMs: number, reason: string): Passed {
    // Spread out, so that a rest does not end in a stampede.
    return { kind: "later", atMs: atMs + Math.floor(this.#dice.next() * 1_000), reason };
  }

  #advance(): void {
    const batch: Waiting[] = [];
    while (this.#underWay < this.#slots) {
      const next = this.#lines.transactional.shift() ?? this.#lines.bulk.shift();
      if (next === undefined) break;
      if (this.#signal.aborted || !next.passage.mayGo()) {
        next.resolve({ kind: "withdrawn" });
        continue;
      }
      this.#underWay += 1;
      batch.push(next);
    }
    if (batch.length > 0) void this.#send(batch);
    if (this.#lines.transactional.length + this.#lines.bulk.length > 0) this.#watch ??= this.#watchForStall();
    else if (this.#watch !== null) {
      // Nobody waits any more, and a timer would keep a process that is done from ending.
      this.#watch.cancel();
      this.#watch = null;
    }
  }

  /** While somebody waits: if nothing moved for a while, the line is given up and the hands are free for others. */
  #watchForStall(): Timer {
    const moves = this.#moves;
    return this.#clock.after(STALL_MS, () => {
      this.#watch = null;
      if (moves !== this.#moves) {
        this.#advance();
        return;
      }
      this.#stalled = true;
      this.#dismiss(this.#clock.nowMs() + STALL_MS, `${this.#provider.key} does not answer`);
    });
  }

  #dismiss(untilMs: number, reason: string): void {
    for (const line of [this.#lines.transactional, this.#lines.bulk]) {
      for (const { resolve } of line.splice(0)) resolve(this.#later(untilMs, reason));
    }
  }

  async #send(batch: readonly Waiting[]): Promise<void> {
    const open = new Set(batch.keys());
    const report = (index: number, outcome: Outcome): void => {
      if (!open.delete(index)) return;
      this.#underWay -= 1;
      this.#moves += 1;
      this.#stalled = false;
      this.#learn(outcome);
      batch[index]?.resolve(outcome);
      this.#advanceSoon();
    };
    let reason = `${this.#provider.key} did not say what became of it`;
    try {
      await this.#provider.send(
        batch.map(({ passage }) => passage.envelope),
        report,
        this.#signal,
      );
    } catch (thrown) {
      reason = `${this.#provider.key} failed: ${errorText(thrown).split("\n")[0]}`;
      this.#log.error("A provider threw; that is a bug in its adapter", {
        provider: this.#provider.key,
        error: errorText(thrown),
      });
    }
    for (const index of [...open]) report(index, { kind: "unknown", reason });
  }

  #advancing = false;
  #advanceSoon(): void {
    if (this.#advancing) return;
    this.#advancing = true;
    queueMicrotask(() => {
      this.#advancing = false;
      this.#advance();
    });
  }

  #learn(outcome: Outcome): void {
    switch (outcome.kind) {
      case "policy":
        this.#rest(outcome.pauseMs, outcome.reason);
        return;
      case "retry":
        if (outcome.whole !== true) break;
        // What was under way when the rest began fails for the same reason: that is no new failure.
        if (outcome.afterMs === undefined && this.#clock.nowMs() < this.#restUntilMs) return;
        this.#slots = Math.max(1, Math.floor(this.#slots / 2));
        this.#failures += 1;
        if (outcome.afterMs !== undefined) this.#rest(outcome.afterMs, outcome.reason);
        else if (this.#failures >= BREAKER_FAILURES) {
          this.#rests += 1;
          const restMs = Math.min(BREAKER_REST_MS_MAX, 500 + retryDelayMs(this.#rests, this.#dice.next()));
          this.#rest(restMs, outcome.reason);
        }
        return;
      case "unknown":
      case "sent":
      case "refused":
        break;
    }
    this.#failures = 0;
    this.#rests = 0;
    if (this.#slots < this.#provider.concurrencyMax) this.#slots += 1;
  }

  /** Everybody in line goes back to the store; nothing is called until the rest is over, then one at a time. */
  #rest(restMs: number, reason: string): void {
    this.#slots = 1;
    this.#restUntilMs = Math.max(this.#restUntilMs, this.#clock.nowMs() + restMs);
    this.#restReason = `${this.#provider.key} rests: ${reason}`;
    this.#dismiss(this.#restUntilMs, this.#restReason);
  }
}

type Waiting = { readonly passage: Passage; readonly resolve: (passed: Passed) => void };
