import type { Checkpoint, Store } from "#ports/store.ts";

/** Counting stops here: beyond a hundred thousand, a few ms to count, only the age says something new. */
export const LAG_EVENTS_MAX = 100_000;

export type Lag = Checkpoint & {
  /** Events it has still to read, at most `LAG_EVENTS_MAX`. */
  readonly lagEvents: number;
  /** Age of the oldest of them (the iterator age), 0 if there is none. */
  readonly lagMs: number;
};

/** How far behind every reader of the journal is. */
export async function lagsOf(store: Store, nowMs: number): Promise<readonly Lag[]> {
  const checkpoints = await store.checkpoints(null);
  return Promise.all(
    checkpoints.map(async (checkpoint) => {
      const lagEvents = await store.eventsBehind(checkpoint.position, LAG_EVENTS_MAX);
      const next =
        lagEvents === 0 ? undefined : (await store.readJournal({ after: checkpoint.position, limit: 1 })).events[0];
      return { ...checkpoint, lagEvents, lagMs: next === undefined ? 0 : Math.max(0, nowMs - next.timeMs) };
    }),
  );
}
