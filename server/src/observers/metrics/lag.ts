import { type Failing, failingOf, partitionKey, queueOf, RETIRED } from "#engine/consumer.ts";
import type { Checkpoint, JobState, Store } from "#ports/store.ts";

/** Counting stops here: beyond a hundred thousand, a few ms to count, only the age says something new. */
export const LAG_EVENTS_MAX = 100_000;

export type Lag = Checkpoint & {
  /** Events it has still to read, at most `LAG_EVENTS_MAX`. */
  readonly lagEvents: number;
  /** Age of the oldest of them (the iterator age), 0 if there is none. */
  readonly lagMs: number;
};

/** A partition of a reader as somebody looks at it who wants to know whether it goes on. */
export type Reader = Lag & {
  /** `gone`: there is no job for it, so nobody would take it. */
  readonly state: "working" | "free" | "parked" | "gone";
  readonly failing: Failing | null;
  /** Dead letters of the whole reader. */
  readonly dead: number;
};

/** How every reader of the journal fares. */
export async function readersOf(store: Store, nowMs: number): Promise<readonly Reader[]> {
  const lags = await lagsOf(store, nowMs);
  const partitions = Map.groupBy(lags, ({ consumer }) => consumer);
  const keys = lags.map(({ consumer, partition }) =>
    partitionKey({ name: consumer, partitions: partitions.get(consumer)?.length ?? 0 }, partition),
  );
  const [jobs, depths] = await Promise.all([
    store.jobs(keys),
    store.depths([...partitions.keys()].map((name) => queueOf({ name }))),
  ]);
  return lags.map((lag, at) => {
    const job = jobs[at] ?? null;
    const dead = depths.reduce((sum, one) => sum + (one.queue === queueOf({ name: lag.consumer }) ? one.dead : 0), 0);
    return { ...lag, state: stateOf(job), failing: job === null ? null : failingOf(job), dead };
  });
}

function stateOf(job: JobState | null): Reader["state"] {
  if (job === null) return "gone";
  if (job.state === "parked") return "parked";
  return job.state === "held" ? "working" : "free";
}

/** How far behind every reader of the journal is. */
export async function lagsOf(store: Store, nowMs: number): Promise<readonly Lag[]> {
  // A partition that no longer exists stands behind everything.
  const checkpoints = (await store.checkpoints(null)).filter(({ position }) => position < RETIRED);
  return Promise.all(
    checkpoints.map(async (checkpoint) => {
      const lagEvents = await store.eventsBehind(checkpoint.position, LAG_EVENTS_MAX);
      const next =
        lagEvents === 0 ? undefined : (await store.readJournal({ after: checkpoint.position, limit: 1 })).events[0];
      return { ...checkpoint, lagEvents, lagMs: next === undefined ? 0 : Math.max(0, nowMs - next.timeMs) };
    }),
  );
}
