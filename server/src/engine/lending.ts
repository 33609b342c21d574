import { errorText } from "#engine/error-text.ts";
import { LEASE_MS, LEND_BATCH_MAX } from "#engine/limits.ts";
import type { Job, JobRef, Lane } from "#domain/job.ts";
import type { Clock, Timer } from "#ports/clock.ts";
import type { Log } from "#ports/log.ts";
import type { ClaimAsk, Store } from "#ports/store.ts";

/** What somebody outside asks for. */
export type Take = {
  readonly queue: string;
  readonly lane: Lane;
  /** Most jobs that he takes. */
  readonly max: number;
  /** How long they are his. 0: they stay ready, and the attempt is counted. */
  readonly lendMs: number;
  /** How long he waits for the first one; 0: not at all. */
  readonly waitMs: number;
  /** Aborted when he has gone. */
  readonly signal: AbortSignal;
  /** The queue's jobs have groups: those of one group go to one take only. */
  readonly isGrouped: boolean;
};

export type LendingHouse = {
  readonly clock: Clock;
  readonly log: Log;
  /** Aborted when the engine is to stop. */
  readonly signal: AbortSignal;
  /** Somebody asks for the first time: from now on what is due is to be made ready here, too. */
  begun(): void;
  /** A loan will be over then. */
  noteDue(dueMs: number): void;
};

/**
 * Lends jobs to somebody outside the process, who reports later, or never. Whoever finds none may wait: he costs a timer
 * and a place in a line, and nobody asks the store for him until somebody says that there may be something.
 *
 *     take ──▶ line ──round: one claim for all lines──▶ jobs, first come first served
 *               ▲ │                                └──▶ none: waits on ──woken──▶ round …
 *               │ └──wait is over, gone, stopping──▶ nothing
 *               └── commits that enqueue, jobs that are due, other nodes' words, a look now and then
 *
 * Jobs that were claimed for somebody who has gone meanwhile go to the next in line, or back, uncounted.
 */
export class Lending {
  readonly #store: Store;
  readonly #house: LendingHouse;
  /** Lines in which somebody stands, by `queue/lane`. */
  readonly #lines = new Map<string, Line>();
  #round: Promise<void> | null = null;
  #seq = 0;
  #begun = false;

  constructor(store: Store, house: LendingHouse) {
    this.#store = store;
    this.#house = house;
    house.signal.addEventListener("abort", () => this.#sendAway(), { once: true });
  }

  /**
   * Resolves with up to `max` jobs as soon as there is one; with none when the wait is over, the caller has gone, or the
   * engine stops.
   * @throws {StoreFault} when the store cannot answer now; nothing was taken.
   */
  take(ask: Take): Promise<readonly Job[]> {
    if (ask.signal.aborted || this.#house.signal.aborted) return Promise.resolve([]);
    if (!this.#begun) {
      this.#begun = true;
      this.#house.begun();
    }
    return new Promise((resolve, reject) => {
      const line = this.#lineOf(ask);
      const taker: Taker = {
        ask,
        seq: ++this.#seq,
        end: (jobs) => {
          settle();
          resolve(jobs);
        },
        fail: (fault) => {
          settle();
          reject(fault);
        },
      };
      let timer: Timer | null = null;
      const gone = (): void => taker.end([]);
      const settle = (): void => {
        timer?.cancel();
        ask.signal.removeEventListener("abort", gone);
        this.#leave(line, taker);
      };
      line.takers.add(taker);
      if (ask.waitMs === 0) line.hasty.add(taker);
      // Who is being asked for when his time is over gets what comes of it.
      else timer = this.#house.clock.after(ask.waitMs, () => (line.asked ? line.hasty.add(taker) : gone()));
      ask.signal.addEventListener("abort", gone, { once: true });
      line.isHungry = true;
      this.#soon();
    });
  }

  /** Holds for so long from now; 0: ready at once. Returns those that are no longer ours. */
  async extend(refs: readonly JobRef[], lendMs: number, at: { readonly queue: string; readonly lane: Lane }) {
    const lost = await this.#store.extend(refs, lendMs);
    this.#house.noteDue(this.#house.clock.nowMs() + lendMs);
    if (lendMs === 0) this.notify(at.queue, at.lane);
    return lost;
  }

  /** Gives jobs back uncounted. If the store cannot do it now, they come back when their loans are over. */
  async giveBack(jobs: readonly Job[]): Promise<void> {
    if (jobs.length === 0) return;
    try {
      await this.#store.release(jobs.map(({ key, fence }) => ({ key, fence })));
      for (const { queue, lane } of jobs) this.notify(queue, lane);
    } catch (fault) {
      this.#house.log.warn("Jobs could not be given back; they are ready when their loans are over", {
        error: errorText(fault),
      });
    }
  }

  /** Jobs of this queue and lane may have become ready. */
  notify(queue: string, lane: Lane): void {
    const line = this.#lines.get(`${queue}/${lane}`);
    if (line === undefined) return;
    line.isHungry = true;
    this.#soon();
  }

