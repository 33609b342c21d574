import type { Job } from "#domain/job.ts";
import { isWholeWithin } from "#queues/attributes.ts";
import { deadLetter } from "#queues/dead-letter.ts";
import { unknown } from "#queues/definitions.ts";
import type { Done, ReceiveAsk } from "#queues/desk.ts";
import { type QueueFault, queueFault, type RangedValue } from "#queues/fault.ts";
import type { QueueHouse } from "#queues/house.ts";
import { InFlight } from "#queues/in-flight.ts";
import { BATCH_MAX, type ReceivedMessage } from "#queues/message.ts";
import { MESSAGE_LANE, messageIdOf, type Payload, payloadOf } from "#queues/payload.ts";
import { ATTRIBUTE_RANGES, isFifo, type Queue, storeQueueOf } from "#queues/queue.ts";
import type { Conditions } from "#ports/store.ts";

/** How often one receive takes again what it had to sort out; each time is a commit. */
const REFILLS_MAX = 100;
/** What is expired is trimmed in such steps when a receive meets some. */
const EXPIRED_STEP = 1_000;

/** Gives messages to receivers; drops the expired, and moves those that were received too often. */
export class Receiving {
  readonly #house: QueueHouse;
  readonly #inFlight: InFlight;

  constructor(house: QueueHouse) {
    this.#house = house;
    this.#inFlight = new InFlight(house.counts);
  }

  async receive(name: string, ask: ReceiveAsk): Promise<Done<{ readonly messages: readonly ReceivedMessage[] }>> {
    const { catalog, counts, tallies } = this.#house;
    const fault = askFault(ask);
    if (fault !== null) return fault;
    const listed = await catalog.find(name);
    if (listed === null) return unknown(name);
    const { queue } = listed;
    const full = await this.#inFlight.full(queue);
    if (full !== null) return queueFault({ code: "in_flight.full", queue: name, max: full });
    const messages = await this.#take(queue, ask);
    if (messages.length > 0) {
      counts.touch(queue);
      this.#inFlight.received(queue, messages.length);
      tallies.add(name, "received", messages.length);
    }
    return { kind: "done", messages };
  }

