import { memoryOf } from "../measure.ts";

/** Resident memory of a process over a while, in MiB. */
export type MemoryCourse = {
  readonly startMib: number;
  readonly maxMib: number;
  readonly endMib: number;
  /** At even steps, at most `POINTS_MAX` of them. */
  readonly courseMib: readonly number[];
};

const LOOK_MS = 100;
const POINTS_MAX = 40;

/** Begins to look, until `stop`. */
export function watchMemory(pid: number): { stop(): MemoryCourse } {
  const seen: number[] = [];
  const look = (): void => {
    const memory = memoryOf(pid);
    if (memory !== null) seen.push(Math.round(memory.nowMib));
  };
  look();
  const timer = setInterval(look, LOOK_MS);
  return {
    stop: () => {
      clearInterval(timer);
      look();
      const each = Math.ceil(seen.length / POINTS_MAX);
      return {
        startMib: seen.at(0) ?? Number.NaN,
        maxMib: Math.max(...seen),
        endMib: seen.at(-1) ?? Number.NaN,
        courseMib: seen.filter((_, at) => at % each === 0),
      };
    },
  };
}
