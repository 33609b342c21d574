import {
  type Changed,
  change,
  type Decision,
  NO_ORIGIN,
  noChanges,
  type Origin,
  part,
  refused,
  write,
} from "#engine/change.ts";
import {
  LISTS,
  splitSubscriptionId,
  subscriptionId,
  subscriptionPrefix,
  SUBSCRIPTIONS,
} from "#directory/collections.ts";
import { listIdProblem } from "#directory/list-id.ts";
import { type MailList, toList, unknownList } from "#directory/lists.ts";
import { type By, type Join, join, leave, subscriptionOf } from "#directory/membership.ts";
import { userIdProblem } from "#directory/profile-rules.ts";
import type { Document } from "#domain/document.ts";
import type { JsonObject } from "#domain/json.ts";
import { PROFILE_BYTES_MAX, SUBSCRIPTIONS_PER_CALL_MAX } from "#domain/limits.ts";
import type { Problem } from "#domain/problem.ts";
import type { Engine } from "#engine/engine.ts";

/**
 * Subscriptions that change in one commit, some 40 ms of work for SQLite. A call with more is done in several, so that
 * nobody's login code waits for the store behind a list of fifty thousand; each is whole, and a call that was cut short
 * is repeated safely.
 */
export const SUBSCRIPTIONS_PER_COMMIT_MAX = 1_000;

/** One subscriber of a call. Absent fields keep what was there when adding, and are nothing when replacing. */
export type Subscriber = Omit<Join, "listId">;

export type Subscription = {
  readonly listId: string;
  readonly userId: string;
  readonly preferences: JsonObject | null;
  readonly data: JsonObject | null;
  readonly createdMs: number;
};

export type SubscriptionsPage = { readonly subscriptions: readonly Subscription[]; readonly next: string | null };

/** Who is on which list. A person stands on a list by their id; where they are reached is in their profile. */
export class Subscriptions {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** By user id, strictly behind `after`; null when there is no such list. */
  async page(listId: string, after: string | null, limit: number): Promise<SubscriptionsPage | null> {
    const { store } = this.#engine.parts;
    const prefix = subscriptionPrefix(listId);
    const [[list = null], documents] = await Promise.all([
      store.documents([{ collection: LISTS, id: listId }]),
      store.listDocuments({
        collection: SUBSCRIPTIONS,
        prefix,
        after: after === null ? null : prefix + after,
        limit: limit + 1,
      }),
    ]);
    if (list === null || toList(list) === null) return null;
    const subscriptions = documents.slice(0, limit).map(toSubscription);
    return { subscriptions, next: documents.length > limit ? (subscriptions.at(-1)?.userId ?? null) : null };
  }

  /** Puts people on a list and keeps those who are on it; makes the list. Who is named twice counts as last named. */
  add(listId: string, subscribers: readonly Subscriber[], origin: Origin = NO_ORIGIN): Promise<Changed<null>> {
    return this.#joinAll([listId], toJoins(listId, subscribers), { by: "api", origin });
  }

  /** Puts one person on a list, or changes what is said of them there. */
  subscribe(listId: string, subscriber: Subscriber, origin: Origin = NO_ORIGIN): Promise<Changed<null>> {
    return this.add(listId, [subscriber], origin);
  }

