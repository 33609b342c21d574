import assert from "node:assert/strict";
import { test } from "node:test";
import { outcomeOf, RETRY_AFTER_MS_MAX, retryAfterMs } from "#providers/webhook/answer.ts";

const NOW_MS = Date.UTC(2026, 0, 1);

test("a status decides what happens to the message", () => {
  const kinds = (statuses: readonly number[]) => statuses.map((status) => outcomeOf(status, null, "", NOW_MS).kind);
  assert.deepEqual(kinds([200, 201, 202, 204, 299]), ["sent", "sent", "sent", "sent", "sent"]);
  assert.deepEqual(kinds([301, 302, 304, 307, 308]), ["refused", "refused", "refused", "refused", "refused"]);
  assert.deepEqual(kinds([400, 401, 403, 404, 410, 422]), [
    "refused",
    "refused",
    "refused",
    "refused",
    "refused",
    "refused",
  ]);
  assert.deepEqual(kinds([408, 425, 429, 500, 502, 503, 504]), [
    "retry",
    "retry",
    "retry",
    "retry",
    "retry",
    "retry",
    "retry",
  ]);
});

test("the receiver's wish when to come back is kept, in seconds or as a date, within a day", () => {
  assert.deepEqual(outcomeOf(429, "120", "slow down", NOW_MS), {
    kind: "retry",
    reason: "the receiver answered 429: slow down",
    afterMs: 120_000,
  });
  assert.equal(retryAfterMs("Thu, 01 Jan 2026 00:00:30 GMT", NOW_MS), 30_000);
  assert.equal(retryAfterMs("Wed, 31 Dec 2025 00:00:00 GMT", NOW_MS), 0);
  assert.equal(retryAfterMs("99999999", NOW_MS), RETRY_AFTER_MS_MAX);
  assert.equal(retryAfterMs("soon", NOW_MS), null);
  assert.deepEqual(outcomeOf(503, "soon", "", NOW_MS), { kind: "retry", reason: "the receiver answered 503" });
});

test("what a receiver says is quoted on one line, and not at length", () => {
  const { reason } = outcomeOf(400, null, `bad\r\n\x1b[31m\u202e words\u0000${"!".repeat(5_000)}`, NOW_MS) as {
    reason: string;
  };
  assert.match(reason, /^the receiver answered 400: bad \[31m words !+$/);
  assert.ok(reason.length < 300);
});
