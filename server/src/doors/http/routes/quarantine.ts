import { CursorQuery, EventKept, QuarantinedEvents, Type } from "@tidings/contract";
import { json, NO_CONTENT, unknownThing } from "#doors/http/answer.ts";
import { denied } from "#doors/http/commit-answer.ts";
import { BAD_CURSOR, decodeCursor, paging } from "#doors/http/cursor.ts";
import type { HttpHouse } from "#doors/http/house.ts";
import { PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX } from "#doors/http/limits.ts";
import type { Routes } from "#doors/http/route.ts";
import { type JsonObject } from "#domain/json.ts";
import { toCloudEvent } from "#domain/event.ts";
import { journalled } from "#rules/journalled.ts";
import type { Quarantined } from "#rules/quarantine.ts";

const OF_KEY = Type.Object({ key: Type.String() });

/** Events that did not fit and wait for somebody's word. */
export function registerQuarantine(routes: Routes, { events }: Pick<HttpHouse, "events">): void {
  const { quarantine } = events;
  routes.add({
    method: "GET",
    path: "/schemas/quarantine",
    tag: "schemas",
    scope: "full",
    summary: "Events that did not fit their schema and wait for somebody's word",
    query: Type.Object({
      cursor: CursorQuery,
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: PAGE_ITEMS_MAX, default: PAGE_ITEMS_DEFAULT })),
      type: Type.Optional(Type.String({ description: "Only of this event type" })),
    }),
    answers: { 200: { says: "A page", body: QuarantinedEvents } },
    handle: async ({ query }) => {
      const after = query.cursor === undefined ? null : decodeCursor(query.cursor);
      if (query.cursor !== undefined && after === null) return BAD_CURSOR;
      const page = await quarantine.list({ type: query.type ?? null, after, limit: query.limit ?? PAGE_ITEMS_DEFAULT });
      return json(200, { paging: paging(page.next), results: page.events.map(show) });
    },
  });

  routes.add({
    method: "POST",
    path: "/schemas/quarantine/:key/release",
    tag: "schemas",
    scope: "full",
    summary: "Accept an event now, as it is",
    params: OF_KEY,
    answers: { 202: { says: "It is in the journal", body: EventKept } },
    faults: ["thing.unknown", "conflict.changed"],
    handle: async (call) => {
      const { traceparent, params } = call;
      const released = await quarantine.release(params.key, { once: null, traceparent });
      if (released.kind !== "done") return denied(call, released);
      return released.value === null ? unknownThing("event") : json(202, { id: released.value.event.id });
    },
  });

  routes.add({
    method: "DELETE",
    path: "/schemas/quarantine/:key",
    tag: "schemas",
    scope: "full",
    summary: "Drop an event for good",
    params: OF_KEY,
    answers: { 204: { says: "It is gone" } },
    faults: ["thing.unknown", "conflict.changed"],
    handle: async (call) => {
      const { traceparent, params } = call;
      const dropped = await quarantine.drop(params.key, { once: null, traceparent });
      if (dropped.kind !== "done") return denied(call, dropped);
      return dropped.value === null ? unknownThing("event") : NO_CONTENT;
    },
  });
}

function show({ key, says, sinceMs, event }: Quarantined): JsonObject {
  const { id, source } = event;
  // As it would stand in the journal, where it has no place yet.
  const { type, subject, timeMs, data, traceparent, attributes = null } = journalled(event);
  const kept = { id, source, type, subject, timeMs, data, traceparent, attributes, position: 0, key: id };
  const { sequence: _, ...shown } = toCloudEvent(kept);
  return { key, says, since: sinceMs, event: shown };
}
