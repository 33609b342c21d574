import type { Draft, DraftEffects, DraftJob } from "#engine/draft.ts";
import { errorText } from "#engine/error-text.ts";
import type { FairClock } from "#engine/fair-clock.ts";
import { BESIDE_MS, HOLD_MS, STORE_REST_MS } from "#engine/limits.ts";
import type { HandedJob, Stage, StageContext, StageEnd, StageResult } from "#engine/stage.ts";
import type { DocumentExpectation } from "#domain/document.ts";
import { invariant } from "#domain/invariant.ts";
import type { Job, JobEnd, JobRef, Lane, NewJob } from "#domain/job.ts";
import { retryDelayMs } from "#domain/retry.ts";
import type { Clock } from "#ports/clock.ts";
import type { Dice } from "#ports/dice.ts";
import type { Log } from "#ports/log.ts";
import { StoreFault, type Verdict } from "#ports/store.ts";
import { beginProcessing, type Span, type Tracer } from "#ports/tracer.ts";

/** What a stage runner needs of the engine around it. */
export type StageHouse = {
  readonly clock: Clock;
  readonly dice: Dice;
  readonly log: Log;
  /** Null when nobody listens to traces. */
  readonly tracer: Tracer | null;
  readonly signal: AbortSignal;
  /** False: this node works no queue; its stages are known, give turns and say what else to commit. */
  readonly works: boolean;
  /** Commits, trying until the store can; resolves with the verdict. */
  commit(draft: Draft): Promise<Verdict>;
  /** Gives a job back; whoever has a free hand takes it. */
  release(job: Job): Promise<void>;
  /** A job of a group has left our hands for good or for a while: the next of its group may be ready. */
  followed(job: Job): void;
  /** A place has become free. */
  freed(): void;
};

/**
 * Holds one stage's jobs from the moment they are in hand to the commit that ends them.
 *
 *     free place ──reserve──▶ reserved ──give──▶ in hand ──finish──▶ committing ──▶ free place
 *                                 └──free──▶ free place   └─ run ends without a report: failed ─┘
 */
export class StageRunner<Carry> {
  readonly stage: Stage<Carry>;
  readonly #house: StageHouse;
  readonly #turns: Readonly<Record<Lane, FairClock>>;
  readonly #taken: Record<Lane, number> = { transactional: 0, bulk: 0 };
  readonly #inHand = new Map<string, InHand>();
  readonly #removed = new AbortController();
  /** Aborted when the engine stops, or only this stage is taken away. */
  readonly #signal: AbortSignal;
  #given: HandedJob<Carry>[] = [];
  /** Until when bulk makes room for transactional jobs. */
  #besideUntilMs = Number.NEGATIVE_INFINITY;

  constructor(stage: Stage<Carry>, house: StageHouse, turns: Readonly<Record<Lane, FairClock>>) {
    this.stage = stage;
    this.#house = house;
    this.#turns = turns;
    this.#signal = AbortSignal.any([house.signal, this.#removed.signal]);
  }

  /** Takes nothing more; what is in hand is told to end. */
  remove(): void {
    this.#removed.abort();
  }

  get isRemoved(): boolean {
    return this.#removed.signal.aborted;
  }

  /** The turn of the next job of a share (a list, a tenant, a key) in a lane of this stage. */
  turn(lane: Lane, share: string): number {
    return this.#turns[lane].turn(share);
  }

  /** The present turn of each lane. */
  get turns(): Readonly<Record<Lane, FairClock>> {
    return this.#turns;
  }

  /** A job to enqueue that this stage would take at once if it has room, with what is already known about it. */
  offer(job: NewJob, carry: Carry): DraftJob {
    invariant(job.queue === this.stage.queue, "a job is offered to the stage of its own queue");
    return {
      job,
      hand: {
        reserve: () => this.#reserve(job.lane),
        give: (born, sinceMs) => this.#give(born, sinceMs, carry),
        free: () => this.#free(job.lane),
      },
    };
  }

  /** Below 0 when bulk has more in hand than it may have beside transactional jobs that have just come. */
  free(lane: Lane): number {
    return this.#inHandMax(lane) - this.#taken[lane];
  }

