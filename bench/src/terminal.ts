import type { Spread } from "./measure.ts";

/** What the commands of this folder share at the terminal. */

export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** @throws {Error} naming the option, when it is not a whole number from 1 to `max`. */
export function wholeNumber(name: string, text: string | undefined, usual: number, max: number): number {
  const value = text === undefined ? usual : Number(text);
  if (Number.isSafeInteger(value) && value >= 1 && value <= max) return value;
  throw new Error(`--${name} must be a whole number from 1 to ${max}`);
}

export function msOf({ p50, p99 }: Spread): string {
  return `${p50.toFixed(2)} ms (p99 ${p99.toFixed(1)})`;
}

export function countOf(value: number): string {
  return Math.round(value).toLocaleString("en");
}
