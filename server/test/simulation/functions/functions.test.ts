import assert from "node:assert/strict";
import { test } from "node:test";
import { Counts, FUNCTION_KINDS, missing } from "../coverage.ts";
import { type FunctionReport, simulateFunctions } from "./function-simulation.ts";

/** A short run; `npm run simulate -- --profile functions --seeds 1000` is a long one, and `--seed 7` replays a seed. */
const SEEDS = [...Array(20).keys()].map((n) => n + 1);

/** Run before the first test: the runner watches every promise of a test, which takes three times as long. */
const reports: FunctionReport[] = [];
for (const seed of SEEDS) reports.push(await simulateFunctions(seed));
const again = await simulateFunctions(3);

test(`each message, event and time has its effects once or is a dead letter, and nothing of a failed call is seen (${SEEDS.length} seeds)`, () => {
  for (const { seed, violations, trace, checks } of reports) {
    assert.deepEqual(violations, [], `seed ${seed}\n${trace.join("\n")}`);
    assert.ok(checks > 0, `seed ${seed} checks something`);
  }
});

test("all of this happened in them: a simulation that is kind to us proves nothing", () => {
  const counts = new Counts();
  for (const { exercised } of reports) for (const kind of FUNCTION_KINDS) counts.add(kind, exercised[kind] ?? 0);
  assert.deepEqual(missing(counts.of, FUNCTION_KINDS), []);
});

test("a seed replays exactly", () => {
  assert.deepEqual(again, reports[2]);
});
