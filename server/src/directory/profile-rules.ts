import { addressProblem, mailAddressProblem, phoneNumberProblem } from "#directory/address.ts";
import { jsonFits, type PatchLimits } from "#directory/json-patch.ts";
import type { Json, JsonObject } from "#domain/json.ts";
import { JSON_DEPTH_MAX, PROFILE_BYTES_MAX, USER_ID_CHARS_MAX } from "#domain/limits.ts";

/** While a patch is under way its characters are counted; in the end the bytes are. */
export const PROFILE_LIMITS: PatchLimits = { charsMax: PROFILE_BYTES_MAX, depthMax: JSON_DEPTH_MAX };

/** Null when a person may have this id, otherwise what is wrong with it. It may contain anything that can be seen. */
export function userIdProblem(userId: string): string | null {
  if (userId === "" || userId.length > USER_ID_CHARS_MAX) return `a user id has 1 to ${USER_ID_CHARS_MAX} characters`;
  if (!userId.isWellFormed()) return "a user id is valid Unicode";
  // oxlint-disable-next-line no-control-regex -- control characters are what is refused
  return /[\u0000-\u001f\u007f]/.test(userId) ? "a user id has no control characters" : null;
}

/**
 * Null when this may be kept as a profile, otherwise what is wrong. A line break in an address is refused where it
 * enters; every other key is kept as it is. Whether an address looks like one is asked of an import (`strict`), where a
 * bad row is worth a report, and not of the API: Courier keeps such profiles, and what writes them today must go on
 * working. A message to such an address ends as undeliverable, with that reason.
 */
export function profileProblem(profile: JsonObject, strict = false): string | null {
  if (!jsonFits(profile, PROFILE_LIMITS) || bytesOf(JSON.stringify(profile)) > PROFILE_BYTES_MAX) {
    return `a profile has at most ${PROFILE_BYTES_MAX} bytes and ${JSON_DEPTH_MAX} levels`;
  }
  for (const [key, check] of strict ? [...CHECKS, ...STRICT_CHECKS] : CHECKS) {
    const value = Object.hasOwn(profile, key) ? profile[key] : undefined;
    const fault = value === undefined || value === null ? null : check(value);
    if (fault !== null) return `profile.${key} ${fault}`;
  }
  return null;
}

/** The top-level keys in which two profiles differ. */
export function changedKeys(
  before: JsonObject,
  after: JsonObject,
  same: (one: Json, other: Json) => boolean,
): string[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].filter((key) => {
    const [was, is] = [
      Object.hasOwn(before, key) ? before[key] : undefined,
      Object.hasOwn(after, key) ? after[key] : undefined,
    ];
    return was === undefined || is === undefined || !same(was, is);
  });
}

const text = (check: (value: string) => string | null) => (value: Json) =>
  typeof value === "string" ? check(value) : "must be a string";
const short = text((value) => (value.length <= 64 ? null : "has more than 64 characters"));

const CHECKS: readonly (readonly [key: string, check: (value: Json) => string | null])[] = [
  ["email", text(addressProblem)],
  ["phone_number", text(addressProblem)],
  ["locale", short],
  ["timezone", short],
  ["zoneinfo", short],
];

const STRICT_CHECKS: typeof CHECKS = [
  ["email", text(mailAddressProblem)],
  ["phone_number", text(phoneNumberProblem)],
];

const encoder = new TextEncoder();

/** Bytes in UTF-8; encodes only when it matters. */
function bytesOf(json: string): number {
  return json.length * 3 <= PROFILE_BYTES_MAX ? json.length : encoder.encode(json).length;
}
