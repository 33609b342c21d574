import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { steadyWall } from "#domain/steady-wall.ts";

test("a wall clock that runs well is shown as it is", () => {
  const nowMs = steadyWall();
  assert.equal(nowMs(1_000, 5), 1_000);
  assert.equal(nowMs(1_250, 255), 1_250);
});

test("a jump forward is followed at once", () => {
  const nowMs = steadyWall();
  nowMs(1_000, 0);
  assert.equal(nowMs(3_601_000, 1), 3_601_000);
});

test("a wall clock set back by a minute is met again after ten, and time never stood still", () => {
  const nowMs = steadyWall();
  nowMs(60_000, 0);
  assert.equal(nowMs(0, 0), 60_000);
  assert.equal(nowMs(1_000, 1_000), 60_900);
  assert.equal(nowMs(599_000, 599_000), 599_100);
  assert.equal(nowMs(600_000, 600_000), 600_000);
  assert.equal(nowMs(601_000, 601_000), 601_000);
});

test("however the wall jumps, time never goes back and never lags behind the wall", () => {
  const step = fc.record({
    jumpMs: fc.integer({ min: -1e9, max: 1e9 }),
    passMs: fc.double({ min: 0, max: 1e6, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const nowMs = steadyWall();
      let [wallMs, monotonicMs, beforeMs] = [1e12, 0, 0];
      for (const { jumpMs, passMs } of steps) {
        monotonicMs += passMs;
        wallMs += passMs + jumpMs;
        const shownMs = nowMs(wallMs, monotonicMs);
        assert.ok(shownMs >= beforeMs && shownMs >= Math.floor(wallMs));
        beforeMs = shownMs;
      }
    }),
  );
});