  /** Puts one person on several lists. */
  subscribeUser(
    userId: string,
    lists: readonly Omit<Join, "userId">[],
    origin: Origin = NO_ORIGIN,
  ): Promise<Changed<null>> {
    const listIds = new Set(lists.map(({ listId }) => listId));
    return this.#joinAll(
      [...listIds],
      lists.map((list) => ({ ...list, userId })),
      { by: "api", origin },
    );
  }

  /**
   * Leaves exactly these people on the list. Up to `SUBSCRIPTIONS_PER_COMMIT_MAX` old and new together this is one
   * commit; beyond, those who must go are gone first, so that nobody is written to who should not be.
   */
  async replace(
    listId: string,
    subscribers: readonly Subscriber[],
    origin: Origin = NO_ORIGIN,
  ): Promise<Changed<null>> {
    const exact = subscribers.map(({ userId, preferences = null, data = null }) => ({ userId, preferences, data }));
    const joins = toJoins(listId, exact);
    const problem = joinsProblem([listId], joins);
    if (problem !== null) return { kind: "refused", problem };
    const wanted = unique(joins);
    const kept = new Set(wanted.map(({ userId }) => userId));
    const small = await change(this.#engine, () => this.#replaceAtOnce(listId, wanted, kept, origin), origin);
    if (small.kind !== "done") return small;
    if (small.value === "replaced") return DONE;
    const left = await this.#leaveAllBut(listId, kept, origin);
    return left.kind === "done" ? this.#joinAll([listId], wanted, { by: "replace", origin, begun: true }) : left;
  }

  /** Takes someone off a list. Refused when they are not on it. */
  unsubscribe(listId: string, userId: string, origin: Origin = NO_ORIGIN): Promise<Changed<null>> {
    const { store, clock } = this.#engine.parts;
    return change(
      this.#engine,
      async (): Promise<Decision<null>> => {
        if (listIdProblem(listId) !== null) return unknownList();
        const [list = null, subscription = null] = await store.documents([
          { collection: LISTS, id: listId },
          { collection: SUBSCRIPTIONS, id: subscriptionId(listId, userId) },
        ]);
        if (list === null || toList(list) === null) return unknownList();
        if (subscription === null) return refused("thing.unknown", "This user is not subscribed to the list.");
        const changes = noChanges();
        leave(changes, [subscription], { by: "api", nowMs: clock.nowMs(), origin });
        return write(changes, null);
      },
      origin,
    );
  }

  /** The lists that someone is on, without deleted ones; a page may be short although more follow. */
  async ofUser(
    userId: string,
    after: string | null,
    limit: number,
  ): Promise<{
    readonly items: readonly (Subscription & { readonly list: MailList })[];
    readonly next: string | null;
  }> {
    const { store } = this.#engine.parts;
    const found = await store.listDocuments({
      collection: SUBSCRIPTIONS,
      term: ["user", userId],
      after,
      limit: limit + 1,
    });
    const page = found.slice(0, limit);
    const lists = await store.documents(
      page.map(({ id }) => ({ collection: LISTS, id: splitSubscriptionId(id).listId })),
    );
    const items = page.flatMap((document, at) => {
      const listDocument = lists[at] ?? null;
      const list = listDocument === null ? null : toList(listDocument);
      return list === null ? [] : [{ ...toSubscription(document), list }];
    });
    return { items, next: found.length > limit ? (page.at(-1)?.id ?? null) : null };
  }

  /** Takes someone off every list. */
  async removeUser(userId: string, origin: Origin = NO_ORIGIN): Promise<Changed<null>> {
    const { store, clock } = this.#engine.parts;
    for (let begun = false; ; begun = true) {
      const decide = async (): Promise<Decision<number>> => {
        const limit = SUBSCRIPTIONS_PER_COMMIT_MAX;
        const documents = await store.listDocuments({ collection: SUBSCRIPTIONS, term: ["user", userId], limit });
        const changes = noChanges();
        leave(changes, documents, { by: "api", nowMs: clock.nowMs(), origin });
        return write(changes, documents.length);
      };
      const left = await part(begun, () => change(this.#engine, decide));
      if (left.kind !== "done") return left;
      if (left.value < SUBSCRIPTIONS_PER_COMMIT_MAX) return DONE;
    }
  }

  /** Everything is checked before anything is written. */
  async #joinAll(
    listIds: readonly string[],
    joins: readonly Join[],
    { by, origin, begun = false }: { readonly by: By; readonly origin: Origin; readonly begun?: boolean },
  ): Promise<Changed<null>> {
    const problem = joinsProblem(listIds, joins);
    if (problem !== null) return { kind: "refused", problem };
    const { store, clock } = this.#engine.parts;
    const wanted = unique(joins);
    for (let at = 0; ; at += SUBSCRIPTIONS_PER_COMMIT_MAX) {
      const now = wanted.slice(at, at + SUBSCRIPTIONS_PER_COMMIT_MAX);
      const isLast = at + SUBSCRIPTIONS_PER_COMMIT_MAX >= wanted.length;
      const decide = async (): Promise<Decision<null>> => {
        const changes = noChanges();
        const lists = now.length === 0 ? listIds : [...new Set(now.map(({ listId }) => listId))];
        await join(changes, store, { listIds: lists, joins: now }, { by, nowMs: clock.nowMs(), origin });
        return write(changes, null);
      };
      // The answer is remembered with the last part: before, the call has not been answered.
      const ownOrigin = isLast ? origin : { ...origin, once: null };
      const joined = await part(begun || at > 0, () => change(this.#engine, decide, ownOrigin));
      if (joined.kind !== "done" || isLast) return joined;
    }
  }

  /** The whole replacement as one commit, or `too-many` when that would be too large. */
  async #replaceAtOnce(
    listId: string,
    wanted: readonly Join[],
    kept: ReadonlySet<string>,
    origin: Origin,
  ): Promise<Decision<"replaced" | "too-many">> {
    const { store, clock } = this.#engine.parts;
    const room = SUBSCRIPTIONS_PER_COMMIT_MAX - wanted.length;
    if (room < 0) return { kind: "elsewhere", value: "too-many" };
    const prefix = subscriptionPrefix(listId);
    const present = await store.listDocuments({ collection: SUBSCRIPTIONS, prefix, limit: room + 1 });
    if (present.length > room) return { kind: "elsewhere", value: "too-many" };
    const changes = noChanges();
    const step = { by: "replace", nowMs: clock.nowMs(), origin } as const;
    leave(
      changes,
      present.filter(({ id }) => !kept.has(splitSubscriptionId(id).userId)),
      step,
    );
    await join(changes, store, { listIds: [listId], joins: wanted }, step);
    return write(changes, "replaced");
  }

  async #leaveAllBut(listId: string, kept: ReadonlySet<string>, origin: Origin): Promise<Changed<null>> {
    const { store, clock } = this.#engine.parts;
    const prefix = subscriptionPrefix(listId);
    let after: string | null = null;
    for (let begun = false; ; begun = true) {
      const decide = async (): Promise<Decision<string | null>> => {
        const limit = SUBSCRIPTIONS_PER_COMMIT_MAX;
        const present = await store.listDocuments({ collection: SUBSCRIPTIONS, prefix, after, limit });
        const changes = noChanges();
        const going = present.filter(({ id }) => !kept.has(splitSubscriptionId(id).userId));
        leave(changes, going, { by: "replace", nowMs: clock.nowMs(), origin });
        return write(changes, present.length < limit ? null : (present.at(-1)?.id ?? null));
      };
      const left: Changed<string | null> = await part(begun, () => change(this.#engine, decide));
      if (left.kind !== "done") return left;
      if (left.value === null) return DONE;
      after = left.value;
    }
  }
}

const DONE: Changed<null> = { kind: "done", value: null };

function toJoins(listId: string, subscribers: readonly Subscriber[]): readonly Join[] {
  return subscribers.map((subscriber) => ({ ...subscriber, listId }));
}

/** Whoever is named several times counts as named last, in the place where they were named first. */
function unique(joins: readonly Join[]): readonly Join[] {
  return [...new Map(joins.map((each) => [subscriptionId(each.listId, each.userId), each])).values()];
}

function joinsProblem(listIds: readonly string[], joins: readonly Join[]): Problem | null {
  if (joins.length > SUBSCRIPTIONS_PER_CALL_MAX) {
    return refused("request.invalid", `One call has at most ${SUBSCRIPTIONS_PER_CALL_MAX} subscriptions.`).problem;
  }
  for (const listId of listIds) {
    const fault = listIdProblem(listId);
    if (fault !== null) return refused("request.invalid", `${fault}.`).problem;
  }
  for (const [at, each] of joins.entries()) {
    const fault = joinProblem(each);
    if (fault !== null)
      return refused("request.invalid", joins.length === 1 ? `${fault}.` : `[${at}]: ${fault}.`).problem;
  }
  return null;
}

/** Null when this subscription may be kept, otherwise what is wrong with it. */
export function joinProblem({ listId, userId, preferences, data }: Join): string | null {
  const fault = listIdProblem(listId) ?? userIdProblem(userId);
  if (fault !== null) return fault;
  if (preferences == null && data == null) return null;
  const charsMax = PROFILE_BYTES_MAX;
  return JSON.stringify([preferences, data]).length <= charsMax
    ? null
    : `preferences and data of a subscription have at most ${charsMax} characters`;
}

function toSubscription(document: Document): Subscription {
  return { ...splitSubscriptionId(document.id), ...subscriptionOf(document), createdMs: document.createdMs };
}
