import assert from "node:assert/strict";
import { test } from "node:test";
import { seededDice } from "#drivers/memory/seeded-dice.ts";

const hundred = (seed: number): readonly number[] => {
  const dice = seededDice(seed);
  return Array.from({ length: 100 }, () => dice.next());
};

test("the same seed throws the same, neighbouring seeds do not", () => {
  assert.deepEqual(hundred(7), hundred(7));
  assert.equal(new Set([...hundred(7), ...hundred(8), ...hundred(7 + 2 ** 32)]).size, 300);
});

test("throws lie between 0 and 1 and fall evenly", () => {
  const dice = seededDice(1);
  let sum = 0;
  for (let i = 0; i < 10_000; i += 1) {
    const n = dice.next();
    assert.ok(n >= 0 && n < 1);
    sum += n;
  }
  assert.ok(Math.abs(sum / 10_000 - 0.5) < 0.02);
});

test("hex has two lower-case digits a byte", () => {
  assert.match(seededDice(1).hex(13), /^[0-9a-f]{26}$/);
});
