import type { Machine } from "../machine.ts";
import type { Sample } from "./sample.ts";

/** All that a soak has found; bench/results/soak.json is this. */
export type SoakResults = {
  readonly machine: Machine;
  /** What a reader should know of this run. */
  readonly note: string | null;
  readonly minutes: number;
  /** Messages a second, measured in short bursts before, of which the lowest counts; none if the rate was given. */
  readonly capacityPerS: readonly number[];
  /** Mails a second that the load was meant to cause. */
  readonly ratePerS: number;
  readonly retentionMinutes: number;
  readonly warmUpMinutes: number;
  readonly tookMinutes: number;
  readonly totals: Totals;
  /** A column for each figure of `Sample`. */
  readonly samples: Readonly<Record<keyof Sample, readonly (number | null)[]>>;
};

export type Totals = {
  readonly calls: number;
  readonly mailsExpected: number;
  readonly mailsArrived: number;
  readonly lost: number;
  readonly twice: number;
  /** Calls by an answer that was not 202, or by what broke the connection. */
  readonly refusals: Readonly<Record<string, number>>;
  readonly repeats: { readonly count: number; readonly different: number };
  readonly listSends: number;
  /** `tidings_outcomes_total` by status. */
  readonly outcomes: Readonly<Record<string, number>>;
  readonly refusedRecipients: number;
};

/** Four digits say all that a plot or a verdict needs. */
export function columnsOf(samples: readonly Sample[]): SoakResults["samples"] {
  const [first] = samples;
  if (first === undefined) throw new Error("a soak takes samples");
  // The names are those of the type, taken from a value of it.
  const names = Object.keys(first) as (keyof Sample)[];
  const column = (name: keyof Sample): (number | null)[] =>
    samples.map((sample) => (Number.isFinite(sample[name]) ? Number(sample[name].toPrecision(4)) : null));
  const columns: Partial<Record<keyof Sample, (number | null)[]>> = {};
  for (const name of names) columns[name] = column(name);
  // Every name has been given its column.
  return columns as SoakResults["samples"];
}
