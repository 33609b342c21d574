import type { Outcome } from "#domain/outcome.ts";

/** Longest wish of a receiver that we follow: a day; one that says "next year" has made a mistake. */
export const RETRY_AFTER_MS_MAX = 24 * 60 * 60 * 1000;
/** What is quoted of an answer that is not a yes: enough for an error's sentence, not for a page. */
export const EXCERPT_CHARS_MAX = 200;

/** Client errors that may pass: 408 Request Timeout, 425 Too Early, 429 Too Many Requests. */
const PASSING = new Set([408, 425, 429]);

/**
 * What an HTTP status means for a message.
 *
 * @param retryAfter the header (RFC 9110 §10.2.3), seconds or a date, if there was one.
 * @param excerpt the beginning of the body.
 */
export function outcomeOf(status: number, retryAfter: string | null, excerpt: string, nowMs: number): Outcome {
  if (status >= 200 && status < 300) return { kind: "sent", reference: { status: String(status) } };
  if (status >= 300 && status < 400) return { kind: "refused", reason: `${status}: redirects are not followed` };
  const words = oneLine(excerpt);
  const reason = `the receiver answered ${status}${words === "" ? "" : `: ${words}`}`;
  if (status < 500 && !PASSING.has(status)) return { kind: "refused", reason };
  const afterMs = retryAfter === null ? null : retryAfterMs(retryAfter, nowMs);
  return afterMs === null ? { kind: "retry", reason } : { kind: "retry", reason, afterMs };
}

/** Null for what is neither a number of seconds nor a date. */
export function retryAfterMs(text: string, nowMs: number): number | null {
  const ms = /^\s*\d{1,12}\s*$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Number.isNaN(ms) ? null : Math.min(Math.max(0, ms), RETRY_AFTER_MS_MAX);
}

/** Control characters and runs of space become one space, so that an answer cannot write lines into a log. */
export function oneLine(text: string, charsMax = EXCERPT_CHARS_MAX): string {
  return text
    .replace(/[\s\p{Cc}\p{Cf}\ufffd]+/gu, " ")
    .trim()
    .slice(0, charsMax);
}
