import { Backlog } from "#engine/backlog.ts";
import { Committer } from "#engine/committer.ts";
import { DueLoop } from "#engine/due-loop.ts";
import type { Draft, DraftBirth, DraftJob, Hand } from "#engine/draft.ts";
import { errorText } from "#engine/error-text.ts";
import { Lending } from "#engine/lending.ts";
import { COMMIT_RETRY_MS_BASE, COMMIT_RETRY_MS_MAX, LEASE_MS, OVERLOAD_RETRY_AFTER_MS } from "#engine/limits.ts";
import { Runner } from "#engine/runner.ts";
import { sleep } from "#engine/sleep.ts";
import type { Decision, Stage } from "#engine/stage.ts";
import type { StageRunner } from "#engine/stage-runner.ts";
import type { NewEvent } from "#domain/event.ts";
import { type Job, type Lane, LANES, type ParkedJob } from "#domain/job.ts";
import { type Role, servesDoors, worksQueues } from "#domain/role.ts";
import type { Clock } from "#ports/clock.ts";
import type { Dice } from "#ports/dice.ts";
import type { Log } from "#ports/log.ts";
import type { Meter } from "#ports/meter.ts";
import { type EnqueuedJob, type Store, StoreFault, type Unit, type Verdict } from "#ports/store.ts";
import type { Tracer } from "#ports/tracer.ts";

/** The ports that the engine stands on. */
export type EngineParts = {
  readonly store: Store;
  readonly clock: Clock;
  readonly dice: Dice;
  readonly log: Log;
  readonly meter: Meter;
  /** Absent when nobody listens to traces. */
  readonly tracer?: Tracer;
};

/** Too much waits for a commit already; nothing was done. */
export type Overloaded = { readonly kind: "overloaded"; readonly retryAfterMs: number };

/**
 * Claim, handle, commit. The one way in which anything in Tidings changes state:
 *
 *     door ──submit──▶ Committer ──▶ Store ──verdict──▶ door answers
 *                          ▲            │ jobs born in our hands, or claimed by the Runner
 *                          │            ▼
 *                          └─ effects ─ Stages
 *
 * If the process dies: before the commit, nothing was promised; after it, everything is in the store, and a job that
 * was in hand becomes ready again when its lease is over or the process is back.
 */
export class Engine {
  readonly parts: EngineParts;
  readonly #role: Role;
  readonly #committer: Committer;
  readonly #backlog: Backlog;
  readonly #runner: Runner;
  readonly #due: DueLoop;
  /** For jobs that somebody outside works on. */
  readonly lending: Lending;
  readonly #stop = new AbortController();
  /** Aborted when nobody waits any longer for what is in hand. */
  readonly #over = new AbortController();
  readonly #listeners: ((draft: Draft) => void)[] = [];
  readonly #appended = new Set<() => void>();
  #watching: Promise<void> = Promise.resolve();
  #trial: Promise<boolean> | null = null;
  #quietUntilMs = 0;

