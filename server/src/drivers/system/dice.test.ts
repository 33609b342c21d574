import assert from "node:assert/strict";
import { test } from "node:test";
import { POOL_BYTES, systemDice } from "#drivers/system/dice.ts";

test("throws lie between 0 and 1 and fall evenly, beyond the first pool too", () => {
  const dice = systemDice();
  const tenths = new Array<number>(10).fill(0);
  const throws = POOL_BYTES * 2;
  for (let i = 0; i < throws; i += 1) {
    const n = dice.next();
    assert.ok(n >= 0 && n < 1);
    const tenth = Math.floor(n * 10);
    tenths[tenth] = (tenths[tenth] ?? 0) + 1;
  }
  // Ten standard deviations: a fair generator does not fail here in the lifetime of the universe.
  for (const count of tenths) assert.ok(Math.abs(count - throws / 10) < 10 * Math.sqrt(throws * 0.09));
});

test("hex has two lower-case digits a byte and does not repeat", () => {
  const dice = systemDice();
  const seen = new Set<string>();
  for (let i = 0; i < 2_000; i += 1) {
    const hex = dice.hex(12);
    assert.match(hex, /^[0-9a-f]{24}$/);
    seen.add(hex);
  }
  assert.equal(seen.size, 2_000);
  assert.equal(dice.hex(0), "");
  assert.equal(dice.hex(POOL_BYTES + 1).length, 2 * POOL_BYTES + 2);
});
