/** Collection of the move tasks: id = {@link Move.id}. */
export const QUEUE_MOVES = "queue_moves";

export type MoveAsk = {
  /** Name of a queue that is the dead-letter queue of some queue. */
  readonly source: string;
  /** Null: each message goes back to the queue that it came from. */
  readonly destination: string | null;
  /** 1 to 500; null: as fast as it goes. */
  readonly messagesPerSecondMax: number | null;
};

/** A move task, as it stands. */
export type Move = MoveAsk & {
  /** Sorts by time of start. */
  readonly id: string;
  readonly status: "running" | "cancelling" | "cancelled" | "completed" | "failed";
  readonly moved: number;
  /** What lay in the source when it began. */
  readonly toMove: number;
  readonly startedMs: number;
  readonly endedMs: number | null;
  /** Why it failed; null: it has not. */
  readonly failure: string | null;
};

export const MOVE_RATE_RANGE = { min: 1, max: 500 } as const;
/** Tasks of a source that are remembered, and most that a list shows. */
export const MOVES_KEPT_MAX = 10;
