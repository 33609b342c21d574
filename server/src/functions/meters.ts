import { CountersByName, type Histogram, type Meter } from "#ports/meter.ts";

export type CallResult = "done" | "failed" | "innocent";

const HELP = "Calls of users' functions, by how they ended; an innocent one was ended by another call's fault.";
const SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300];

/** What is counted of functions, by name. */
export class FunctionMeters {
  readonly #counters: CountersByName<CallResult>;
  readonly #seconds: Histogram;

  /** @param underWay calls of each function at this moment. */
  constructor(meter: Meter, underWay: () => ReadonlyMap<string, number>) {
    this.#counters = new CountersByName((name, result) =>
      meter.counter("tidings_function_calls_total", HELP, { function: name, result }),
    );
    this.#seconds = meter.histogram("tidings_function_seconds", "How long calls of functions took.", {}, SECONDS);
    meter.gauge("tidings_function_calls", "Calls of functions under way.", () =>
      [...underWay()].map(([name, value]) => ({ labels: { function: name }, value })),
    );
  }

  ended(name: string, result: CallResult, tookMs: number): void {
    this.#counters.add(name, result, 1);
    this.#seconds.observe(tookMs / 1_000);
  }

  /** Since this process started. */
  sum(name: string, result: CallResult): number {
    return this.#counters.sum(name, result);
  }
}
