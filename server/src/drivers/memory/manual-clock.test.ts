import assert from "node:assert/strict";
import { test } from "node:test";
import { MANUAL_START_MS, ManualClock } from "#drivers/memory/manual-clock.ts";

const WEEK_MS = 7 * 24 * 60 * 60 * 1000;

test("a week of waiting passes when the test says so", async () => {
  const clock = new ManualClock();
  const week = new Promise<void>((done) => void clock.after(WEEK_MS, done));
  clock.advance(WEEK_MS);
  await week;
  assert.equal(clock.nowMs(), MANUAL_START_MS + WEEK_MS);
});

test("timers run in the order in which they are due, then in which they were made, each at its own time", () => {
  const clock = new ManualClock(0);
  const ran: [name: string, atMs: number][] = [];
  const set = (name: string, delayMs: number) => clock.after(delayMs, () => ran.push([name, clock.nowMs()]));
  set("late", 30);
  set("early", 10);
  set("early too", 10);
  clock.after(10, () => set("born at 10", 5));
  set("not yet", 31);
  clock.advance(30);
  assert.deepEqual(ran, [
    ["early", 10],
    ["early too", 10],
    ["born at 10", 15],
    ["late", 30],
  ]);
  assert.equal(clock.nextInMs(), 1);
});

test("a timer that another one cancels does not run, and nothing is left behind", () => {
  const clock = new ManualClock();
  const victim = clock.after(10, () => assert.fail("it was cancelled"));
  clock.after(10, () => assert.fail("cancelled before time passed")).cancel();
  clock.after(5, () => victim.cancel());
  clock.advance(20);
  victim.cancel();
  assert.equal(clock.nextInMs(), null);
});

test("a wall that jumps moves neither timers nor leases, and time never goes back", () => {
  const clock = new ManualClock(100_000);
  let ran = false;
  clock.after(1_000, () => (ran = true));
  clock.jumpWall(-50_000);
  assert.equal(clock.nowMs(), 100_000);
  clock.advance(999);
  assert.equal(clock.nowMs(), 100_899);
  assert.equal(ran, false);
  clock.jumpWall(WEEK_MS);
  assert.equal(clock.nowMs(), 50_999 + WEEK_MS);
  clock.advance(1);
  assert.equal(ran, true);
  assert.equal(clock.monotonicMs(), 1_000);
});
