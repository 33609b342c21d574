import assert from "node:assert/strict";
import { test } from "node:test";
import { SCENARIOS } from "./scenarios.ts";
import { play } from "./stage.ts";

/** Some of `npm run faults`, short: those that no lease has to be waited for. */
const PLAYED = ["kill-api", "kill-database", "no-connections"];
const SEED = 1;

for (const name of PLAYED)
  test(`${name}: what was accepted comes, once, and the nodes go on by themselves`, { timeout: 120_000 }, async (t) => {
    const scenario = SCENARIOS.find((one) => one.name === name);
    assert.ok(scenario !== undefined);
    const result = await play(scenario, SEED, "quick");
    assert.deepEqual(result.problems, []);
    assert.ok(result.faults > 0 && result.accepted > 0);
    t.diagnostic(`${result.accepted} accepted, ${result.twice} twice, ${result.calls.refused} refused`);
  });
