/**
 * One job for each function lies in the store and waits for its time. A run and the next time are one commit:
 *
 *     (none) ──start──▶ waiting for a time ──due──▶ running ──done──▶ waiting for the next time
 *                           ▲     │                    ├──failed──▶ waiting, with backoff
 *                           └─────┴─ moved when        └──attempts are over──▶ dead letter, and the next time
 *                             the schedule changed
 *
 * Its key is the function's, so that there is one however many nodes start it, and only one of them holds it. Times that passed
 * while nobody ran are one run: the job is due, and its end looks for the next time from now. The function's file taken
 * away, the job stays where it is, for the case that it comes back; `forgetSchedules` takes it after a day.
 */
import type { Job, NewJob } from "#domain/job.ts";
import type { Engine } from "#engine/engine.ts";
import { errorText } from "#engine/error-text.ts";
import { sleep } from "#engine/sleep.ts";
import type { StageRunner } from "#engine/stage-runner.ts";
import type { Feed, Feeder } from "#functions/feeder.ts";
import { type JobEnding, oneJobStage, payloadOf, type Tried } from "#functions/feeders/one-job.ts";
import type { Invoker } from "#functions/invoker.ts";
import { STOP_GRACE_MS } from "#functions/limits.ts";
import { nextTimeMs, type Schedule, scheduleFault } from "#functions/next-time.ts";
import type { DeclaredFunction } from "#ports/function-host.ts";
import { type JobState, StoreFault } from "#ports/store.ts";

/** Queues of schedules, and the keys of their jobs, begin so; behind it comes the function's name. */
export const SCHEDULE_QUEUE = "schedule:";
/** How soon it is tried again to move a job that somebody holds. */
const MOVE_AGAIN_MS = 1_000;
/** How long past its time a job is kept that nobody runs. */
const FORGET_MS = 24 * 60 * 60 * 1_000;
/** How often it is looked for those; not soon after a start, when others may still be about to run them. */
const FORGET_ROUND_MS = 60 * 60 * 1_000;

type Payload = Tried & {
  /** Unix epoch ms: when it was to be, also while it is tried again later. */
  readonly scheduledMs: number;
  /** By which schedule. */
  readonly schedule: Schedule;
  /** A dead letter's new life: it has no next time. */
  readonly once?: true;
};

export function scheduleFeeder(engine: Engine, invoker: Invoker): Feeder {
  return {
    kind: "schedule",
    faultOf: ({ on }) => (on.kind === "schedule" ? scheduleFault(on, engine.parts.clock.nowMs()) : null),
    start: async (declared) => {
      const feed = new ScheduleFeed(engine, invoker, declared);
      await feed.start();
      return feed;
    },
  };
}

/** The name under which the job of a function lies in the store; it is its queue's, too. */
export function scheduleKey(name: string): string {
  return SCHEDULE_QUEUE + name;
}

/** When a function runs next, as its job says; null when that is running, or there is none. */
export function nextRunOf(state: Pick<JobState, "state" | "dueMs"> | null): number | null {
  return state === null || state.state === "held" ? null : state.dueMs;
}

class ScheduleFeed implements Feed {
  readonly #engine: Engine;
  readonly #invoker: Invoker;
  #declared: DeclaredFunction;
  #runner: StageRunner<never> | null = null;
  readonly #stopping = new AbortController();
  #moving: Promise<void> = Promise.resolve();

  constructor(engine: Engine, invoker: Invoker, declared: DeclaredFunction) {
    this.#engine = engine;
    this.#invoker = invoker;
    this.#declared = declared;
  }

