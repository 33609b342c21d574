import {
  type Changed,
  change,
  type Decision,
  happened,
  NO_ORIGIN,
  noChanges,
  type Origin,
  refused,
  unchanged,
  write,
} from "#engine/change.ts";
import { type ListBody, LISTS } from "#directory/collections.ts";
import { jsonEquals } from "#directory/json-patch.ts";
import { listIdProblem, listMatches, listPatternProblem, patternPrefix } from "#directory/list-id.ts";
import { bringBack, listOf } from "#directory/membership.ts";
import type { Document } from "#domain/document.ts";
import type { JsonObject } from "#domain/json.ts";
import type { Problem } from "#domain/problem.ts";
import type { Engine } from "#engine/engine.ts";
import type { Store } from "#ports/store.ts";

/** A name is a line in a menu and in the head of a mail, not a text. */
export const LIST_NAME_CHARS_MAX = 256;
/** Lists looked at for one page; where more are deleted or do not match, the page is short and says that more follow. */
export const LISTS_LOOKED_AT_MAX = 1_000;

export type MailList = {
  readonly id: string;
  readonly name: string;
  readonly preferences: JsonObject | null;
  readonly createdMs: number;
  readonly updatedMs: number;
};

export type ListsPage = { readonly lists: readonly MailList[]; readonly next: string | null };

/** The lists themselves; who is on them is in `subscriptions.ts`. Deleted ones keep their subscribers and can return. */
export class Lists {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  async get(listId: string): Promise<MailList | null> {
    const document = await this.#read(listId);
    return document === null ? null : toList(document);
  }

  /** Makes or renames a list. Absent preferences stay as they are; null clears them. A deleted list is back. */
  put(
    listId: string,
    wish: { readonly name: string; readonly preferences?: JsonObject | null | undefined },
    origin: Origin = NO_ORIGIN,
  ): Promise<Changed<null>> {
    const problem = listIdProblem(listId) ?? nameProblem(wish.name);
    if (problem !== null) return Promise.resolve(refused("request.invalid", `${problem}.`));
    return this.#change(listId, origin, (document, changes, nowMs) => {
      const before = document === null ? null : listOf(document);
      const preferences = wish.preferences === undefined ? (before?.preferences ?? null) : wish.preferences;
      const changed = [
        ...(before?.name === wish.name ? [] : ["name"]),
        ...(before !== null && jsonEquals(before.preferences, preferences) ? [] : ["preferences"]),
      ];
      if (before !== null && before.deletedMs === null && changed.length === 0) return null;
      const type = before === null ? "list.created" : before.deletedMs === null ? "list.updated" : "list.restored";
      changes.events.push(happened(type, `list:${listId}`, { name: wish.name, changed }, { nowMs, origin }));
      return { name: wish.name, preferences, deletedMs: null };
    });
  }

  /** Hides a list and stops what is sent to it. Refused when there is none. */
  remove(listId: string, origin: Origin = NO_ORIGIN): Promise<Changed<null>> {
    return this.#change(listId, origin, (document, changes, nowMs) => {
      const before = document === null ? null : listOf(document);
      if (before === null || before.deletedMs !== null) return "unknown";
      changes.events.push(happened("list.deleted", `list:${listId}`, {}, { nowMs, origin }));
      return { ...before, deletedMs: nowMs };
    });
  }

  /** Brings a deleted list back with its subscribers. Refused when there never was one. */
  restore(listId: string, origin: Origin = NO_ORIGIN): Promise<Changed<null>> {
    return this.#change(listId, origin, (document, changes, nowMs) => {
      if (document === null) return "unknown";
      bringBack(changes, listId, document, { nowMs, origin });
      return null;
    });
  }

  /** By id. With a pattern (or an exact id) only those that match; `refused` when it is none. */
  async list(ask: {
    readonly pattern: string | null;
    readonly after: string | null;
    readonly limit: number;
  }): Promise<
    { readonly kind: "page"; readonly page: ListsPage } | { readonly kind: "refused"; readonly problem: Problem }
  > {
    const problem = ask.pattern === null ? null : listPatternProblem(ask.pattern);
    if (problem !== null) return refused("request.invalid", `pattern: ${problem}.`);
    return { kind: "page", page: await readLists(this.#engine.parts.store, ask) };
  }

  #change(
    listId: string,
    origin: Origin,
    next: (
      document: Document | null,
      changes: ReturnType<typeof noChanges>,
      nowMs: number,
    ) => ListBody | "unknown" | null,
  ): Promise<Changed<null>> {
    return change(
      this.#engine,
      async (): Promise<Decision<null>> => {
        const document = await this.#read(listId);
        const changes = noChanges();
        const nowMs = this.#engine.parts.clock.nowMs();
        const body = next(document, changes, nowMs);
        if (body === "unknown") return unknownList();
        if (body !== null) {
          const key = { collection: LISTS, id: listId };
          changes.expect.push(unchanged(key, document));
          changes.puts.push({ ...key, body: JSON.stringify(body), when: "always", nowMs });
        }
        return write(changes, null);
      },
      origin,
    );
  }

  async #read(listId: string): Promise<Document | null> {
    const [document = null] = await this.#engine.parts.store.documents([{ collection: LISTS, id: listId }]);
    return document;
  }
}

/**
 * Living lists by id, strictly behind `after`, up to `limit` of them, only those that match a well-formed pattern.
 * `next` is where the next page begins; null at the end.
 */
export async function readLists(
  store: Store,
  ask: { readonly pattern: string | null; readonly after: string | null; readonly limit: number },
): Promise<ListsPage> {
  const { pattern, limit } = ask;
  const lists: MailList[] = [];
  let after = ask.after;
  for (let looked = 0; looked < LISTS_LOOKED_AT_MAX; ) {
    const wanted = Math.min(LISTS_LOOKED_AT_MAX - looked, limit + 1);
    const prefix = pattern === null ? "" : patternPrefix(pattern);
    const documents = await store.listDocuments({ collection: LISTS, prefix, after, limit: wanted });
    for (const document of documents) {
      const list = pattern === null || listMatches(pattern, document.id) ? toList(document) : null;
      if (list !== null && lists.length === limit) return { lists, next: after };
      if (list !== null) lists.push(list);
      after = document.id;
    }
    if (documents.length < wanted) return { lists, next: null };
    looked += documents.length;
  }
  return { lists, next: after };
}

/** The list, or null when it is deleted. */
export function toList(document: Document): MailList | null {
  const { name, preferences, deletedMs } = listOf(document);
  if (deletedMs !== null) return null;
  return { id: document.id, name, preferences, createdMs: document.createdMs, updatedMs: document.updatedMs };
}

export function unknownList() {
  return refused("thing.unknown", "There is no such list.");
}

function nameProblem(name: string): string | null {
  // oxlint-disable-next-line no-control-regex -- control characters are what is refused
  if (/[\u0000-\u001f\u007f]/.test(name)) return "a list's name is one line without control characters";
  return name.length > 0 && name.length <= LIST_NAME_CHARS_MAX
    ? null
    : `a list's name has 1 to ${LIST_NAME_CHARS_MAX} characters`;
}
