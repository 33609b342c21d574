import {
  type Changed,
  change,
  type Decision,
  NO_ORIGIN,
  noChanges,
  type Origin,
  refused,
  write,
} from "#engine/change.ts";
import { type DepartureBody, DEPARTURES, PROFILES, subscriptionId, SUBSCRIPTIONS } from "#directory/collections.ts";
import { listIdProblem } from "#directory/list-id.ts";
import { type Join, join } from "#directory/membership.ts";
import { profileProblem } from "#directory/profile-rules.ts";
import { profileOf, putProfile } from "#directory/profiles.ts";
import { joinProblem } from "#directory/subscriptions.ts";
import type { Document } from "#domain/document.ts";
import { isJsonObject, type Json, type JsonObject, mergeJson } from "#domain/json.ts";
import type { Engine } from "#engine/engine.ts";

/** Rows in one call, which is one commit: small enough (80 ms for SQLite) that others do not wait long, large enough for 10,000 rows a second. */
export const IMPORT_ROWS_MAX = 1_000;

export type Imported = {
  /** Rows that took effect, or whose effect was there already. */
  readonly imported: number;
  readonly errors: readonly RowError[];
};

/** `row` counts from 0 within the call. */
export type RowError = { readonly row: number; readonly problem: string };

/**
 * Puts the people of a table on a list: each row is a person (`user_id`, or else the mail address in lower case), what
 * is known of them (merged into the profile; empty cells say nothing), and optionally `data` and `preferences` of the
 * subscription. A bad row is told and stops no other. The good rows are one commit; the same call again changes nothing.
 * Whoever left the list by the link in a mail is not put back.
 */
export async function importRows(
  engine: Engine,
  listId: string,
  rows: readonly unknown[],
  origin: Origin = NO_ORIGIN,
): Promise<Changed<Imported>> {
  const fault = listIdProblem(listId);
  if (fault !== null) return refused("request.invalid", `${fault}.`);
  if (rows.length > IMPORT_ROWS_MAX) return refused("request.invalid", `One call has at most ${IMPORT_ROWS_MAX} rows.`);
  const read = rows.map((row, at) => readRow(listId, row, at));
  const unreadable = read.filter((row): row is RowError => "problem" in row);
  const people = read.filter((row): row is Row => !("problem" in row));
  return change(engine, () => decide(engine, listId, people, unreadable, origin), origin);
}

type Row = { readonly row: number; readonly userId: string; readonly over: JsonObject; readonly join: Join };
type Person = { readonly document: Document | null; readonly before: JsonObject; after: JsonObject };

async function decide(
  engine: Engine,
  listId: string,
  rows: readonly Row[],
  unreadable: readonly RowError[],
  origin: Origin,
): Promise<Decision<Imported>> {
  const { store, clock } = engine.parts;
  const nowMs = clock.nowMs();
  const userIds = [...new Set(rows.map(({ userId }) => userId))];
  const placed = (collection: string) => userIds.map((userId) => ({ collection, id: subscriptionId(listId, userId) }));
  const [profiles, subscriptions, departures] = await Promise.all([
    store.documents(userIds.map((id) => ({ collection: PROFILES, id }))),
    store.documents(placed(SUBSCRIPTIONS)),
    store.documents(placed(DEPARTURES)),
  ]);
  const people = new Map<string, Person>();
  const gone = new Map<string, string>();
  for (const [at, userId] of userIds.entries()) {
    const document = profiles[at] ?? null;
    const before = document === null ? {} : profileOf(document);
    people.set(userId, { document, before, after: before });
    const departure = departures[at] ?? null;
    if (departure !== null && subscriptions[at] == null) gone.set(userId, sinceOf(departure));
  }
  const errors = [...unreadable];
  const joins = new Map<string, Join>();
  for (const { row, userId, over, join: wish } of rows) {
    const person = people.get(userId);
    const left = gone.get(userId);
    if (person === undefined || left !== undefined) {
      errors.push({
        row,
        problem: `left this list on ${left}; only they, or a call for them alone, can bring them back`,
      });
      continue;
    }
    const after = mergeJson(person.after, over);
    const problem = profileProblem(after, true);
    if (problem === null) {
      person.after = after;
      joins.set(userId, { ...joins.get(userId), ...wish });
    } else errors.push({ row, problem });
  }
  const changes = noChanges();
  for (const userId of joins.keys()) {
    const person = people.get(userId);
    if (person !== undefined) putProfile(changes, { userId, ...person, type: "profile.merged", nowMs, origin });
  }
  const listIds = joins.size === 0 ? [] : [listId];
  await join(changes, store, { listIds, joins: [...joins.values()] }, { by: "csv", nowMs, origin });
  const imported = rows.length + unreadable.length - errors.length;
  return write(changes, { imported, errors: errors.toSorted((one, other) => one.row - other.row) });
}

/** Reads a row by itself. Cells come from a table, so numbers and JSON text are understood where they make sense. */
function readRow(listId: string, cells: unknown, row: number): Row | RowError {
  if (!isJsonObject(cells)) return { row, problem: "a row is an object" };
  const { user_id, data, preferences, ...over } = Object.fromEntries(
    Object.entries(cells).filter(([, cell]) => cell !== "" && cell !== null),
  );
  const email = over["email"];
  const chosen = user_id ?? (typeof email === "string" ? email.trim().toLowerCase() : undefined);
  if (typeof chosen !== "string" && typeof chosen !== "number")
    return { row, problem: "has neither user_id nor email" };
  const userId = String(chosen);
  const [itsData, itsPreferences] = [objectCell(data), objectCell(preferences)];
  if (itsData === null || itsPreferences === null) return { row, problem: "data and preferences are JSON objects" };
  const join: Join = {
    listId,
    userId,
    ...(itsData === undefined ? {} : { data: itsData }),
    ...(itsPreferences === undefined ? {} : { preferences: itsPreferences }),
  };
  const problem = joinProblem(join);
  const trimmed = typeof email === "string" ? { ...over, email: email.trim() } : over;
  return problem === null ? { row, userId, over: trimmed, join } : { row, problem };
}

/** Undefined: says nothing. Null: is something, but no object. */
function objectCell(cell: Json | undefined): JsonObject | null | undefined {
  if (cell === undefined) return undefined;
  const value = typeof cell === "string" ? parsed(cell) : cell;
  return isJsonObject(value) ? value : null;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function sinceOf({ body }: Document): string {
  // Only the unsubscribe link writes this collection.
  return new Date((JSON.parse(body) as DepartureBody).sinceMs).toISOString().slice(0, 10);
}
