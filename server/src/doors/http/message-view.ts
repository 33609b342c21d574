import type { HistoryType, MessageDetails, MessageProvider } from "@tidings/contract";
import type { RecordedEvent } from "#domain/event.ts";
import { type MessageId, requestOf } from "#domain/ids.ts";
import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";
import type { MessageRecord } from "#domain/message.ts";
import type { Store } from "#ports/store.ts";

/** A message as Courier shows it (§2.3): strings are never null, times that have not come are left out. */
export function toDetails(record: MessageRecord): MessageDetails {
  return {
    id: record.id,
    status: record.status,
    enqueued: record.enqueuedMs,
    event: record.event,
    notification: record.notification,
    recipient: record.recipient,
    requestId: record.requestId,
    ...(record.sentMs === null ? {} : { sent: record.sentMs }),
    ...(record.deliveredMs === null ? {} : { delivered: record.deliveredMs }),
    ...(record.openedMs === null ? {} : { opened: record.openedMs }),
    ...(record.clickedMs === null ? {} : { clicked: record.clickedMs }),
    ...(record.canceledMs === null ? {} : { canceledAt: record.canceledMs }),
    ...(record.archivedMs === null ? {} : { archived: record.archivedMs }),
    ...(record.reason === null ? {} : { reason: record.reason }),
    ...(record.error === null ? {} : { error: record.error }),
    ...(record.listId === null ? {} : { listId: record.listId, listMessageId: requestOf(record.id) }),
    ...(record.tags.length === 0 ? {} : { tags: [...record.tags] }),
  };
}

/** Events of one message that are looked at: its whole life, unless a provider was tried for days. */
export const HISTORY_EVENTS_MAX = 1_000;

/** Shows a message as `GET /messages/{id}` does, with all that tried to carry it; null when there is none. */
export function messageShower(
  store: Pick<Store, "messages" | "eventsOf">,
): (id: MessageId) => Promise<JsonObject | null> {
  return async (id) => {
    const [record = null] = await store.messages([id]);
    if (record === null) return null;
    const providers = toProviders(record, await store.eventsOf(id, HISTORY_EVENTS_MAX));
    // Both are JSON: numbers, texts and what the journal held.
    return { ...toDetails(record), providers } as JsonObject;
  };
}

