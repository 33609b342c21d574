import type { Dice } from "#ports/dice.ts";

/** Chance that a seed replays: sfc32 (C. Doty-Humphrey, PractRand), stirred before first use. Guessable by design. */
export function seededDice(seed: number): Dice {
  let [a, b, c, counter] = [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0, 0x9e3779b9, 1];
  const word = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  for (let stir = 0; stir < 15; stir += 1) word();
  return {
    next: () => ((word() >>> 5) * 2 ** 26 + (word() >>> 6)) / 2 ** 53,
    hex: (bytes) => {
      let hex = "";
      while (hex.length < 2 * bytes) hex += word().toString(16).padStart(8, "0");
      return hex.slice(0, 2 * bytes);
    },
  };
}
