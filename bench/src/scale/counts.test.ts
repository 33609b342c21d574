import assert from "node:assert/strict";
import { test } from "node:test";
import { Counts } from "./counts.ts";

function countsOf(indexes: readonly number[]): Counts {
  const counts = new Counts();
  for (const index of indexes) counts.add(index);
  return counts;
}

test("each number is expected as often as said: what is missing is lost, what is beyond came twice", () => {
  const counts = countsOf([0, 1, 1, 3, 5_000_000]);
  assert.equal(counts.distinct, 4);
  assert.deepEqual(
    counts.check(4, 1),
    { lost: 1, twice: 2 },
    "2 is missing; 1 came again, and 5,000,000 was never due",
  );
  assert.deepEqual(countsOf([0, 0, 1]).check(2, 2), { lost: 1, twice: 0 });
});

test("of a number of which nobody knows whether it was accepted, one mail or none is right", () => {
  assert.deepEqual(countsOf([0, 2, 2]).check(3, 1, new Set([1, 2])), { lost: 0, twice: 1 });
});
