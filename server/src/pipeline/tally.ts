import type { Counter, Meter } from "#ports/meter.ts";

/** Counts what became of messages, by where they went; counters are made when a combination is first met. */
export class Tally {
  readonly #meter: Meter;
  readonly #counters = new Map<string, Counter>();

  constructor(meter: Meter) {
    this.#meter = meter;
  }

  accepted(lane: string): void {
    this.#count("tidings_accepts_total", "Sends that were accepted and are durable.", { lane });
  }

  /** One try at a provider: sent, retry, refused, policy, unknown. */
  tried(channel: string, provider: string, outcome: string): void {
    this.#count("tidings_tries_total", "Tries at providers, by outcome.", { channel, provider, outcome });
  }

  /** The one outcome of a message. */
  settled(channel: string, provider: string, status: string): void {
    this.#count("tidings_outcomes_total", "Messages that have come to their outcome.", { channel, provider, status });
  }

  /** A message that is past its deadline, by what was done with it. */
  late(then: "drop" | "send" | "collapse"): void {
    this.#count("tidings_late_total", "Messages past their deadline, by what was done with them.", { then });
  }

  #count(name: string, help: string, labels: Readonly<Record<string, string>>): void {
    const key = `${name} ${Object.values(labels).join(" ")}`;
    let counter = this.#counters.get(key);
    if (counter === undefined) {
      counter = this.#meter.counter(name, help, labels);
      this.#counters.set(key, counter);
    }
    counter.add(1);
  }
}
