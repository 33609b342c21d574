import type { Dice } from "#ports/dice.ts";

/** A whole number from 0, below `below`. */
export function int(dice: Dice, below: number): number {
  return Math.floor(dice.next() * below);
}

export function pick<T>(dice: Dice, from: readonly T[]): T {
  const found = from[int(dice, from.length)];
  if (found === undefined) throw new Error("nothing to pick from");
  return found;
}
