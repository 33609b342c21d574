import { hasControls } from "#directory/address.ts";
import { listIdProblem, listPatternProblem } from "#directory/list-id.ts";
import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";
import { ADDRESS_CHARS_MAX, RECIPIENTS_PER_REQUEST_MAX, USER_ID_CHARS_MAX } from "#domain/limits.ts";
import type { Target } from "#domain/notification.ts";
import { type Problem, problem } from "#domain/problem.ts";

/**
 * Tells the entries of `to` apart, once. What would only be found out later, in a mail's header or at a provider, is
 * refused here: an address with a line break never gets into a row.
 */
export function readTargets(to: Json | undefined): readonly Target[] | Problem {
  if (to === undefined || to === null)
    return problem("request.invalid", "message.to is required: say who should get it");
  const entries = Array.isArray(to) ? (to as readonly Json[]) : [to as Json];
  if (entries.length === 0)
    return problem("request.invalid", "message.to is an empty array: name at least one recipient");
  if (entries.length > RECIPIENTS_PER_REQUEST_MAX) {
    return problem("request.invalid", `message.to has more than ${RECIPIENTS_PER_REQUEST_MAX} entries; use a list`);
  }
  const targets: Target[] = [];
  for (const [at, entry] of entries.entries()) {
    const path = Array.isArray(to) ? `message.to[${at}]` : "message.to";
    const target = readTarget(entry, path);
    if ("code" in target) return target;
    targets.push(target);
  }
  return targets;
}

function readTarget(to: Json, path: string): Target | Problem {
  if (!isJsonObject(to))
    return problem("request.invalid", `${path} must be an object, e.g. {"email": "ada@example.com"}`);
  const { user_id: userId, list_id: listId, list_pattern: pattern } = to;
  const kinds = [userId ?? null, listId ?? null, pattern ?? null].filter((value) => value !== null).length;
  if (kinds > 1) {
    return problem(
      "request.invalid",
      `${path} mixes user_id, list_id and list_pattern; use one entry of an array for each`,
    );
  }
  if (has(to, "audience_id")) {
    return problem("recipient.unsupported", `${path}.audience_id: audiences come with a later version; use a list_id`);
  }
  if (has(to, "tenant_id") || has(to, "account_id")) {
    return problem(
      "recipient.unsupported",
      `${path}.tenant_id: tenants come with a later version; name users or a list`,
    );
  }
  const data = to["data"] ?? {};
  if (!isJsonObject(data)) return problem("request.invalid", `${path}.data must be an object`);
  if (has(to, "list_id")) {
    const wrong = typeof listId === "string" ? listIdProblem(listId) : "it must be a string";
    return wrong !== null || typeof listId !== "string"
      ? problem("request.invalid", `${path}.list_id: ${wrong}`)
      : { kind: "list", listId, data };
  }
  if (has(to, "list_pattern")) {
    const wrong = typeof pattern === "string" ? listPatternProblem(pattern) : "it must be a string";
    return wrong !== null || typeof pattern !== "string"
      ? problem("request.invalid", `${path}.list_pattern: ${wrong}`)
      : { kind: "pattern", pattern, data };
  }
  return readPerson(to, path);
}

function readPerson(to: JsonObject, path: string): Target | Problem {
  const userId = to["user_id"] ?? null;
  if (userId !== null && (typeof userId !== "string" || userId === "" || userId.length > USER_ID_CHARS_MAX)) {
    return problem("request.invalid", `${path}.user_id must be a string of 1 to ${USER_ID_CHARS_MAX} characters`);
  }
  if (userId !== null && isUnsafe(userId)) {
    return problem("request.invalid", `${path}.user_id must be valid Unicode without control characters`);
  }
  for (const key of ["email", "phone_number"] as const) {
    const address = to[key] ?? null;
    if (address === null) continue;
    if (typeof address !== "string" || address === "" || address.length > ADDRESS_CHARS_MAX || isUnsafe(address)) {
      return problem("request.invalid", `${path}.${key} must be a single address without line breaks`);
    }
    if (key === "email" && !MAILBOX.test(address)) {
      return problem("request.invalid", `${path}.email is not a mail address; it should look like ada@example.com`);
    }
  }
  if (
    Object.keys(to).every((key) => key === "data" || key === "context" || key === "preferences" || key === "locale")
  ) {
    return problem(
      "request.invalid",
      `${path} names nobody: give user_id, email, phone_number, list_id or a profile key`,
    );
  }
  const listId = listOf(to);
  if (listId === null) return { kind: "person", userId, listId, to };
  const wrong =
    typeof listId !== "string"
      ? "it must be a string"
      : userId === null
        ? "whoever is on a list has a user_id; give it beside context"
        : listIdProblem(listId);
  return wrong !== null || typeof listId !== "string"
    ? problem("request.invalid", `${path}.context.list_id: ${wrong}`)
    : { kind: "person", userId, listId, to };
}

/** The list in whose name somebody is written to (ours): they must be on it, and their mail has its unsubscribe link. */
function listOf(to: JsonObject): Json {
  const context = to["context"];
  return isJsonObject(context) ? (context["list_id"] ?? null) : null;
}

function has(to: JsonObject, key: string): boolean {
  return (to[key] ?? null) !== null;
}

/** Line breaks and other control characters, the raw material of header injection; and half characters. */
function isUnsafe(text: string): boolean {
  return hasControls(text) || !text.isWellFormed();
}

/** Something, an at sign, something; the provider knows the fine print (RFC 5321 §4.1.2). */
const MAILBOX = /^[^@]+@[^@\s]+$|^[^<>]*<[^@<>]+@[^@<>\s]+>$/;
