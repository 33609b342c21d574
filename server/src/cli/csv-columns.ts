import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";

/**
 * What the columns of a subscribers' file mean, from its header:
 *
 * - `user_id` (also `userId`, `user`, `id`, `recipient`): who it is; without it, the e-mail address is the id
 * - `data.x`: the subscription's own data
 * - everything else is a key of the profile, dots nest: `email`, `phone_number`, `locale`, `custom.city`
 *
 * `--map "E-Mail=email"` renames a column, `--map "Notes="` leaves it out.
 */
export type Columns = {
  readonly count: number;
  readonly rowOf: (fields: readonly string[]) => { readonly row: ImportRow } | { readonly problem: string };
};

/** A row of `POST /lists/{id}/import`: the profile's keys, beside `user_id` and `data`. */
export type ImportRow = JsonObject;

/** Where a column's cells go in the row; null: nowhere. */
type Slot = readonly string[] | null;

const USER_COLUMNS = ["user_id", "userid", "user", "id", "recipient", "recipient_id", "recipientid"];
/** Headings that people give to what a profile calls otherwise. */
const SYNONYMS: Readonly<Record<string, string>> = {
  "e-mail": "email",
  mail: "email",
  "email address": "email",
  "e-mail address": "email",
  phone: "phone_number",
  mobile: "phone_number",
  "phone number": "phone_number",
  language: "locale",
  first_name: "given_name",
  "first name": "given_name",
  last_name: "family_name",
  "last name": "family_name",
};
/** Columns that we add to the file of bad rows; passed over when it is imported. */
export const OWN_COLUMN = "tidings_";
/** Keys that would change what an object is. */
const FORBIDDEN = ["__proto__", "constructor", "prototype"];

/** @returns a sentence when the header cannot be used. */
export function readColumns(
  header: readonly string[],
  maps: ReadonlyMap<string, string>,
): Columns | { readonly problem: string } {
  const names = header.map((heading) => nameOf(heading.trim(), maps));
  const slots = names.map(slotOf);
  const twice = names.find((name, index) => name !== "" && names.indexOf(name) !== index);
  if (twice !== undefined) return { problem: `the header names ${JSON.stringify(twice)} twice` };
  const forbidden = slots.findIndex((slot) => slot?.some((key) => key === "" || FORBIDDEN.includes(key)));
  if (forbidden !== -1) return { problem: `the header has a column that cannot be a key: ${names[forbidden]}` };
  const keys = slots.map((slot) => slot?.join("."));
  if (!keys.includes("user_id") && !keys.includes("email")) {
    const had = header.map((heading) => JSON.stringify(heading)).join(", ");
    return { problem: `the header needs a column user_id or email; it has ${had}` };
  }
  return { count: header.length, rowOf: (fields) => rowOf(slots, fields) };
}

function nameOf(heading: string, maps: ReadonlyMap<string, string>): string {
  const mapped = maps.get(heading);
  if (mapped !== undefined) return mapped;
  const small = heading.toLowerCase();
  return SYNONYMS[small] ?? (small === "email" ? small : heading);
}

function slotOf(name: string): Slot {
  if (name === "" || name.startsWith(OWN_COLUMN)) return null;
  if (USER_COLUMNS.includes(name.toLowerCase())) return ["user_id"];
  return name.split(".");
}

function rowOf(
  slots: readonly Slot[],
  fields: readonly string[],
): { readonly row: ImportRow } | { readonly problem: string } {
  if (fields.length !== slots.length) return { problem: `has ${fields.length} fields, the header has ${slots.length}` };
  const row: Record<string, Json> = {};
  for (const [index, slot] of slots.entries()) {
    const value = (fields[index] ?? "").trim();
    // An empty cell says nothing; it must not wipe what a profile already knows.
    if (value !== "" && slot !== null) put(row, slot, value);
  }
  return "user_id" in row || "email" in row ? { row } : { problem: "has neither user_id nor email" };
}

function put(target: Record<string, Json>, path: readonly string[], value: string): void {
  const [key = "", ...rest] = path;
  if (rest.length === 0) {
    target[key] = value;
    return;
  }
  const below = target[key];
  const inner: Record<string, Json> = isJsonObject(below) ? { ...below } : {};
  put(inner, rest, value);
  target[key] = inner;
}
