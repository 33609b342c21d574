import type { Job, NewJob } from "#domain/job.ts";
import type { NewEvent } from "#domain/event.ts";
import type { NewMessage } from "#domain/message.ts";
import type { Conditions, Effects } from "#ports/store.ts";

/** A unit before the engine has decided which of its jobs this process takes into its own hands at once. */
export type Draft = Conditions & DraftEffects;

export type DraftEffects = Omit<Effects, "jobs" | "messages"> & {
  readonly jobs?: readonly DraftJob[];
  readonly messages?: readonly DraftBirth[];
};

export type DraftBirth = {
  readonly message: NewMessage;
  readonly job: DraftJob | null;
  readonly events: readonly NewEvent[];
};

/** A job to enqueue, and the stage that would take it at once, with what it already knows, if it has room. */
export type DraftJob = { readonly job: NewJob; readonly hand: Hand | null };

/** A stage's open hand: a place is reserved before the commit and filled or freed after it. */
export interface Hand {
  reserve(): boolean;
  /** `sinceMs`: monotonic time from which its lease is counted. */
  give(job: Job, sinceMs: number): void;
  free(): void;
}
