import assert from "node:assert/strict";
import { test } from "node:test";
import { BULLMQ, CONTESTANTS, OURS, pick } from "./contestants.ts";
import { aimsOf, type Results, tableOf, verdictOf } from "./report.ts";
import type { Turn } from "./system.ts";

const SPREAD = { p50: 1, p95: 2, p99: 3, max: 4 };

test("an aim is met or missed by the medians, and one that was not measured is neither", () => {
  const results = resultsOf({
    [OURS]: [turn(4_000, 150, null), turn(6_000, 250, null), turn(5_000, 200, null)],
    [BULLMQ]: [turn(1_000, 800, 200)],
  });
  const verdicts = new Map(aimsOf(results).map((aim) => [aim.name, `${aim.value} ${verdictOf(aim)}`]));
  assert.equal(verdicts.get("burst, × BullMQ with Redis syncing every second"), "5 met");
  assert.equal(verdicts.get("CPU per message, × BullMQ with its Redis"), "0.2 met");
  assert.equal(verdicts.get("resident in the burst at most, MiB"), "400 missed");
  assert.equal(verdicts.get("burst, × pg-boss"), "NaN not measured");
});

test("what could not be run is in the table, with its reason", () => {
  const text = tableOf({ ...resultsOf({ [OURS]: [turn(1_000, 100, null)] }), missing: ["BullMQ: no Redis"] });
  assert.match(text, /\*\*Not measured:\*\*\n\n- BullMQ: no Redis/);
});

test("--only takes the keys of systems, and names them when there is none of that key", () => {
  assert.deepEqual(
    pick("bullmq,tidings").map(({ key }) => key),
    ["tidings", "bullmq"],
  );
  assert.equal(pick(undefined).length, CONTESTANTS.length);
  assert.throws(() => pick("tiding"), /no tiding; there are nodemailer-5, /);
});

function resultsOf(turns: Results["turns"]): Results {
  const machine = { date: "", cpu: "", cores: 2, memoryGib: 8, node: "", kernel: "", fileSystem: "", commit: "" };
  const parts = { systems: CONTESTANTS, limits: null, atRest: null, accepts: {}, missing: [] };
  return { machine, sends: 10, rounds: 3, turns, ...parts };
}

function turn(perSecond: number, cpuUs: number, databaseCpuUs: number | null): Turn {
  const burst = {
    ...{ sends: 10, startMs: 0, tookMs: 1, perSecond, arriveMs: SPREAD, accepts: null, cpuUs, threadsUs: {} },
    ...{ databaseCpuUs, databaseMib: null, sinkCpuUs: 1, peakMib: 400, bytesPerMail: 1, lost: 0, duplicates: 0 },
  };
  return { burst, lone: null, halfLoad: null, restAfterMib: null, statuses: null };
}