  async #take(queue: Queue, ask: ReceiveAsk): Promise<readonly ReceivedMessage[]> {
    const { clock } = this.#house.engine.parts;
    const lendMs = ask.visibilityMs ?? queue.attributes.visibilityMs;
    const untilMs = clock.monotonicMs() + (ask.waitMs ?? queue.attributes.waitMs);
    const good: Job[] = [];
    let isOver = false;
    for (let tries = 0; good.length < ask.max && !isOver && tries <= REFILLS_MAX; tries += 1) {
      const taken = await this.#house.engine.lending.take({
        queue: storeQueueOf(queue),
        lane: MESSAGE_LANE,
        max: ask.max - good.length,
        lendMs,
        // Who has something does not wait for more.
        waitMs: good.length > 0 ? 0 : Math.max(0, untilMs - clock.monotonicMs()),
        signal: ask.signal,
        isGrouped: isFifo(queue),
      });
      const kept = await this.#sortOut(queue, taken, lendMs);
      good.push(...kept);
      // What is not hidden would be taken again.
      isOver = kept.length === taken.length || (lendMs === 0 && good.length > 0);
    }
    // He has gone while we were sorting.
    if (ask.signal.aborted) {
      await this.#house.engine.lending.giveBack(good);
      return [];
    }
    return good.map((job) => this.#toMessage(queue, job, lendMs));
  }

  /** Ends those that are not to be received any more; the others are returned. */
  async #sortOut(queue: Queue, jobs: readonly Job[], lendMs: number): Promise<readonly Job[]> {
    const { store, clock } = this.#house.engine.parts;
    const oldestMs = clock.nowMs() - queue.attributes.retentionMs;
    const { redrive } = queue.attributes;
    const good: Job[] = [];
    const ends: Promise<boolean>[] = [];
    let isExpired = false;
    for (const job of jobs) {
      const payload = payloadOf(job);
      if (payload.sentMs < oldestMs) {
        isExpired = true;
        ends.push(this.#end(queue, job, lendMs));
      } else if (redrive !== null && job.attempt > redrive.receiveMax) {
        ends.push(this.#bury({ queue, target: redrive.deadLetterQueue, job, payload, lendMs }, good));
      } else good.push(job);
    }
    if (ends.length === 0) return good;
    await Promise.all(ends);
    // Behind one that is expired there may be many.
    if (isExpired) {
      await store.trimJobs({ queue: storeQueueOf(queue), olderThanMs: oldestMs, limit: EXPIRED_STEP });
    }
    this.#house.counts.touch(queue);
    // What stood behind them in their groups may go now.
    this.#house.engine.lending.notify(storeQueueOf(queue), MESSAGE_LANE);
    return good.toSorted((one, other) => jobs.indexOf(one) - jobs.indexOf(other));
  }

  async #end({ name }: Queue, job: Job, lendMs: number): Promise<boolean> {
    const verdict = await this.#house.engine.commit(endOf(job, lendMs));
    this.#house.firstReceives.forget(job.key);
    this.#house.tallies.add(name, "expired", 1);
    return verdict.kind === "committed";
  }

  /** Moves a message to the dead letters, in one commit. Where that queue is gone, it stays and may be received. */
  async #bury({ queue, target, job, payload, lendMs }: Burial, good: Job[]): Promise<boolean> {
    const { engine, tallies } = this.#house;
    // Its own claim, by which it was found out, was no receive.
    const receives = (payload.received ?? 0) + job.attempt - 1;
    const effects = await deadLetter(this.#house, { queue, target, job, payload, receives });
    if (effects === null) {
      good.push(job);
      return false;
    }
    const verdict = await engine.commit({ ...endOf(job, lendMs), ...effects });
    if (verdict.kind === "committed") tallies.add(queue.name, "dead_lettered", 1);
    return verdict.kind === "committed";
  }

  #toMessage(queue: Queue, job: Job, lendMs: number): ReceivedMessage {
    const { engine, firstReceives, receipts } = this.#house;
    const nowMs = engine.parts.clock.nowMs();
    const { generation } = queue;
    const payload = payloadOf(job);
    const id = messageIdOf(job);
    const receiveCount = (payload.received ?? 0) + job.attempt;
    return {
      id,
      receipt: receipts.write({ generation, id, fence: job.fence, untilMs: nowMs + lendMs }),
      body: payload.body,
      attributes: payload.attributes ?? {},
      sentMs: payload.sentMs,
      firstReceiveMs: payload.firstReceiveMs ?? firstReceives.of(job.key, receiveCount === 1, nowMs),
      receiveCount,
      sender: payload.sender,
      groupId: payload.group ?? null,
      dedupId: payload.dedup ?? null,
      sequence: isFifo(queue) ? String(job.turn) : null,
      traceHeader: payload.trace ?? null,
      traceparent: job.traceparent,
      deadLetterSource: payload.source ?? null,
    };
  }
}

/** A message that is to go to the dead letters of its queue, as it was taken. */
type Burial = {
  readonly queue: Queue;
  readonly target: string;
  readonly job: Job;
  readonly payload: Payload;
  readonly lendMs: number;
};

/** Removes what was taken. What is not hidden by that is nobody's, and has to be there still. */
function endOf({ key, fence }: Job, lendMs: number): Conditions {
  return lendMs === 0 ? { take: key } : { job: { ref: { key, fence }, end: { kind: "done" } } };
}

function askFault({ max, visibilityMs, waitMs }: ReceiveAsk): QueueFault | null {
  return (
    rangeFault("max", max, { min: 1, max: BATCH_MAX }) ??
    (visibilityMs === null ? null : rangeFault("visibilityMs", visibilityMs, ATTRIBUTE_RANGES.visibilityMs)) ??
    (waitMs === null ? null : rangeFault("waitMs", waitMs, ATTRIBUTE_RANGES.waitMs))
  );
}

export function rangeFault(
  name: RangedValue,
  value: number,
  { min, max }: { readonly min: number; readonly max: number },
): QueueFault | null {
  return isWholeWithin(value, min, max) ? null : queueFault({ code: "value.range", name, value, min, max });
}