  notifyAll(): void {
    if (this.#lines.size === 0) return;
    for (const line of this.#lines.values()) line.isHungry = true;
    this.#soon();
  }

  /** How many stand in line. */
  get waiting(): number {
    let sum = 0;
    for (const { takers } of this.#lines.values()) sum += takers.size;
    return sum;
  }

  /** The same for each queue where somebody stands, under the name that `nameOf` gives it. */
  waitingBy(nameOf: (queue: string) => string): ReadonlyMap<string, number> {
    const sums = new Map<string, number>();
    for (const { queue, takers } of this.#lines.values()) {
      const name = nameOf(queue);
      sums.set(name, (sums.get(name) ?? 0) + takers.size);
    }
    return sums;
  }

  /** After the signal has aborted: resolves when nothing is under way. */
  async drained(): Promise<void> {
    await this.#round;
  }

  #lineOf({ queue, lane, isGrouped }: Take): Line {
    const name = `${queue}/${lane}`;
    let line = this.#lines.get(name);
    if (line === undefined) {
      line = { name, queue, lane, isGrouped, takers: new Set(), hasty: new Set(), isHungry: true, asked: false };
      this.#lines.set(name, line);
    }
    return line;
  }

  #leave(line: Line, taker: Taker): void {
    line.takers.delete(taker);
    line.hasty.delete(taker);
    if (line.takers.size === 0 && !line.asked && this.#lines.get(line.name) === line) this.#lines.delete(line.name);
  }

  #sendAway(): void {
    for (const { takers } of [...this.#lines.values()]) for (const taker of [...takers]) taker.end([]);
  }

  /** Who asks in the same turn of the event loop goes together. */
  #soon(): void {
    this.#round ??= Promise.resolve().then(() => this.#rounds());
  }

  async #rounds(): Promise<void> {
    for (;;) {
      const asked = this.#nextAsks();
      if (asked.length === 0) break;
      await this.#ask(asked);
    }
    this.#round = null;
  }

  /** One ask for each line that may have something: for those in front who wish to hold it equally long. */
  #nextAsks(): Asked[] {
    if (this.#house.signal.aborted) return [];
    const asked: Asked[] = [];
    for (const line of this.#lines.values()) {
      const [first] = line.takers;
      if (!line.isHungry || first === undefined) continue;
      line.isHungry = false;
      line.asked = true;
      const { queue, lane } = line;
      const { lendMs } = first.ask;
      let limit = 0;
      for (const { ask } of line.takers) {
        if (ask.lendMs === lendMs) limit += ask.max;
        if (line.isGrouped || limit >= LEND_BATCH_MAX) break;
      }
      asked.push({ line, ask: { queue, lane, limit, lendMs }, upTo: this.#seq });
    }
    return asked;
  }

  async #ask(asked: readonly Asked[]): Promise<void> {
    const { clock } = this.#house;
    let jobs: readonly Job[];
    try {
      jobs = await this.#store.claim(
        asked.map(({ ask }) => ask),
        LEASE_MS,
      );
    } catch (fault) {
      for (const { line } of asked) this.#refuse(line, fault);
      return;
    }
    const byLine = Map.groupBy(jobs, ({ queue, lane }) => `${queue}/${lane}`);
    const left: Job[] = [];
    for (const { line, ask, upTo } of asked) {
      line.asked = false;
      const own = byLine.get(line.name) ?? [];
      if (own.length > 0 && ask.lendMs > 0) this.#house.noteDue(clock.nowMs() + ask.lendMs);
      left.push(...serve(line, own, ask.lendMs));
      // A full answer means that there may be more; any other, that there is nothing for all who stood there.
      if (own.length >= ask.limit) line.isHungry = true;
      else for (const taker of [...line.hasty]) if (taker.seq <= upTo) taker.end([]);
      if (line.takers.size === 0 && this.#lines.get(line.name) === line) this.#lines.delete(line.name);
    }
    await this.giveBack(left);
  }

  #refuse(line: Line, fault: unknown): void {
    line.asked = false;
    for (const taker of [...line.takers]) taker.fail(fault);
    if (this.#lines.get(line.name) === line) this.#lines.delete(line.name);
  }
}

type Line = {
  readonly name: string;
  readonly queue: string;
  readonly lane: Lane;
  readonly isGrouped: boolean;
  /** In the order of their coming. */
  readonly takers: Set<Taker>;
  /** Those among them who go when they were asked for once and there was nothing. */
  readonly hasty: Set<Taker>;
  isHungry: boolean;
  /** The store is being asked for it. */
  asked: boolean;
};

type Taker = {
  readonly ask: Take;
  /** Rises with each that comes. */
  readonly seq: number;
  end(jobs: readonly Job[]): void;
  fail(fault: unknown): void;
};

type Asked = {
  readonly line: Line;
  readonly ask: ClaimAsk & { readonly lendMs: number };
  /** The last taker who stood there. */
  readonly upTo: number;
};

/** Gives jobs to those in front who wish to hold them so long; returns what nobody takes. */
function serve({ takers, isGrouped }: Line, jobs: readonly Job[], lendMs: number): readonly Job[] {
  let at = 0;
  for (const taker of [...takersFor(takers, lendMs, jobs.length)]) {
    if (at >= jobs.length) break;
    const own = jobs.slice(at, at + taker.ask.max);
    at += own.length;
    taker.end(own);
    if (isGrouped) break;
  }
  return jobs.slice(at);
}

function* takersFor(takers: ReadonlySet<Taker>, lendMs: number, most: number): Generator<Taker> {
  let found = 0;
  for (const taker of takers) {
    if (found >= most) return;
    if (taker.ask.lendMs !== lendMs) continue;
    found += 1;
    yield taker;
  }
}
