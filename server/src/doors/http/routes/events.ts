import { EventPage } from "@tidings/contract";
import { Type } from "@tidings/contract";
import { json, refusal } from "#doors/http/answer.ts";
import { type EventFilter, passes, type Streams, streamEvents } from "#doors/http/event-stream.ts";
import type { HttpHouse } from "#doors/http/house.ts";
import type { Routes } from "#doors/http/route.ts";
import { type RecordedEvent, toCloudEvent } from "#domain/event.ts";
import type { Store } from "#ports/store.ts";

/** Events looked at for one page when a filter passes few of them. */
const LOOKED_AT_MAX = 20_000;
const READ_AT_ONCE = 1_000;
const EVENTS_DEFAULT = 100;
const EVENTS_MAX = 1_000;

const filters = {
  type: Type.Optional(Type.String({ description: "What the type begins with: `message.sent`, `list.`" })),
  subject: Type.Optional(Type.String({ description: "What it happened to, e.g. a message id" })),
};

/** The journal, read in pages and followed live, as CloudEvents 1.0. */
export function registerEvents(routes: Routes, house: Pick<HttpHouse, "store" | "engine" | "clock" | "log">): void {
  const { store } = house;
  routes.add({
    method: "GET",
    path: "/admin/events",
    tag: "admin",
    scope: "full",
    summary: "Events of the journal, oldest first",
    query: Type.Object({
      after: Type.Optional(
        Type.Integer({ minimum: 0, description: "Position to begin behind; 0: the oldest that is kept" }),
      ),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: EVENTS_MAX, default: EVENTS_DEFAULT })),
      ...filters,
    }),
    answers: { 200: { says: "A page", body: EventPage } },
    handle: async ({ query }) => {
      const after = query.after ?? 0;
      const limit = query.limit ?? EVENTS_DEFAULT;
      const { last } = await store.journalBounds();
      const page = await pageOf(store, { type: query.type, subject: query.subject }, after, limit);
      return json(200, { events: page.events.map(toCloudEvent), next: page.next, more: page.next < last, last });
    },
  });

  const streams: Streams = { open: 0 };
  routes.add({
    method: "GET",
    path: "/admin/events/stream",
    tag: "admin",
    scope: "full",
    summary: "Events as they happen (server-sent events)",
    description:
      "Begins with what happens next; with `after` or the header Last-Event-ID it resumes behind that position.",
    query: Type.Object({ after: Type.Optional(Type.Integer({ minimum: 0 })), ...filters }),
    answers: { 200: { says: "CloudEvents, one a frame, until either side closes", type: "text/event-stream" } },
    faults: ["overloaded"],
    handle: async (call) => {
      const resumed = call.headers["last-event-id"];
      if (resumed !== undefined && !/^\d{1,16}$/.test(String(resumed))) {
        return refusal("request.invalid", "Last-Event-ID must be the id of an event from this stream.");
      }
      const after = resumed === undefined ? (call.query.after ?? (await store.journalBounds()).last) : Number(resumed);
      return streamEvents(house, streams, { after, type: call.query.type, subject: call.query.subject }, call.signal);
    },
  });
}

/** Up to `limit` events that pass, and the position behind which to read on. */
async function pageOf(
  store: Store,
  filter: EventFilter,
  after: number,
  limit: number,
): Promise<{ readonly events: readonly RecordedEvent[]; readonly next: number }> {
  const events: RecordedEvent[] = [];
  let next = after;
  for (let looked = 0; looked < LOOKED_AT_MAX; ) {
    const page = await store.readJournal({ after: next, limit: READ_AT_ONCE });
    for (const event of page.events) {
      if (passes(event, filter)) events.push(event);
      next = event.position;
      if (events.length === limit) return { events, next };
    }
    next = Math.max(next, page.upTo);
    if (page.events.length < READ_AT_ONCE) break;
    looked += page.events.length;
  }
  return { events, next };
}
