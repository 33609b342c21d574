/** Counts of values in buckets that each reach 3 % higher than the last: quantiles of millions in little room. */
export class Histogram {
  readonly #counts: number[] = [];
  #total = 0;
  #max = Number.NEGATIVE_INFINITY;

  /** @param value in any unit; what is below a hundredth counts as that. */
  add(value: number): void {
    const at = value <= LOWEST ? 0 : Math.ceil(Math.log(value / LOWEST) / STEP);
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.#total += 1;
    if (value > this.#max) this.#max = value;
  }

  get count(): number {
    return this.#total;
  }

  /** The largest value exactly; NaN of none. */
  get max(): number {
    return this.#total === 0 ? Number.NaN : this.#max;
  }

  /** @param share 0.5 is the median. @returns at most 3 % too much; NaN of none. */
  quantile(share: number): number {
    let left = share * this.#total;
    for (const [at, count = 0] of this.#counts.entries()) {
      left -= count;
      if (count > 0 && left <= 0) return Math.min(this.#max, LOWEST * Math.exp(at * STEP));
    }
    return this.max;
  }
}

const LOWEST = 0.01;
const STEP = Math.log(1.03);
