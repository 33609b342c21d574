import {
  type Changed,
  change,
  type Decision,
  NO_ORIGIN,
  noChanges,
  type Origin,
  unchanged,
  write,
} from "#engine/change.ts";
import {
  type DepartureBody,
  DEPARTURES,
  LISTS,
  subscriptionId,
  SUBSCRIPTIONS,
  suppressionId,
  SUPPRESSIONS,
} from "#directory/collections.ts";
import { toList } from "#directory/lists.ts";
import { leave, moved, subscriptionOf, subscriptionPut } from "#directory/membership.ts";
import { liftSuppression, suppressionEffects, toSuppression } from "#directory/suppressions.ts";
import type { Engine } from "#engine/engine.ts";
import type { Secrets } from "#ports/secrets.ts";

/** What the link in a mail takes back: one person's place on one list, or every message to one address. */
export type Farewell =
  | { readonly kind: "list"; readonly listId: string; readonly userId: string; readonly messageId: string | null }
  | { readonly kind: "address"; readonly channel: string; readonly address: string; readonly messageId: string | null };

/** What can be shown to whoever holds the link. `name`: of the list; null when it is every message. */
export type FarewellView = {
  readonly farewell: Farewell;
  readonly name: string | null;
  /** Whether messages still come. */
  readonly subscribed: boolean;
  /** Whether `rejoin` would bring them back. */
  readonly mayReturn: boolean;
};

/** The token of a farewell: unforgeable, safe in a URL, valid for ever (old mails are read late). Pure. */
export function farewellToken(secrets: Secrets, farewell: Farewell): string {
  return secrets.seal(
    JSON.stringify(
      farewell.kind === "list"
        ? ["list", farewell.listId, farewell.userId, farewell.messageId]
        : ["address", farewell.channel, farewell.address, farewell.messageId],
    ),
  );
}

/** Leaving by the link in a mail, as RFC 8058 wants it: who holds the token need not prove anything else. */
export class Unsubscribe {
  readonly #engine: Engine;
  readonly #secrets: Secrets;

  constructor(engine: Engine, secrets: Secrets) {
    this.#engine = engine;
    this.#secrets = secrets;
  }

  /** What a token stands for; null when it is none of ours. */
  read(token: string): Farewell | null {
    const text = this.#secrets.unseal(token);
    if (text === null) return null;
    // Sealed by `farewellToken`, nobody else can.
    const [kind, one, two, messageId] = JSON.parse(text) as [Farewell["kind"], string, string, string | null];
    return kind === "list"
      ? { kind, listId: one, userId: two, messageId }
      : { kind, channel: one, address: two, messageId };
  }

  /** For the page behind the link; changes nothing. */
  async look(farewell: Farewell): Promise<FarewellView> {
    const { store } = this.#engine.parts;
    if (farewell.kind === "address") {
      const id = suppressionId(farewell.channel, farewell.address);
      const [suppression = null] = await store.documents([{ collection: SUPPRESSIONS, id }]);
      const mayReturn = suppression !== null && toSuppression(suppression).reason === "unsubscribe";
      return { farewell, name: null, subscribed: suppression === null, mayReturn };
    }
    const id = subscriptionId(farewell.listId, farewell.userId);
    const [list = null, subscription = null, departure = null] = await store.documents([
      { collection: LISTS, id: farewell.listId },
      { collection: SUBSCRIPTIONS, id },
      { collection: DEPARTURES, id },
    ]);
    const name = list === null ? null : (toList(list)?.name ?? null);
    const subscribed = subscription !== null;
    return { farewell, name: name ?? farewell.listId, subscribed, mayReturn: !subscribed && departure !== null };
  }

  /** Takes effect when the promise resolves: nothing more is sent. Repeating it is harmless. */
  leave(farewell: Farewell, origin: Origin = NO_ORIGIN): Promise<Changed<null>> {
    return farewell.kind === "list" ? this.#leaveList(farewell, origin) : this.#leaveAll(farewell, origin);
  }

