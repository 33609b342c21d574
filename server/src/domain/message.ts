import type { MessageId, RequestId } from "#domain/ids.ts";

/** Courier's statuses. Our pipeline gives those that its stages can reach; the rest belong to later rooms. */
export const MESSAGE_STATUSES = [
  "ENQUEUED",
  "DELAYED",
  "ROUTED",
  "SENT",
  "DELIVERED",
  "OPENED",
  "CLICKED",
  "CANCELED",
  "FILTERED",
  "THROTTLED",
  "DIGESTED",
  "SIMULATED",
  "UNDELIVERABLE",
  "UNMAPPED",
  "UNROUTABLE",
] as const;
export type MessageStatus = (typeof MESSAGE_STATUSES)[number];

export type MessageReason =
  | "UNSUBSCRIBED"
  | "OPT_IN_REQUIRED"
  | "FILTERED"
  | "NO_CHANNELS"
  | "NO_PROVIDERS"
  | "PROVIDER_ERROR"
  | "UNPUBLISHED"
  | "BOUNCED"
  | "FAILED";

/** How far along a status is: it only moves forward, and what came late never lowers it. */
const RANK: Readonly<Record<MessageStatus, number>> = {
  ENQUEUED: 0,
  DELAYED: 1,
  ROUTED: 2,
  SENT: 10,
  DELIVERED: 11,
  OPENED: 12,
  CLICKED: 13,
  CANCELED: 20,
  FILTERED: 20,
  THROTTLED: 20,
  DIGESTED: 20,
  SIMULATED: 20,
  UNDELIVERABLE: 20,
  UNMAPPED: 20,
  UNROUTABLE: 20,
};

/** True when nothing more will be tried: the message has its one outcome (later news may still refine it). */
export function isSettled(status: MessageStatus): boolean {
  return RANK[status] >= 10;
}

/** Outcomes that a revived job may still turn into a better one. */
const FAILURES: readonly MessageStatus[] = ["UNDELIVERABLE", "UNMAPPED", "UNROUTABLE"];

/** True if a message whose status is `from` may be given `to`: further along, the same, or the end of a failed one. */
export function supersedes(to: MessageStatus, from: MessageStatus): boolean {
  const redriven = to === "ENQUEUED" || isSettled(to);
  return to === from || RANK[to] > RANK[from] || (FAILURES.includes(from) && redriven);
}

/** A message as it begins. */
export type NewMessage = {
  readonly id: MessageId;
  readonly requestId: RequestId;
  /** Which entry of the request's `to` it comes from. */
  readonly toIndex: number;
  /** User id, or the address of someone who has none. */
  readonly recipient: string;
  readonly userId: string | null;
  readonly listId: string | null;
  readonly event: string;
  readonly notification: string;
  readonly traceId: string | null;
  readonly tags: readonly string[];
  readonly status: MessageStatus;
  readonly enqueuedMs: number;
};

/** What is known of a message now: a cache of what the journal says of it. */
export type MessageRecord = NewMessage & {
  readonly reason: MessageReason | null;
  readonly error: string | null;
  readonly channel: string | null;
  readonly provider: string | null;
  readonly sentMs: number | null;
  readonly deliveredMs: number | null;
  readonly openedMs: number | null;
  readonly clickedMs: number | null;
  readonly canceledMs: number | null;
  readonly archivedMs: number | null;
};

/** A change to a message; what is absent stays. */
export type MessagePatch = {
  readonly id: MessageId;
  readonly status?: MessageStatus;
  readonly reason?: MessageReason | null;
  readonly error?: string | null;
  readonly channel?: string;
  readonly provider?: string;
  readonly sentMs?: number;
  readonly deliveredMs?: number;
  readonly openedMs?: number;
  readonly clickedMs?: number;
  readonly canceledMs?: number;
};
