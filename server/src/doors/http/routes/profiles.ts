import {
  CursorQuery,
  ProfileAnswer,
  ProfileBody,
  ProfileLists,
  ProfileListsBody,
  ProfilePatch,
  Success,
} from "@tidings/contract";
import { Type } from "@tidings/contract";
import type { Changed } from "#engine/change.ts";
import type { Directory } from "#directory/directory.ts";
import { type Answer, json, NO_CONTENT, type TextAnswer, unknownThing } from "#doors/http/answer.ts";
import { denied, originOf } from "#doors/http/commit-answer.ts";
import { BAD_CURSOR, decodeCursor, paging } from "#doors/http/cursor.ts";
import { PAGE_ITEMS_MAX } from "#doors/http/limits.ts";
import type { Call, Routes } from "#doors/http/route.ts";
import { iso, objectOrNull, PAGE_LIMIT, PageLimit } from "#doors/http/routes/directory-view.ts";
import type { JsonObject } from "#domain/json.ts";

const SUCCESS = json(200, { status: "SUCCESS" });
const OF_USER = Type.Object({ user_id: Type.String() });
const DONE = { 200: { says: "Done", body: Success } };

/** Profiles and the lists that a person is on (courier-api.md §2.18). */
export function registerProfiles(routes: Routes, { profiles, subscriptions }: Directory): void {
  routes.add({
    method: "GET",
    path: "/profiles/:user_id",
    tag: "profiles",
    scope: "read",
    summary: "What is known of a person",
    params: OF_USER,
    answers: { 200: { says: "The profile", body: ProfileAnswer } },
    faults: ["thing.unknown"],
    handle: async ({ params }) => {
      const found = await profiles.get(params.user_id);
      return found === null ? unknownThing("profile") : json(200, { profile: found.profile });
    },
  });

  routes.add({
    method: "POST",
    path: "/profiles/:user_id",
    tag: "profiles",
    scope: "full",
    summary: "Merge into a profile, deeply, or make it",
    params: OF_USER,
    body: ProfileBody,
    idempotent: true,
    answers: DONE,
    faults: ["conflict.changed"],
    handle: (call) => answer(call, (origin) => profiles.merge(call.params.user_id, given(call.body.profile), origin)),
  });

  routes.add({
    method: "PUT",
    path: "/profiles/:user_id",
    tag: "profiles",
    scope: "full",
    summary: "Replace a profile; what is left out is forgotten",
    params: OF_USER,
    body: ProfileBody,
    answers: DONE,
    faults: ["conflict.changed"],
    handle: (call) => answer(call, (origin) => profiles.replace(call.params.user_id, given(call.body.profile), origin)),
  });

  routes.add({
    method: "PATCH",
    path: "/profiles/:user_id",
    tag: "profiles",
    scope: "full",
    summary: "Change a profile by JSON Patch, all operations or none",
    params: OF_USER,
    body: ProfilePatch,
    answers: DONE,
    faults: ["conflict.changed"],
    handle: (call) => answer(call, (origin) => profiles.patch(call.params.user_id, call.body.patch, origin)),
  });

  routes.add({
    method: "DELETE",
    path: "/profiles/:user_id",
    tag: "profiles",
    scope: "full",
    summary: "Forget a person",
    description: "Takes them off every list too. What was suppressed for their address stays suppressed.",
    params: OF_USER,
    answers: { 204: { says: "Forgotten, or not known" } },
    faults: ["conflict.changed"],
    handle: (call) => answer(call, (origin) => profiles.remove(call.params.user_id, origin), NO_CONTENT),
  });

  routes.add({
    method: "GET",
    path: "/profiles/:user_id/lists",
    tag: "profiles",
    scope: "read",
    summary: "The lists that a person is on",
    params: OF_USER,
    query: Type.Object({ cursor: CursorQuery, limit: PageLimit(PAGE_ITEMS_MAX) }),
    answers: { 200: { says: "A page", body: ProfileLists } },
    handle: async ({ params, query }) => {
      const after = query.cursor === undefined ? null : decodeCursor(query.cursor);
      if (query.cursor !== undefined && after === null) return BAD_CURSOR;
      const { items, next } = await subscriptions.ofUser(params.user_id, after, query.limit ?? PAGE_LIMIT);
      const results = items.map(({ list, preferences, data }) => ({
        id: list.id,
        name: list.name,
        created: iso(list.createdMs),
        updated: iso(list.updatedMs),
        preferences,
        data,
      }));
      return json(200, { paging: paging(next), results });
    },
  });

  routes.add({
    method: "POST",
    path: "/profiles/:user_id/lists",
    tag: "profiles",
    scope: "full",
    summary: "Put a person on lists; those that do not exist are made",
    params: OF_USER,
    body: ProfileListsBody,
    idempotent: true,
    answers: DONE,
    faults: ["conflict.changed"],
    handle: (call) => {
      const lists = call.body.lists.map(({ listId, preferences, data }) => ({
        listId,
        preferences: objectOrNull(preferences),
        data: objectOrNull(data),
      }));
      return answer(call, (origin) => subscriptions.subscribeUser(call.params.user_id, lists, origin));
    },
  });

  routes.add({
    method: "DELETE",
    path: "/profiles/:user_id/lists",
    tag: "profiles",
    scope: "full",
    summary: "Take a person off every list",
    params: OF_USER,
    answers: DONE,
    faults: ["conflict.changed"],
    handle: (call) => answer(call, (origin) => subscriptions.removeUser(call.params.user_id, origin)),
  });
}

async function answer(
  call: Pick<Call, "once" | "traceparent">,
  change: (origin: ReturnType<typeof originOf>) => Promise<Changed<null>>,
  success: TextAnswer = SUCCESS,
): Promise<Answer> {
  const changed = await change(originOf(call, success));
  return changed.kind === "done" ? success : denied(call, changed);
}

function given(profile: Readonly<Record<string, unknown>>): JsonObject {
  // It came out of the JSON parser.
  return profile as JsonObject;
}
