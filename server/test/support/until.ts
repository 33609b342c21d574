import { setTimeout as wait } from "node:timers/promises";

/** Between two looks: quick enough that tests do not wait for nothing, slow enough to leave the cores to the server. */
const LOOK_MS = 10;
const PATIENCE_MS_DEFAULT = 15_000;
/** More patience with everything: where nobody knows that a process died, its leases run out first. */
const MORE_MS = Number(process.env["TIDINGS_TEST_PATIENCE_MS"] ?? 0);

/**
 * Waits until `look` finds something: anything but false, null and undefined.
 *
 * @param what is expected to happen, for the message when it does not.
 * @throws {Error} when it has not happened within `patienceMs`, telling what was seen last if `look` threw.
 */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  patienceMs: number = PATIENCE_MS_DEFAULT,
): Promise<Exclude<T, false | null | undefined>> {
  const giveUpMs = performance.now() + patienceMs + MORE_MS;
  for (;;) {
    const seen = await look();
    // What is left of T once the three are excluded; the compiler does not follow generics that far.
    if (seen !== false && seen !== null && seen !== undefined) return seen as Exclude<T, false | null | undefined>;
    if (performance.now() > giveUpMs) throw new Error(`in ${patienceMs + MORE_MS} ms it did not happen that ${what}`);
    await wait(LOOK_MS);
  }
}
