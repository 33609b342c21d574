/** At most so many at once, first come first served. */
export class Places {
  #free: number;
  #max: number;
  readonly #waiting: (() => void)[] = [];

  constructor(max: number) {
    this.#max = max;
    this.#free = max;
  }

  get underWay(): number {
    return this.#max - this.#free;
  }

  /** From now on so many. */
  resize(max: number): void {
    this.#free += max - this.#max;
    this.#max = max;
    while (this.#free > 0 && this.#waiting.length > 0) this.#next();
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      this.#free += 1;
      if (this.#free > 0) this.#next();
    }
  }

  #next(): void {
    const next = this.#waiting.shift();
    if (next === undefined) return;
    this.#free -= 1;
    next();
  }
}
