import {
  PROFILES,
  type SubscriptionBody,
  subscriptionId,
  SUBSCRIPTIONS,
  type SuppressionBody,
  SUPPRESSIONS,
} from "#directory/collections.ts";
import { subscriptionOf } from "#directory/membership.ts";
import { profileOf } from "#directory/profiles.ts";
import type { JsonObject } from "#domain/json.ts";
import type { Store } from "#ports/store.ts";

/** Their profiles; null for who is not known. */
export async function readPeople(store: Store, userIds: readonly string[]): Promise<readonly (JsonObject | null)[]> {
  const documents = await store.documents(userIds.map((id) => ({ collection: PROFILES, id })));
  return documents.map((document) => (document === null ? null : profileOf(document)));
}

/** What is said of them on that list; null for who is not on it (any more). */
export async function readSubscriptions(
  store: Store,
  pairs: readonly (readonly [listId: string, userId: string])[],
): Promise<readonly (SubscriptionBody | null)[]> {
  const documents = await store.documents(
    pairs.map(([listId, userId]) => ({ collection: SUBSCRIPTIONS, id: subscriptionId(listId, userId) })),
  );
  return documents.map((document) => (document === null ? null : subscriptionOf(document)));
}

/** By `suppressionId`; null where nothing stands in the way. */
export async function readSuppressions(
  store: Store,
  ids: readonly string[],
): Promise<readonly (SuppressionBody | null)[]> {
  const documents = await store.documents(ids.map((id) => ({ collection: SUPPRESSIONS, id })));
  // Only the directory writes this collection, as SuppressionBody.
  return documents.map((document) => (document === null ? null : (JSON.parse(document.body) as SuppressionBody)));
}
