/**
 * Route: who is it, where can they be reached, and may we?
 *
 *     message ──profile, subscription, suppressions──▶ Person ──each way──▶ open   (channel, providers)
 *                                                          │                └──▶ skipped (reason, rule)
 *                                                          └── left the list ──▶ no
 *
 * Reads a whole batch in two goes. Runs again before every try, so that an address changed meanwhile is used and a no
 * that was said meanwhile is heard. Writes nothing.
 */
import {
  PROFILES,
  SUBSCRIPTIONS,
  type SubscriptionBody,
  subscriptionId,
  SUPPRESSIONS,
  type SuppressionBody,
  suppressionId,
} from "#directory/collections.ts";
import type { Channel } from "#domain/content.ts";
import type { Document, DocumentKey } from "#domain/document.ts";
import { isJsonObject, type Json, type JsonObject, mergeJson } from "#domain/json.ts";
import type { Job } from "#domain/job.ts";
import type { MessageReason, NewMessage } from "#domain/message.ts";
import type { Leaf } from "#domain/routing.ts";
import { type Plan, targetData } from "#pipeline/plan.ts";
import type { Providers } from "#pipeline/providers.ts";
import type { Standing } from "#pipeline/last-look.ts";
import type { Revocations } from "#pipeline/revocations.ts";
import type { Provider } from "#ports/provider.ts";
import type { Store } from "#ports/store.ts";

/** A message in hand with its plan. */
export type Work = { readonly job: Job; readonly record: NewMessage; readonly plan: Plan };

/** Everything about the recipient that the next stages need. */
export type Person = {
  readonly userId: string | null;
  /** Stored profile under what the send itself said. */
  readonly profile: JsonObject;
  readonly data: JsonObject;
  readonly locale: string | null;
  /** The list that this mail comes from, for its unsubscribe link. */
  readonly listId: string | null;
  /** No longer on the list that the message was for. */
  readonly leftList: boolean;
  readonly suppressions: ReadonlyMap<Channel, SuppressionBody>;
  /** What would revoke it, and the moment from which to look (`Revocations`). */
  readonly revocableBy: readonly string[];
  readonly routedAt: number;
  /** The same for what other nodes commit: how it was when this was read (`LastLook`). */
  readonly standings: readonly Standing[];
};

export type Way =
  | { readonly kind: "open"; readonly channel: Channel; readonly providers: readonly Provider[] }
  | { readonly kind: "closed"; readonly reason: MessageReason; readonly rule: string };

/** The people of a batch; `persons[i]` belongs to `works[i]`. */
export async function route(
  works: readonly Work[],
  store: Store,
  revocations: Revocations,
): Promise<readonly Person[]> {
  const routedAt = revocations.now();
  const known = await readMany(store, works.flatMap(directoryKeys));
  const people = works.map((work) => personOf(work, known, routedAt));
  const addressKeys = people.flatMap((person) => person.addresses.map(([, key]) => key));
  const suppressed = await readMany(
    store,
    addressKeys.map((id) => ({ collection: SUPPRESSIONS, id })),
  );
  return people.map(({ addresses, membership, ...person }) => ({
    ...person,
    suppressions: suppressionsOf(addresses, suppressed),
    standings: [
      ...(membership === null ? [] : [{ key: membership, isThere: true }]),
      // What is suppressed already closes its own way; the others are judged by what comes anew.
      ...addresses.flatMap(([, id]) => {
        const key = { collection: SUPPRESSIONS, id };
        return suppressed.has(`${SUPPRESSIONS} ${id}`) ? [] : [{ key, isThere: false }];
      }),
    ],
  }));
}

/** Whether a way is open to this person, and if not, which rule closes it. */
export function wayOf(leaf: Leaf, plan: Plan, person: Person, providers: Providers): Way {
  const { message } = plan;
  const ways = providers.ways(leaf.entry, message.channels?.[leaf.entry]?.providers);
  if (ways === null)
    return closed("PROVIDER_ERROR", `routing names "${leaf.entry}", which is neither a channel nor a provider here`);
  const { channel } = ways;
  if (ways.providers.length === 0) return closed("NO_PROVIDERS", `no provider is configured for ${channel}`);
  if (!reachable(channel, person)) return closed("NO_CHANNELS", `the profile has no ${ADDRESS_NAMES[channel]}`);
  const suppression = person.suppressions.get(channel);
  if (suppression !== undefined) {
    const reason = suppression.reason === "unsubscribe" ? "UNSUBSCRIBED" : "BOUNCED";
    const since = new Date(suppression.sinceMs).toISOString();
    return closed(reason, `suppression (${suppression.reason}) of ${since}: ${suppression.detail}`);
  }
  return { kind: "open", channel, providers: ways.providers };
}

function closed(reason: MessageReason, rule: string): Way {
  return { kind: "closed", reason, rule };
}

/** What makes a channel reachable, in words (courier-api.md §3.2). */
const ADDRESS_NAMES: Readonly<Record<Channel, string>> = {
  email: "email",
  sms: "phone_number",
  push: "device token",
  direct_message: "chat account (slack, ms_teams, discord, …)",
  inbox: "user id",
  webhook: "webhook.url",
};

