import assert from "node:assert/strict";
import { test } from "node:test";
import { Pace } from "#functions/pace.ts";

test("what was done in the last whole tenth of a second is known, and nothing of what was before", () => {
  const pace = new Pace();
  pace.done(3, 1_010);
  pace.done(4, 1_090);
  assert.equal(pace.inLastWindow(1_099), 0, "the present one is not over");
  assert.equal(pace.inLastWindow(1_100), 7);
  pace.done(1, 1_150);
  assert.equal(pace.inLastWindow(1_199), 7);
  assert.equal(pace.inLastWindow(1_200), 1);
  assert.equal(pace.inLastWindow(1_999), 0);
});
