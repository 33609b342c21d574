import assert from "node:assert/strict";
import { test } from "node:test";
import { Counts, EVENT_KINDS, missing } from "../coverage.ts";
import { type EventReport, simulateEvents } from "./event-simulation.ts";

/** A short run; `npm run simulate -- --profile events --seeds 1000` is a long one, and `--seed 7` replays a seed. */
const SEEDS = [...Array(60).keys()].map((n) => n + 1);

/** Run before the first test: the runner watches every promise of a test, which takes three times as long. */
const reports: EventReport[] = [];
for (const seed of SEEDS) reports.push(await simulateEvents(seed));
const again = await simulateEvents(3);

test(`events reach the targets of the rules at their place, and no queue loses or doubles a message (${SEEDS.length} seeds)`, () => {
  for (const { seed, violations, trace, checks } of reports) {
    assert.deepEqual(violations, [], `seed ${seed}\n${trace.join("\n")}`);
    assert.ok(checks > 0, `seed ${seed} checks something`);
  }
});

test("all of this happened in them: a simulation that is kind to us proves nothing", () => {
  const counts = new Counts();
  for (const { exercised } of reports) for (const kind of EVENT_KINDS) counts.add(kind, exercised[kind] ?? 0);
  assert.deepEqual(missing(counts.of, EVENT_KINDS), []);
});

test("a seed replays exactly", () => {
  assert.deepEqual(again, reports[2]);
});
