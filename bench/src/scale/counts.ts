/** How often each number of a burst has come, in a byte each: exact for millions, where remembering mails would not fit. */
export class Counts {
  #bytes = new Uint8Array(COUNTS_FIRST);
  #distinct = 0;

  add(index: number): void {
    if (index >= this.#bytes.length) this.#grow(index);
    const before = this.#bytes[index] ?? 0;
    if (before === 0) this.#distinct += 1;
    if (before < COUNT_MAX) this.#bytes[index] = before + 1;
  }

  /** Numbers that came at all. */
  get distinct(): number {
    return this.#distinct;
  }

  /** Whether each number below `until` came `expected` times, those in `unsure` at most so often. */
  check(until: number, expected: number, unsure: ReadonlySet<number> = new Set()): Balance {
    let lost = 0;
    let twice = 0;
    for (let index = 0; index < Math.max(until, this.#bytes.length); index += 1) {
      const due = index < until ? expected : 0;
      const came = this.#bytes[index] ?? 0;
      if (came > due) twice += came - due;
      else if (!unsure.has(index)) lost += due - came;
    }
    return { lost, twice };
  }

  #grow(index: number): void {
    const larger = new Uint8Array(Math.max(index + 1, this.#bytes.length * 2));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

export type Balance = { readonly lost: number; readonly twice: number };

const COUNTS_FIRST = 1024;
const COUNT_MAX = 255;
