import { OWN_SOURCE } from "#domain/event.ts";
import type { Document, DocumentPut } from "#domain/document.ts";
import type { Lane, NewJob } from "#domain/job.ts";
import type { Secrets } from "#ports/secrets.ts";
import { cutOne } from "#rules/json-cut.ts";
import { TRIES_KEPT_MAX } from "#webhooks/limits.ts";

/** The queue of deliveries; their payload is a `Delivery`. */
export const WEBHOOK_QUEUE = "webhook";
/** The log: id = `logId`, body = `LoggedDelivery`. Written together with the end of each try. */
export const DELIVERIES = "webhook_deliveries";
/** What was posted, by the same ids: beside the log, so that lists need not read it. */
export const PAYLOADS = "webhook_payloads";

/** One event on its way to one endpoint. */
export type Delivery = {
  /** The endpoint's id. */
  readonly webhook: string;
  /** Its name in the log, which sorts by the time of its beginning. */
  readonly id: string;
  /** `webhook-id`: the same for the same event, however often it is tried and replayed. */
  readonly messageId: string;
  readonly event: DeliveredEvent;
  readonly lane: Lane;
  /** When it began, or was begun anew. */
  readonly bornMs: number;
  /** Tries since then. */
  readonly tried: number;
  /** All tries that are kept, oldest first. */
  readonly tries: readonly Try[];
};

export type DeliveredEvent = {
  readonly source: string;
  readonly type: string;
  readonly subject: string | null;
  readonly timeMs: number;
  /** JSON text: what is in `data`. */
  readonly data: string;
  readonly traceparent: string | null;
};

export type Try = {
  readonly atMs: number;
  /** Null: no answer came. */
  readonly status: number | null;
  readonly tookMs: number;
  /** The beginning of the answer, or why there was none. */
  readonly says: string;
};

/** What the log keeps. */
export type LoggedDelivery = Omit<Delivery, "event" | "lane" | "tried"> & {
  readonly type: string;
  readonly state: "delivered" | "waiting" | "dead";
  /** When it is tried again; null unless it waits. */
  readonly nextMs: number | null;
  /** Why it was given up; null unless it was. */
  readonly error: string | null;
};

/** Whether an event tells of webhooks: such an event never goes to one, or each call would cause the next. */
export function isOfWebhooks({ source, type }: Pick<DeliveredEvent, "source" | "type">): boolean {
  return source === OWN_SOURCE && type.startsWith("webhook.");
}

/** @param identity what makes two deliveries to one endpoint the same message: the event, and what was made of it. */
export function messageIdOf(webhook: string, identity: readonly string[], secrets: Secrets): string {
  return `msg_${secrets.digest(JSON.stringify([webhook, ...identity]))}`;
}

/** @param nowMs in nine digits of base 36, which last until the year 5188. */
export function deliveryId(messageId: string, nowMs: number): string {
  const time = Math.floor(nowMs).toString(36).padStart(9, "0");
  return `${time}-${messageId.slice("msg_".length, "msg_".length + 16)}`;
}

export function newDelivery(wish: Pick<Delivery, "webhook" | "messageId" | "event" | "lane">, nowMs: number): Delivery {
  return { ...wish, id: deliveryId(wish.messageId, nowMs), bornMs: nowMs, tried: 0, tries: [] };
}

/** One living job for a message and an endpoint, whoever asks for it: two rules that give it the same event give it once. */
export function jobKeyOf({ webhook, messageId }: Pick<Delivery, "webhook" | "messageId">): string {
  return `${WEBHOOK_QUEUE}:${webhook}/${messageId}`;
}

export function deliveryJob(delivery: Delivery, turn: number): NewJob {
  return {
    key: jobKeyOf(delivery),
    queue: WEBHOOK_QUEUE,
    lane: delivery.lane,
    turn,
    dueMs: 0,
    payload: JSON.stringify(delivery),
    traceparent: delivery.event.traceparent,
  };
}

/** Who competes with whom for hands: endpoints. */
export function shareOf(webhook: string): string {
  return `webhook:${webhook}`;
}

export function readDelivery(payload: string): Delivery {
  // Only `deliveryJob` and the stage write payloads of this queue.
  return JSON.parse(payload) as Delivery;
}

/** The log's documents of an endpoint begin so. */
export function logPrefix(webhook: string): string {
  return `${webhook}/`;
}

export function logId({ webhook, id }: Pick<Delivery, "webhook" | "id">): string {
  return logPrefix(webhook) + id;
}

export function withTry(delivery: Delivery, one: Try): Delivery {
  return { ...delivery, tried: delivery.tried + 1, tries: [...delivery.tries, one].slice(-TRIES_KEPT_MAX) };
}

/** What the log says of it now. */
export function logPut(
  delivery: Delivery,
  now: Pick<LoggedDelivery, "state" | "nextMs" | "error">,
  nowMs: number,
): DocumentPut {
  const { webhook, id, messageId, bornMs, tries, event } = delivery;
  const logged: LoggedDelivery = { webhook, id, messageId, type: event.type, bornMs, tries, ...now };
  return { collection: DELIVERIES, id: logId(delivery), body: JSON.stringify(logged), when: "always", nowMs };
}

/** What was posted, and the event that it was made of; `body` null: it was never called. */
export type Payload = { readonly event: DeliveredEvent; readonly body: string | null };

/** Kept once, as it was at the first try. The data is in the body mostly, and then not beside it once more. */
export function payloadPut(delivery: Delivery, body: string | null, nowMs: number): DocumentPut {
  const { data, ...event } = delivery.event;
  const isInside = body !== null && cutOne(body, ["data"]) === data;
  const kept: KeptPayload = { event, data: isInside ? null : data, body };
  return { collection: PAYLOADS, id: logId(delivery), body: JSON.stringify(kept), when: "absent", nowMs };
}

export function readPayload(document: Document): Payload {
  // Only the stage writes there.
  const { event, data, body } = JSON.parse(document.body) as KeptPayload;
  return { event: { ...event, data: data ?? cutOne(body ?? "", ["data"]) ?? "null" }, body };
}

type KeptPayload = {
  readonly event: Omit<DeliveredEvent, "data">;
  readonly data: string | null;
  readonly body: string | null;
};

export function readLogged(document: Document): LoggedDelivery {
  // Only the stage writes there.
  return JSON.parse(document.body) as LoggedDelivery;
}
