import { batchSizeFault } from "#queues/sending.ts";
import { unknown } from "#queues/definitions.ts";
import type { Done, VisibilityChange } from "#queues/desk.ts";
import { queueFault } from "#queues/fault.ts";
import type { QueueHouse } from "#queues/house.ts";
import { MESSAGE_LANE, messageKey } from "#queues/payload.ts";
import { ATTRIBUTE_RANGES, isFifo, type Queue, storeQueueOf } from "#queues/queue.ts";
import type { Receipt } from "#queues/receipt.ts";
import { rangeFault } from "#queues/receiving.ts";

const DONE = { kind: "done" } as const;

/** What receivers do with what they have: delete it, or hold it for another time. */
export class Returning {
  readonly #house: QueueHouse;

  constructor(house: QueueHouse) {
    this.#house = house;
  }

  async delete(name: string, receipt: string): Promise<Done> {
    const listed = await this.#house.catalog.find(name);
    return listed === null ? unknown(name) : await this.#delete(listed.queue, receipt);
  }

  async deleteBatch(name: string, receipts: readonly string[]): Promise<Done<{ readonly results: readonly Done[] }>> {
    const listed = await this.#house.catalog.find(name);
    if (listed === null) return unknown(name);
    const fault = batchSizeFault(receipts.length);
    if (fault !== null) return fault;
    const results = await Promise.all(receipts.map((receipt) => this.#delete(listed.queue, receipt)));
    return { kind: "done", results };
  }

  async changeVisibility(name: string, change: VisibilityChange): Promise<Done> {
    const listed = await this.#house.catalog.find(name);
    return listed === null ? unknown(name) : await this.#changeVisibility(listed.queue, change);
  }

  async changeVisibilityBatch(
    name: string,
    changes: readonly VisibilityChange[],
  ): Promise<Done<{ readonly results: readonly Done[] }>> {
    const listed = await this.#house.catalog.find(name);
    if (listed === null) return unknown(name);
    const fault = batchSizeFault(changes.length);
    if (fault !== null) return fault;
    const results = await Promise.all(changes.map((change) => this.#changeVisibility(listed.queue, change)));
    return { kind: "done", results };
  }

  async #delete(queue: Queue, text: string): Promise<Done> {
    const { engine, receipts } = this.#house;
    const receipt = receipts.read(text);
    if (receipt === null) return queueFault({ code: "receipt.invalid", receipt: text });
    // Of a queue that was purged since, or another one: there is nothing here that it could mean.
    if (receipt.generation !== queue.generation) return DONE;
    const key = messageKey(storeQueueOf(queue), receipt.id);
    if (isFifo(queue) && receipt.untilMs <= engine.parts.clock.nowMs()) {
      // Unless the time was made longer since, it is over, though perhaps nobody has taken the message again.
      const [job = null] = await engine.parts.store.jobs([key]);
      if (job === null) return DONE;
      if (job.state !== "held") return queueFault({ code: "receipt.expired", receipt: text });
    }
    const verdict = await engine.submit({ job: { ref: { key, fence: receipt.fence }, end: { kind: "done" } } });
    if (verdict.kind === "overloaded") return queueFault({ code: "overloaded", retryAfterMs: verdict.retryAfterMs });
    if (verdict.kind === "committed") return this.#gone(queue, key);
    return isFifo(queue) ? await this.#lateFifo(key, text) : await this.#late(queue, key);
  }

  /** Whoever holds it no longer deletes it all the same, unless another has it now: that one decides. */
  async #late(queue: Queue, key: string): Promise<Done> {
    const verdict = await this.#house.engine.submit({ take: key });
    if (verdict.kind === "overloaded") return queueFault({ code: "overloaded", retryAfterMs: verdict.retryAfterMs });
    return verdict.kind === "committed" ? this.#gone(queue, key) : DONE;
  }

  async #lateFifo(key: string, receipt: string): Promise<Done> {
    const [job = null] = await this.#house.engine.parts.store.jobs([key]);
    return job === null ? DONE : queueFault({ code: "receipt.expired", receipt });
  }

  #gone(queue: Queue, key: string): Done {
    const { engine, counts, firstReceives, tallies } = this.#house;
    firstReceives.forget(key);
    counts.touch(queue);
    tallies.add(queue.name, "deleted", 1);
    // What stood behind it in its group may go now.
    if (isFifo(queue)) engine.lending.notify(storeQueueOf(queue), MESSAGE_LANE);
    return DONE;
  }

  async #changeVisibility(queue: Queue, { receipt: text, visibilityMs }: VisibilityChange): Promise<Done> {
    const { engine, counts, receipts } = this.#house;
    const fault = rangeFault("visibilityMs", visibilityMs, ATTRIBUTE_RANGES.visibilityMs);
    if (fault !== null) return fault;
    const receipt: Receipt | null = receipts.read(text);
    if (receipt === null) return queueFault({ code: "receipt.invalid", receipt: text });
    const notInFlight = queueFault({ code: "receipt.not_in_flight", receipt: text });
    if (receipt.generation !== queue.generation) return notInFlight;
    const at = { queue: storeQueueOf(queue), lane: MESSAGE_LANE } as const;
    const key = messageKey(at.queue, receipt.id);
    const lost = await engine.lending.extend([{ key, fence: receipt.fence }], visibilityMs, at);
    counts.touch(queue);
    if (lost.length === 0) return DONE;
    const [job = null] = await engine.parts.store.jobs([key]);
    return job === null || isFifo(queue) ? notInFlight : DONE;
  }
}
