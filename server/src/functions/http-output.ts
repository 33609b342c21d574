import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";

/** What goes back to the caller of a function's path. `body` null: none. */
export type HttpAnswer = {
  readonly status: number;
  readonly type: string;
  /** By lower-case name, without the content type. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
};

/** What a handler returned, or a sentence about why that is no answer. */
export type OutputRead =
  | { readonly ok: true; readonly answer: HttpAnswer }
  | { readonly ok: false; readonly says: string };

/** Largest answer: what a call may bring, it may get. */
const ANSWER_CHARS_MAX = 6 * 1024 * 1024;
const HEADERS_MAX = 64;
/** Common proxies take 8 KiB of headers. */
const HEADER_CHARS_MAX = 8 * 1024;
const JSON_TYPE = "application/json; charset=utf-8";
const TEXT_TYPE = "text/plain; charset=utf-8";
/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** RFC 9110 §5.5: what is visible, spaces and tabs; nothing that ends a line. */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** Of the connection (RFC 9110 §7.6.1), or written by the server for every answer. */
const NOT_THEIRS: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "date",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "traceparent",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "x-request-id",
]);
/** Answers that cannot have a body (RFC 9110 §15.3.5, §15.3.6, §15.4.5). */
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304]);

/** Reads what a handler of an `http` trigger returned. @param output JSON text; null for nothing. */
export function readHttpOutput(output: string | null): OutputRead {
  if (output === null) return { ok: true, answer: { status: 204, type: "", headers: {}, body: null } };
  // The host has written it as JSON.
  const value = JSON.parse(output) as Json;
  if (!isJsonObject(value)) return bad(`It returned ${nameOf(value)}, which is no answer; ${FORM}`);
  const unknown = Object.keys(value).find((key) => key !== "status" && key !== "headers" && key !== "body");
  if (unknown !== undefined) return bad(`It returned an object with ${JSON.stringify(unknown)}; ${FORM}`);
  if (Object.keys(value).length === 0) return bad(`It returned {}, which is no answer; ${FORM}`);
  return readAnswer(value);
}

const FORM = "return { status, headers, body } with at least one of them: { body: … } for the body alone.";

function readAnswer({ status: given, headers: givenHeaders, body: givenBody }: JsonObject): OutputRead {
  const body = givenBody === undefined ? null : typeof givenBody === "string" ? givenBody : JSON.stringify(givenBody);
  const status = given ?? (body === null ? 204 : 200);
  if (typeof status !== "number" || !Number.isInteger(status) || status < 200 || status > 599)
    return bad(`It returned the status ${JSON.stringify(status)}; it must be a whole number from 200 to 599.`);
  if (body !== null && BODILESS.has(status))
    return bad(`It returned a body with the status ${status}, which has none.`);
  if (body !== null && body.length > ANSWER_CHARS_MAX)
    return bad(`It returned a body of ${body.length} characters; ${ANSWER_CHARS_MAX} are the most.`);
  const read = readHeaders(givenHeaders ?? {});
  if (typeof read === "string") return bad(read);
  const { "content-type": type, ...headers } = read;
  const otherwise = typeof givenBody === "string" ? TEXT_TYPE : JSON_TYPE;
  return { ok: true, answer: { status, type: type ?? otherwise, headers, body } };
}

/** By lower-case name, or a sentence. */
function readHeaders(given: Json): Readonly<Record<string, string>> | string {
  if (!isJsonObject(given)) return "It returned headers that are no object of names and texts.";
  const headers = new Map<string, string>();
  let chars = 0;
  for (const [name, value] of Object.entries(given)) {
    const shown = JSON.stringify(name.slice(0, 80));
    const lower = name.toLowerCase();
    if (!TOKEN.test(name)) return `It returned a header named ${shown}, which is no name for one.`;
    if (NOT_THEIRS.has(lower)) return `It returned the header ${shown}, which only the server sets; leave it out.`;
    if (headers.has(lower)) return `It returned the header ${shown} twice.`;
    if (typeof value !== "string" || !FIELD_VALUE.test(value))
      return `It returned the header ${shown} with a value that is not text on one line; encode what is beyond Latin-1.`;
    chars += name.length + value.length;
    headers.set(lower, value);
  }
  if (headers.size > HEADERS_MAX || chars > HEADER_CHARS_MAX)
    return `It returned ${headers.size} headers of ${chars} characters; ${HEADERS_MAX} with ${HEADER_CHARS_MAX} are the most.`;
  return Object.fromEntries(headers);
}

function bad(says: string): OutputRead {
  return { ok: false, says };
}

function nameOf(value: Json): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "an array" : `a ${typeof value}`;
}

/** The text that is kept for an Idempotency-Key: the whole answer, unlike those of our own routes, which are all JSON. */
export function keptText({ type, headers, body }: HttpAnswer): string {
  return JSON.stringify({ type, headers, body });
}

/** What was kept, as it was. */
export function keptAnswer({ status, body }: { readonly status: number; readonly body: string }): HttpAnswer {
  // Only `keptText` writes what is kept of a function's path.
  const kept = JSON.parse(body) as Omit<HttpAnswer, "status">;
  return { status, ...kept };
}
