import assert from "node:assert/strict";
import { test } from "node:test";
import { nextTimeMs, type Schedule, scheduleFault, scheduleText } from "#functions/next-time.ts";

const NOW = Date.UTC(2026, 0, 1);
const cron = (expression: string, timeZone = "UTC"): Schedule => ({ when: { kind: "cron", expression }, timeZone });
const rate = (everyMs: number): Schedule => ({ when: { kind: "rate", everyMs }, timeZone: "UTC" });

/** The next so many times, one after the other. */
function times(schedule: Schedule, from: string, count: number): readonly string[] {
  const found: string[] = [];
  for (let atMs = Date.parse(from); found.length < count; ) {
    const nextMs = nextTimeMs(schedule, atMs);
    if (nextMs === null) break;
    found.push(new Date(nextMs).toISOString().slice(0, 16));
    atMs = nextMs;
  }
  return found;
}

test("a working day's morning is the same hour on the wall all year", () => {
  assert.deepEqual(times(cron("0 8 * * MON-FRI", "Europe/Berlin"), "2026-03-27T00:00Z", 3), [
    "2026-03-27T07:00",
    "2026-03-30T06:00",
    "2026-03-31T06:00",
  ]);
});

test("a time that the clock leaves out in spring is made up for at once, and only once", () => {
  const spring = times(cron("30 2 * * *", "Europe/Berlin"), "2026-03-28T00:00Z", 3);
  assert.deepEqual(spring, ["2026-03-28T01:30", "2026-03-29T01:00", "2026-03-30T00:30"]);
  const two = times(cron("30 2,14 * * *", "Europe/Berlin"), "2026-03-28T20:00Z", 3);
  assert.deepEqual(two, ["2026-03-29T01:00", "2026-03-29T12:30", "2026-03-30T00:30"]);
});

test("a time that comes twice in autumn happens once", () => {
  const autumn = times(cron("30 2 * * *", "Europe/Berlin"), "2026-10-24T12:00Z", 2);
  assert.deepEqual(autumn, ["2026-10-25T00:30", "2026-10-26T01:30"]);
});

test("what is repeated goes on through both changes without a gap", () => {
  const apart = (from: string) => {
    const found = times(cron("*/30 * * * *", "Europe/Berlin"), from, 12).map((text) => Date.parse(`${text}Z`));
    return new Set(found.slice(1).map((atMs, at) => atMs - (found[at] ?? 0)));
  };
  assert.deepEqual([...apart("2026-03-28T22:00Z")], [30 * 60_000]);
  assert.deepEqual([...apart("2026-10-24T22:00Z")], [30 * 60_000]);
});

test("a year of every night in a zone with clock changes has 365 times, each on another day", () => {
  for (const zone of ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]) {
    const all = times(cron("30 2 * * *", zone), "2026-01-01T12:00Z", 365);
    const days = new Set(all.map((text) => new Date(`${text}Z`).toLocaleDateString("en", { timeZone: zone })));
    assert.equal(days.size, 365, zone);
  }
});

test("a rate keeps its beat however late it is asked", () => {
  assert.equal(nextTimeMs(rate(60_000), 1_000), 61_000);
  assert.equal(nextTimeMs(rate(60_000), 200_500, 61_000), 241_000);
  assert.equal(nextTimeMs(rate(60_000), 121_000, 61_000), 181_000);
});

test("what cannot be is said in a sentence", () => {
  const says = (schedule: Schedule) => scheduleFault(schedule, NOW) ?? "fine";
  assert.equal(says(cron("0 8 * * MON-FRI", "Europe/Berlin")), "fine");
  assert.equal(says(rate(300_000)), "fine");
  assert.match(says(cron("0 8 * *")), /"0 8 \* \*" is no schedule: write five fields/);
  assert.match(says(cron("* * * * * *")), /write five fields/);
  assert.match(says(cron("rate(five minutes)")), /write five fields.*or rate\(5 minutes\)/);
  assert.match(says(cron("@daily")), /write five fields/);
  assert.match(says(cron("61 8 * * *")), /is no schedule: .*minute: 61/);
  assert.match(says(cron("a b c d e")), /is no schedule: /);
  assert.match(says(cron("0 0 30 2 *")), /never happens/);
  assert.match(says(cron("0 8 * * *", "Europe/Berlinn")), /no time zone "Europe\/Berlinn"/);
  assert.match(says(cron("0 8 * * *", "")), /no time zone ""/);
  assert.match(says(cron(`${"1,".repeat(500)}1 * * * *`)), /is no schedule/);
  assert.match(says(rate(0)), /from a second to a year/);
  assert.match(says(rate(1e15)), /from a second to a year/);
});

test("a schedule is shown as somebody would say it", () => {
  assert.equal(scheduleText(cron("0 8 * * *", "Europe/Berlin")), "0 8 * * * (Europe/Berlin)");
  assert.equal(scheduleText(rate(300_000)), "every 5 minutes");
  assert.equal(scheduleText(rate(86_400_000)), "every day");
});
