import { type Report, simulate, STEPS_DEFAULT, type Wishes } from "./simulation.ts";

/** A simulation, as far as the search for a shorter failure looks at it. */
type Simulate<Told> = (seed: number, wishes: Wishes) => Promise<Told>;
type Told = Pick<Report, "violations" | "trace">;

/** Simulations that are tried in search of a shorter failure; some 100 ms each. */
const TRIES_MAX = 300;

/** The shortest failure found, and the steps that lead to it. */
export type Shrunk<Found = Report> = { readonly only: readonly number[]; readonly report: Found };

/**
 * First the prefix of the steps up to the failure, then without each part of them that it fails without: halves,
 * quarters, down to single steps. What fails may change on the way: a shorter failure is a failure. Null when the seed
 * does not fail.
 *
 * @see A. Zeller, R. Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", TSE 2002
 */
export function shrink(
  seed: number,
  wishes: Pick<Wishes, "plant"> = {},
  triesMax: number = TRIES_MAX,
): Promise<Shrunk | null> {
  return shrinkBy(simulate, seed, wishes, triesMax);
}

/** The same for any simulation. */
export async function shrinkBy<Found extends Told>(
  simulated: Simulate<Found>,
  seed: number,
  wishes: Pick<Wishes, "plant"> = {},
  triesMax: number = TRIES_MAX,
): Promise<Shrunk<Found> | null> {
  let tries = 0;
  const fails = async (only: readonly number[]): Promise<Shrunk<Found> | null> => {
    tries += 1;
    const report = await simulated(seed, { ...wishes, only });
    return report.violations.length === 0 ? null : { only: only.slice(0, report.trace.length), report };
  };
  let found = await fails([...Array(STEPS_DEFAULT).keys()]);
  if (found === null) return null;
  for (let size = Math.ceil(found.only.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    // From the back, where it shows.
    for (let at = found.only.length - size; at > -size && tries < triesMax; at -= size) {
      const from = Math.max(0, at);
      const without: readonly number[] = found.only.toSpliced(from, at + size - from);
      found = (await fails(without)) ?? found;
    }
  }
  // The report of exactly these steps, as who replays them sees it.
  return (await fails(found.only)) ?? found;
}
