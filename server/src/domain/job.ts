/**
 * A job is the promise that something will be done. It lives from the commit that enqueues it to the commit that ends
 * it, and is in one of four places:
 *
 *     waiting ──due──▶ ready ──claim──▶ held ──end: done──▶ gone
 *        ▲               ▲               │ ├──end: again──▶ waiting or ready
 *        └── again, later┴──lease over───┘ └──end: dead───▶ dead letter ──revive──▶ ready
 *
 * In between, a job of a group waits behind the others of its group (*behind*): it becomes ready, or waiting, when it is the
 * first and none of them is held. What is parked is not counted among them, and takes its place by its turn when it goes on.
 *
 *     waiting, ready, held ──park──▶ parked ──unpark──▶ waiting or ready
 *                                      └──take: cancelled, dropped──▶ gone
 *
 * A restored backup parks all its jobs: what they stand for may have been done after the backup was made, so somebody
 * decides. Nothing claims or wakes what is parked; its due time and turn stay.
 *
 * Waiting and held are the same thing to the store: invisible until a time. A timer that is due and a lease that ran
 * out make a job visible again by the same statement (SQS calls it the visibility timeout).
 */

/** Who goes first. Transactional work (a login code) is never behind bulk work (a campaign). */
export const LANES = ["transactional", "bulk"] as const;
export type Lane = (typeof LANES)[number];

export type NewJob = {
  /** Unique among living jobs; a second job of the same key is not enqueued. */
  readonly key: string;
  readonly queue: string;
  readonly lane: Lane;
  /** Place within the lane, a virtual time: lower goes first. Given by the fair clock so that many shares alternate. */
  readonly turn: number;
  /** Unix epoch ms; what lies in the past is ready at once. */
  readonly dueMs: number;
  /** JSON text; small. Large things lie in the rows or blobs that it names. */
  readonly payload: string;
  readonly traceparent: string | null;
  /**
   * Jobs of one queue and group are worked strictly by `turn`, then by the order of their commits: while one of them is
   * held, no other can be claimed, and a later one never before an earlier one, also when the earlier one waits until it
   * is due. One of a group is never born held. Null or absent: no order.
   */
  readonly group?: string | null;
};

/** A job in the hands of this process. */
export type Job = {
  readonly key: string;
  readonly queue: string;
  readonly lane: Lane;
  readonly payload: string;
  readonly traceparent: string | null;
  /** How often it has been claimed since it was enqueued or last made progress; 1 at the first claim. */
  readonly attempt: number;
  /** Grows with each claim. Whoever commits with an older one is refused. */
  readonly fence: number;
  readonly turn: number;
  readonly group: string | null;
  readonly enqueuedMs: number;
};

export type JobRef = { readonly key: string; readonly fence: number };

export type JobEnd =
  | { readonly kind: "done" }
  /**
   * The lease goes on and the payload moves (null: unchanged). For work that proceeds in steps under one lease; a step
   * is progress, so attempts start over at 1. `step` rises with each, from 1 at every claim or birth: one that is there
   * already is not done again, so that it may be repeated when its answer was lost.
   */
  | { readonly kind: "keep"; readonly payload: string | null; readonly step: number }
  /** Comes back when due. `attempts: "reset"` after progress, `"count"` after a failure, with its `error`. */
  | {
      readonly kind: "again";
      readonly payload: string;
      readonly dueMs: number;
      readonly turn: number;
      readonly attempts: "count" | "reset";
      readonly error: string | null;
    }
  | { readonly kind: "dead"; readonly error: string };

/** A job that is held back until somebody lets it go on or takes it away. */
export type ParkedJob = {
  readonly key: string;
  readonly queue: string;
  readonly lane: Lane;
  readonly payload: string;
  readonly traceparent: string | null;
  readonly attempt: number;
  readonly enqueuedMs: number;
  readonly dueMs: number;
};

/** A job that gave up; kept until someone revives or discards it. */
export type DeadJob = {
  readonly key: string;
  readonly queue: string;
  readonly lane: Lane;
  readonly payload: string;
  readonly traceparent: string | null;
  readonly attempt: number;
  readonly error: string;
  readonly enqueuedMs: number;
  readonly deadMs: number;
};