  /**
   * @param jobsMax jobs in the store beyond which doors refuse new ones.
   * @param role `api`: stages get no hands and nothing is claimed; what is accepted is enqueued ready, for workers.
   */
  constructor(parts: EngineParts, jobsMax: number = Number.POSITIVE_INFINITY, role: Role = "all") {
    this.parts = parts;
    this.#role = role;
    this.#backlog = new Backlog(parts, jobsMax);
    this.#committer = new Committer(parts.store, parts.clock, parts.meter);
    const lateEnds = parts.meter.counter(
      "tidings_late_ends_total",
      "Ends of jobs that were refused: the lease was over, and somebody else had the job, or it had ended already.",
      {},
    );
    this.#runner = new Runner(parts.store, {
      clock: parts.clock,
      dice: parts.dice,
      log: parts.log,
      tracer: parts.tracer ?? null,
      signal: this.#stop.signal,
      works: worksQueues(role),
      commit: async (draft) => {
        const verdict = await this.commit(draft);
        if (verdict.kind === "fenced") lateEnds.add(1);
        return verdict;
      },
      release: async (job) => {
        await parts.store.release([job]);
        this.#runner.notify(job.queue, job.lane);
      },
      followed: ({ queue }) => {
        // The next of a group may be of the other lane.
        for (const lane of LANES) {
          this.#runner.notify(queue, lane);
          this.lending.notify(queue, lane);
        }
      },
    });
    const { store, clock, log } = parts;
    const { signal } = this.#stop;
    this.#due = new DueLoop(store, { clock, log, signal, readied: () => this.#readied() });
    this.lending = new Lending(store, {
      clock,
      log,
      signal,
      begun: () => void this.#due.start(),
      noteDue: (dueMs) => this.#due.note(dueMs),
    });
    parts.store.onWake(() => this.#wakeReaders());
    parts.meter.gauge("tidings_commit_waiting_units", "Units that wait for a commit.", () => [
      { labels: {}, value: this.#committer.waitingUnits },
    ]);
    parts.meter.gauge("tidings_jobs_in_hand", "Jobs that this process is working on.", () => [
      { labels: {}, value: this.#runner.inHand },
    ]);
  }

  /** Aborted when the engine is to stop. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** Adds a stage; its runner offers jobs to it and gives turns. */
  addStage<Carry>(stage: Stage<Carry>): StageRunner<Carry> {
    return this.#runner.add(stage);
  }

  /**
   * Takes a stage away. It takes nothing more, its jobs' signal aborts, and what is in hand may end for up to `graceMs`, then it is
   * given back. When this resolves, another stage may be added for the queue. Harmless when it was taken away before.
   */
  removeStage<Carry>(stage: StageRunner<Carry>, graceMs: number): Promise<void> {
    return this.#runner.remove(stage, graceMs);
  }

  /** The turn of the next job of a share in a lane of a queue; 0 when no stage here works it. */
  turn(queue: string, lane: Lane, share: string): number {
    return this.#runner.turn(queue, lane, share);
  }

  /** The present turn of each `queue/lane`, for the other nodes. */
  turns(): Readonly<Record<string, number>> {
    return this.#runner.turns();
  }

  /** What another node says of its turns. */
  learnTurns(turns: Readonly<Record<string, number>>): void {
    this.#runner.learnTurns(turns);
  }

  async start(): Promise<void> {
    if (worksQueues(this.#role)) {
      // What is due is in line before new work comes in.
      await this.#due.start();
      this.#runner.start();
    }
    // Counting is for those who may refuse.
    if (servesDoors(this.#role)) this.#watching = this.#backlog.watch(this.#stop.signal);
  }

  /**
   * Called with each draft when it has become durable, before whoever submitted it is told; also when the store could not
   * say whether it has. Must not throw.
   */
  onCommitted(listener: (draft: Draft) => void): void {
    this.#listeners.push(listener);
  }

  /** Calls back, once, when events have been appended after now; returns how to unsubscribe. */
  onAppended(wake: () => void): () => void {
    this.#appended.add(wake);
    return () => this.#appended.delete(wake);
  }

  /**
   * For doors: commits a draft, or refuses it at once when too much waits already. Resolves when it is durable.
   * @throws {StoreFault} when the store cannot commit now; nothing was done, and the caller should be told to retry.
   */
  async submit(draft: Draft): Promise<Verdict | Overloaded> {
    const brings = draft.jobs !== undefined || draft.messages !== undefined;
    if (this.#committer.overloaded || (brings && this.#backlog.full))
      return { kind: "overloaded", retryAfterMs: OVERLOAD_RETRY_AFTER_MS };
    return await this.#commitOnce(draft);
  }

  /**
   * For stages: commits a draft whose work is already done, trying until the store can. Memory stays bounded because
   * each such draft belongs to a job that keeps its place in hand meanwhile.
   * @throws {StoreFault} when the store still cannot at the end of the grace period of a stop.
   */
  async commit(draft: Draft): Promise<Verdict> {
    for (let waitMs = COMMIT_RETRY_MS_BASE; ; waitMs = Math.min(waitMs * 2, COMMIT_RETRY_MS_MAX)) {
      try {
        return await this.#commitOnce(draft);
      } catch (fault) {
        if (!(fault instanceof StoreFault) || this.#over.signal.aborted) throw fault;
        this.#complain(fault, waitMs);
        await sleep(this.parts.clock, waitMs, this.#over.signal);
      }
    }
  }

  /**
   * Re-drives or discards a dead letter. Null when there is none with this key.
   * @param payload replaces the job's payload: a dead letter that was mended.
   * @throws {StoreFault} when the store cannot commit now.
   */
  async settleDead(key: string, then: "revive" | "discard", payload?: string): Promise<Verdict | Overloaded | null> {
    const dead = await this.parts.store.deadJob(key);
    if (dead === null) return null;
    const timeMs = this.parts.clock.nowMs();
    const type = then === "revive" ? "job.redriven" : "job.discarded";
    const data = JSON.stringify({ queue: dead.queue, error: dead.error });
    const event: NewEvent = { type, subject: key, timeMs, data, traceparent: dead.traceparent };
    const again = then === "revive" ? this.#runner.revive(dead) : null;
    const anew = payload ?? again?.payload ?? undefined;
    return await this.submit({
      ...again?.effects,
      dead: { key, then, ...(anew === undefined ? {} : { payload: anew }) },
      events: [event, ...(again?.effects.events ?? [])],
    });
  }

  /**
   * Lets parked jobs of one queue go on, or gives them up with what their stage says of it. Each is a unit of its own:
   * `verdicts[i]` belongs to `jobs[i]`, and `gone` says that somebody else has decided.
   * @throws {StoreFault} when the store cannot commit now; some may have been decided.
   */
  async settleParked(jobs: readonly ParkedJob[], decision: Decision): Promise<readonly (Verdict | Overloaded)[]> {
    const { then, by, rule } = decision;
    const timeMs = this.parts.clock.nowMs();
    const effects = then === "drop" ? await this.#runner.drop(jobs, decision) : null;
    return await Promise.all(
      jobs.map(({ key, queue, traceparent }, at) => {
        const type = then === "drop" ? "job.dropped" : "job.released";
        const told: NewEvent = { type, subject: key, timeMs, data: JSON.stringify({ queue, by, rule }), traceparent };
        const own = effects?.[at];
        return this.submit({
          ...own,
          ...(then === "drop" ? { take: key } : { unpark: key }),
          events: [told, ...(own?.events ?? [])],
        });
      }),
    );
  }

  /**
   * Whether the store takes commits. While they go well nobody need ask it; when the last one failed, or one takes longer
   * than `patienceMs`, a small one is tried, and the answer waits for its end.
   */
  async storeTakes(patienceMs: number): Promise<boolean> {
    if (this.#committer.goesWell(patienceMs)) return true;
    this.#trial ??= this.#tryStore().finally(() => {
      this.#trial = null;
    });
    return await this.#trial;
  }

  /** Stops taking work, lets what is in hand finish for up to `graceMs`, gives back the rest. */
  async stop(graceMs: number): Promise<void> {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort();
    this.#wakeReaders();
    await Promise.all([this.#due.end(), this.lending.drained(), this.#runner.drain(graceMs)]);
    this.#over.abort();
    await this.#committer.drained();
    await this.#watching;
  }

  /** One line a second says it as well as a line for each of a thousand jobs in hand. */
  #complain(fault: StoreFault, waitMs: number): void {
    const nowMs = this.parts.clock.monotonicMs();
    if (nowMs < this.#quietUntilMs) return;
    this.#quietUntilMs = nowMs + 1_000;
    this.parts.log.error("The store cannot commit; trying again", { error: errorText(fault), waitMs });
  }

  async #tryStore(): Promise<boolean> {
    const put = {
      collection: TRIALS,
      id: "commit",
      body: "{}",
      when: "always",
      nowMs: this.parts.clock.nowMs(),
    } as const;
    try {
      await this.#committer.submit({ puts: [put] }, put.body.length);
      return true;
    } catch (fault) {
      if (fault instanceof StoreFault) return false;
      throw fault;
    }
  }

  async #commitOnce(draft: Draft): Promise<Verdict> {
    const handed: Handed[] = [];
    const askedMs = this.parts.clock.monotonicMs();
    const unit = this.#toUnit(draft, handed);
    let verdict: Verdict;
    try {
      verdict = await this.#committer.submit(unit, textBytes(unit));
    } catch (fault) {
      for (const { hand } of handed) hand.free();
      // Perhaps only the answer was lost. Who repeats it may be told that it is done, and nobody would hear of it.
      for (const listener of this.#listeners) listener(draft);
      if (mayReady(unit)) this.#readied();
      throw fault;
    }
    if (verdict.kind === "committed") this.#afterCommit(draft, unit, handed, verdict.skipped, askedMs);
    else for (const { hand } of handed) hand.free();
    return verdict;
  }

  /** Decides which jobs are born in our hands: due now, and their stage has room. */
  #toUnit(draft: Draft, handed: Handed[]): Unit {
    const { jobs, messages, ...rest } = draft;
    if (jobs === undefined && messages === undefined) return rest;
    const nowMs = this.parts.clock.nowMs();
    const enqueued = (draftJob: DraftJob): EnqueuedJob => {
      const { job, hand } = draftJob;
      // Whether one of a group is the first of it is known only to the store.
      const mayBeHeld = hand !== null && job.dueMs <= nowMs && (job.group ?? null) === null;
      if (!mayBeHeld || !hand.reserve()) return { ...job, heldForMs: null };
      handed.push({
        hand,
        job: {
          key: job.key,
          queue: job.queue,
          lane: job.lane,
          payload: job.payload,
          traceparent: job.traceparent,
          attempt: 1,
          fence: 1,
          turn: job.turn,
          group: null,
          enqueuedMs: nowMs,
        },
      });
      return { ...job, heldForMs: LEASE_MS };
    };
    const birth = ({ message, job, events }: DraftBirth) => ({
      message,
      job: job === null ? null : enqueued(job),
      events,
    });
    return {
      ...rest,
      ...(jobs === undefined ? {} : { jobs: jobs.map(enqueued) }),
      ...(messages === undefined ? {} : { messages: messages.map(birth) }),
    };
  }

  #afterCommit(draft: Draft, unit: Unit, handed: readonly Handed[], skipped: readonly string[], askedMs: number): void {
    for (const listener of this.#listeners) listener(draft);
    for (const { hand, job } of handed) {
      if (skipped.length > 0 && skipped.includes(job.key)) hand.free();
      else hand.give(job, askedMs);
    }
    const nowMs = this.parts.clock.nowMs();
    for (const job of unit.jobs ?? []) this.#noteJob(job, nowMs);
    for (const { job } of unit.messages ?? []) if (job !== null) this.#noteJob(job, nowMs);
    const end = unit.job?.end;
    if (end?.kind === "again") {
      if (end.dueMs > nowMs) this.#due.note(end.dueMs);
      else this.#readied();
    }
    if (unit.dead?.then === "revive") this.#readied();
    if (unit.unpark !== undefined) {
      // Ready, or due some time: only the store knows.
      this.#readied();
      this.#due.note(nowMs);
    }
    if (unit.events !== undefined || unit.messages !== undefined) this.#wakeReaders();
  }

  #noteJob(job: EnqueuedJob, nowMs: number): void {
    if (job.heldForMs !== null) return;
    if (job.dueMs > nowMs) this.#due.note(job.dueMs);
    else {
      this.#runner.notify(job.queue, job.lane);
      this.lending.notify(job.queue, job.lane);
    }
  }

  #readied(): void {
    this.#runner.notifyAll();
    this.lending.notifyAll();
  }

  #wakeReaders(): void {
    if (this.#appended.size === 0) return;
    const wakes = [...this.#appended];
    this.#appended.clear();
    for (const wake of wakes) wake();
  }
}

/** Holds one document, which says nothing: it is put when somebody wants to know whether the store works again. */
const TRIALS = "trials";

type Handed = { readonly hand: Hand; readonly job: Job };

/** About how much text a unit holds; what dominates is counted, the rest is estimated per row. */
function textBytes(unit: Unit): number {
  let bytes = 500;
  for (const request of unit.requests ?? []) bytes += request.body.length;
  for (const job of unit.jobs ?? []) bytes += job.payload.length + 200;
  for (const put of unit.puts ?? []) bytes += put.body.length + 100;
  for (const event of unit.events ?? []) bytes += event.data.length + 200;
  for (const { events } of unit.messages ?? []) {
    bytes += 500;
    for (const event of events) bytes += event.data.length + 200;
  }
  return bytes;
}

/** Whether jobs lie ready in the store when this is committed. */
function mayReady({ job, jobs, messages, dead, unpark }: Unit): boolean {
  return (
    (jobs ?? messages ?? []).length > 0 || job?.end.kind === "again" || dead?.then === "revive" || unpark !== undefined
  );
}
