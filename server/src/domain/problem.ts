/**
 * Why a call was refused, in words for its caller. Doors put it into their own form; `code` is in `docs/faults.md`.
 */
export type Problem = {
  readonly code: FaultCode;
  /** One sentence: what is wrong and what to do. Never repeats secrets. */
  readonly message: string;
};

/** Everything that a caller or an operator can be told, with the HTTP status that goes with it and a hint. */
export const FAULTS = {
  "http.malformed": {
    status: 400,
    hint: "Look at the client, or at a proxy between: RFC 9112 says how a call is written.",
  },
  "http.head_too_large": {
    status: 431,
    hint: "Path and headers together may have 16 KB; long things belong in the body.",
  },
  "http.too_slow": { status: 408, hint: "Send the whole call sooner; the head within 15 s, all of it within 60 s." },
  "request.malformed": { status: 400, hint: "The body must be JSON in UTF-8; the message says where it is not." },
  "request.invalid": { status: 400, hint: "The message names the field and what it should be." },
  "request.too_large": { status: 413, hint: "A request may have 6 MB; upload attachments first and name them by id." },
  "request.unsupported_type": { status: 415, hint: "Send the body as application/json." },
  "auth.missing": { status: 401, hint: "Send the header Authorization: Bearer KEY; `tidings keys create` makes one." },
  "auth.invalid": {
    status: 401,
    hint: "The key is unknown or was revoked; `tidings keys list` shows those that work.",
  },
  "auth.scope": { status: 403, hint: "The key may not do this; make one with the scope that the message names." },
  "route.unknown": { status: 404, hint: "There is no such path; /docs lists those that exist." },
  "route.method": { status: 405, hint: "The header Allow lists the methods that this path answers." },
  "thing.unknown": { status: 404, hint: "Nothing has this id, or it was deleted." },
  "recipient.unsupported": { status: 400, hint: "This form of recipient is not available in this version." },
  "event.invalid": {
    status: 400,
    hint: "docs/events.md says what an event must have; the message names what is wrong.",
  },
  "event.too_large": { status: 413, hint: "An event may have 1 MiB; put large things elsewhere and name them." },
  "event.unfit": {
    status: 422,
    hint: "The event does not fit its type's schema; `tidings schemas show TYPE` shows it.",
  },
  "schema.invalid": {
    status: 400,
    hint: "The message says where the schema is wrong; docs/schemas.md has the limits.",
  },
  "idempotency.mismatch": { status: 422, hint: "This Idempotency-Key was used with another body; use a new key." },
  "idempotency.running": { status: 409, hint: "A call with this key is under way; try again in a moment." },
  "conflict.changed": { status: 409, hint: "Someone changed it at the same time; read it again and repeat the call." },
  "conflict.exists": { status: 409, hint: "It exists already." },
  "function.failed": {
    status: 500,
    hint: "Nothing of the call was kept but its log; `tidings functions logs NAME` shows it.",
  },
  "function.late": {
    status: 504,
    hint: "The function did not answer within its `timeoutMs`; nothing of the call was kept but its log.",
  },
  "function.busy": { status: 503, hint: "The function has as many calls as it can take; try again after Retry-After." },
  "overloaded": { status: 429, hint: "Too much waits to be stored; try again after Retry-After." },
  "store.unavailable": {
    status: 503,
    hint: "The store cannot commit now (full disk, locked file, database away); nothing was kept. Try again after Retry-After.",
  },
  "stopping": { status: 503, hint: "The server is shutting down; try again after Retry-After." },
  "internal": { status: 500, hint: "A fault of ours; the log has an entry with the same request id." },
} as const satisfies Record<string, { readonly status: number; readonly hint: string }>;

export type FaultCode = keyof typeof FAULTS;

export function problem(code: FaultCode, message: string): Problem {
  return { code, message };
}
