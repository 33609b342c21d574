import type { Job } from "#domain/job.ts";
import { happened, NO_ORIGIN } from "#engine/change.ts";
import type { DraftEffects } from "#engine/draft.ts";
import type { QueueHouse } from "#queues/house.ts";
import { messageIdOf, messageJob, type Payload } from "#queues/payload.ts";
import { isFifo, type Queue } from "#queues/queue.ts";

/** A message that was received too often; `target`: the name of the queue that gets it. */
export type DeadMessage = {
  readonly queue: Queue;
  readonly target: string;
  readonly job: Job;
  readonly payload: Payload;
  /** How often it was received, here and before. */
  readonly receives: number;
};

/**
 * What to commit together with the end of a message's job, so that it lies in the dead-letter queue of its queue. Null: that
 * queue is not there.
 */
export async function deadLetter(
  { engine, catalog, counts, firstReceives, sequence }: QueueHouse,
  { queue, target, job, payload, receives }: DeadMessage,
): Promise<DraftEffects | null> {
  const listed = await catalog.find(target);
  if (listed === null) return null;
  const { key, traceparent } = job;
  const nowMs = engine.parts.clock.nowMs();
  const id = messageIdOf(job);
  const moved: Payload = {
    ...payload,
    received: receives,
    firstReceiveMs: payload.firstReceiveMs ?? firstReceives.of(key, false, nowMs),
    source: queue.name,
    ...(isFifo(queue) ? { dedup: id } : {}),
  };
  firstReceives.forget(key);
  counts.touch(listed.queue);
  const letter = { id, payload: moved, turn: sequence.next(nowMs), dueMs: 0 };
  const origin = { ...NO_ORIGIN, traceparent };
  const data = { message: id, deadLetterQueue: target, receives };
  return {
    jobs: [{ job: messageJob(listed.queue, letter, traceparent), hand: null }],
    events: [happened("queue.message.dead_lettered", `queue:${queue.name}`, data, { nowMs, origin })],
  };
}