  /** Whether half of the hands are empty: then it is worth bringing more. */
  isHungry(lane: Lane): boolean {
    return this.free(lane) * 2 >= this.#inHandMax(lane);
  }

  get inHand(): number {
    return this.#inHand.size;
  }

  /** Whether something is in hand, or a hand is kept for what is being committed. */
  get isBusy(): boolean {
    return this.#taken.transactional + this.#taken.bulk > 0;
  }

  /** What is still in hand, for giving it back: from now on nobody here may act for it. */
  abandon(): JobRef[] {
    const left = this.refs();
    this.extended([], left, 0);
    return left;
  }

  /** How many to claim now. Half of the hands must be empty first, so that a backlog is claimed in batches. */
  wants(lane: Lane): number {
    if (this.isRemoved || !this.isHungry(lane) || this.stage.hasRoom?.(lane) === false) return 0;
    return Math.min(this.free(lane), this.stage.batchMax);
  }

  /** Takes claimed jobs in hand and runs them. `sinceMs`: when they were asked for, from which their leases are counted. */
  take(jobs: readonly Job[], sinceMs: number): void {
    for (const job of jobs) {
      this.#taken[job.lane] += 1;
      this.#hold(job, sinceMs);
    }
    const batch: HandedJob<Carry>[] = [];
    for (const job of jobs) {
      if (job.attempt > this.stage.attemptsMax) {
        void this.#finish(job, {
          kind: "failed",
          error: `${job.attempt - 1} workers took it and ended without a result`,
        });
      } else batch.push({ job, carry: null });
    }
    if (batch.length > 0) void this.#run(batch);
  }

  /** Jobs whose lease should be extended: in hand for longer than `sinceMs`. */
  heldLongerThan(sinceMs: number): JobRef[] {
    const before = this.#house.clock.monotonicMs() - sinceMs;
    const refs: JobRef[] = [];
    for (const held of this.#inHand.values()) if (held.extendedMs <= before) refs.push(held.ref);
    return refs;
  }

  /** Notes what a heartbeat that was sent at `sinceMs` has learned: these leases go on, those are lost. */
  extended(refs: readonly JobRef[], lost: readonly JobRef[], sinceMs: number): void {
    for (const ref of refs) {
      const held = this.#inHand.get(ref.key);
      if (held?.ref.fence === ref.fence) held.extendedMs = Math.max(held.extendedMs, sinceMs);
    }
    for (const ref of lost) {
      const held = this.#inHand.get(ref.key);
      if (held?.ref.fence === ref.fence) held.extendedMs = Number.NEGATIVE_INFINITY;
    }
  }

  /** All jobs in hand, for giving them back when patience at shutdown is over. */
  refs(): JobRef[] {
    return [...this.#inHand.values()].map((held) => held.ref);
  }

  #inHandMax(lane: Lane): number {
    const { inHandMax, bulkBesideMax } = this.stage;
    if (lane !== "bulk" || bulkBesideMax === undefined) return inHandMax[lane];
    return this.#house.clock.monotonicMs() < this.#besideUntilMs ? bulkBesideMax : inHandMax.bulk;
  }

  #reserve(lane: Lane): boolean {
    if (!this.#house.works || this.free(lane) <= 0 || this.#signal.aborted) return false;
    this.#taken[lane] += 1;
    return true;
  }

  #free(lane: Lane): void {
    this.#taken[lane] -= 1;
    invariant(this.#taken[lane] >= 0, "a place is freed once");
    this.#house.freed();
  }

  #hold(job: Job, sinceMs: number): void {
    if (job.lane === "transactional") this.#besideUntilMs = this.#house.clock.monotonicMs() + BESIDE_MS;
    this.#turns[job.lane].served(job.turn);
    const { key, fence, payload } = job;
    this.#inHand.set(key, { ref: { key, fence }, extendedMs: sinceMs, steps: 0, payload, span: this.#trace(job) });
  }

  #trace({ key, attempt, traceparent }: Job): Span | null {
    const { tracer } = this.#house;
    if (tracer === null) return null;
    const attributes = { "messaging.message.id": key, "tidings.attempt": attempt };
    return beginProcessing(tracer, this.stage.queue, [traceparent], attributes);
  }

  /** Jobs that one commit brought are run as one batch. */
  #give(job: Job, sinceMs: number, carry: Carry): void {
    this.#hold(job, sinceMs);
    if (this.isRemoved) {
      void this.#finish(job, { kind: "release" });
      return;
    }
    this.#given.push({ job, carry });
    if (this.#given.length === 1) queueMicrotask(() => this.#runGiven());
  }

  #runGiven(): void {
    const given = this.#given;
    this.#given = [];
    const { batchMax } = this.stage;
    for (let at = 0; at < given.length; at += batchMax) void this.#run(given.slice(at, at + batchMax));
  }

  async #run(batch: readonly HandedJob<Carry>[]): Promise<void> {
    const open = new Map(batch.map(({ job }) => [job.key, job]));
    const leftOpen = (): void => {
      const error = "the stage returned without saying what became of the job";
      for (const job of open.values()) void this.#finish(job, { kind: "failed", error });
      open.clear();
    };
    let isOver = false;
    const context: StageContext = {
      signal: this.#signal,
      holds: (job) => this.#holds(job),
      traceOf: (job) => this.#inHand.get(job.key)?.span?.traceparent ?? null,
      finish: async (job, result) => {
        const together = [job, ...((result.kind === "end" ? result.also : undefined) ?? [])];
        const keeps = result.kind === "end" && result.end.kind === "keep";
        // Before any of them is taken off: whoever breaks this has failed at all that are open.
        for (const one of together) invariant(open.get(one.key) === one, `a job is reported once (${one.key})`);
        invariant(new Set(together).size === together.length, `a job ends once (${job.key})`);
        const ending = keeps ? together.slice(1) : together;
        for (const one of ending) open.delete(one.key);
        const ended = await this.#finish(job, result);
        if (ended === "stale") for (const one of ending) open.set(one.key, one);
        if (keeps && ended === "lost") open.delete(job.key);
        // Nobody waits for this answer any more.
        if (isOver) leftOpen();
        return ended;
      },
      guard: async (job, work) => {
        try {
          await work();
        } catch (thrown) {
          fail([job], thrown);
        }
      },
    };
    const fail = (jobs: readonly Job[], thrown: unknown): void => {
      const error = errorText(thrown);
      const left = jobs.filter((job) => open.delete(job.key));
      this.#house.log.error(`Stage ${this.stage.queue} failed`, { error, jobs: left.length });
      for (const job of left)
        void this.#finish(job, thrown instanceof StoreFault ? this.#later(job, error) : { kind: "failed", error });
    };
    try {
      await this.stage.run(batch, context);
    } catch (thrown) {
      fail([...open.values()], thrown);
    }
    isOver = true;
    leftOpen();
  }

  /** A store that cannot answer now says nothing about the job: soon again, and no attempt is counted. */
  #later(job: Job, error: string): StageResult {
    const { clock, dice } = this.#house;
    const dueMs = clock.nowMs() + STORE_REST_MS + Math.floor(dice.next() * STORE_REST_MS);
    const payload = this.#payloadOf(job);
    const end = { kind: "again", payload, dueMs, turn: job.turn, attempts: "reset", error } as const;
    return { kind: "end", end, effects: {} };
  }

  #holds(job: Job): boolean {
    const held = this.#inHand.get(job.key);
    if (held?.ref.fence !== job.fence) return false;
    return this.#house.clock.monotonicMs() < held.extendedMs + HOLD_MS;
  }

  async #finish(job: Job, result: StageResult): Promise<"committed" | "lost" | "stale"> {
    if (result.kind === "release") {
      try {
        await this.#house.release(job);
      } catch (fault) {
        // Then it is ready when its lease is over.
        if (!(fault instanceof StoreFault)) throw fault;
      } finally {
        this.#letGo(job);
      }
      return "lost";
    }
    const {
      end: asked,
      effects,
      expect,
      also = [],
    }: Asked = result.kind === "end" ? result : this.#afterFailure(job, result.error);
    const end = this.#counted(job, asked);
    const error = "error" in end ? end.error : null;
    let verdict: Verdict;
    try {
      verdict = await this.#house.commit({
        ...effects,
        ...(expect === undefined || expect.length === 0 ? {} : { expect }),
        job: { ref: refOf(job), end },
        ...(also.length === 0 ? {} : { also: also.map(refOf) }),
      });
    } catch (thrown) {
      if (!(thrown instanceof StoreFault)) return this.#afterBug([job, ...also], thrown);
      // We are stopping, and the store cannot take it: it is done again by whoever comes next.
      for (const one of [job, ...also]) this.#letGo(one);
      return "lost";
    }
    if (verdict.kind === "stale") return "stale";
    if (verdict.kind !== "committed") return await this.#afterLoss(job, also);
    if (end.kind === "keep") this.#kept(job, end.payload);
    else this.#ended(job, error);
    for (const one of also) this.#ended(one, null);
    return "committed";
  }

  #ended(job: Job, error: string | null): void {
    this.#letGo(job, error);
    if (job.group !== null) this.#house.followed(job);
  }

  /** Nobody knows which of several it was: those that are ours still are given back, and a lost one does not mind. */
  async #afterLoss(job: Job, also: readonly Job[]): Promise<"lost"> {
    for (const one of also.length === 0 ? [] : [job, ...also]) {
      try {
        await this.#house.release(one);
      } catch (fault) {
        // Then it is ready when its lease is over.
        if (!(fault instanceof StoreFault)) throw fault;
      }
    }
    for (const one of [job, ...also]) this.#letGo(one);
    return "lost";
  }

  /** What comes after a failure goes on from the last step that was kept. */
  #kept(job: Job, payload: string | null): void {
    const held = this.#inHand.get(job.key);
    if (held?.ref.fence === job.fence && payload !== null) held.payload = payload;
  }

  #payloadOf(job: Job): string {
    const held = this.#inHand.get(job.key);
    return held?.ref.fence === job.fence ? held.payload : job.payload;
  }

  /** Numbers the steps of a job, so that one whose answer was lost can be repeated and is not done twice. */
  #counted(job: Job, end: StageEnd): JobEnd {
    if (end.kind !== "keep") return end;
    const held = this.#inHand.get(job.key);
    // Who holds it no longer is refused, whatever the number.
    if (held?.ref.fence !== job.fence) return { ...end, step: 1 };
    held.steps += 1;
    return { ...end, step: held.steps };
  }

  /** Effects that no store takes are a bug of the stage: the job fails without them, and dies if that goes on. */
  async #afterBug(jobs: readonly Job[], thrown: unknown): Promise<"lost"> {
    const error = errorText(thrown);
    this.#house.log.error(`Stage ${this.stage.queue} made effects that cannot be committed`, {
      error,
      job: jobs[0]?.key ?? "",
    });
    for (const job of jobs) {
      const { end } = this.#afterFailure(job, error);
      try {
        await this.#house.commit({ job: { ref: refOf(job), end } });
      } catch (fault) {
        // We are stopping; then it is ready when its lease is over.
        if (!(fault instanceof StoreFault)) throw fault;
      } finally {
        this.#ended(job, error);
      }
    }
    return "lost";
  }

  #letGo(job: Job, error: string | null = null): void {
    const held = this.#inHand.get(job.key);
    if (held?.ref.fence === job.fence) {
      held.span?.end(error === null ? {} : { error });
      this.#inHand.delete(job.key);
    }
    this.#free(job.lane);
  }

  #afterFailure(job: Job, error: string): { end: JobEnd; effects: DraftEffects } {
    const { clock, dice } = this.#house;
    if (job.attempt < this.stage.attemptsMax) {
      const dueMs = clock.nowMs() + retryDelayMs(job.attempt, dice.next());
      return {
        end: { kind: "again", payload: this.#payloadOf(job), dueMs, turn: job.turn, attempts: "count", error },
        effects: {},
      };
    }
    return { end: { kind: "dead", error }, effects: this.stage.bury(job, error) };
  }
}

type Asked = {
  readonly end: StageEnd;
  readonly effects: DraftEffects;
  readonly expect?: readonly DocumentExpectation[];
  readonly also?: readonly Job[];
};

function refOf({ key, fence }: Job): JobRef {
  return { key, fence };
}

type InHand = {
  readonly ref: JobRef;
  /** Monotonic time from which the lease runs at the latest: when it was asked for, not when the answer came. */
  extendedMs: number;
  /** How often it was kept, and the payload of the last time that is durable. */
  steps: number;
  payload: string;
  readonly span: Span | null;
};
