/** Chance, handed in, so that a seed replays it. */
export interface Dice {
  /** 0 ≤ n < 1. */
  next(): number;
  /** `bytes` random bytes as lower-case hex; unguessable in production. */
  hex(bytes: number): string;
}
