import type { DraftEffects } from "#engine/draft.ts";
import { errorText } from "#engine/error-text.ts";
import { FairClock } from "#engine/fair-clock.ts";
import { HEARTBEAT_MS, LEASE_MS } from "#engine/limits.ts";
import { sleep } from "#engine/sleep.ts";
import type { Decision, Stage } from "#engine/stage.ts";
import { type StageHouse, StageRunner } from "#engine/stage-runner.ts";
import { invariant } from "#domain/invariant.ts";
import { type DeadJob, type Job, type JobRef, LANES, type Lane, type ParkedJob } from "#domain/job.ts";
import type { ClaimAsk, Store } from "#ports/store.ts";

/**
 * Brings jobs from the store into the hands of the stages, and keeps their leases. Two loops, neither of which polls
 * hard while nothing happens (`DueLoop` tells when something may have become ready):
 *
 * - *claim*: asks for each queue and lane that may have something ready and has empty hands, transactional first;
 * - *heartbeat*: extends the leases of what has been in hand for a while.
 */
export class Runner {
  readonly #store: Store;
  readonly #house: StageHouse;
  readonly #stages = new Map<string, StageRunner<unknown>>();
  /** Queue and lane pairs that may have ready jobs which nobody here has asked for yet. */
  readonly #hungry = new Set<string>();
  #claiming = false;
  #started = false;
  readonly #loops: Promise<void>[] = [];
  /** Whether the grace period at shutdown is over, and with it the heartbeat. */
  #drained = false;

  constructor(store: Store, house: Omit<StageHouse, "freed">) {
    this.#store = store;
    this.#house = { ...house, freed: () => this.#claimSoon() };
  }

