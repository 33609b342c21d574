import type { Counter, Meter } from "#ports/meter.ts";

/** What happened to messages of a queue. */
export type Happening = "sent" | "received" | "deleted" | "dead_lettered" | "expired" | "moved";

/** Counts messages by queue and what happened to them. */
export class Tallies {
  readonly #meter: Meter;
  readonly #counters = new Map<string, Counter>();

  constructor(meter: Meter) {
    this.#meter = meter;
  }

  add(queue: string, happened: Happening, messages: number): void {
    if (messages === 0) return;
    const key = `${happened} ${queue}`;
    let counter = this.#counters.get(key);
    if (counter === undefined) {
      counter = this.#meter.counter("tidings_queue_messages_total", "Messages of queues by what happened to them.", {
        queue: `queue:${queue}`,
        happened,
      });
      this.#counters.set(key, counter);
    }
    counter.add(messages);
  }
}
