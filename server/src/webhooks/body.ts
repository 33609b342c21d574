import { OWN_SOURCE } from "#domain/event.ts";
import { type MessageId, parseMessageId } from "#domain/ids.ts";
import type { JsonObject } from "#domain/json.ts";
import type { DeliveredEvent } from "#webhooks/delivery.ts";
import type { Endpoint } from "#webhooks/endpoint.ts";

/** A message as `GET /messages/{id}` shows it; null when there is none any more. */
export type ShowMessage = (id: MessageId) => Promise<JsonObject | null>;

/** What an endpoint is posted of an event, as JSON text; `data` stands in it as it was written. */
export async function bodyOf(
  { format }: Pick<Endpoint, "format">,
  event: DeliveredEvent,
  showMessage: ShowMessage,
): Promise<string> {
  return format === "standard" ? standardBody(event) : await courierBody(event, showMessage);
}

/**
 * Standard Webhooks: `type`, `timestamp`, `data`; beside them what the event is about (our own events say it only there)
 * and who raised it.
 */
function standardBody({ type, timeMs, source, subject, data }: DeliveredEvent): string {
  const head = {
    type,
    timestamp: new Date(timeMs).toISOString(),
    source,
    ...(subject === null ? {} : { subject }),
  };
  return withData(head, data);
}

/**
 * Courier's event webhooks (courier-api.md §7.1): what happens to a message is `message:updated`, with the message as it is
 * now. Whatever else happens keeps its own type.
 */
async function courierBody(event: DeliveredEvent, showMessage: ShowMessage): Promise<string> {
  const id =
    event.source === OWN_SOURCE && event.type.startsWith("message.") ? parseMessageId(event.subject ?? "") : null;
  const message = id === null ? null : await showMessage(id);
  return message === null
    ? withData({ type: event.type }, event.data)
    : withData({ type: "message:updated" }, JSON.stringify(message));
}

function withData(head: JsonObject, data: string): string {
  return `${JSON.stringify(head).slice(0, -1)},"data":${data}}`;
}
