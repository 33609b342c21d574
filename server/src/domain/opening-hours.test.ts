import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { nextOpeningMs, OPENING_DAYS_MAX, parseDelayUntil, parseOpeningHours, parseZone } from "./opening-hours.ts";

const at = (zoned: string): number => Temporal.ZonedDateTime.from(zoned).epochMilliseconds;

/** What `until` means at a moment, told in the zone's own words. */
function due(until: string, now: string): string {
  const moment = Temporal.ZonedDateTime.from(now);
  const parsed = parseDelayUntil(until, moment.timeZoneId, moment.epochMilliseconds);
  assert.ok(parsed.ok, parsed.ok ? "" : parsed.problem);
  const zoned = Temporal.Instant.fromEpochMilliseconds(parsed.dueMs).toZonedDateTimeISO(moment.timeZoneId);
  return zoned.toString({ timeZoneName: "never", offset: "never", smallestUnit: "minute" });
}

// 2026-03-02 is a Monday.
test("within the opening hours the time is now, to the millisecond", () => {
  const nowMs = at("2026-03-02T12:34:56.789+01:00[Europe/Berlin]");
  assert.deepEqual(parseDelayUntil("Mo-Fr 08:00-18:00", "Europe/Berlin", nowMs), { ok: true, dueMs: nowMs });
});

test("the start belongs to the hours, the end does not", () => {
  assert.equal(due("Mo-Fr 08:00-18:00", "2026-03-02T08:00[Europe/Berlin]"), "2026-03-02T08:00");
  assert.equal(due("Mo-Fr 08:00-18:00", "2026-03-02T18:00[Europe/Berlin]"), "2026-03-03T08:00");
});

test("outside of them it is the next opening", () => {
  assert.equal(due("Mo-Fr 08:00-18:00", "2026-03-02T07:59[Europe/Berlin]"), "2026-03-02T08:00");
  assert.equal(due("Mo-Fr 08:00-18:00", "2026-03-06T19:00[Europe/Berlin]"), "2026-03-09T08:00");
  assert.equal(due("09:00-12:00,13:00-17:00", "2026-03-06T12:30[Europe/Berlin]"), "2026-03-06T13:00");
  assert.equal(due("Mo,We 09:00-10:00", "2026-03-02T11:00[Europe/Berlin]"), "2026-03-04T09:00");
});

test("hours may run into the next morning, and days over the weekend", () => {
  assert.equal(due("Fr-Mo 17:00-09:00", "2026-03-03T08:30[Europe/Berlin]"), "2026-03-03T08:30");
  assert.equal(due("Fr-Mo 17:00-09:00", "2026-03-03T09:00[Europe/Berlin]"), "2026-03-06T17:00");
  assert.equal(due("Sa 22:00-26:00", "2026-03-08T01:59[Europe/Berlin]"), "2026-03-08T01:59");
  assert.equal(due("22:00-24:00", "2026-03-08T00:00[Europe/Berlin]"), "2026-03-08T22:00");
});

test("of the rules that match a day the last one decides", () => {
  assert.equal(due("Mo-Fr 08:00-18:00; We off", "2026-03-04T10:00[Europe/Berlin]"), "2026-03-05T08:00");
  assert.equal(due("08:00-18:00; Oct 31: 10:00-12:00", "2026-10-31T08:30[Europe/Berlin]"), "2026-10-31T10:00");
});

test("months and dates narrow a rule down, also over New Year", () => {
  assert.equal(due("Jun-Aug: Mo-Fr 07:00-15:00", "2026-04-20T09:00[Europe/Berlin]"), "2026-06-01T07:00");
  assert.equal(due("Dec 24-Jan 6 10:00-12:00", "2026-12-31T23:00[Europe/Berlin]"), "2027-01-01T10:00");
  assert.equal(due("Dec 24-26: 10:00-12:00", "2026-12-20T23:00[Europe/Berlin]"), "2026-12-24T10:00");
});

test("what does not open within 90 days is refused", () => {
  const parsed = parseDelayUntil("Oct 31: 10:00-12:00", null, at("2026-03-02T00:00[UTC]"));
  assert.deepEqual(parsed, {
    ok: false,
    problem: `"Oct 31: 10:00-12:00" does not open within ${OPENING_DAYS_MAX} days`,
  });
});

