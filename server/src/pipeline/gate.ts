import type { Lane } from "#domain/job.ts";
import type { Outcome } from "#domain/outcome.ts";
import { retryDelayMs } from "#domain/retry.ts";
import { errorText } from "#engine/error-text.ts";
import type { Nodes } from "#engine/nodes.ts";
import type { LastLook, Standing } from "#pipeline/last-look.ts";
import { Pace } from "#pipeline/pace.ts";
import type { Rests } from "#pipeline/rests.ts";
import type { Clock, Timer } from "#ports/clock.ts";
import type { Dice } from "#ports/dice.ts";
import type { Log } from "#ports/log.ts";
import type { Envelope, Provider } from "#ports/provider.ts";
import { StoreFault } from "#ports/store.ts";

/** Failures of the provider itself, one after the other, before it is left alone for a while. */
const BREAKER_FAILURES = 8;
/** Longest rest before it is probed again. */
const BREAKER_REST_MS_MAX = 60_000;
/** A line in which nothing moves for so long goes back to the store: others need the hands that hold it. */
const STALL_MS = 5_000;

/** What comes back when the store could not be asked, at the earliest. */
const ASK_AGAIN_MS = 1_000;

/** What all gates share. */
export type GateParts = {
  readonly clock: Clock;
  readonly dice: Dice;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly nodes: Nodes;
  readonly rests: Rests;
  /** Null when no other process commits to the store: then `mayGo` knows everything. */
  readonly lastLook: LastLook | null;
};

/** What a gate needs to know of a message that wants through. */
export type Passage = {
  readonly envelope: Envelope;
  readonly lane: Lane;
  /** Asked at the last moment; false when somebody said no meanwhile, or the job is not ours any more. */
  readonly mayGo: () => boolean;
  /** What another node may have revoked meanwhile. */
  readonly standings: readonly Standing[];
};

/** What comes of it: the provider's outcome, or why it was not called. */
export type Passed =
  | Outcome
  /** Not called: it was revoked, or the job was lost. */
  | { readonly kind: "withdrawn" }
  /**
   * Not called: the destination rests or its line is too long; come back then. No attempt was made. `isPace`: it is we
   * who are slow, by the pace that was set, and nobody's patience should suffer from it.
   */
  | { readonly kind: "later"; readonly atMs: number; readonly reason: string; readonly isPace?: true };

