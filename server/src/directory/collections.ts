import { bareAddress } from "#directory/address.ts";
import type { JsonObject } from "#domain/json.ts";

/**
 * Where the people and lists lie in the document store. One place knows how ids are put together, so that the doors,
 * the pipeline and the command line find the same things.
 */

/** A person: id = user id, body = the profile itself (JSON object). */
export const PROFILES = "profiles";
/** id = list id, body = `ListBody`. */
export const LISTS = "lists";
/** id = `subscriptionId(list, user)`, term `["user", userId]`, body = `SubscriptionBody`. Pages by user id. */
export const SUBSCRIPTIONS = "subscriptions";
/** Addresses that must not be written to: id = `suppressionId(channel, address)`, body = `SuppressionBody`. */
export const SUPPRESSIONS = "suppressions";
/** Who left a list by their own hand: id = `subscriptionId(list, user)`, body = `DepartureBody`. Imports respect it. */
export const DEPARTURES = "departures";
/**
 * API keys: id = digest of the key, body = `KeyBody`. The key itself is never kept. AWS pairs lie among them: id = access
 * key id.
 */
export const KEYS = "keys";
/** What was caught instead of sent: id = `mailboxId(...)`, terms `["message", id]` and `["recipient", r]`. */
export const MAILBOX = "mailbox";

export type ListBody = {
  readonly name: string;
  /** Courier's RecipientPreferences for everyone reached through the list, or null. */
  readonly preferences: JsonObject | null;
  readonly deletedMs: number | null;
};
export type SubscriptionBody = {
  /** Courier's RecipientPreferences, or null. */
  readonly preferences: JsonObject | null;
  /** Merged over the send's data for this recipient (ours: `data` beside `preferences`). */
  readonly data: JsonObject | null;
};
export type SuppressionBody = {
  readonly reason: "hard_bounce" | "complaint" | "unsubscribe" | "manual";
  readonly detail: string;
  readonly sinceMs: number;
  /** The message that led to it, if any. */
  readonly messageId: string | null;
};

export type DepartureBody = {
  readonly sinceMs: number;
  /** The message whose link was used, if it is known. */
  readonly messageId: string | null;
  /** What the subscription was, so that coming back finds everything as it was. */
  readonly left: SubscriptionBody;
};
/** An API key as it is kept: under its digest, never the key itself. */
export type KeyBody = {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly createdMs: number;
  /** The first characters, by which a person recognises it in a list. */
  readonly prefix: string;
  readonly revokedMs: number | null;
  /** `setting`: from `TIDINGS_API_KEY`; the next value of the setting takes its place. */
  readonly origin: "created" | "setting";
  /** A pair for AWS' clients; absent: a bearer key. */
  readonly aws?: true;
};

/** A list's subscriptions begin with this; what follows is the user id. */
export function subscriptionPrefix(listId: string): string {
  return `${encodeURIComponent(listId)}/`;
}

export function subscriptionId(listId: string, userId: string): string {
  return subscriptionPrefix(listId) + userId;
}

export function splitSubscriptionId(id: string): { readonly listId: string; readonly userId: string } {
  const slash = id.indexOf("/");
  return { listId: decodeURIComponent(id.slice(0, slash)), userId: id.slice(slash + 1) };
}

/** Addresses of one channel, compared without case and without the name before them: `email:ada@example.com`. */
export function suppressionId(channel: string, address: string): string {
  return `${channel}:${bareAddress(address).toLowerCase()}`;
}

/** Sorts by time; the message and channel make it unique, so that catching twice keeps one. */
export function mailboxId(acceptedMs: number, messageId: string, channel: string): string {
  return `${String(acceptedMs).padStart(15, "0")}-${messageId}-${channel}`;
}
