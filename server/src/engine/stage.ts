import type { DraftEffects } from "#engine/draft.ts";
import type { DocumentExpectation } from "#domain/document.ts";
import type { DeadJob, Job, JobEnd, Lane, ParkedJob } from "#domain/job.ts";

/**
 * A stage turns jobs into effects. It does not write: what it reports for a job is committed by the engine together
 * with the end of that job, so no crash can come between them.
 */
export type Stage<Carry> = {
  readonly queue: string;
  /** Most jobs in this process' hands, per lane: each lane has its own room, so bulk never takes transactional's. */
  readonly inHandMax: Readonly<Record<Lane, number>>;
  /**
   * Most bulk jobs in hand while transactional ones come: what is in hand already stands before them in every line, so
   * this bounds how long they wait. Default: as many as else.
   */
  readonly bulkBesideMax?: number;
  /** False while what would come of a job finds no hands: it is left in the store until then. Default: never. */
  hasRoom?(lane: Lane): boolean;
  /** Most jobs in one call of `run`. */
  readonly batchMax: number;
  /** Claims before a job that brings no result is dead. */
  readonly attemptsMax: number;
  /**
   * Handles a batch and reports each job once, as soon as it is known what becomes of it. A job that was not reported
   * when the promise settles has failed; it is tried again with backoff.
   */
  run(jobs: readonly HandedJob<Carry>[], context: StageContext): Promise<void>;
  /** What else to commit when a job dies, e.g. the message's last state. */
  bury(job: Job, error: string): DraftEffects;
  /** What else to commit when someone re-drives a dead job, and the payload it begins anew with (null: as it was). */
  revive?(dead: DeadJob): { readonly payload: string | null; readonly effects: DraftEffects };
  /** What else to commit when someone gives these parked jobs up, one by one: the last state of what they stood for. */
  drop?(jobs: readonly ParkedJob[], decision: Decision): Promise<readonly DraftEffects[]>;
};

/** What somebody decided about a parked job. */
export type Decision = {
  readonly then: "release" | "drop";
  /** Who: the name of a key. */
  readonly by: string;
  /** Why it was parked, and what was done, in words for whoever asks later. */
  readonly rule: string;
};

/** A job in hand; `carry` is what the stage before already knew, null when the job was claimed from the store. */
export type HandedJob<Carry> = { readonly job: Job; readonly carry: Carry | null };

export type StageContext = {
  /** Aborted at shutdown, or when the stage is taken away: begin nothing new, report `release` for what was not begun. */
  readonly signal: AbortSignal;
  /**
   * Resolves when the result is durable, or was refused:
   * `lost`: the job, or one of `also`, is someone else's now; whatever of them was ours still has been given back.
   * `stale`: a document of `expect` has changed. Nothing was done, and all of them are still in hand and to be reported:
   * whoever has not waited for this answer when `run` ends has failed at them.
   */
  finish(job: Job, result: StageResult): Promise<"committed" | "lost" | "stale">;
  /**
   * Does the work of one job. If it throws, that is this job's failure alone: the others of its batch may be at a provider
   * and go on. What `run` itself throws is the failure of all that were not reported.
   */
  guard(job: Job, work: () => Promise<void>): Promise<void>;
  /** False once the lease may have run out: do not call the outside world for this job any more. */
  holds(job: Job): boolean;
  /** The span of this job, as a traceparent: calls made for it are parts of that. Null when it is not traced. */
  traceOf(job: Job): string | null;
};

/** What becomes of a job. The engine counts its steps; a job is kept by one step at a time. */
export type StageEnd = Exclude<JobEnd, { readonly kind: "keep" }> | Omit<JobEnd & { readonly kind: "keep" }, "step">;

export type StageResult =
  | {
      readonly kind: "end";
      readonly end: StageEnd;
      readonly effects: DraftEffects;
      /** What the effects rest on. Absent: nothing, so that it is never stale. */
      readonly expect?: readonly DocumentExpectation[];
      /** Other jobs of the same batch, which are done with this one: all together or none. */
      readonly also?: readonly Job[];
    }
  /** It went wrong in a way that another try may mend: backoff, then dead after `attemptsMax`. */
  | { readonly kind: "failed"; readonly error: string }
  /** Not begun: back to the queue without counting the attempt. */
  | { readonly kind: "release" };
