import { randomFillSync } from "node:crypto";
import type { Dice } from "#ports/dice.ts";

/** Random bytes fetched at once: one call into OpenSSL costs about as much as 4 KiB of its output. */
export const POOL_BYTES = 8 * 1024;

/** Unguessable chance from the system's generator (`node:crypto`), fetched in pools. */
export function systemDice(): Dice {
  const pool = Buffer.allocUnsafeSlow(POOL_BYTES);
  let used = POOL_BYTES;
  /** Where the next `bytes` fresh bytes begin. */
  const take = (bytes: number): number => {
    if (used + bytes > POOL_BYTES) {
      randomFillSync(pool);
      used = 0;
    }
    used += bytes;
    return used - bytes;
  };
  return {
    next: () => {
      const at = take(8);
      // 53 bits: 27 high and 26 low, all that a double between 0 and 1 can hold evenly.
      return ((pool.readUInt32LE(at) >>> 5) * 2 ** 26 + (pool.readUInt32LE(at + 4) >>> 6)) / 2 ** 53;
    },
    hex: (bytes) => {
      if (bytes > POOL_BYTES) return randomFillSync(Buffer.allocUnsafe(bytes)).toString("hex");
      const at = take(bytes);
      return pool.toString("hex", at, at + bytes);
    },
  };
}
