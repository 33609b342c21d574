import assert from "node:assert/strict";
import { test } from "node:test";
import type { Accepts } from "../system.ts";
import { CONTESTANTS, pick } from "./contestants.ts";
import { bottleneckOf, type Shares } from "./processors.ts";
import { aimsOf, isMissed, type Results, tableOf, verdictOf } from "./report.ts";
import type { Turn } from "./turn.ts";

const SPREAD = { p50: 1, p95: 2, p99: 3, max: 4 };
const SHARES: Shares = { nodes: 0.5, database: 0.3, sink: 0.05, load: 0.05, others: 0.05, idle: 0.05 };

test("aims are judged by medians, and by the layout of ours that does worst", () => {
  const results = resultsOf(
    {
      all: [turn(900), turn(4_500), turn(4_400)],
      "api-1": [turn(3_000)],
      "api-2": [turn(2_700, { rows: 13 })],
      "pg-boss": [turn(1_000, { rows: 99 })],
    },
    { all: [accepts(5_000)], "pg-boss": [accepts(2_000)] },
  );
  const verdicts = new Map(aimsOf(results).map((aim) => [aim.name, `${aim.value} ${verdictOf(aim)}`]));
  assert.equal(verdicts.get("burst of one node, × pg-boss"), "4.4 met");
  assert.equal(verdicts.get("accepts of one node alone, × pg-boss"), "2.5 missed");
  assert.equal(verdicts.get("burst of one node, × graphile-worker"), "NaN not measured");
  assert.equal(verdicts.get("row writes a message, the most of our layouts"), "13 missed");
  assert.equal(verdicts.get("bytes of log a message, the most of our layouts"), "4000 met");
  assert.equal(verdicts.get("burst of two workers, × one (never slower)"), "0.9 missed");
});

test("a lost mail fails a run, a missed aim does not, and what could not be run is named", () => {
  const slow = resultsOf({ all: [turn(10)], "pg-boss": [turn(1_000)] }, {});
  assert.equal(isMissed(slow), false);
  const missing = { ...slow, missing: ["pg-boss: no Postgres"] };
  assert.equal(isMissed(missing), true);
  assert.match(tableOf(missing), /\*\*Not measured:\*\*\n\n- pg-boss: no Postgres/);
  const [lost] = [turn(10)];
  assert.equal(isMissed(resultsOf({ all: [{ ...lost, burst: { ...lost.burst, lost: 1 } }] }, {})), true);
});

test("what saturates is the processors of whoever has most of them, unless they rest", () => {
  assert.match(bottleneckOf(SHARES), /^processors, most of them the nodes'/);
  assert.match(bottleneckOf({ ...SHARES, nodes: 0.2 }), /^processors, most of them the database's/);
  assert.match(bottleneckOf({ ...SHARES, idle: 0.3 }), /processors rest$/);
});

test("--only takes the keys of systems, and names them when there is none of that key", () => {
  assert.deepEqual(
    pick("pg-boss,all").map(({ key }) => key),
    ["all", "pg-boss"],
  );
  assert.throws(() => pick("al"), /no al; there are all, /);
});

function resultsOf(turns: Results["turns"], ofAccepts: Results["accepts"]): Results {
  const machine = { date: "", cpu: "", cores: 2, memoryGib: 8, node: "", kernel: "", fileSystem: "", commit: "" };
  const parts = { server: {}, statements: {}, store: null, missing: [], systems: CONTESTANTS };
  return { machine, sends: 10, rounds: 3, turns, accepts: ofAccepts, ...parts };
}

function accepts(perSecond: number): Accepts {
  return { perSecond, ms: SPREAD, putOff: 0 };
}

function turn(perSecond: number, { rows = 9 }: { readonly rows?: number } = {}): Turn {
  return {
    burst: {
      ...{ sends: 10, startMs: 0, tookMs: 1, perSecond, arriveMs: SPREAD, accepts: null, cpuUs: 1, threadsUs: {} },
      ...{ databaseCpuUs: 1, databaseMib: 1, sinkCpuUs: 1, peakMib: 1, bytesPerMail: 1, lost: 0, duplicates: 0 },
    },
    nodes: [{ cpuUs: 100, peakMib: 200 }],
    databaseCpuUs: 50,
    walBytes: 4_000,
    writes: { rows, inserted: 7, updated: 1, deleted: 1, hotShare: 1, commits: 0.3, tables: {} },
    shares: SHARES,
  };
}