  add<Carry>(stage: Stage<Carry>): StageRunner<Carry> {
    invariant(!this.#stages.has(stage.queue), `queue ${stage.queue} has one stage`);
    const turns = { transactional: new FairClock(), bulk: new FairClock() };
    const runner = new StageRunner(stage, this.#house, turns);
    // The map only ever hands claimed jobs to it, whose carry is null: its own kind of carry never crosses here.
    this.#stages.set(stage.queue, runner as StageRunner<unknown>);
    if (this.#started) this.notifyAll();
    return runner;
  }

  /**
   * Takes a stage away: it takes nothing more, its signal aborts, and what it has in hand may end for up to `graceMs`, then
   * it is given back. When this resolves, another stage may work the queue.
   */
  async remove<Carry>(stage: StageRunner<Carry>, graceMs: number): Promise<void> {
    const { clock } = this.#house;
    const { queue } = stage.stage;
    stage.remove();
    const untilMs = clock.monotonicMs() + graceMs;
    while (stage.isBusy && clock.monotonicMs() < untilMs) await sleep(clock, 20);
    const left = stage.abandon();
    if (left.length > 0) {
      this.#house.log.warn(`Stage ${queue} was taken away with jobs in hand; they will be done again`, {
        jobs: left.length,
      });
      await this.#giveBack(left);
    }
    if (this.#stages.get(queue) === (stage as unknown)) this.#stages.delete(queue);
  }

  /** Begins to claim, what is ready first. Does nothing on a node that works no queue. */
  start(): void {
    if (!this.#house.works) return;
    this.#started = true;
    this.notifyAll();
    this.#loops.push(this.#heartbeat());
  }

  /** Jobs of this queue and lane have become ready in the store. */
  notify(queue: string, lane: Lane): void {
    if (!this.#stages.has(queue)) return;
    this.#hungry.add(`${queue}/${lane}`);
    this.#claimSoon();
  }

  notifyAll(): void {
    for (const queue of this.#stages.keys()) for (const lane of LANES) this.#hungry.add(`${queue}/${lane}`);
    this.#claimSoon();
  }

  turn(queue: string, lane: Lane, share: string): number {
    return this.#stages.get(queue)?.turn(lane, share) ?? 0;
  }

  /** The present turn of each `queue/lane` that has come further than its beginning. */
  turns(): Readonly<Record<string, number>> {
    const turns: Record<string, number> = {};
    for (const [queue, stage] of this.#stages)
      for (const lane of LANES)
        if (stage.turns[lane].present > 0) turns[`${queue}/${lane}`] = stage.turns[lane].present;
    return turns;
  }

  /** What another node says of its turns. */
  learnTurns(turns: Readonly<Record<string, number>>): void {
    for (const [queue, stage] of this.#stages)
      for (const lane of LANES) stage.turns[lane].served(turns[`${queue}/${lane}`] ?? 0);
  }

  /** What the dead job's stage wants to be committed with its new life; null when it has no such wish. */
  revive(dead: DeadJob): { readonly payload: string | null; readonly effects: DraftEffects } | null {
    return this.#stages.get(dead.queue)?.stage.revive?.(dead) ?? null;
  }

  /** What the stage of these parked jobs of one queue wants to be committed when they are given up; null: nothing. */
  async drop(jobs: readonly ParkedJob[], decision: Decision): Promise<readonly DraftEffects[] | null> {
    const queue = jobs[0]?.queue ?? "";
    return (await this.#stages.get(queue)?.stage.drop?.(jobs, decision)) ?? null;
  }

  get inHand(): number {
    let sum = 0;
    for (const stage of this.#stages.values()) sum += stage.inHand;
    return sum;
  }

  /** After the signal has aborted: waits until hands are empty or `graceMs` are over, then gives the rest back. */
  async drain(graceMs: number): Promise<void> {
    const untilMs = this.#house.clock.monotonicMs() + graceMs;
    while (this.inHand > 0 && this.#house.clock.monotonicMs() < untilMs) await sleep(this.#house.clock, 20);
    this.#drained = true;
    const left = [...this.#stages.values()].flatMap((stage) => stage.refs());
    if (left.length > 0) {
      this.#house.log.warn("Jobs were still in hand when the grace period ended; they will be done again", {
        jobs: left.length,
      });
      await this.#giveBack(left);
    }
    await Promise.all(this.#loops);
  }

  /** A store that cannot take them now (a full disk) keeps nobody from stopping: at the next start they are ready. */
  async #giveBack(jobs: readonly JobRef[]): Promise<void> {
    try {
      await this.#store.release(jobs);
    } catch (fault) {
      this.#house.log.warn("Jobs could not be given back; the next start takes them", { error: errorText(fault) });
    }
  }

  #claimSoon(): void {
    if (!this.#started || this.#claiming || this.#hungry.size === 0 || this.#house.signal.aborted) return;
    this.#claiming = true;
    queueMicrotask(() => void this.#claimAll());
  }

  async #claimAll(): Promise<void> {
    const { clock, log, signal } = this.#house;
    try {
      while (!signal.aborted) {
        const asks = this.#asks();
        if (asks.length === 0) break;
        for (const ask of asks) this.#hungry.delete(`${ask.queue}/${ask.lane}`);
        const askedMs = clock.monotonicMs();
        const jobs = await this.#store.claim(asks, LEASE_MS);
        for (const ask of asks) {
          const own = jobs.filter((job) => job.queue === ask.queue && job.lane === ask.lane);
          // A full answer means that there may be more.
          if (own.length >= ask.limit) this.#hungry.add(`${ask.queue}/${ask.lane}`);
          if (own.length > 0) await this.#hand(ask.queue, own, askedMs);
        }
      }
      this.#claiming = false;
    } catch (fault) {
      log.error("Jobs could not be claimed; trying again", { error: errorText(fault) });
      await sleep(clock, 500, signal);
      this.#claiming = false;
      this.notifyAll();
    }
  }

  /** A stage that was taken away while we asked has no hands; the next one may have come before they are back. */
  async #hand(queue: string, jobs: readonly Job[], askedMs: number): Promise<void> {
    const stage = this.#stages.get(queue);
    if (stage !== undefined && !stage.isRemoved) stage.take(jobs, askedMs);
    else {
      await this.#giveBack(jobs);
      for (const lane of LANES) this.notify(queue, lane);
    }
  }

  #asks(): ClaimAsk[] {
    const asks: ClaimAsk[] = [];
    for (const lane of LANES) {
      for (const [queue, stage] of this.#stages) {
        if (!this.#hungry.has(`${queue}/${lane}`)) continue;
        const limit = stage.wants(lane);
        if (limit > 0) asks.push({ queue, lane, limit });
      }
    }
    return asks;
  }

  async #heartbeat(): Promise<void> {
    const { clock, log, signal } = this.#house;
    while (!this.#drained && (!signal.aborted || this.inHand > 0)) {
      await sleep(clock, signal.aborted ? 100 : HEARTBEAT_MS, signal.aborted ? undefined : signal);
      const stages = [...this.#stages.values()];
      const refs = stages.flatMap((stage) => stage.heldLongerThan(HEARTBEAT_MS / 2));
      if (refs.length === 0) continue;
      try {
        const askedMs = clock.monotonicMs();
        const lost = await this.#store.extend(refs, LEASE_MS);
        for (const stage of stages) stage.extended(refs, lost, askedMs);
      } catch (fault) {
        log.error("Leases could not be extended; trying again", { error: errorText(fault) });
      }
    }
  }
}