  /** Undoes `leave`, and only that: who was taken off by somebody else, or bounced, does not come back this way. */
  rejoin(farewell: Farewell, origin: Origin = NO_ORIGIN): Promise<Changed<null>> {
    return farewell.kind === "list" ? this.#rejoinList(farewell, origin) : this.#rejoinAll(farewell, origin);
  }

  #leaveList({ listId, userId, messageId }: Farewell & { kind: "list" }, origin: Origin): Promise<Changed<null>> {
    const { store, clock } = this.#engine.parts;
    const id = subscriptionId(listId, userId);
    return change(
      this.#engine,
      async (): Promise<Decision<null>> => {
        const [subscription = null] = await store.documents([{ collection: SUBSCRIPTIONS, id }]);
        const changes = noChanges();
        if (subscription === null) return write(changes, null);
        const nowMs = clock.nowMs();
        leave(changes, [subscription], { by: "unsubscribe", nowMs, origin });
        const body: DepartureBody = { sinceMs: nowMs, messageId, left: subscriptionOf(subscription) };
        changes.puts.push({ collection: DEPARTURES, id, body: JSON.stringify(body), when: "always", nowMs });
        return write(changes, null);
      },
      origin,
    );
  }

  #rejoinList({ listId, userId }: Farewell & { kind: "list" }, origin: Origin): Promise<Changed<null>> {
    const { store, clock } = this.#engine.parts;
    const id = subscriptionId(listId, userId);
    return change(
      this.#engine,
      async (): Promise<Decision<null>> => {
        const departureKey = { collection: DEPARTURES, id };
        const subscriptionKey = { collection: SUBSCRIPTIONS, id };
        const [departure = null, subscription = null] = await store.documents([departureKey, subscriptionKey]);
        const changes = noChanges();
        if (departure === null) return write(changes, null);
        changes.expect.push(unchanged(departureKey, departure), unchanged(subscriptionKey, subscription));
        changes.deletes.push(departureKey);
        if (subscription !== null) return write(changes, null);
        const nowMs = clock.nowMs();
        // Only `#leaveList` writes this collection.
        const { left } = JSON.parse(departure.body) as DepartureBody;
        changes.puts.push(subscriptionPut(listId, userId, JSON.stringify(left), nowMs));
        changes.events.push(moved("subscription.added", listId, userId, { by: "resubscribe", nowMs, origin }));
        return write(changes, null);
      },
      origin,
    );
  }

  #leaveAll({ channel, address, messageId }: Farewell & { kind: "address" }, origin: Origin): Promise<Changed<null>> {
    const { store, clock } = this.#engine.parts;
    const key = { collection: SUPPRESSIONS, id: suppressionId(channel, address) };
    return change(
      this.#engine,
      async (): Promise<Decision<null>> => {
        const [before = null] = await store.documents([key]);
        const changes = noChanges();
        if (before !== null) return write(changes, null);
        const wish = {
          channel,
          address,
          messageId,
          reason: "unsubscribe",
          detail: "by the link in a message",
        } as const;
        const { put, event } = suppressionEffects(wish, clock.nowMs(), origin.traceparent);
        changes.expect.push(unchanged(key, null));
        changes.puts.push(put);
        changes.events.push(event);
        return write(changes, null);
      },
      origin,
    );
  }

  #rejoinAll({ channel, address }: Farewell & { kind: "address" }, origin: Origin): Promise<Changed<null>> {
    const { store, clock } = this.#engine.parts;
    const key = { collection: SUPPRESSIONS, id: suppressionId(channel, address) };
    return change(
      this.#engine,
      async (): Promise<Decision<null>> => {
        const [before = null] = await store.documents([key]);
        const changes = noChanges();
        if (before !== null && toSuppression(before).reason === "unsubscribe") {
          liftSuppression(changes, before, clock.nowMs(), origin);
        }
        return write(changes, null);
      },
      origin,
    );
  }
}
