import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { workFolder } from "../children.ts";
import { orderData } from "../doors/doors.ts";
import { type Order, Orders, type OrdersReport, priceOf } from "./handler.ts";
import { bullmqKey, oursKey, type Rate } from "./rates.ts";
import { aimsOf, isWrong, type Results, tableOf, verdictOf } from "./report.ts";

const order = (index: number): Order => JSON.parse(orderData("b", index)) as Order;
const SPREAD = { p50: 1, p95: 2, p99: 3, max: 4 };

test("the handler tells how many came, and how many of them were different ones, when all have come", () => {
  const report = join(workFolder(), "report.json");
  const orders = new Orders({ expected: 4, warmUp: 2, report, databasePid: null });
  orders.take([order(0), order(1)]);
  orders.take([order(1), order(2)]);
  // Four have come, and one is still missing.
  assert.equal(existsSync(report), false);
  orders.take([order(3)]);
  const told = (): OrdersReport => JSON.parse(readFileSync(report, "utf8")) as OrdersReport;
  assert.deepEqual([told().calls, told().count, told().different, told().start.count], [3, 5, 4, 2]);
  assert.ok(told().endMs >= told().start.atMs);
  orders.take([order(3)]);
  assert.deepEqual([told().count, told().different], [6, 4]);
});

test("the work on an order depends on what is in it", () => {
  assert.notEqual(priceOf(order(0)), priceOf({ ...order(0), total: 1 }));
  assert.notEqual(priceOf(order(0)), priceOf({ ...order(0), customer: { plan: "free" } }));
});

function rate(perSecond: number, lost = 0): readonly Rate[] {
  return [{ perSecond, handledPerSecond: perSecond, cpuUs: 1, databaseCpuUs: null, lost, twice: 0 }];
}

function resultsOf(rest: Partial<Results>): Results {
  const machine = {
    ...{ date: "2026-11-23", cpu: "a", cores: 2, memoryGib: 1, node: "v26", kernel: "b", fileSystem: "c", commit: "d" },
  };
  const nothing = { rates: null, lags: null, cold: null, memory: null, limits: null, missing: [] };
  return { machine, rounds: 1, ...nothing, ...rest };
}

test("aims are judged against the better of BullMQ's concurrencies, and what was not measured is not met", () => {
  const rates = {
    [oursKey(10, 10)]: rate(2_500),
    [oursKey(10, 50)]: rate(1_500),
    [bullmqKey("always", 10)]: rate(500),
    [bullmqKey("always", 50)]: rate(1_000),
    // Not on the disk before the answer: beside it, and not in its place.
    [bullmqKey("everysec", 50)]: rate(9_000),
  };
  const results = resultsOf({ rates });
  const verdicts = aimsOf(results).map(verdictOf);
  assert.deepEqual(verdicts.slice(0, 3), ["met", "missed", "not measured"]);
  assert.ok(verdicts.slice(2).every((verdict) => verdict === "not measured"));
  assert.match(tableOf(results), /batches of 10, concurrency 10 \|[^|]+\| 2,500 \| 2\.50 \| 0\.28 \|/);
});

test("one event of ours that was lost makes the run wrong; of a rival's it is shown", () => {
  assert.equal(isWrong(resultsOf({ rates: { [oursKey(1, 10)]: rate(1, 1) } })), true);
  assert.equal(isWrong(resultsOf({ rates: { [bullmqKey("always", 10)]: rate(1, 1) } })), false);
  const lag = { key: "tidings", name: "Tidings", ms: SPREAD, lost: 0, twice: 1 };
  assert.equal(isWrong(resultsOf({ lags: [lag] })), true);
  assert.equal(isWrong(resultsOf({ lags: [{ ...lag, twice: 0 }] })), false);
});

test("what functions add to memory is told beside a server without them, at the same age", () => {
  const none = { restMib: 120, calledMib: 121, idleMib: 130, settledMib: 130 };
  const loaded = { restMib: 150, calledMib: 900, idleMib: 260, settledMib: 210 };
  const results = resultsOf({ memory: { functions: 100, none, loaded } });
  const [rest, idle, settled] = aimsOf(results).slice(-3);
  assert.deepEqual([rest?.value, idle?.value, settled?.value], [30, 130, 80]);
  assert.ok(rest !== undefined && idle !== undefined);
  assert.deepEqual([verdictOf(rest), verdictOf(idle)], ["met", "missed"]);
});
