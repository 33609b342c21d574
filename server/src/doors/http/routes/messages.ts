import {
  HISTORY_TYPES,
  MessageDetails,
  MessageHistory,
  MessageOutput,
  MessagePage,
  MessageQuery,
  MessageWithProviders,
  ResendAnswer,
} from "@tidings/contract";
import { Type } from "@tidings/contract";
import {
  FOREIGN_WORDS,
  json,
  NO_RETRY,
  overloaded,
  refusal,
  refuse,
  type TextAnswer,
  unknownThing,
} from "#doors/http/answer.ts";
import { BAD_CURSOR, decodeCursor, paging } from "#doors/http/cursor.ts";
import type { HttpHouse } from "#doors/http/house.ts";
import { PAGE_ITEMS_DEFAULT } from "#doors/http/limits.ts";
import { HISTORY_EVENTS_MAX, historyOf, messageShower, toDetails } from "#doors/http/message-view.ts";
import type { Call, Routes } from "#doors/http/route.ts";
import { type MessageId, parseMessageId } from "#domain/ids.ts";
import type { MessageRecord } from "#domain/message.ts";
import type { Output } from "#pipeline/message-desk.ts";
import type { MessageFilter } from "#ports/store.ts";

type House = Pick<HttpHouse, "store" | "desk">;
const MessageParams = Type.Object({ message_id: Type.String({ description: "Message id" }) });
type MessageCall = Pick<Call<{ readonly message_id: string }>, "params">;
const UNKNOWN = unknownThing("message");

/** Messages: listed, looked at, cancelled, sent again (courier-api.md §2.3, §4). */
export function registerMessages(routes: Routes, house: House): void {
  registerReading(routes, house);
  registerOutput(routes, house);
  registerDoing(routes, house);
}

function registerReading(routes: Routes, { store }: House): void {
  const showMessage = messageShower(store);
  routes.add({
    method: "GET",
    path: "/messages",
    tag: "messages",
    scope: "read",
    summary: "List messages, newest first",
    query: MessageQuery,
    answers: { 200: { says: "A page", body: MessagePage } },
    handle: async ({ query }) => {
      const after = query.cursor === undefined ? null : decodeCursor(query.cursor);
      if (query.cursor !== undefined && after === null) return BAD_CURSOR;
      const filter = filterOf(query);
      if (filter === null)
        return refusal("request.invalid", '"enqueued_after" must be epoch milliseconds or ISO 8601.');
      // Nothing belongs to a tenant in this version, so nothing matches.
      if (query.tenant_id !== undefined) return json(200, { paging: paging(null), results: [] });
      const page = await store.listMessages(filter, { after, limit: query.limit ?? PAGE_ITEMS_DEFAULT });
      return json(200, { paging: paging(page.next), results: page.messages.map(toDetails) });
    },
  });

  routes.add({
    method: "GET",
    path: "/messages/:message_id",
    tag: "messages",
    scope: "read",
    summary: "One message, and the providers that were tried",
    params: MessageParams,
    answers: { 200: { says: "The message", body: MessageWithProviders } },
    faults: ["thing.unknown"],
    handle: async (call) => {
      const id = parseMessageId(call.params.message_id);
      const message = id === null ? null : await showMessage(id);
      return message === null ? UNKNOWN : json(200, message);
    },
  });

  routes.add({
    method: "GET",
    path: "/messages/:message_id/history",
    tag: "messages",
    scope: "read",
    summary: "What happened to a message, oldest first",
    params: MessageParams,
    query: Type.Object({
      type: Type.Optional(Type.String({ enum: [...HISTORY_TYPES], description: "Only rows of this kind" })),
    }),
    answers: { 200: { says: "Its history", body: MessageHistory } },
    faults: ["thing.unknown"],
    handle: async (call) => {
      const { type } = call.query;
      if (type !== undefined && !(HISTORY_TYPES as readonly string[]).includes(type)) {
        return refusal("request.invalid", `"type" must be one of ${HISTORY_TYPES.join(", ")}.`);
      }
      const record = await recordOf(store, call);
      if (record === null) return UNKNOWN;
      const rows = historyOf(record, await store.eventsOf(record.id, HISTORY_EVENTS_MAX));
      return json(200, { results: type === undefined ? rows : rows.filter((row) => row.type === type) });
    },
  });
}

function registerOutput(routes: Routes, { desk }: House): void {
  routes.add({
    method: "GET",
    path: "/messages/:message_id/output",
    tag: "messages",
    scope: "read",
    summary: "The words of a message, as they were or would be rendered, per channel",
    params: MessageParams,
    answers: { 200: { says: "Its words", body: MessageOutput } },
    faults: ["thing.unknown"],
    handle: async (call) => {
      const outputs = await outputsOf(desk, call);
      return outputs === null ? UNKNOWN : json(200, { results: outputs.map(toOutput) });
    },
  });

  routes.add({
    method: "GET",
    path: "/messages/:message_id/output/:channel/:piece",
    tag: "messages",
    scope: "read",
    summary: "One piece of the words, in its own content type",
    params: Type.Object({
      message_id: Type.String(),
      channel: Type.String(),
      piece: Type.String({ description: "html, title, body, subject, text or blocks" }),
    }),
    answers: {
      200: {
        says: "The piece: text/html, application/json for blocks, else text/plain",
        type: "text/plain",
        also: ["text/html", "application/json"],
      },
    },
    faults: ["thing.unknown"],
    handle: async (call) => {
      const outputs = await outputsOf(desk, call);
      const output = outputs?.find(({ channel }) => channel === call.params.channel);
      return output === undefined ? UNKNOWN : pieceOf(output, call.params.piece);
    },
  });
}

