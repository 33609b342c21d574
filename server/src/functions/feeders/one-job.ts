/**
 * Jobs of which each is one call of a function:
 *
 *     ready ──▶ call ──returned──▶ done: what it emitted, with the end of the job
 *       ▲         ├──failed──▶ waiting, with backoff ──attempts are over──▶ given up: as the trigger says
 *       │         ├──innocent──▶ waiting for a moment, not counted; then alone
 *       │         └──a document has changed──▶ called anew, sixteen times, then it counts as failed
 *       └── a process died with it: claimed again, which counts, and called alone
 */
import type { DeadJob, Job } from "#domain/job.ts";
import { retryDelayMs } from "#domain/retry.ts";
import type { DraftEffects } from "#engine/draft.ts";
import type { Engine } from "#engine/engine.ts";
import type { Stage, StageContext, StageEnd } from "#engine/stage.ts";
import type { HandlerEffects, Invoker, Work } from "#functions/invoker.ts";
import { IN_HAND_MAX } from "#functions/limits.ts";
import type { DeclaredFunction, InvocationError } from "#ports/function-host.ts";
import { Gathered } from "#rules/gathered.ts";

/** How often a call is made anew because somebody else had changed a document: each time one of them got on. */
export const STALE_TRIES_MAX = 16;

/** What every payload of such a job may hold beside the trigger's own. */
export type Tried = {
  /** Calls that failed. */
  readonly tried?: number;
  /** How often it came back without being to blame, one after the other. */
  readonly innocent?: number;
};

/** How a job ends, and what is committed with that. */
export type JobEnding = { readonly end: StageEnd; readonly effects: DraftEffects };

/** What a trigger has of its own. */
export type OneJobKind<Payload extends Tried> = {
  readonly queue: string;
  /** As it is declared now. */
  declared(): DeclaredFunction;
  call(job: Job, payload: Payload): { readonly key: string; readonly input: string };
  done(job: Job, payload: Payload): JobEnding;
  gaveUp(job: Job, payload: Payload, error: string): JobEnding;
  /** As a stage has it. */
  drop?: Stage<never>["drop"];
};

/** The stage of one function. */
export function oneJobStage<Payload extends Tried>(
  engine: Engine,
  invoker: Invoker,
  kind: OneJobKind<Payload>,
): Stage<never> {
  return {
    queue: kind.queue,
    get inHandMax() {
      return { transactional: Math.min(kind.declared().concurrency, IN_HAND_MAX), bulk: 0 };
    },
    get batchMax() {
      return Math.min(kind.declared().concurrency, IN_HAND_MAX);
    },
    // Attempts are counted here: a call that was not to blame is none.
    attemptsMax: Number.MAX_SAFE_INTEGER,
    run: async (jobs, context) => {
      await Promise.all(
        jobs.map(({ job }) => context.guard(job, () => new OneCall(engine, invoker, kind, job, context).run())),
      );
    },
    bury: () => ({}),
    revive: (dead: DeadJob) => {
      const { tried: _, innocent: __, ...payload } = payloadOf<Payload>(dead);
      return { payload: JSON.stringify(payload), effects: {} };
    },
    ...(kind.drop === undefined ? {} : { drop: kind.drop }),
  };
}

export function payloadOf<Payload>({ payload }: Pick<Job, "payload">): Payload {
  // Only the feeder of this queue writes its payloads.
  return JSON.parse(payload) as Payload;
}

export function errorLine({ name, says, at }: InvocationError): string {
  return `${name}: ${says}${at === null ? "" : ` (${at})`}`;
}

class OneCall<Payload extends Tried> {
  readonly #engine: Engine;
  readonly #invoker: Invoker;
  readonly #kind: OneJobKind<Payload>;
  readonly #job: Job;
  readonly #context: StageContext;
  readonly #payload: Payload;
  readonly #declared: DeclaredFunction;
  /** Claims are counted anew whenever it goes back with a payload: more than one means that a process died with it. */
  readonly #attempt: number;