/** Every provider that was tried, in the order of the first try (§4.3). */
export function toProviders(record: MessageRecord, events: readonly RecordedEvent[]): readonly MessageProvider[] {
  const tried = new Map<string, Mutable<MessageProvider>>();
  const at = (channel: string, provider: string): Mutable<MessageProvider> => {
    const key = `${channel}/${provider}`;
    let row = tried.get(key);
    if (row === undefined) {
      row = { provider, channel: { key: channel, name: channel, template: record.notification }, status: "ROUTED" };
      tried.set(key, row);
    }
    return row;
  };
  for (const event of events) {
    const data = dataOf(event);
    const { channel, provider } = data;
    if (typeof channel === "string" && typeof provider === "string") follow(at(channel, provider), event, data);
  }
  if (tried.size === 0 && record.provider !== null) {
    // The journal keeps events for a time; the record stays.
    const row = at(record.channel ?? "", record.provider);
    row.status = record.status;
    if (record.sentMs !== null) row.sent = record.sentMs;
    if (record.error !== null) row.error = record.error;
  }
  return [...tried.values()];
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** What an event says of the provider that it names. */
function follow(row: Mutable<MessageProvider>, { type, timeMs }: RecordedEvent, data: JsonObject): void {
  switch (type) {
    case "message.sent":
      row.status = "SENT";
      row.sent = timeMs;
      delete row.error;
      if (isJsonObject(data["reference"])) row.reference = data["reference"];
      return;
    case "message.delivered":
      row.status = "DELIVERED";
      row.delivered = timeMs;
      return;
    case "message.opened":
      row.status = "OPENED";
      row.opened ??= timeMs;
      return;
    case "message.clicked":
      row.status = "CLICKED";
      row.clicked ??= timeMs;
      return;
    case "message.retrying":
    case "message.unknown":
      row.error = sentence(data);
      return;
    case "message.refused":
    case "message.undeliverable":
      row.status = "UNDELIVERABLE";
      row.error = sentence(data);
      return;
  }
}

export type HistoryView = { readonly type: HistoryType; readonly ts: number } & JsonObject;

/** A message's journal in Courier's words (§4.4), oldest first. What has no counterpart there is left out. */
export function historyOf(record: MessageRecord, events: readonly RecordedEvent[]): readonly HistoryView[] {
  return events.flatMap((event) => {
    const data = dataOf(event);
    return rowsOf(event.type, data, record).map(([type, fields]) => ({ type, ts: event.timeMs, ...fields }));
  });
}

type Row = readonly [type: HistoryType, fields: JsonObject];

function rowsOf(type: string, data: JsonObject, record: MessageRecord): readonly Row[] {
  switch (type) {
    case "message.accepted":
      return [
        [
          "ENQUEUED",
          given({
            event: data["event"] ?? record.event,
            recipient: data["recipient"] ?? record.recipient,
            data: data["data"],
            profile: data["to"],
            override: data["override"],
          }),
        ],
      ];
    case "message.delayed":
      return [["DELAYED", given({ until: data["untilMs"] })]];
    case "message.routed": {
      const profile = data["profile"];
      const routed: Row = ["ROUTED", given({ channels: data["channels"] })];
      return profile === undefined ? [routed] : [["PROFILE_LOADED", { merged_profile: profile }], routed];
    }
    case "message.rendered":
      return [
        [
          "RENDERED",
          {
            ...where(data),
            ...given({ title: data["title"], digest: data["digest"] }),
            output: outputLinks(record, data),
          },
        ],
      ];
    case "message.sent":
      return [["SENT", { ...where(data), ...given({ reference: data["reference"], attempt: data["attempt"] }) }]];
    case "message.delivered":
      return [["DELIVERED", { ...where(data), ...given({ reference: data["reference"] }) }]];
    case "message.opened":
      return [["OPENED", where(data)]];
    case "message.clicked":
      return [["CLICKED", where(data)]];
    case "message.retrying":
      return [
        [
          "RETRY",
          {
            ...where(data),
            ...given({ error_message: data["reason"], next: data["nextMs"], attempt: data["attempt"] }),
          },
        ],
      ];
    case "message.failed_over":
      return [["PROVIDER_ERROR", given({ error_message: data["reason"], from: data["from"], to: data["to"] })]];
    case "message.refused":
      return [["PROVIDER_ERROR", { ...where(data), ...given({ error_message: data["reason"] }) }]];
    case "message.unknown":
      return [
        [
          "PROVIDER_ERROR",
          { ...where(data), ...given({ error_message: data["reason"], outcome: "unknown", then: data["then"] }) },
        ],
      ];
    case "message.held":
      return [["HELD", { ...where(data), ...given({ reason: data["reason"] }) }]];
    case "message.undeliverable":
      return [
        ["UNDELIVERABLE", { ...where(data), ...given({ reason: data["reason"], error_message: sentence(data) }) }],
      ];
    case "message.unroutable":
      return [["UNROUTABLE", { ...where(data), ...given({ reason: data["reason"], error_message: sentence(data) }) }]];
    case "message.unmapped":
      return [["UNMAPPED", given({ event_id: data["event"] ?? record.notification, reason: data["reason"] })]];
    case "message.filtered":
      return [["FILTERED", given({ reason: data["reason"], rule: data["rule"] })]];
    case "message.throttled":
      return [["THROTTLED", given({ reason: data["reason"] })]];
    case "message.simulated":
      return [["SIMULATED", where(data)]];
    case "message.canceled":
      return [["CANCELED", {}]];
    default:
      return [];
  }
}

/** Channel and integration as Courier nests them; what the event does not tell is left out. */
function where({ channel, provider }: JsonObject): JsonObject {
  return {
    ...(typeof channel === "string" ? { channel: { id: channel } } : {}),
    ...(typeof provider === "string" ? { integration: { id: provider, provider } } : {}),
  };
}

const PIECES = ["html", "title", "body", "subject", "text", "blocks"] as const;

/** Root-relative addresses of the pieces, each answering in its own content type. */
function outputLinks({ id }: MessageRecord, { channel }: JsonObject): JsonObject {
  if (typeof channel !== "string") return {};
  const root = `/messages/${encodeURIComponent(id)}/output/${encodeURIComponent(channel)}`;
  return Object.fromEntries(PIECES.map((piece) => [piece, `${root}/${piece}`]));
}

function sentence(data: JsonObject): string {
  const { error, reason } = data;
  return typeof error === "string" ? error : typeof reason === "string" ? reason : "";
}

/** Only what is there. */
function given(fields: Readonly<Record<string, Json | undefined>>): JsonObject {
  const kept: Record<string, Json> = {};
  for (const [name, value] of Object.entries(fields)) if (value !== undefined && value !== "") kept[name] = value;
  return kept;
}

function dataOf(event: RecordedEvent): JsonObject {
  // The journal holds only JSON text that we wrote ourselves.
  const data = JSON.parse(event.data) as Json;
  return isJsonObject(data) ? data : {};
}
