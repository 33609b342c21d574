import type { ServerResponse } from "node:http";
import { FAULTS, type FaultCode, type Problem, problem } from "#domain/problem.ts";

/** What goes back to the caller, as a value: a handler returns it, and nobody else writes to the socket. */
export type Answer = TextAnswer | BytesAnswer | StreamAnswer;

/** `body` null: no body at all (204). */
export type TextAnswer = {
  readonly kind: "text";
  readonly status: number;
  readonly type: string;
  readonly body: string | null;
  readonly headers?: Readonly<Record<string, string>>;
};
export type BytesAnswer = {
  readonly kind: "bytes";
  readonly status: number;
  readonly type: string;
  readonly body: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
};
/** The handler writes head and body itself, for as long as both sides like (server-sent events). */
export type StreamAnswer = { readonly kind: "stream"; readonly open: (response: ServerResponse) => void };

export const JSON_TYPE = "application/json; charset=utf-8";

/** JSON, serialised here and once. */
export function json(status: number, value: unknown, headers?: Readonly<Record<string, string>>): TextAnswer {
  return jsonText(status, JSON.stringify(value), headers);
}

/** JSON that is text already. */
export function jsonText(status: number, body: string, headers?: Readonly<Record<string, string>>): TextAnswer {
  return headers === undefined
    ? { kind: "text", status, type: JSON_TYPE, body }
    : { kind: "text", status, type: JSON_TYPE, body, headers };
}

export const NO_CONTENT: TextAnswer = { kind: "text", status: 204, type: "", body: null };

/** The door's form of a refusal (courier-api.md §1.3), with our code and a hint for whoever has to fix it. */
export function refuse({ code, message }: Problem, headers?: Readonly<Record<string, string>>): TextAnswer {
  const { status, hint } = FAULTS[code];
  const mark = headersOf(code);
  return json(
    status,
    { type: errorType(status), message, code, hint },
    headers === undefined ? mark : { ...mark, ...headers },
  );
}

/** `refuse` for a code and a sentence. */
export function refusal(code: FaultCode, message: string, headers?: Readonly<Record<string, string>>): TextAnswer {
  return refuse(problem(code, message), headers);
}

/** For somebody's words at our address: they may neither run, nor ask for anything but images, nor tell whence they came. */
export const FOREIGN_WORDS: Readonly<Record<string, string>> = {
  "content-security-policy": "sandbox; default-src 'none'; img-src data: http: https:; style-src 'unsafe-inline'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
};

/** Nothing has this id. The sentence is the same whether it never was, was deleted or is another's. */
export function unknownThing(what: string): TextAnswer {
  return refusal("thing.unknown", `There is no such ${what}.`);
}

/** Too much waits: when to come back, in seconds for everyone and in ms for Courier's SDKs. */
export function overloaded(retryAfterMs: number): TextAnswer {
  return refusal("overloaded", "The server has more to store than it can; nothing of this call was kept.", {
    "retry-after": String(Math.max(1, Math.ceil(retryAfterMs / 1000))),
    "retry-after-ms": String(Math.max(1, Math.ceil(retryAfterMs))),
  });
}

/** Courier's SDKs repeat every 409, 429 and 5xx unless told otherwise (§1.1). */
export const NO_RETRY: Readonly<Record<string, string>> = { "x-should-retry": "false" };
const RETRY: Readonly<Record<string, string>> = { "x-should-retry": "true", "retry-after": "1" };
/** The first call is answered within milliseconds; a second would be a long wait for its repetition. */
const RETRY_SOON: Readonly<Record<string, string>> = { ...RETRY, "retry-after-ms": "100" };

function headersOf(code: FaultCode): Readonly<Record<string, string>> | undefined {
  switch (code) {
    case "idempotency.running":
      return RETRY_SOON;
    case "store.unavailable":
    case "stopping":
    case "overloaded":
    case "function.busy":
      return RETRY;
    default:
      return FAULTS[code].status === 409 ? NO_RETRY : undefined;
  }
}

function errorType(status: number): string {
  if (status === 401) return "authentication_error";
  if (status === 403) return "authorization_error";
  if (status === 429) return "rate_limit_error";
  return status >= 500 ? "api_error" : "invalid_request_error";
}
