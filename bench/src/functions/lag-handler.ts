import { appendFileSync } from "node:fs";
import { steadyMs } from "../measure.ts";

/** An event that says when it was sent, by the machine's steady clock. */
export type Timed = { readonly index: number; readonly sentMs: number };

/** Notes how long an event took to get here: one line of `INDEX MS` for each. */
export function noteLag(file: string, { index, sentMs }: Timed): void {
  const ms = steadyMs() - sentMs;
  appendFileSync(file, `${index} ${ms}\n`);
}