  constructor(engine: Engine, invoker: Invoker, kind: OneJobKind<Payload>, job: Job, context: StageContext) {
    this.#engine = engine;
    this.#invoker = invoker;
    this.#kind = kind;
    this.#job = job;
    this.#context = context;
    this.#payload = payloadOf<Payload>(job);
    this.#declared = kind.declared();
    this.#attempt = (this.#payload.tried ?? 0) + job.attempt;
  }

  async run(): Promise<void> {
    const { attempts } = this.#declared;
    if (this.#attempt > attempts) {
      return await this.#giveUp(`${attempts} workers took it and ended without a result`, {});
    }
    for (let round = 1; ; round += 1) {
      if (this.#context.signal.aborted || !this.#context.holds(this.#job)) return await this.#release();
      const ran = await this.#invoker.run(this.#work(), this.#context.signal);
      switch (ran.kind) {
        case "failed":
          return await this.#failed(errorLine(ran.error), ran.effects);
        case "innocent":
          return await this.#innocent(ran.error, ran.effects);
        case "done":
          if ((await this.#done(ran.effects)) !== "stale") return;
          if (round >= STALE_TRIES_MAX) return await this.#failed(STALE, {});
      }
    }
  }

  #work(): Work {
    const { key, input } = this.#kind.call(this.#job, this.#payload);
    const alone = this.#job.attempt > 1 || (this.#payload.innocent ?? 0) > 0;
    const traceparent = this.#context.traceOf(this.#job) ?? this.#job.traceparent;
    return { declared: this.#declared, key, attempt: this.#attempt, input, traceparent, alone };
  }

  async #done({ expect, ...emitted }: HandlerEffects): Promise<"committed" | "lost" | "stale"> {
    const { end, effects } = this.#kind.done(this.#job, this.#payload);
    return await this.#context.finish(this.#job, {
      kind: "end",
      end,
      effects: joined(emitted, effects),
      ...(expect === undefined ? {} : { expect }),
    });
  }

  async #failed(error: string, effects: DraftEffects): Promise<void> {
    if (this.#attempt >= this.#declared.attempts) return await this.#giveUp(error, effects);
    const { clock, dice } = this.#engine.parts;
    const { innocent: _, ...payload } = this.#payload;
    const dueMs = clock.nowMs() + retryDelayMs(this.#attempt, dice.next());
    await this.#again({ ...payload, tried: this.#attempt }, dueMs, error, effects);
  }

  async #innocent(error: InvocationError, effects: DraftEffects): Promise<void> {
    // Stopping is nobody's fault, and whoever comes next begins at once.
    if (this.#context.signal.aborted) return await this.#release();
    const { clock, dice } = this.#engine.parts;
    const innocent = (this.#payload.innocent ?? 0) + 1;
    const dueMs = clock.nowMs() + retryDelayMs(Math.min(innocent, INNOCENT_DELAYS_MAX), dice.next());
    await this.#again({ ...this.#payload, innocent }, dueMs, errorLine(error), effects);
  }

  async #again(payload: Tried, dueMs: number, error: string, effects: DraftEffects): Promise<void> {
    const { turn } = this.#job;
    const again = JSON.stringify(payload);
    const end: StageEnd = { kind: "again", payload: again, dueMs, turn, attempts: "reset", error };
    await this.#context.finish(this.#job, { kind: "end", end, effects });
  }

  async #giveUp(error: string, logged: DraftEffects): Promise<void> {
    const { end, effects } = this.#kind.gaveUp(this.#job, this.#payload, error);
    await this.#context.finish(this.#job, { kind: "end", end, effects: joined(logged, effects) });
  }

  async #release(): Promise<void> {
    await this.#context.finish(this.#job, { kind: "release" });
  }
}

/** The longest wait of one that is not to blame is that of its fifth failure, some sixteen seconds. */
const INNOCENT_DELAYS_MAX = 5;
const STALE = "Conflict: the documents that it changes were changed by others each time; make it touch fewer of them";

function joined(one: DraftEffects, other: DraftEffects): DraftEffects {
  const gathered = new Gathered();
  gathered.add(one);
  gathered.add(other);
  return gathered.effects;
}
