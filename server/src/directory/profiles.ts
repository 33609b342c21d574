import { changedKeys, PROFILE_LIMITS, profileProblem, userIdProblem } from "#directory/profile-rules.ts";
import {
  type Changed,
  change,
  type Decision,
  happened,
  NO_ORIGIN,
  noChanges,
  type Origin,
  part,
  refused,
  unchanged,
  write,
} from "#engine/change.ts";
import { PROFILES, SUBSCRIPTIONS } from "#directory/collections.ts";
import { applyPatch, jsonEquals } from "#directory/json-patch.ts";
import { leave } from "#directory/membership.ts";
import type { Document } from "#domain/document.ts";
import { isJsonObject, type JsonObject, mergeJson } from "#domain/json.ts";
import { PATCH_OPERATIONS_MAX } from "#domain/limits.ts";
import type { Engine } from "#engine/engine.ts";

/** Subscriptions that end together with their person in one commit; those beyond end in commits of their own before. */
export const FAREWELL_SUBSCRIPTIONS_MAX = 1_000;

export type Profile = {
  readonly profile: JsonObject;
  readonly version: number;
  readonly createdMs: number;
  readonly updatedMs: number;
};

/**
 * What is known of people, above all where to reach them. An address lives here, once: who changes it is reached at the
 * new one through every list from the next message on.
 */
export class Profiles {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  async get(userId: string): Promise<Profile | null> {
    const document = await this.#read(userId);
    if (document === null) return null;
    const { version, createdMs, updatedMs } = document;
    return { profile: profileOf(document), version, createdMs, updatedMs };
  }

  /** Merges deeply over what is known, or makes the person known. */
  merge(userId: string, over: JsonObject, origin: Origin = NO_ORIGIN): Promise<Changed<null>> {
    return this.#become(userId, "profile.merged", origin, (before) => mergeJson(before, over));
  }

  /** From now on nothing but this is known. */
  replace(userId: string, profile: JsonObject, origin: Origin = NO_ORIGIN): Promise<Changed<null>> {
    return this.#become(userId, "profile.replaced", origin, () => profile);
  }

  /** RFC 6902, all operations or none; begins with `{}` when the person is not known yet. */
  async patch(userId: string, operations: readonly unknown[], origin: Origin = NO_ORIGIN): Promise<Changed<null>> {
    if (operations.length > PATCH_OPERATIONS_MAX) {
      return refused("request.invalid", `A patch has at most ${PATCH_OPERATIONS_MAX} operations.`);
    }
    if (operations.length === 0) return change(this.#engine, async () => write(noChanges(), null), origin);
    return this.#become(userId, "profile.patched", origin, (before) => {
      const patched = applyPatch(before, operations, PROFILE_LIMITS);
      if (patched.kind === "failed") return `patch[${patched.at}]: ${patched.reason}.`;
      return isJsonObject(patched.value) ? patched.value : "A profile is an object.";
    });
  }

  /**
   * Forgets a person and takes them off every list. What was said of their address stays: suppressions are kept.
   * Harmless when nobody is known by the id. Someone on more than `FAREWELL_SUBSCRIPTIONS_MAX` lists leaves them in
   * several commits, the profile with the last; a call that failed between them is repeated safely.
   */
  async remove(userId: string, origin: Origin = NO_ORIGIN): Promise<Changed<null>> {
    const { store, clock } = this.#engine.parts;
    for (let begun = false; ; begun = true) {
      const decide = async (): Promise<Decision<"all" | "more">> => {
        const [document = null] = await store.documents([{ collection: PROFILES, id: userId }]);
        const subscriptions = await store.listDocuments({
          collection: SUBSCRIPTIONS,
          term: ["user", userId],
          limit: FAREWELL_SUBSCRIPTIONS_MAX,
        });
        const changes = noChanges();
        const nowMs = clock.nowMs();
        leave(changes, subscriptions, { by: "api", nowMs, origin });
        if (subscriptions.length === FAREWELL_SUBSCRIPTIONS_MAX) return write(changes, "more");
        if (document !== null) {
          const key = { collection: PROFILES, id: userId };
          changes.expect.push(unchanged(key, document));
          changes.deletes.push(key);
          changes.events.push(happened("profile.deleted", `user:${userId}`, {}, { nowMs, origin }));
        }
        return write(changes, "all");
      };
      const removed = await part(begun, () => change(this.#engine, decide));
      if (removed.kind !== "done") return removed;
      if (removed.value === "all") return { kind: "done", value: null };
    }
  }

  #become(
    userId: string,
    type: string,
    origin: Origin,
    next: (before: JsonObject) => JsonObject | string,
  ): Promise<Changed<null>> {
    return change(
      this.#engine,
      async (): Promise<Decision<null>> => {
        const bad = userIdProblem(userId);
        if (bad !== null) return refused("request.invalid", `${bad}.`);
        const document = await this.#read(userId);
        const before = document === null ? {} : profileOf(document);
        const after = next(before);
        const fault = typeof after === "string" ? after : profileProblem(after);
        if (fault !== null || typeof after === "string") return refused("request.invalid", String(fault));
        const changes = noChanges();
        putProfile(changes, { userId, document, before, after, type, nowMs: this.#engine.parts.clock.nowMs(), origin });
        return write(changes, null);
      },
      origin,
    );
  }

  async #read(userId: string): Promise<Document | null> {
    const [document = null] = await this.#engine.parts.store.documents([{ collection: PROFILES, id: userId }]);
    return document;
  }
}

/** Adds what makes `after` the profile; nothing when it is so already. The event names keys and never shows values. */
export function putProfile(
  { expect, puts, events }: ReturnType<typeof noChanges>,
  step: {
    readonly userId: string;
    readonly document: Document | null;
    readonly before: JsonObject;
    readonly after: JsonObject;
    readonly type: string;
    readonly nowMs: number;
    readonly origin: Origin;
  },
): void {
  const { userId, document, before, after, type, nowMs, origin } = step;
  const keys = changedKeys(before, after, jsonEquals);
  if (document !== null && keys.length === 0) return;
  const key = { collection: PROFILES, id: userId };
  expect.push(unchanged(key, document));
  puts.push({ ...key, body: JSON.stringify(after), when: "always", nowMs });
  events.push(happened(type, `user:${userId}`, { keys, created: document === null }, { nowMs, origin }));
}

export function profileOf(document: Document): JsonObject {
  // Only `putProfile` writes this collection, and it writes objects.
  return JSON.parse(document.body) as JsonObject;
}