/**
 * The way to one destination: bounded concurrency, a pace if one is set, transactional first, and a breaker. Of many
 * nodes each keeps to its part of places and pace, and rests when another one found out that it must.
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
  readonly #destination: string;
  readonly #parts: GateParts;
  readonly #pace: Pace | null;
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
  /** The same as other nodes tell it. */
  #toldUntilMs = 0;
  #toldReason = "";
  /** Outcomes so far: whether anything moves. */
  #moves = 0;
  #stalled = false;
  #watch: Timer | null = null;
  #turn: Timer | null = null;

  /** @param destination its name, the same on every node. */
  constructor(provider: Provider, destination: string, parts: GateParts) {
    this.#provider = provider;
    this.#destination = destination;
    this.#parts = parts;
    const { perSecondMax } = provider;
    this.#pace = perSecondMax === undefined ? null : new Pace(perSecondMax, parts.clock, parts.nodes);
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
    this.heed();
    const resting = this.#resting(nowMs);
    if (resting !== null) return Promise.resolve(resting);
    const line = this.#lines[passage.lane];
    if (this.#stalled && this.#underWay >= this.#places) {
      return Promise.resolve(this.#later(nowMs + STALL_MS, `${this.#provider.key} does not answer`));
    }
    if (this.#pace !== null && line.length >= this.#pace.lineMax) {
      const reason = `${this.#provider.key} gets at most ${this.#provider.perSecondMax} a second`;
      return Promise.resolve({ kind: "later", atMs: this.#pace.away(passage.lane), reason, isPace: true });
    }
    return new Promise((resolve) => {
      line.push({ passage, resolve });
      this.#advanceSoon();
    });
  }

  /** Rests when other nodes tell that it must, and no longer than they do. */
  heed(): void {
    const { rests } = this.#parts;
    const told = rests.of(this.#destination);
    const isNews = told !== null && told.untilMs > this.#toldUntilMs;
    this.#toldUntilMs = told?.untilMs ?? 0;
    if (!isNews) return;
    this.#slots = 1;
    this.#toldReason = `${this.#provider.key} rests: ${told.reason}`;
    this.#dismiss(told.untilMs, this.#toldReason);
  }

  /** Why and until when nothing is called now; null when it may be. */
  #resting(nowMs: number): Passed | null {
    if (nowMs >= Math.max(this.#restUntilMs, this.#toldUntilMs)) return null;
    return this.#restUntilMs >= this.#toldUntilMs
      ? this.#later(this.#restUntilMs, this.#restReason)
      : this.#later(this.#toldUntilMs, this.#toldReason);
  }

  /** This node's part of what may be under way, less what the destination has taught us. */
  get #places(): number {
    const { concurrencyMax } = this.#provider;
    return Math.min(this.#slots, Math.max(1, Math.floor(concurrencyMax / this.#parts.nodes.workers)));
  }

  #later(atMs: number, reason: string): Passed {
    // Spread out, so that a rest does not end in a stampede.
    return { kind: "later", atMs: atMs + Math.floor(this.#dice.next() * 1_000), reason };
  }

  #advance(): void {
    const batch: Waiting[] = [];
    const places = this.#places;
    while (this.#underWay < places) {
      const line = this.#lines.transactional.length > 0 ? this.#lines.transactional : this.#lines.bulk;
      const next = line[0];
      if (next === undefined) break;
      if (this.#signal.aborted || !next.passage.mayGo()) {
        line.shift();
        next.resolve({ kind: "withdrawn" });
        continue;
      }
      if (this.#pace?.take() === false) {
        this.#turn ??= this.#waitForTurn(this.#pace.nextInMs);
        break;
      }
      line.shift();
      this.#underWay += 1;
      batch.push(next);
    }
    const { lastLook } = this.#parts;
    if (batch.length > 0) void (lastLook === null ? this.#send(batch) : this.#sendWhatStands(batch, lastLook));
    if (this.#lines.transactional.length + this.#lines.bulk.length > 0) this.#watch ??= this.#watchForStall();
    else {
      // Nobody waits any more, and a timer would keep a process that is done from ending.
      this.#watch?.cancel();
      this.#turn?.cancel();
      this.#watch = this.#turn = null;
    }
  }

  #waitForTurn(delayMs: number): Timer {
    return this.#clock.after(delayMs, () => {
      this.#turn = null;
      this.#advance();
    });
  }

  /** While somebody waits: if nothing moved for a while, the line is given up and the hands are free for others. */
  #watchForStall(): Timer {
    const moves = this.#moves;
    return this.#clock.after(STALL_MS, () => {
      this.#watch = null;
      // With nothing under way it is not the destination that keeps them waiting.
      if (moves !== this.#moves || this.#underWay === 0) {
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

  /** Asks once more whether another node has committed a no, and calls the provider for the others. */
  async #sendWhatStands(batch: readonly Waiting[], lastLook: LastLook): Promise<void> {
    let stands: readonly boolean[];
    try {
      stands = await lastLook.ask(batch.map(({ passage }) => passage.standings));
    } catch (fault) {
      if (!(fault instanceof StoreFault))
        this.#log.error("The store failed on a question", { error: errorText(fault) });
      const reason = "the store could not say whether it is still wanted";
      for (const waiting of batch) this.#turnAway(waiting, this.#later(this.#clock.nowMs() + ASK_AGAIN_MS, reason));
      return;
    }
    const going: Waiting[] = [];
    for (const [at, waiting] of batch.entries()) {
      const resting = this.#resting(this.#clock.nowMs());
      if (resting !== null) this.#turnAway(waiting, resting);
      else if (stands[at] === true && !this.#signal.aborted && waiting.passage.mayGo()) going.push(waiting);
      else this.#turnAway(waiting, { kind: "withdrawn" });
    }
    if (going.length > 0) await this.#send(going);
  }

  #turnAway(waiting: Waiting, passed: Passed): void {
    this.#underWay -= 1;
    waiting.resolve(passed);
    this.#advanceSoon();
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
        this.#slots = Math.max(1, Math.floor(this.#places / 2));
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
    this.#parts.rests.over(this.#destination);
    if (this.#slots < this.#provider.concurrencyMax) this.#slots += 1;
  }

  /** Everybody in line goes back to the store; nothing is called until the rest is over, then one at a time. */
  #rest(restMs: number, reason: string): void {
    this.#slots = 1;
    this.#restUntilMs = Math.max(this.#restUntilMs, this.#clock.nowMs() + restMs);
    this.#restReason = `${this.#provider.key} rests: ${reason}`;
    this.#dismiss(this.#restUntilMs, this.#restReason);
    this.#parts.rests.tell(this.#destination, this.#restUntilMs, reason);
  }
}

type Waiting = { readonly passage: Passage; readonly resolve: (passed: Passed) => void };
