import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { systemClock, TIMER_MS_MAX } from "#drivers/system/clock.ts";

test("the system's clock shows the epoch in whole milliseconds and never goes back", () => {
  const clock = systemClock();
  let beforeMs = clock.nowMs();
  assert.ok(Math.abs(beforeMs - Date.now()) < 1_000);
  for (let look = 0; look < 1_000; look += 1) {
    const nowMs = clock.nowMs();
    assert.ok(Number.isInteger(nowMs) && nowMs >= beforeMs);
    beforeMs = nowMs;
  }
});

test("a timer runs once, and not before its time", async () => {
  const clock = systemClock();
  for (const delayMs of [0, 1.2, 3]) {
    const fromMs = clock.monotonicMs();
    await new Promise<void>((done) => void clock.after(delayMs, done));
    assert.ok(clock.monotonicMs() - fromMs >= delayMs);
  }
});

test("a cancelled timer does not run, and cancelling one that ran is harmless", async () => {
  const clock = systemClock();
  const never = clock.after(1, () => assert.fail("it was cancelled"));
  never.cancel();
  const done = Promise.withResolvers<void>();
  const timer = clock.after(3, done.resolve);
  await done.promise;
  timer.cancel();
});

test("a timer of two months is waited for in pieces that Node's timers can hold", (t) => {
  t.after(() => mock.timers.reset());
  mock.timers.enable({ apis: ["setTimeout"] });
  let nowMs = 0;
  t.mock.method(performance, "now", () => nowMs);
  let runs = 0;
  const pass = (ms: number) => {
    nowMs += ms;
    mock.timers.tick(ms);
  };
  systemClock().after(2 * TIMER_MS_MAX + 5, () => (runs += 1));
  pass(TIMER_MS_MAX);
  pass(TIMER_MS_MAX);
  pass(4);
  assert.equal(runs, 0);
  pass(1);
  assert.equal(runs, 1);
});