const PUSH_KEYS = [
  "firebaseToken",
  "apn",
  "expo",
  "oneSignalPlayerID",
  "oneSignalExternalUserId",
  "aws_sns",
  "airship",
  "pusherBeams",
];
const CHAT_KEYS = ["slack", "ms_teams", "discord", "viber", "streamChat", "intercom", "facebookPSID", "pagerduty"];

/** The part of a profile that says where a channel reaches someone; null when nothing does. */
export function addressOf(channel: Channel, person: Pick<Person, "profile" | "userId">): Json {
  const { profile } = person;
  switch (channel) {
    case "email":
      return text(profile["email"]);
    case "sms":
      return text(profile["phone_number"]);
    case "push":
      return pick(profile, PUSH_KEYS);
    case "direct_message":
      return pick(profile, CHAT_KEYS);
    case "inbox":
      return person.userId;
    case "webhook": {
      const webhook = profile["webhook"];
      return isJsonObject(webhook) && typeof webhook["url"] === "string" ? webhook : null;
    }
  }
}

function reachable(channel: Channel, person: Person): boolean {
  return addressOf(channel, person) !== null;
}

function text(value: Json | undefined): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

function pick(profile: JsonObject, keys: readonly string[]): JsonObject | null {
  const found = keys.filter((key) => (profile[key] ?? null) !== null);
  return found.length === 0 ? null : Object.fromEntries(found.map((key) => [key, profile[key] ?? null]));
}

function directoryKeys({ record }: Work): DocumentKey[] {
  if (record.userId === null) return [];
  const profile = { collection: PROFILES, id: record.userId };
  if (record.listId === null) return [profile];
  return [profile, { collection: SUBSCRIPTIONS, id: subscriptionId(record.listId, record.userId) }];
}

async function readMany(store: Store, keys: readonly DocumentKey[]): Promise<ReadonlyMap<string, Document>> {
  if (keys.length === 0) return new Map();
  const unique = new Map(keys.map((key) => [`${key.collection} ${key.id}`, key]));
  const found = new Map<string, Document>();
  for (const document of await store.documents([...unique.values()])) {
    if (document !== null) found.set(`${document.collection} ${document.id}`, document);
  }
  return found;
}

type Found = Omit<Person, "suppressions" | "standings"> & {
  readonly addresses: readonly (readonly [Channel, string])[];
  /** The subscription that it is sent for, while it is there. */
  readonly membership: DocumentKey | null;
};

function personOf({ record, plan }: Work, known: ReadonlyMap<string, Document>, routedAt: number): Found {
  const { userId, listId } = record;
  const stored = userId === null ? undefined : known.get(`${PROFILES} ${userId}`);
  const subscriptionKey = userId === null || listId === null ? null : subscriptionId(listId, userId);
  const subscription = subscriptionKey === null ? undefined : known.get(`${SUBSCRIPTIONS} ${subscriptionKey}`);
  const target = plan.targets[record.toIndex];
  const inline = target?.kind === "person" ? inlineProfile(target.to) : {};
  // Directory alone writes these documents, as JSON objects.
  const profile = stored === undefined ? inline : mergeJson(JSON.parse(stored.body) as JsonObject, inline);
  const addresses = addressesOf(profile);
  return {
    userId,
    profile,
    data: dataOf(plan, record, subscription),
    locale: text(profile["locale"]),
    listId,
    leftList: subscriptionKey !== null && subscription === undefined,
    revocableBy: [...(subscriptionKey === null ? [] : [subscriptionKey]), ...addresses.map(([, key]) => key)],
    routedAt,
    addresses,
    membership: subscription === undefined ? null : { collection: SUBSCRIPTIONS, id: subscription.id },
  };
}

/** What a recipient's entry says of the person, without what it says of the message. */
function inlineProfile(to: JsonObject): JsonObject {
  const { user_id: _user, data: _data, context: _context, preferences: _preferences, ...profile } = to;
  return profile;
}

/** The message's data, under the entry's, under that of the subscription. */
function dataOf(plan: Plan, record: NewMessage, subscription: Document | undefined): JsonObject {
  const target = plan.targets[record.toIndex];
  const own = target === undefined ? undefined : target.kind === "person" ? target.to["data"] : target.data;
  const data = targetData(plan.message, isJsonObject(own) ? own : undefined);
  if (subscription === undefined) return data;
  const { data: personal } = JSON.parse(subscription.body) as SubscriptionBody;
  return isJsonObject(personal) ? { ...data, ...personal } : data;
}

function addressesOf(profile: JsonObject): readonly (readonly [Channel, string])[] {
  const email = text(profile["email"]);
  const phone = text(profile["phone_number"]);
  return [
    ...(email === null ? [] : [["email", suppressionId("email", email)] as const]),
    ...(phone === null ? [] : [["sms", suppressionId("sms", phone)] as const]),
  ];
}

function suppressionsOf(
  addresses: readonly (readonly [Channel, string])[],
  suppressed: ReadonlyMap<string, Document>,
): ReadonlyMap<Channel, SuppressionBody> {
  const found = new Map<Channel, SuppressionBody>();
  for (const [channel, key] of addresses) {
    const document = suppressed.get(`${SUPPRESSIONS} ${key}`);
    if (document !== undefined) found.set(channel, JSON.parse(document.body) as SuppressionBody);
  }
  return found;
}
