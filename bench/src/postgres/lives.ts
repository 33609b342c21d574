import type { MessageId, RequestId } from "../../../server/src/domain/ids.ts";
import type { Job } from "../../../server/src/domain/job.ts";
import type { EnqueuedJob, Unit } from "../../../server/src/ports/store.ts";

/*
 * What the engine commits for a message, as units for the store: its birth with the request, the job and an event, and
 * its end with three more. Ids sort by their second and are random within it, as real ones are.
 */

export const QUEUE = "message";
const HELD_MS = 30_000;
const BODY = JSON.stringify({ message: { to: { user_id: "ada" }, template: "welcome", data: { name: "Ada" } } });

export type Life = { readonly id: string; readonly accept: Unit; readonly result: Unit };

/** @param dueMs null: born in our hands, for `heldForMs`. */
export function lifeOf(
  id: string,
  recipient: string,
  nowMs: number,
  dueMs: number | null = null,
  heldForMs: number = HELD_MS,
): Life {
  // Ids are made here and nowhere read as such.
  const [requestId, messageId] = [id as RequestId, id as string as MessageId];
  const event = (type: string) => ({
    ...{ type, subject: id, timeMs: nowMs, traceparent: null },
    data: JSON.stringify({ recipient, channel: "email", provider: "smtp" }),
  });
  return {
    id,
    accept: {
      requests: [
        { id: requestId, body: BODY, acceptedMs: nowMs, lane: "transactional", traceparent: null, archivedMs: null },
      ],
      messages: [
        {
          message: {
            ...{ id: messageId, requestId, toIndex: 0, recipient, userId: recipient, listId: null, event: "welcome" },
            ...{ notification: "welcome", traceId: null, tags: [], status: "ENQUEUED", enqueuedMs: nowMs },
          },
          job: { ...jobOf(id, dueMs ?? nowMs), heldForMs: dueMs === null ? heldForMs : null },
          events: [event("message.accepted")],
        },
      ],
    },
    result: {
      job: { ref: { key: id, fence: 1 }, end: { kind: "done" } },
      patches: [{ id: messageId, status: "SENT", channel: "email", provider: "smtp", sentMs: nowMs }],
      events: [event("message.routed"), event("message.rendered"), event("message.sent")],
    },
  };
}

/** A job without a message. */
export function jobOf(key: string, dueMs: number): EnqueuedJob {
  const payload = '{"step":"route"}';
  return { key, queue: QUEUE, lane: "transactional", turn: dueMs, dueMs, payload, traceparent: null, heldForMs: null };
}

export function doneOf({ key, fence }: Job): Unit {
  return { job: { ref: { key, fence }, end: { kind: "done" } } };
}

/** @param digits random, 24 of them in hex. */
export function idOf(atMs: number, digits: string): string {
  return `1-${Math.floor(atMs / 1000).toString(16)}-${digits}`;
}
