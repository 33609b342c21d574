import type { Lane } from "#domain/job.ts";
import type { Nodes } from "#engine/nodes.ts";
import type { Clock } from "#ports/clock.ts";

/** After a pause so much of a second may go at once: timers and the event loop are not exact to the millisecond. */
const BURST_MS = 100;
/** A line that takes longer than this goes back to the store: others need the hands that hold it. */
const LINE_MS = 5_000;
/** Nobody is sent further away, because the pace may change meanwhile: nodes come and go. */
const AWAY_MS_MAX = 600_000;
/** How soon a node that has no share yet looks again. */
const NO_SHARE_MS = 500;

/**
 * At most so many a second, by all nodes together: a token bucket that fills with this node's share.
 *
 * Who finds the line full is told when the turn would be, each a little later than the one before, so that of a large
 * backlog everything comes back once instead of again and again.
 */
export class Pace {
  readonly #perSecond: number;
  readonly #clock: Clock;
  readonly #nodes: Nodes;
  #tokens: number;
  #filledMs: number;
  /** When the last who was sent away has its turn, Unix epoch ms. */
  readonly #awayMs: Record<Lane, number> = { transactional: 0, bulk: 0 };

  constructor(perSecond: number, clock: Clock, nodes: Nodes) {
    this.#perSecond = perSecond;
    this.#clock = clock;
    this.#nodes = nodes;
    this.#tokens = 1;
    this.#filledMs = clock.monotonicMs();
  }

  /** Takes a turn, if there is one now. */
  take(): boolean {
    this.#fill();
    if (this.#tokens < 1 || this.#nodes.share === 0) return false;
    this.#tokens -= 1;
    return true;
  }

  /** When to look for the next turn. */
  get nextInMs(): number {
    this.#fill();
    const perMs = (this.#perSecond * this.#nodes.share) / 1_000;
    return perMs === 0 ? NO_SHARE_MS : Math.max(1, Math.ceil((1 - this.#tokens) / perMs));
  }

  /** How many may wait here. */
  get lineMax(): number {
    return Math.max(1, Math.floor(this.#usualPerMs * LINE_MS));
  }

  /** When somebody who finds the line full may come back, Unix epoch ms. */
  away(lane: Lane): number {
    const nowMs = this.#clock.nowMs();
    const atMs = Math.max(this.#awayMs[lane], nowMs + LINE_MS) + 1 / this.#usualPerMs;
    this.#awayMs[lane] = Math.min(atMs, nowMs + AWAY_MS_MAX);
    return Math.floor(this.#awayMs[lane]);
  }

  /** What is this node's when everything is as usual, also while it has just come. */
  get #usualPerMs(): number {
    return this.#perSecond / this.#nodes.workers / 1_000;
  }

  #fill(): void {
    const nowMs = this.#clock.monotonicMs();
    const perMs = (this.#perSecond * this.#nodes.share) / 1_000;
    this.#tokens = Math.min(Math.max(1, perMs * BURST_MS), this.#tokens + (nowMs - this.#filledMs) * perMs);
    this.#filledMs = nowMs;
  }
}
