import { type RequestReport, RequestReport as RequestReportSchema } from "@tidings/contract";
import { Type } from "@tidings/contract";
import { json, NO_CONTENT, unknownThing } from "#doors/http/answer.ts";
import type { HttpHouse } from "#doors/http/house.ts";
import type { Routes } from "#doors/http/route.ts";
import { parseRequestId, type RequestId } from "#domain/ids.ts";
import { isSettled, MESSAGE_STATUSES } from "#domain/message.ts";
import type { HeldDesk } from "#pipeline/held-desk.ts";
import { EXPAND_QUEUE } from "#pipeline/stages.ts";
import type { Store } from "#ports/store.ts";

const RequestParams = Type.Object({ request_id: Type.String({ description: "Request id" }) });
/** A fan-out has three events at most: accepted, and how it ended. */
const FAN_OUT_EVENTS_MAX = 5;
const UNKNOWN = unknownThing("request");

/** Requests: the balance of one, and hiding its messages (courier-api.md §2.3, §4.6). */
export function registerRequests(
  routes: Routes,
  { store, desk, held }: Pick<HttpHouse, "store" | "desk" | "held">,
): void {
  routes.add({
    method: "GET",
    path: "/requests/:request_id",
    tag: "requests",
    scope: "read",
    summary: "Was everybody told? The outcomes of one call",
    params: RequestParams,
    answers: { 200: { says: "The balance", body: RequestReportSchema } },
    faults: ["thing.unknown"],
    handle: async ({ params }) => {
      const id = parseRequestId(params.request_id);
      const report = id === null ? null : await reportOf(store, held, id);
      return report === null ? UNKNOWN : json(200, report);
    },
  });

  routes.add({
    method: "PUT",
    path: "/requests/:request_id/archive",
    tag: "requests",
    scope: "full",
    summary: "Hide a request's messages from listings",
    params: RequestParams,
    answers: { 204: { says: "Hidden; `archived=true` shows them" } },
    faults: ["thing.unknown"],
    handle: async ({ params }) => {
      const id = parseRequestId(params.request_id);
      return id !== null && (await desk.archive(id)) ? NO_CONTENT : UNKNOWN;
    },
  });
}

async function reportOf(store: Store, held: HeldDesk, id: RequestId): Promise<RequestReport | null> {
  const fanOut = `${EXPAND_QUEUE}:${id}`;
  // The fan-out is asked for first: when it is over, the counts that follow know every recipient.
  const [[request], [expanding], dead, heldBack, events] = await Promise.all([
    store.requests([id]),
    store.jobs([fanOut]),
    store.deadJob(fanOut),
    held.holds(id),
    store.eventsOf(id, FAN_OUT_EVENTS_MAX),
  ]);
  if (request == null) return null;
  const dropped = events.find(({ type }) => type === "request.dropped")?.timeMs ?? null;
  const outcomes = await store.countOutcomes(id);
  let messages = 0;
  let settled = 0;
  for (const status of MESSAGE_STATUSES) {
    const count = outcomes[status] ?? 0;
    messages += count;
    if (isSettled(status)) settled += count;
  }
  return {
    requestId: id,
    accepted: request.acceptedMs,
    archived: request.archivedMs,
    messages,
    outcomes,
    settled,
    pending: messages - settled,
    complete: expanding == null && dead === null && messages === settled,
    heldBack,
    dropped,
  };
}
