import type { Invoker, Ran, Work } from "#functions/invoker.ts";
import type { Clock } from "#ports/clock.ts";

/** Calls of one function on this node, since it started. */
export type Tally = {
  readonly done: number;
  readonly failed: number;
  readonly lastRunMs: number | null;
  readonly lastError: { readonly atMs: number; readonly name: string; readonly says: string } | null;
};

const NONE: Tally = { done: 0, failed: 0, lastRunMs: null, lastError: null };

/** An invoker that counts, whoever asks for the calls. A call that was not to blame counts as none. */
export class TalliedInvoker implements Invoker {
  readonly #invoker: Invoker;
  readonly #clock: Clock;
  readonly #byName = new Map<string, Tally>();

  constructor(invoker: Invoker, clock: Clock) {
    this.#invoker = invoker;
    this.#clock = clock;
  }

  async run(work: Work, signal: AbortSignal): Promise<Ran> {
    const ran = await this.#invoker.run(work, signal);
    const { name } = work.declared;
    const before = this.of(name);
    const lastRunMs = this.#clock.nowMs();
    if (ran.kind === "done") this.#byName.set(name, { ...before, done: before.done + 1, lastRunMs });
    if (ran.kind === "failed") {
      const lastError = { atMs: lastRunMs, name: ran.error.name, says: ran.error.says };
      this.#byName.set(name, { ...before, failed: before.failed + 1, lastRunMs, lastError });
    }
    return ran;
  }

  of(name: string): Tally {
    return this.#byName.get(name) ?? NONE;
  }
}
