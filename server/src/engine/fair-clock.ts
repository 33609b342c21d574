import { FAIR_SHARES_MAX } from "#engine/limits.ts";

/**
 * Start-time fair queueing: who has had much comes later. Each job gets a *turn*, a virtual time, and jobs are claimed
 * by rising turn. A share (a tenant, a list, an API key) that sends a million jobs spreads them over a million turns;
 * another share's single job gets the present turn and is next.
 *
 * The present is the highest turn that has been claimed. After a restart it is learned from the first claims, whose
 * turns are those of the backlog. Of many nodes each has a clock of its own, and they tell each other the present with
 * every beat (`shared-nodes.ts`), so that a node which claims nothing, or has just come, does not overtake.
 *
 * @see P. Goyal et al., "Start-time Fair Queuing", SIGCOMM 1996
 */
export class FairClock {
  #now = 0;
  readonly #next = new Map<string, number>();

  /** The highest turn that has been served. */
  get present(): number {
    return this.#now;
  }

  /** The turn of the share's next job. */
  turn(share: string): number {
    const turn = Math.max(this.#now, this.#next.get(share) ?? 0);
    this.#next.set(share, turn + 1);
    if (this.#next.size > FAIR_SHARES_MAX) this.#forget();
    return turn;
  }

  /** To be told of each turn that goes into service. */
  served(turn: number): void {
    if (turn > this.#now) this.#now = turn;
  }

  /** A share at or behind the present needs no memory; if that is not enough, the oldest go. */
  #forget(): void {
    for (const [share, next] of this.#next) if (next <= this.#now) this.#next.delete(share);
    for (const share of this.#next.keys()) {
      if (this.#next.size <= FAIR_SHARES_MAX / 2) break;
      this.#next.delete(share);
    }
  }
}
