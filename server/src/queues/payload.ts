import type { Job, NewJob } from "#domain/job.ts";
import type { MessageAttributes } from "#queues/message.ts";
import { type Queue, storeQueueOf } from "#queues/queue.ts";

/** A message as its job carries it, as JSON text; what is absent is the usual. */
export type Payload = {
  readonly body: string;
  readonly attributes?: MessageAttributes;
  readonly sentMs: number;
  readonly sender: string;
  readonly group?: string;
  readonly dedup?: string;
  readonly trace?: string;
  /** How often it was received in the queues where it was before this one; absent: 0. */
  readonly received?: number;
  readonly firstReceiveMs?: number;
  /** The queue whose dead letter it is. */
  readonly source?: string;
};

/** The lane of all messages: they are others' work, which we do not rank. */
export const MESSAGE_LANE = "transactional";

/** A message as a job of its queue. `id`: a UUID, which stays in a dead-letter queue. */
export function messageJob(
  queue: Queue,
  message: { readonly id: string; readonly payload: Payload; readonly turn: number; readonly dueMs: number },
  traceparent: string | null,
): NewJob {
  const { id, payload, turn, dueMs } = message;
  const storeQueue = storeQueueOf(queue);
  return {
    key: messageKey(storeQueue, id),
    queue: storeQueue,
    lane: MESSAGE_LANE,
    turn,
    dueMs,
    payload: JSON.stringify(payload),
    traceparent,
    // On a standard queue it is the sender's own note, not an order.
    group: queue.attributes.fifo === null ? null : (payload.group ?? null),
  };
}

export function payloadOf({ payload }: Pick<Job, "payload">): Payload {
  // Written by `messageJob` alone.
  return JSON.parse(payload) as Payload;
}

export function messageKey(storeQueue: string, id: string): string {
  return `${storeQueue}:${id}`;
}

/** The id in a job's key. */
export function messageIdOf({ key, queue }: Pick<Job, "key" | "queue">): string {
  return key.slice(queue.length + 1);
}
