import type { Counts } from "#queues/counts.ts";
import { IN_FLIGHT_MAX, isFifo, type Queue } from "#queues/queue.ts";

/** Queues that are remembered. */
const KNOWN_MAX = 10_000;

/**
 * Whether a queue has too many messages in flight. What was received since the last count is added to it, so that it is
 * counted only when the limit may have been reached: not at every receive.
 */
export class InFlight {
  readonly #counts: Counts;
  /** No more than so many, by generation. */
  readonly #most = new Map<string, number>();

  constructor(counts: Counts) {
    this.#counts = counts;
  }

  /** The limit, when it is reached; null when there is room. */
  async full(queue: Queue): Promise<number | null> {
    const max = isFifo(queue) ? IN_FLIGHT_MAX.fifo : IN_FLIGHT_MAX.standard;
    const most = this.#most.get(queue.generation);
    // A process that begins knows nothing of what the last one gave out.
    if (most !== undefined && most < max) return null;
    const { inFlight } = await this.#counts.of(queue);
    this.#most.set(queue.generation, inFlight);
    return inFlight >= max ? max : null;
  }

  received(queue: Queue, messages: number): void {
    // Nothing is lost by it: who is not known is counted.
    if (this.#most.size >= KNOWN_MAX) this.#most.clear();
    this.#most.set(queue.generation, (this.#most.get(queue.generation) ?? 0) + messages);
  }
}
