import type { IncomingHttpHeaders } from "node:http";
import { IDEMPOTENCY_MS_MIN } from "#doors/http/limits.ts";
import type { Once } from "#doors/http/route.ts";
import { IDEMPOTENCY_KEY_CHARS_MAX, IDEMPOTENCY_MS_DEFAULT, IDEMPOTENCY_MS_MAX } from "#domain/limits.ts";

/** What an answer will be remembered under, "none" without a key, or a sentence about a key that cannot be one. */
export type OnceRead =
  | { readonly kind: "none" }
  | { readonly kind: "once"; readonly once: Once }
  | { readonly kind: "bad"; readonly says: string };

const NONE: OnceRead = { kind: "none" };

/**
 * Reads the idempotency headers (courier-api.md §1.6). Scope is the path, so different calls may reuse one key. The
 * expiration is wished for, never refused: it is brought between 24 hours and a year from now.
 */
export function readOnce(
  headers: IncomingHttpHeaders,
  path: string,
  text: string,
  nowMs: number,
  digest: (text: string) => string,
): OnceRead {
  const key = headers["idempotency-key"];
  if (key === undefined || key === "") return NONE;
  if (typeof key !== "string" || key.length > IDEMPOTENCY_KEY_CHARS_MAX) {
    return { kind: "bad", says: `Idempotency-Key may have at most ${IDEMPOTENCY_KEY_CHARS_MAX} characters.` };
  }
  const expiresMs = expiryOf(headers["x-idempotency-expiration"], nowMs);
  return { kind: "once", once: { key: `${path} ${key}`, fingerprint: digest(text), expiresMs } };
}

/** Seconds below this are years away, milliseconds below it lie in 1973: the magnitude tells which was meant. */
const SECONDS_MAX = 100_000_000_000;

/** When an answer may be forgotten; a wish that makes no sense gives the default. */
export function expiryOf(header: string | string[] | undefined, nowMs: number): number {
  const wished = typeof header === "string" ? epochMs(header.trim()) : Number.NaN;
  if (Number.isNaN(wished)) return nowMs + IDEMPOTENCY_MS_DEFAULT;
  return Math.min(Math.max(wished, nowMs + IDEMPOTENCY_MS_MIN), nowMs + IDEMPOTENCY_MS_MAX);
}

function epochMs(text: string): number {
  if (!/^\d{1,16}$/.test(text)) return Date.parse(text);
  const number = Number(text);
  return number < SECONDS_MAX ? number * 1000 : number;
}
