import type { Position, RecordedEvent } from "#domain/event.ts";
import type { Counter, Meter } from "#ports/meter.ts";

/** What a reader of the journal has done since this process started. */
export type Tally = {
  /** Events whose effects are committed. */
  readonly handled: Counter;
  /** Events that became dead letters. */
  readonly buried: Counter;
  /** Batches that threw, each try counted. */
  readonly failures: Counter;
};

export function tallyOf(meter: Meter, consumer: string): Tally {
  const events = (outcome: string): Counter =>
    meter.counter("tidings_consumer_events_total", "Events that a reader of the journal is done with, by outcome.", {
      consumer,
      outcome,
    });
  const failures = "Batches of events that a reader of the journal failed at, each try counted.";
  return {
    handled: events("handled"),
    buried: events("dead"),
    failures: meter.counter("tidings_consumer_failures_total", failures, { consumer }),
  };
}

/** How many of these events, oldest first, are at or before a position. */
export function countUpTo(events: readonly RecordedEvent[], upTo: Position): number {
  return events.findLastIndex(({ position }) => position <= upTo) + 1;
}
