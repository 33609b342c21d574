import { remembered } from "#engine/remembered.ts";
import type { Clock } from "#ports/clock.ts";
import { type GaugeSample, type Meter, NAMES_MAX, OTHERS } from "#ports/meter.ts";
import { LAG_EVENTS_MAX, type Lag, lagsOf } from "#observers/metrics/lag.ts";
import type { JournalBounds, QueueDepth, Store } from "#ports/store.ts";

type Look = {
  readonly depths: readonly QueueDepth[];
  readonly lags: readonly Lag[];
  readonly journal: JournalBounds;
};

/** Shows how deep the queues, how old their oldest job, how far behind the readers of the journal and how large it is. */
export function gaugeStore(meter: Meter, store: Store, clock: Clock): void {
  const look = remembered(clock, () => lookAt(store, clock.nowMs()));
  const gauge = (name: string, help: string, read: (look: Look) => readonly GaugeSample[]): void => {
    meter.gauge(name, help, async () => read(await look()));
  };
  gauge("tidings_queue_jobs", "Jobs by queue, lane and state.", ({ depths }) =>
    depths.flatMap(({ queue, lane, waiting, ready, held, parked, dead }) =>
      Object.entries({ waiting, ready, held, parked, dead }).map(([state, value]) => ({
        labels: { queue, lane, state },
        value,
      })),
    ),
  );
  gauge("tidings_queue_oldest_ready_seconds", "Age of the oldest job that is ready.", ({ depths }) =>
    depths.map(({ queue, lane, oldestReadyMs }) => ({
      labels: { queue, lane },
      value: oldestReadyMs === null ? 0 : Math.max(0, clock.nowMs() - oldestReadyMs) / 1000,
    })),
  );
  gauge(
    "tidings_consumer_lag_events",
    `Events that a reader of the journal has not seen yet, counted up to ${LAG_EVENTS_MAX}.`,
    ({ lags }) =>
      lags.map(({ consumer, partition, lagEvents }) => ({
        labels: { consumer, partition: String(partition) },
        value: lagEvents,
      })),
  );
  gauge(
    "tidings_consumer_lag_seconds",
    "Age of the oldest event that it has not seen (the iterator age).",
    ({ lags }) =>
      lags.map(({ consumer, partition, lagMs }) => ({
        labels: { consumer, partition: String(partition) },
        value: lagMs / 1000,
      })),
  );
  gauge("tidings_journal_bytes", "About how much room the journal takes.", ({ journal }) => [
    { labels: {}, value: journal.bytes },
  ]);
  gauge("tidings_journal_position", "Positions of the oldest event that is kept and of the newest.", ({ journal }) => [
    { labels: { end: "first" }, value: journal.first },
    { labels: { end: "last" }, value: journal.last },
  ]);
}

async function lookAt(store: Store, nowMs: number): Promise<Look> {
  const [depths, journal, lags] = await Promise.all([store.depths(), store.journalBounds(), lagsOf(store, nowMs)]);
  return { depths: withoutRest(withoutGenerations(depths)), lags, journal };
}

/** A queue that was purged or made anew is the same series: `queue:orders/4f2a` is shown as `queue:orders`. */
function withoutGenerations(depths: readonly QueueDepth[]): readonly QueueDepth[] {
  const sums = new Map<string, QueueDepth>();
  for (const depth of depths) {
    const queue = depth.queue.replace(/^(queue:[^/]+)\/.*/, "$1");
    const key = `${depth.lane} ${queue}`;
    const sum = sums.get(key);
    sums.set(key, sum === undefined ? { ...depth, queue } : added(sum, depth));
  }
  return [...sums.values()];
}

/** Of very many queues those that come first by name are shown by themselves, and the others together. */
function withoutRest(depths: readonly QueueDepth[]): readonly QueueDepth[] {
  const named = depths.filter(({ queue }) => queue.startsWith(NAMED));
  if (named.length <= NAMES_MAX) return depths;
  const ordered = named.toSorted((one, other) => (one.queue < other.queue ? -1 : 1));
  const rest = ordered.slice(NAMES_MAX).reduce((sum, depth) => (sum === null ? depth : added(sum, depth)), NOTHING);
  const own = depths.filter(({ queue }) => !queue.startsWith(NAMED));
  return [...own, ...ordered.slice(0, NAMES_MAX), ...(rest === null ? [] : [{ ...rest, queue: NAMED + OTHERS }])];
}

/** What users make and name, beside the few queues of the stages. */
const NAMED = "queue:";
const NOTHING: QueueDepth | null = null;

function added(sum: QueueDepth, depth: QueueDepth): QueueDepth {
  const oldest = [sum.oldestReadyMs, depth.oldestReadyMs].filter((ms) => ms !== null);
  return {
    ...sum,
    waiting: sum.waiting + depth.waiting,
    ready: sum.ready + depth.ready,
    held: sum.held + depth.held,
    parked: sum.parked + depth.parked,
    dead: sum.dead + depth.dead,
    oldestReadyMs: oldest.length === 0 ? null : Math.min(...oldest),
  };
}
