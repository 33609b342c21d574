import assert from "node:assert/strict";
import { test } from "node:test";
import { CountersByName, NAMES_MAX, OTHERS } from "#ports/meter.ts";

test("names beyond the bound are counted together, so that sums stay right and series stay few", () => {
  const counted = new Map<string, number>();
  const counters = new CountersByName<"done" | "failed">((name, kind) => ({
    add: (n) => counted.set(`${name} ${kind}`, (counted.get(`${name} ${kind}`) ?? 0) + n),
  }));
  for (let n = 0; n < NAMES_MAX + 50; n += 1) counters.add(`rule-${n}`, "done", 2);
  counters.add("rule-0", "failed", 1);
  counters.add(`rule-${NAMES_MAX}`, "failed", 1);
  assert.equal(counted.size, NAMES_MAX + 3);
  assert.equal(counted.get("rule-0 done"), 2);
  assert.deepEqual([counted.get(`${OTHERS} done`), counted.get(`${OTHERS} failed`)], [100, 1]);
  assert.deepEqual([counters.sum("rule-0", "failed"), counters.sum("rule-1", "failed")], [1, 0]);
  assert.equal(counters.names().length, NAMES_MAX);
});
