import type { Scalar } from "./scalar.ts";
import type { Bucket, Shelf, Visit } from "./shelf.ts";

export type Bounds = { readonly low: number; readonly high: number };

type Placed<Entry> = Bounds & { readonly bucket: Bucket<Entry>; isForgotten: boolean };

/**
 * Ranges by their lower ends, a balanced tree without pointers: `tops[middle]` is the highest end in the part of the run whose
 * middle it is, so parts that end below a value are left out.
 */
type Run<Entry> = {
  readonly placed: readonly Placed<Entry>[];
  /** The lower ends once more, side by side in memory: searching fetches no ranges but those that it visits. */
  readonly lows: Float64Array;
  readonly tops: Float64Array;
};

/**
 * Conditions that hold for numbers of a range. Ranges stand in few runs, each at least twice as long as the next, so one more
 * costs little: it makes a run, and short runs are joined.
 */
export class RangeShelf<Entry> implements Shelf<Bounds, Entry> {
  readonly #known = new Map<string, Placed<Entry>>();
  #runs: Run<Entry>[] = [];
  #forgotten = 0;

  bucket({ low, high }: Bounds): Bucket<Entry> {
    const key = `${low} ${high}`;
    let placed = this.#known.get(key);
    if (placed === undefined) {
      placed = { low, high, bucket: { entries: [], forget: () => this.#forget(key) }, isForgotten: false };
      this.#known.set(key, placed);
      this.#place(placed);
    }
    return placed.bucket;
  }

  /** Not counted: which ranges overlap is known only of those that are kept here. */
  ask(): void {}

  load({ low, high }: Bounds): number {
    let load = 0;
    this.probe(Number.isFinite(low) ? low : high, ({ entries }) => {
      load += entries.length;
    });
    return load;
  }

  probe(value: Scalar, visit: Visit<Entry>): void {
    if (typeof value !== "number") return;
    for (const run of this.#runs) {
      if ((run.lows[0] ?? 0) <= value) visitRun(run, 0, run.placed.length, value, visit);
    }
  }

  #place(placed: Placed<Entry>): void {
    let joined: Placed<Entry>[] = [placed];
    for (let last = this.#runs.at(-1); last !== undefined && last.placed.length < 2 * joined.length; ) {
      joined = joined.concat(last.placed);
      this.#runs.pop();
      last = this.#runs.at(-1);
    }
    this.#runs.push(runOf(joined));
  }

  #forget(key: string): void {
    const placed = this.#known.get(key);
    if (placed === undefined) return;
    placed.isForgotten = true;
    this.#known.delete(key);
    this.#forgotten += 1;
    if (this.#forgotten <= this.#known.size) return;
    this.#forgotten = 0;
    this.#runs = [runOf([...this.#known.values()])];
  }
}

function runOf<Entry>(placed: readonly Placed<Entry>[]): Run<Entry> {
  const sorted = placed.toSorted((a, b) => a.low - b.low);
  const tops = new Float64Array(sorted.length);
  fillTops(sorted, tops, 0, sorted.length);
  return { placed: sorted, lows: Float64Array.from(sorted, ({ low }) => low), tops };
}

function fillTops(sorted: readonly Bounds[], tops: Float64Array, from: number, to: number): number {
  if (from >= to) return Number.NEGATIVE_INFINITY;
  const middle = (from + to) >>> 1;
  const top = Math.max(
    sorted[middle]?.high ?? Number.NEGATIVE_INFINITY,
    fillTops(sorted, tops, from, middle),
    fillTops(sorted, tops, middle + 1, to),
  );
  tops[middle] = top;
  return top;
}

function visitRun<Entry>(run: Run<Entry>, start: number, end: number, value: number, visit: Visit<Entry>): void {
  let from = start;
  while (from < end) {
    const middle = (from + end) >>> 1;
    if ((run.tops[middle] ?? 0) < value) return;
    visitRun(run, from, middle, value, visit);
    if ((run.lows[middle] ?? 0) > value) return;
    const placed = run.placed[middle];
    if (placed !== undefined && placed.high >= value && !placed.isForgotten) visit(placed.bucket);
    from = middle + 1;
  }
}
