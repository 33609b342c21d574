import { CountersByName, type Meter } from "#ports/meter.ts";

const HAPPENINGS = ["sent", "received", "deleted", "dead_lettered", "expired", "moved"] as const;

/** What happened to messages of a queue. */
export type Happening = (typeof HAPPENINGS)[number];

/** Counts messages by queue and what happened to them, for as many queues as have series of their own. */
export class Tallies {
  readonly #counters: CountersByName<Happening>;

  constructor(meter: Meter) {
    this.#counters = new CountersByName((queue, happened) =>
      meter.counter("tidings_queue_messages_total", "Messages of queues by what happened to them.", {
        queue: `queue:${queue}`,
        happened,
      }),
    );
  }

  add(queue: string, happened: Happening, messages: number): void {
    if (messages > 0) this.#counters.add(queue, happened, messages);
  }

  /** Since this process started. */
  of(queue: string): Readonly<Record<Happening, number>> {
    const sums = HAPPENINGS.map((happened) => [happened, this.#counters.sum(queue, happened)] as const);
    // One entry for each happening.
    return Object.fromEntries(sums) as Record<Happening, number>;
  }
}
