import {
  CursorQuery,
  ImportAnswer,
  ImportBody,
  MailList,
  MailListBody,
  MailLists,
  SubscriptionBody,
  Subscriptions,
  SubscriptionsBody,
} from "@tidings/contract";
import { Type } from "@tidings/contract";
import type { Changed, Origin } from "#engine/change.ts";
import type { Directory } from "#directory/directory.ts";
import { IMPORT_ROWS_MAX } from "#directory/import.ts";
import type { MailList as KeptList } from "#directory/lists.ts";
import { type Answer, json, NO_CONTENT, refuse, unknownThing } from "#doors/http/answer.ts";
import { denied, originOf } from "#doors/http/commit-answer.ts";
import { BAD_CURSOR, decodeCursor, paging } from "#doors/http/cursor.ts";
import type { Call, Routes } from "#doors/http/route.ts";
import { iso, objectOrNull, PAGE_LIMIT, PageLimit } from "#doors/http/routes/directory-view.ts";

/** Subscribers or lists in one page; each is a line. */
const LINES_MAX = 1_000;

const OF_LIST = Type.Object({ list_id: Type.String() });
const OF_SUBSCRIPTION = Type.Object({ list_id: Type.String(), user_id: Type.String() });
const PAGE_QUERY = { cursor: CursorQuery, limit: PageLimit(LINES_MAX) };

/** Lists, and who is on them (courier-api.md §2.14). */
export function registerLists(routes: Routes, directory: Directory): void {
  registerTheLists(routes, directory);
  registerSubscriptions(routes, directory);
  registerImport(routes, directory);
}

function registerTheLists(routes: Routes, { lists }: Directory): void {
  routes.add({
    method: "GET",
    path: "/lists",
    tag: "lists",
    scope: "read",
    summary: "All lists, or those that match a pattern",
    query: Type.Object({
      ...PAGE_QUERY,
      pattern: Type.Optional(
        Type.String({ description: "An id, or a pattern: `a.*` one more part, `a.**` one or more" }),
      ),
    }),
    answers: { 200: { says: "A page", body: MailLists } },
    handle: async ({ query }) => {
      const after = query.cursor === undefined ? null : decodeCursor(query.cursor);
      if (query.cursor !== undefined && after === null) return BAD_CURSOR;
      const found = await lists.list({ pattern: query.pattern ?? null, after, limit: query.limit ?? PAGE_LIMIT });
      if (found.kind === "refused") return refuse(found.problem);
      return json(200, { paging: paging(found.page.next), items: found.page.lists.map(toList) });
    },
  });

  routes.add({
    method: "GET",
    path: "/lists/:list_id",
    tag: "lists",
    scope: "read",
    summary: "One list",
    params: OF_LIST,
    answers: { 200: { says: "The list", body: MailList } },
    faults: ["thing.unknown"],
    handle: async ({ params }) => {
      const list = await lists.get(params.list_id);
      return list === null ? unknownThing("list") : json(200, toList(list));
    },
  });

  routes.add({
    method: "PUT",
    path: "/lists/:list_id",
    tag: "lists",
    scope: "full",
    summary: "Make or rename a list",
    description: "A list that was deleted is back, with those who were on it.",
    params: OF_LIST,
    body: MailListBody,
    answers: { 204: { says: "Done" } },
    faults: ["conflict.changed"],
    handle: (call) => {
      const { name, preferences } = call.body;
      return silently(call, (origin) =>
        lists.put(call.params.list_id, { name, preferences: objectOrNull(preferences) }, origin),
      );
    },
  });

  routes.add({
    method: "DELETE",
    path: "/lists/:list_id",
    tag: "lists",
    scope: "full",
    summary: "Delete a list; it can be restored",
    params: OF_LIST,
    answers: { 204: { says: "Deleted" } },
    faults: ["thing.unknown", "conflict.changed"],
    handle: (call) => silently(call, (origin) => lists.remove(call.params.list_id, origin)),
  });

  routes.add({
    method: "PUT",
    path: "/lists/:list_id/restore",
    tag: "lists",
    scope: "full",
    summary: "Bring a deleted list back, with its subscribers",
    params: OF_LIST,
    answers: { 204: { says: "It is there" } },
    faults: ["thing.unknown", "conflict.changed"],
    handle: (call) => silently(call, (origin) => lists.restore(call.params.list_id, origin)),
  });
}