test("an opening in the hour that spring skips begins when that hour is over", () => {
  // Berlin, 2026-03-29: 02:00 becomes 03:00.
  assert.equal(due("Su 02:30-06:00", "2026-03-29T01:59[Europe/Berlin]"), "2026-03-29T03:30");
  assert.equal(due("Su 02:00-06:00", "2026-03-29T01:59[Europe/Berlin]"), "2026-03-29T03:00");
  assert.equal(due("08:00-18:00", "2026-03-28T20:00[Europe/Berlin]"), "2026-03-29T08:00");
});

test("an opening in the hour that autumn repeats begins with the first of the two and lasts through the second", () => {
  // Berlin, 2026-10-25: 03:00 becomes 02:00.
  const opening = parseDelayUntil("Su 02:30-05:00", "Europe/Berlin", at("2026-10-25T01:00+02:00[Europe/Berlin]"));
  assert.deepEqual(opening, { ok: true, dueMs: at("2026-10-25T02:30+02:00[Europe/Berlin]") });
  const nowMs = at("2026-10-25T02:15+01:00[Europe/Berlin]");
  assert.deepEqual(parseDelayUntil("Su 02:00-05:00", "Europe/Berlin", nowMs), { ok: true, dueMs: nowMs });
});

test("zones are IANA names or offsets as people write them", () => {
  assert.equal(parseZone("UTC+4"), "+04:00");
  assert.equal(parseZone("gmt-03:30"), "-03:30");
  assert.equal(parseZone("Europe/Zurich"), "Europe/Zurich");
  assert.equal(parseZone("Middle/Earth"), null);
  assert.equal(parseZone(""), null);
  const parsed = parseDelayUntil("Mo-Fr 08:00-18:00", "UTC+4", at("2026-03-02T00:00[UTC]"));
  assert.deepEqual(parsed, { ok: true, dueMs: at("2026-03-02T04:00[UTC]") });
});

test("a date without a zone is UTC, one with a zone is there", () => {
  const ms = (until: string) => parseDelayUntil(until, "Europe/Berlin", 0);
  assert.deepEqual(ms("2026-03-01"), { ok: true, dueMs: Date.UTC(2026, 2, 1) });
  assert.deepEqual(ms("2026-03-01T10:00"), { ok: true, dueMs: Date.UTC(2026, 2, 1, 10) });
  assert.deepEqual(ms("2026-03-01T10:00:00.123Z"), { ok: true, dueMs: Date.UTC(2026, 2, 1, 10, 0, 0, 123) });
  assert.deepEqual(ms("2026-03-01T10:00+05:30"), { ok: true, dueMs: Date.UTC(2026, 2, 1, 4, 30) });
  assert.deepEqual(ms("20240408T080910.123"), { ok: true, dueMs: Date.UTC(2024, 3, 8, 8, 9, 10, 123) });
  assert.deepEqual(ms("2026-03-01T10:00[Europe/Berlin]"), { ok: true, dueMs: Date.UTC(2026, 2, 1, 9) });
});

test("what is neither is refused with a sentence", () => {
  for (const until of [
    "",
    ";",
    "tomorrow",
    "2026-13-01",
    "Mo-Fr",
    "Mo-Xx 08:00-18:00",
    "08:00-25",
    "Foo 3: 08:00-09:00",
    "Mo-We-Fr 08:00-09:00",
    "25:00-26:00",
    "x".repeat(600),
  ]) {
    const parsed = parseDelayUntil(until, null, 0);
    assert.ok(!parsed.ok && parsed.problem.length > 5, until);
  }
});

test("no text breaks the reader, and an opening never lies in the past", () => {
  const words = fc.constantFrom(
    "Mo",
    "-",
    "Fr",
    " ",
    ",",
    ";",
    "08:00",
    "18:00",
    "-",
    "Jun",
    ":",
    "31",
    "off",
    "24/7",
    "2026-",
    "T",
  );
  const until = fc.oneof(
    fc.string(),
    fc.array(words, { maxLength: 12 }).map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(until, fc.integer({ min: 0, max: 4e12 }), (text, nowMs) => {
      const hours = parseOpeningHours(text);
      if (!hours.ok) return;
      const dueMs = nextOpeningMs(hours.hours, "America/New_York", nowMs);
      assert.ok(dueMs === null || dueMs >= nowMs);
      assert.equal(
        dueMs === null ? null : nextOpeningMs(hours.hours, "America/New_York", dueMs),
        dueMs,
        "open when it opens",
      );
    }),
    { numRuns: 300 },
  );
});