  /** @throws {StoreFault} */
  async start(): Promise<void> {
    const isThere = await this.#place();
    const { name } = this.#declared;
    const queue = scheduleKey(name);
    this.#runner = this.#engine.addStage(
      oneJobStage<Payload>(this.#engine, this.#invoker, {
        queue,
        declared: () => this.#declared,
        call: (_job, { scheduledMs }) => {
          const scheduled = new Date(scheduledMs).toISOString();
          return { key: `${queue}/${scheduled}`, input: JSON.stringify({ scheduled, scheduledMs }) };
        },
        done: (job, payload) => this.#next(job, payload),
        gaveUp: (job, payload, error) => this.#gaveUp(job, payload, error),
        // Somebody decided against the run that a restored backup held back, not against all that follow.
        drop: async (jobs) =>
          jobs.map((job) => {
            const next = payloadOf<Payload>(job).once === true ? null : this.#jobAfter(this.#nowMs);
            return next === null ? {} : { jobs: [{ job: next, hand: null }] };
          }),
      }),
    );
    if (!isThere) this.#moveSoon();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#moving;
    if (this.#runner !== null) await this.#engine.removeStage(this.#runner, STOP_GRACE_MS);
  }

  update(declared: DeclaredFunction): void {
    const isMoved = scheduleText(scheduleOf(declared)) !== scheduleText(this.#schedule);
    this.#declared = declared;
    if (isMoved) this.#moveSoon();
  }

  get #nowMs(): number {
    return this.#engine.parts.clock.nowMs();
  }

  get #schedule(): Schedule {
    return scheduleOf(this.#declared);
  }

  /**
   * Sees to it that the job lies in the store and waits for the time that is declared. What is owed already (missed, or tried
   * again) stays as it is: its end looks for the next time by the new schedule.
   * @returns false when somebody holds it, and it is to be tried again.
   */
  async #place(): Promise<boolean> {
    const key = scheduleKey(this.#declared.name);
    const [state = null] = await this.#engine.parts.store.jobs([key]);
    if (state !== null) {
      const { schedule, scheduledMs } = payloadOf<Payload>(state);
      if (scheduleText(schedule) === scheduleText(this.#schedule)) return true;
      if (state.state === "held") return false;
      if (scheduledMs <= this.#nowMs || state.state === "parked") return true;
    }
    const job = this.#jobAfter(this.#nowMs);
    const jobs = job === null ? [] : [{ job, hand: null }];
    const verdict = await this.#engine.submit({ ...(state === null ? {} : { take: key }), jobs });
    if (verdict.kind === "overloaded") throw new StoreFault("store.busy", "Too much waits for a commit");
    return verdict.kind === "committed";
  }

  #moveSoon(): void {
    const { clock, log } = this.#engine.parts;
    const { signal } = this.#stopping;
    const move = async (): Promise<void> => {
      while (!signal.aborted && !this.#engine.signal.aborted) {
        try {
          if (await this.#place()) return;
        } catch (fault) {
          if (!(fault instanceof StoreFault)) throw fault;
          log.warn("A schedule could not be moved; trying again", { function: this.#declared.name, code: fault.code });
        }
        await sleep(clock, MOVE_AGAIN_MS, signal);
      }
    };
    this.#moving = this.#moving.then(move);
  }

  #jobAfter(afterMs: number, anchorMs = afterMs): NewJob | null {
    const scheduledMs = nextTimeMs(this.#schedule, afterMs, anchorMs);
    if (scheduledMs === null) return null;
    const key = scheduleKey(this.#declared.name);
    const payload: Payload = { scheduledMs, schedule: this.#schedule };
    return {
      key,
      queue: key,
      lane: "transactional",
      turn: 0,
      dueMs: scheduledMs,
      payload: JSON.stringify(payload),
      traceparent: null,
    };
  }

  #next(job: Job, { scheduledMs, once }: Payload): JobEnding {
    const next = once === true ? null : this.#jobAfter(Math.max(this.#nowMs, scheduledMs), scheduledMs);
    if (next === null) return { end: { kind: "done" }, effects: {} };
    const { payload, dueMs } = next;
    return {
      end: { kind: "again", payload, dueMs, turn: job.turn, attempts: "reset", error: null },
      effects: {},
    };
  }

  /** The job goes on to its next time, and what was missed is kept under a name of its own, to be made up for by hand. */
  #gaveUp(job: Job, payload: Payload, error: string): JobEnding {
    if (payload.once === true) return { end: { kind: "dead", error }, effects: {} };
    const { queue, lane, traceparent, attempt, enqueuedMs } = job;
    const { scheduledMs, schedule } = payload;
    const letter: Payload = { scheduledMs, schedule, once: true };
    const key = `${queue}/${new Date(scheduledMs).toISOString()}`;
    const buried = [
      {
        key,
        queue,
        lane,
        payload: JSON.stringify(letter),
        traceparent,
        attempt: Math.max(attempt, this.#declared.attempts),
        error,
        enqueuedMs,
        deadMs: this.#nowMs,
      },
    ];
    return { ...this.#next(job, payload), effects: { buried } };
  }
}

/**
 * Forgets schedules that are no more, until the engine stops.
 * @param leads one node is enough for it.
 * @param isDeclared whether this node knows a schedule of that name.
 */
export async function keepSchedules(
  engine: Engine,
  leads: () => boolean,
  isDeclared: (name: string) => boolean,
): Promise<void> {
  const { clock, log } = engine.parts;
  while (!engine.signal.aborted) {
    await sleep(clock, FORGET_ROUND_MS, engine.signal);
    if (engine.signal.aborted || !leads()) continue;
    try {
      await forgetSchedules(engine, isDeclared);
    } catch (fault) {
      log.warn("Schedules could not be tidied; trying again later", { error: errorText(fault) });
    }
  }
}

/**
 * Takes away the jobs of functions that are no more: due for a day, and nobody ran them.
 * @param isDeclared whether this node knows a schedule of that name.
 */
export async function forgetSchedules(engine: Engine, isDeclared: (name: string) => boolean): Promise<void> {
  const { store, clock } = engine.parts;
  const names = (await store.depths())
    .map(({ queue }) => queue)
    .filter((queue) => queue.startsWith(SCHEDULE_QUEUE) && !isDeclared(queue.slice(SCHEDULE_QUEUE.length)));
  const keys = [...new Set(names)];
  if (keys.length === 0) return;
  for (const state of await store.jobs(keys)) {
    const isOver = state !== null && state.state === "ready" && state.dueMs < clock.nowMs() - FORGET_MS;
    if (isOver) await engine.commit({ take: state.key });
  }
}

/** The book starts this feeder for schedules only. */
function scheduleOf({ on }: DeclaredFunction): Schedule {
  if (on.kind !== "schedule") throw new Error(`broken invariant: a schedule was declared as ${on.kind}`);
  return { when: on.when, timeZone: on.timeZone };
}

/** By which two are told apart. */
function scheduleText(schedule: Schedule): string {
  return JSON.stringify([schedule.when, schedule.timeZone]);
}
