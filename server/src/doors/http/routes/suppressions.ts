import {
  CursorQuery,
  Suppression,
  SuppressionCheck,
  SuppressionCheckAnswer,
  Suppressions,
  SuppressionsAdded,
  SuppressionsBody,
} from "@tidings/contract";
import { Type } from "@tidings/contract";
import type { Directory } from "#directory/directory.ts";
import type { Suppression as Kept } from "#directory/suppressions.ts";
import { SUPPRESSIONS_PER_CALL_MAX } from "#directory/suppressions.ts";
import { json, NO_CONTENT, refusal, unknownThing } from "#doors/http/answer.ts";
import { denied } from "#doors/http/commit-answer.ts";
import { BAD_CURSOR, decodeCursor, paging } from "#doors/http/cursor.ts";
import type { Routes } from "#doors/http/route.ts";
import { PAGE_LIMIT, PageLimit } from "#doors/http/routes/directory-view.ts";

const OF_ADDRESS = Type.Object({ channel: Type.String(), address: Type.String() });
const LINES_MAX = 1_000;

/** Addresses that must not be written to. */
export function registerSuppressions(routes: Routes, { suppressions }: Directory): void {
  routes.add({
    method: "GET",
    path: "/suppressions",
    tag: "suppressions",
    scope: "read",
    summary: "Addresses that must not be written to",
    query: Type.Object({ cursor: CursorQuery, limit: PageLimit(LINES_MAX), channel: Type.Optional(Type.String()) }),
    answers: { 200: { says: "A page", body: Suppressions } },
    handle: async ({ query }) => {
      const after = query.cursor === undefined ? null : decodeCursor(query.cursor);
      if (query.cursor !== undefined && after === null) return BAD_CURSOR;
      const ask = { channel: query.channel ?? null, after, limit: query.limit ?? PAGE_LIMIT };
      const page = await suppressions.list(ask);
      return json(200, { paging: paging(page.next), results: page.suppressions.map(view) });
    },
  });

  routes.add({
    method: "PUT",
    path: "/suppressions",
    tag: "suppressions",
    scope: "full",
    summary: `Suppress up to ${SUPPRESSIONS_PER_CALL_MAX} addresses`,
    description: "An address that is suppressed already keeps its first reason. All of them, or none.",
    body: SuppressionsBody,
    answers: { 200: { says: "How many were new", body: SuppressionsAdded } },
    faults: ["conflict.changed"],
    handle: async (call) => {
      const entries = call.body.addresses.map(({ address, channel, reason, detail }) => ({
        channel: channel ?? "email",
        address,
        reason: reasonOf(reason),
        detail: detail ?? "",
        messageId: null,
      }));
      const added = await suppressions.add(entries, { once: null, traceparent: call.traceparent });
      return added.kind === "done" ? json(200, { added: added.value }) : denied(call, added);
    },
  });

  routes.add({
    method: "POST",
    path: "/suppressions/check",
    tag: "suppressions",
    scope: "read",
    summary: `Ask about up to ${SUPPRESSIONS_PER_CALL_MAX} addresses at once`,
    body: SuppressionCheck,
    answers: { 200: { says: "Why not, or null, for each", body: SuppressionCheckAnswer } },
    handle: async ({ body }) => {
      if (body.addresses.length > SUPPRESSIONS_PER_CALL_MAX) {
        return refusal("request.invalid", `One call has at most ${SUPPRESSIONS_PER_CALL_MAX} addresses.`);
      }
      const places = body.addresses.map(({ channel, address }) => ({ channel: channel ?? "email", address }));
      const found = await suppressions.check(places);
      return json(200, { results: found.map((each) => (each === null ? null : view(each))) });
    },
  });

  routes.add({
    method: "GET",
    path: "/suppressions/:channel/:address",
    tag: "suppressions",
    scope: "read",
    summary: "Why one address must not be written to",
    params: OF_ADDRESS,
    answers: { 200: { says: "The suppression", body: Suppression } },
    faults: ["thing.unknown"],
    handle: async ({ params }) => {
      const [found = null] = await suppressions.check([params]);
      return found === null ? unknownThing("suppression") : json(200, view(found));
    },
  });

  routes.add({
    method: "DELETE",
    path: "/suppressions/:channel/:address",
    tag: "suppressions",
    scope: "full",
    summary: "Allow an address again",
    params: OF_ADDRESS,
    answers: { 204: { says: "It may be written to" } },
    faults: ["thing.unknown", "conflict.changed"],
    handle: async (call) => {
      const removed = await suppressions.remove([call.params], { once: null, traceparent: call.traceparent });
      if (removed.kind !== "done") return denied(call, removed);
      return removed.value === 0 ? unknownThing("suppression") : NO_CONTENT;
    },
  });
}

function view({ channel, address, reason, detail, sinceMs, messageId }: Kept) {
  return { channel, address, reason, detail, since: sinceMs, messageId };
}

function reasonOf(reason: string | null | undefined): Kept["reason"] {
  switch (reason) {
    case "hard_bounce":
    case "complaint":
    case "unsubscribe":
      return reason;
    default:
      return "manual";
  }
}
