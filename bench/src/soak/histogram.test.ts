import assert from "node:assert/strict";
import { test } from "node:test";
import { Histogram } from "./histogram.ts";

test("quantiles are right within three percent, and the largest value exactly", () => {
  const histogram = new Histogram();
  for (let value = 1; value <= 10_000; value += 1) histogram.add(value / 10);
  for (const share of [0.01, 0.5, 0.9, 0.99]) {
    const exact = share * 1_000;
    const found = histogram.quantile(share);
    assert.ok(found >= exact && found <= exact * 1.031, `${share}: ${found} for ${exact}`);
  }
  assert.equal(histogram.max, 1_000);
  assert.equal(histogram.quantile(1), 1_000);
});

test("of nothing there is no quantile, and what is not above zero counts as the least", () => {
  const histogram = new Histogram();
  assert.ok(Number.isNaN(histogram.quantile(0.5)));
  histogram.add(-3);
  histogram.add(0);
  assert.ok(histogram.quantile(0.5) <= 0.01);
});
