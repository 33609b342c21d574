import assert from "node:assert/strict";
import { test } from "node:test";
import { Counts, KINDS, missing } from "./coverage.ts";
import { type Report, simulate } from "./simulation.ts";

/**
 * A short run of the simulation; `npm run simulate -- --seeds 1000` is a long one, and `-- --seed 7` replays a seed.
 * Seed 10 has a list of three pages.
 */
const SEEDS = [...Array(15).keys()].map((n) => n + 1);

/** Run before the first test: the runner watches every promise of a test, which takes three times as long. */
const reports: Report[] = [];
for (const seed of SEEDS) reports.push(await simulate(seed));
const again = await simulate(3);

for (const { seed, violations, trace, accepted } of reports) {
  test(`what was accepted ends in one outcome each, however unlucky (seed ${seed})`, () => {
    assert.deepEqual(violations, [], trace.join("\n"));
    assert.ok(accepted > 0, "something was accepted");
  });
}

test("all of this happened in them: a simulation that is kind to us proves nothing", () => {
  const counts = new Counts();
  for (const { exercised } of reports) for (const kind of KINDS) counts.add(kind, exercised[kind] ?? 0);
  assert.deepEqual(missing(counts.of), []);
});

test("a seed replays exactly", () => {
  assert.deepEqual(again, reports[2]);
});
