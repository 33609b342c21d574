import { type Changes, happened, type Origin, unchanged } from "#engine/change.ts";
import {
  type ListBody,
  LISTS,
  splitSubscriptionId,
  type SubscriptionBody,
  subscriptionId,
  SUBSCRIPTIONS,
} from "#directory/collections.ts";
import type { Document, DocumentPut } from "#domain/document.ts";
import type { JsonObject } from "#domain/json.ts";
import type { Store } from "#ports/store.ts";

/** Who joins what. Absent fields keep what an earlier subscription said; null clears it. */
export type Join = {
  readonly listId: string;
  readonly userId: string;
  readonly preferences?: JsonObject | null | undefined;
  readonly data?: JsonObject | null | undefined;
};

/** By which way someone came or went. */
export type By = "api" | "replace" | "csv" | "unsubscribe" | "resubscribe";

export type Step = { readonly by: By; readonly nowMs: number; readonly origin: Origin };

export const BARE_SUBSCRIPTION: SubscriptionBody = { preferences: null, data: null };
const BARE_BODY = JSON.stringify(BARE_SUBSCRIPTION);

/**
 * Adds what makes everyone in `joins` a subscriber, and each of the lists exist: a list is made when someone first
 * joins it, and one that was deleted is back, with those who were on it. Whoever is on it already in the same words
 * changes nothing. `joins` names nobody twice, and no list that is not in `listIds`.
 */
export async function join(
  changes: Changes,
  store: Store,
  { listIds, joins }: { readonly listIds: readonly string[]; readonly joins: readonly Join[] },
  step: Step,
): Promise<void> {
  const keys = joins.map(({ listId, userId }) => ({ collection: SUBSCRIPTIONS, id: subscriptionId(listId, userId) }));
  const [lists, documents] = await Promise.all([
    store.documents(listIds.map((id) => ({ collection: LISTS, id }))),
    store.documents(keys),
  ]);
  for (const [at, listId] of listIds.entries()) bringBack(changes, listId, lists[at] ?? null, step);
  for (const [at, { listId, userId, preferences, data }] of joins.entries()) {
    const document = documents[at] ?? null;
    const before = document === null ? null : subscriptionOf(document);
    const body = JSON.stringify({
      preferences: preferences === undefined ? (before?.preferences ?? null) : preferences,
      data: data === undefined ? (before?.data ?? null) : data,
    } satisfies SubscriptionBody);
    if (document?.body === body) continue;
    const key = { collection: SUBSCRIPTIONS, id: subscriptionId(listId, userId) };
    changes.expect.push(unchanged(key, document));
    changes.puts.push(subscriptionPut(listId, userId, body, step.nowMs));
    changes.events.push(moved(document === null ? "subscription.added" : "subscription.updated", listId, userId, step));
  }
}

/** Adds what ends these subscriptions. */
export function leave(changes: Changes, subscriptions: readonly Document[], step: Step): void {
  for (const document of subscriptions) {
    const key = { collection: SUBSCRIPTIONS, id: document.id };
    const { listId, userId } = splitSubscriptionId(document.id);
    changes.expect.push(unchanged(key, document));
    changes.deletes.push(key);
    changes.events.push(moved("subscription.removed", listId, userId, step));
  }
}

/** Adds what makes a list exist that was not there or had been deleted; one that is there stays as it is. */
export function bringBack(changes: Changes, listId: string, document: Document | null, step: Omit<Step, "by">): void {
  const before = document === null ? null : listOf(document);
  if (before !== null && before.deletedMs === null) return;
  const { nowMs, origin } = step;
  const body = { ...(before ?? { name: listId, preferences: null }), deletedMs: null } satisfies ListBody;
  const key = { collection: LISTS, id: listId };
  changes.expect.push(unchanged(key, document));
  changes.puts.push({ ...key, body: JSON.stringify(body), when: "always", nowMs });
  const type = before === null ? "list.created" : "list.restored";
  changes.events.push(happened(type, `list:${listId}`, { name: body.name }, { nowMs, origin }));
}

export function moved(type: string, listId: string, userId: string, { by, nowMs, origin }: Step) {
  return happened(type, `list:${listId}`, { userId, listId, by }, { nowMs, origin, key: `user:${userId}` });
}

export function subscriptionPut(listId: string, userId: string, body: string, nowMs: number): DocumentPut {
  const id = subscriptionId(listId, userId);
  return { collection: SUBSCRIPTIONS, id, body, terms: [["user", userId]], when: "always", nowMs };
}

export function subscriptionOf({ body }: Pick<Document, "body">): SubscriptionBody {
  // Only `subscriptionPut` writes this collection. Most say nothing, which needs no parsing.
  return body === BARE_BODY ? BARE_SUBSCRIPTION : (JSON.parse(body) as SubscriptionBody);
}

export function listOf({ body }: Pick<Document, "body">): ListBody {
  // Only the directory writes this collection, as ListBody.
  return JSON.parse(body) as ListBody;
}