function registerDoing(routes: Routes, { desk }: House): void {
  routes.add({
    method: "POST",
    path: "/messages/:message_id/cancel",
    tag: "messages",
    scope: "send",
    summary: "Cancel a message that no provider has yet",
    params: MessageParams,
    answers: {
      200: { says: "Cancelled", body: MessageDetails },
      409: { says: "Too late: the message as it is", body: MessageDetails },
    },
    faults: ["thing.unknown"],
    handle: async (call) => {
      const id = parseMessageId(call.params.message_id);
      const canceled = id === null ? null : await desk.cancel(id);
      if (canceled === null || canceled.kind === "unknown") return UNKNOWN;
      return canceled.kind === "canceled"
        ? json(200, toDetails(canceled.record))
        : json(409, toDetails(canceled.record), NO_RETRY);
    },
  });

  routes.add({
    method: "POST",
    path: "/messages/:message_id/resend",
    tag: "messages",
    scope: "send",
    summary: "Send a message again, as a new one",
    params: MessageParams,
    answers: { 202: { says: "Accepted and kept", body: ResendAnswer } },
    faults: ["thing.unknown"],
    handle: async (call) => {
      const id = parseMessageId(call.params.message_id);
      const resent = id === null ? null : await desk.resend(id, call.caller.id);
      if (resent === null || resent.kind === "unknown") return UNKNOWN;
      if (resent.kind === "refused") return refuse(resent.problem);
      return resent.kind === "overloaded"
        ? overloaded(resent.retryAfterMs)
        : json(202, { messageId: resent.messageId });
    },
  });
}

async function recordOf(store: House["store"], { params }: MessageCall): Promise<MessageRecord | null> {
  const id = parseMessageId(params.message_id);
  return id === null ? null : ((await store.messages([id]))[0] ?? null);
}

async function outputsOf(desk: House["desk"], { params }: MessageCall): Promise<readonly Output[] | null> {
  const id: MessageId | null = parseMessageId(params.message_id);
  return id === null ? null : await desk.output(id);
}

/** Null when `enqueued_after` is no time. */
function filterOf(query: {
  readonly archived?: boolean;
  readonly enqueued_after?: string;
  readonly event?: string;
  readonly list?: string;
  readonly messageId?: string;
  readonly notification?: string;
  readonly provider?: readonly string[];
  readonly recipient?: string;
  readonly status?: readonly string[];
  readonly tag?: readonly string[];
  readonly tags?: readonly string[];
  readonly traceId?: string;
}): MessageFilter | null {
  const after = query.enqueued_after;
  const enqueuedAfterMs =
    after === undefined ? undefined : /^\d{1,16}$/.test(after) ? Number(after) : Date.parse(after);
  if (Number.isNaN(enqueuedAfterMs)) return null;
  const tags = [...(query.tag ?? []), ...(query.tags ?? [])];
  return {
    ...(query.archived === undefined ? {} : { archived: query.archived }),
    ...(enqueuedAfterMs === undefined ? {} : { enqueuedAfterMs }),
    ...(query.event === undefined ? {} : { event: query.event }),
    ...(query.list === undefined ? {} : { list: query.list }),
    ...(query.messageId === undefined ? {} : { messageId: query.messageId }),
    ...(query.notification === undefined ? {} : { notification: query.notification }),
    ...(query.provider === undefined ? {} : { providers: query.provider }),
    ...(query.recipient === undefined ? {} : { recipient: query.recipient }),
    ...(query.status === undefined ? {} : { statuses: query.status.map((status) => status.toUpperCase()) }),
    ...(tags.length === 0 ? {} : { tags }),
    ...(query.traceId === undefined ? {} : { traceId: query.traceId }),
  };
}

function toOutput({ channel, provider, title, html, text, blocks }: Output): MessageOutput["results"][number] {
  return {
    channel,
    channel_id: provider,
    content: { html, title, body: text, subject: title, text, blocks: blocks.map((block) => ({ ...block })) },
  };
}

function pieceOf({ title, html, text, blocks }: Output, piece: string): TextAnswer {
  switch (piece) {
    case "html":
      return { kind: "text", status: 200, type: "text/html; charset=utf-8", body: html, headers: FOREIGN_WORDS };
    case "title":
    case "subject":
      return plain(title);
    case "body":
    case "text":
      return plain(text);
    case "blocks":
      return json(200, blocks);
    default:
      return unknownThing("piece of a message");
  }
}

function plain(body: string): TextAnswer {
  return { kind: "text", status: 200, type: "text/plain; charset=utf-8", body, headers: FOREIGN_WORDS };
}
