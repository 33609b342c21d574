import type { DocumentPut } from "#domain/document.ts";
import { type Queue, storeQueueOf } from "#queues/queue.ts";

/**
 * Collection of store queues whose messages can be received no more, because their queue was purged or deleted: id = name
 * of the store queue. Upkeep empties them.
 */
export const GRAVES = "queue_graves";

export function graveOf(queue: Queue, nowMs: number): DocumentPut {
  return { collection: GRAVES, id: storeQueueOf(queue), body: "{}", when: "absent", nowMs };
}
