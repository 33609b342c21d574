import {
  LISTS,
  splitSubscriptionId,
  type SubscriptionBody,
  subscriptionPrefix,
  SUBSCRIPTIONS,
} from "#directory/collections.ts";
import { type MailList, readLists, toList } from "#directory/lists.ts";
import { subscriptionOf } from "#directory/membership.ts";
import type { Store } from "#ports/store.ts";

/*
 * What a fan-out asks, a page at a time: answers in the order asked, one per question, one call of the store each.
 */

export type ListSubscriber = SubscriptionBody & { readonly userId: string };

/** The lists; null for what never was or is deleted. */
export async function readListsById(store: Store, listIds: readonly string[]): Promise<readonly (MailList | null)[]> {
  const documents = await store.documents(listIds.map((id) => ({ collection: LISTS, id })));
  return documents.map((document) => (document === null ? null : toList(document)));
}

/**
 * Up to `limit` of a list's subscribers by user id, strictly behind `afterUserId`. Fewer than `limit` means the end.
 * Does not look whether the list is deleted: ask `readListsById` first.
 */
export async function subscribersPage(
  store: Store,
  listId: string,
  afterUserId: string | null,
  limit: number,
): Promise<readonly ListSubscriber[]> {
  const prefix = subscriptionPrefix(listId);
  const after = afterUserId === null ? null : prefix + afterUserId;
  const documents = await store.listDocuments({ collection: SUBSCRIPTIONS, prefix, after, limit });
  return documents.map((document) => {
    const { preferences, data } = subscriptionOf(document);
    return { userId: splitSubscriptionId(document.id).userId, preferences, data };
  });
}

/**
 * Up to `limit` living lists that match a well-formed pattern, by id, strictly behind `after`. `next` is where to read
 * on, null at the end; a page may be short although more follow.
 */
export async function listsMatching(
  store: Store,
  pattern: string,
  after: string | null,
  limit: number,
): Promise<{ readonly lists: readonly MailList[]; readonly next: string | null }> {
  return readLists(store, { pattern, after, limit });
}