function registerSubscriptions(routes: Routes, { subscriptions }: Directory): void {
  routes.add({
    method: "GET",
    path: "/lists/:list_id/subscriptions",
    tag: "lists",
    scope: "read",
    summary: "Who is on a list, by user id",
    params: OF_LIST,
    query: Type.Object(PAGE_QUERY),
    answers: { 200: { says: "A page", body: Subscriptions } },
    faults: ["thing.unknown"],
    handle: async ({ params, query }) => {
      const after = query.cursor === undefined ? null : decodeCursor(query.cursor);
      if (query.cursor !== undefined && after === null) return BAD_CURSOR;
      const page = await subscriptions.page(params.list_id, after, query.limit ?? PAGE_LIMIT);
      if (page === null) return unknownThing("list");
      const items = page.subscriptions.map(({ userId, createdMs, preferences, data }) => ({
        recipientId: userId,
        created: iso(createdMs),
        preferences,
        data,
      }));
      return json(200, { paging: paging(page.next), items });
    },
  });

  routes.add({
    method: "PUT",
    path: "/lists/:list_id/subscriptions",
    tag: "lists",
    scope: "full",
    summary: "Leave exactly these people on a list; makes it",
    params: OF_LIST,
    body: SubscriptionsBody,
    answers: { 204: { says: "Done" } },
    faults: ["conflict.changed"],
    handle: (call) => silently(call, (origin) => subscriptions.replace(call.params.list_id, people(call.body), origin)),
  });

  routes.add({
    method: "POST",
    path: "/lists/:list_id/subscriptions",
    tag: "lists",
    scope: "full",
    summary: "Add people to a list; makes it",
    params: OF_LIST,
    body: SubscriptionsBody,
    idempotent: true,
    answers: { 204: { says: "Done" } },
    faults: ["conflict.changed"],
    handle: (call) => silently(call, (origin) => subscriptions.add(call.params.list_id, people(call.body), origin)),
  });

  routes.add({
    method: "PUT",
    path: "/lists/:list_id/subscriptions/:user_id",
    tag: "lists",
    scope: "full",
    summary: "Put one person on a list; makes it",
    params: OF_SUBSCRIPTION,
    body: SubscriptionBody,
    answers: { 204: { says: "On it" } },
    faults: ["conflict.changed"],
    handle: (call) => {
      const { preferences, data } = call.body;
      const subscriber = {
        userId: call.params.user_id,
        preferences: objectOrNull(preferences),
        data: objectOrNull(data),
      };
      return silently(call, (origin) => subscriptions.subscribe(call.params.list_id, subscriber, origin));
    },
  });

  routes.add({
    method: "DELETE",
    path: "/lists/:list_id/subscriptions/:user_id",
    tag: "lists",
    scope: "full",
    summary: "Take one person off a list",
    params: OF_SUBSCRIPTION,
    answers: { 204: { says: "Off it: nothing more is sent to them through it" } },
    faults: ["thing.unknown", "conflict.changed"],
    handle: (call) =>
      silently(call, (origin) => subscriptions.unsubscribe(call.params.list_id, call.params.user_id, origin)),
  });
}

function registerImport(routes: Routes, { importRows }: Directory): void {
  routes.add({
    method: "POST",
    path: "/lists/:list_id/import",
    tag: "lists",
    scope: "full",
    summary: `Bring up to ${IMPORT_ROWS_MAX} rows of a table to a list`,
    description:
      "Each row makes or completes a profile and a subscription. Bad rows are told and stop no other; the same call again changes nothing. Who left the list by the link in a mail is not put back.",
    params: OF_LIST,
    body: ImportBody,
    answers: { 200: { says: "What became of the rows", body: ImportAnswer } },
    faults: ["conflict.changed"],
    handle: async (call) => {
      const { traceparent, params, body } = call;
      const imported = await importRows(params.list_id, body.rows, { once: null, traceparent });
      return imported.kind === "done" ? json(200, imported.value) : denied(call, imported);
    },
  });
}

async function silently(
  call: Pick<Call, "once" | "traceparent">,
  change: (origin: Origin) => Promise<Changed<null>>,
): Promise<Answer> {
  const changed = await change(originOf(call, NO_CONTENT));
  return changed.kind === "done" ? NO_CONTENT : denied(call, changed);
}

function people({ recipients }: SubscriptionsBody) {
  return recipients.map(({ recipientId, preferences, data }) => ({
    userId: recipientId,
    preferences: objectOrNull(preferences),
    data: objectOrNull(data),
  }));
}

function toList({ id, name, preferences, createdMs, updatedMs }: KeptList) {
  return { id, name, created: iso(createdMs), updated: iso(updatedMs), preferences };
}
