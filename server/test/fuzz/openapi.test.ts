import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzz } from "./fuzz.ts";

const REQUESTS = 4_000;
const SEED = 1;

test(`${REQUESTS} generated calls to every documented operation: none fails, hangs or is answered otherwise than documented`, async (t) => {
  const report = await fuzz({ requests: REQUESTS, seed: SEED });
  assert.deepEqual(report.failures, []);
  assert.equal(report.requests, REQUESTS);
  assert.equal(report.unavailable, 0);
  for (const { operation, valid, broken } of report.operations) {
    assert.ok(valid > 0 && broken > 0, `${operation}: ${valid} valid and ${broken} broken calls`);
  }
  t.diagnostic(`${report.seconds.toFixed(1)} s, ${Math.round(Math.max(...report.residentBytes) / 1e6)} MB at most`);
});
