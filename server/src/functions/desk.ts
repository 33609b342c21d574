import { invariant } from "#domain/invariant.ts";
import type { Engine } from "#engine/engine.ts";
import { nextRunOf, scheduleKey } from "#functions/feeders/schedule.ts";
import {
  findInvocation,
  type Invocation,
  invocationIn,
  type InvocationsAsk,
  listInvocations,
  type Outcome,
} from "#functions/invocation-log.ts";
import type { Invoker, Ran } from "#functions/invoker.ts";
import { STALE_TRIES_MAX } from "#functions/feeders/one-job.ts";
import type { Tally } from "#functions/tallies.ts";
import type { DeclaredFunction, InvocationError, LoadFault, LogLine } from "#ports/function-host.ts";

/** What can be asked about functions, and done with them by hand. Everything may reject with a `StoreFault`. */
export interface FunctionDesk {
  list(): Promise<ListedFunctions>;
  describe(name: string): Promise<FunctionStatus | null>;
  /** Newest first: calls that failed or logged something. Null: no such function, and nothing is kept of one. */
  invocations(
    name: string,
    ask: InvocationsAsk,
  ): Promise<{ readonly invocations: readonly Invocation[]; readonly next: string | null } | null>;
  invocation(name: string, id: string): Promise<Invocation | null>;
  /** Calls it now, and commits what it emits. @param input JSON text. */
  invoke(name: string, input: string, by: InvokedBy): Promise<InvokedByHand>;
  /** Reads all functions anew; resolves when those that are fine run. */
  reload(): Promise<ListedFunctions>;
}

/** `id`: of the call that asks; `signal` is aborted when its caller has gone. */
export type InvokedBy = { readonly id: string; readonly traceparent: string | null; readonly signal: AbortSignal };

export type ListedFunctions = {
  /** By name. */
  readonly functions: readonly FunctionStatus[];
  /** Files that are no function, or not one that can be. */
  readonly faults: readonly LoadFault[];
};

export type FunctionState = "running" | "faulty" | "stopped";

export type FunctionStatus = {
  readonly declared: DeclaredFunction;
  readonly state: FunctionState;
  /** Why it does not run. */
  readonly fault: string | null;
  readonly tally: Tally;
  /** Of schedules. */
  readonly nextRunMs: number | null;
  /** What waits for it; null where nothing waits. */
  readonly waiting: number | null;
};

export type InvokedByHand =
  | {
      readonly kind: "ran";
      readonly id: string;
      readonly outcome: Outcome;
      readonly output: string | null;
      readonly error: InvocationError | null;
      readonly logs: readonly LogLine[];
      readonly tookMs: number;
    }
  | { readonly kind: "unknown" }
  /** It does not run: why. */
  | { readonly kind: "faulty"; readonly says: string }
  | { readonly kind: "overloaded"; readonly retryAfterMs: number }
  /** The documents that it changes were changed by others each time. */
  | { readonly kind: "conflict" };

/** A function as the book has it. */
export type BookEntry = Pick<FunctionStatus, "declared" | "state" | "fault">;

/** What is loaded at the moment. */
export type DeskHouse = {
  readonly engine: Engine;
  readonly invoker: Invoker;
  readonly entries: () => readonly BookEntry[];
  readonly faults: () => readonly LoadFault[];
  readonly tallyOf: (name: string) => Tally;
  /** What waits for a function, as what feeds it knows. */
  readonly waitingFor: (declared: DeclaredFunction) => Promise<number | null>;
  readonly reload: () => Promise<unknown>;
};

export function functionDesk(house: DeskHouse): FunctionDesk {
  return new Desk(house);
}

class Desk implements FunctionDesk {
  readonly #house: DeskHouse;

  constructor(house: DeskHouse) {
    this.#house = house;
  }

  async list(): Promise<ListedFunctions> {
    const entries = this.#house.entries().toSorted((one, other) => (one.declared.name < other.declared.name ? -1 : 1));
    return { functions: await this.#status(entries), faults: this.#house.faults() };
  }

  async describe(name: string): Promise<FunctionStatus | null> {
    const entry = this.#find(name);
    if (entry === null) return null;
    const [status = null] = await this.#status([entry]);
    return status;
  }

  async invocations(name: string, ask: InvocationsAsk) {
    const page = await listInvocations(this.#house.engine.parts.store, name, ask);
    const isUnknown = page.invocations.length === 0 && ask.after === null && this.#find(name) === null;
    return isUnknown ? null : page;
  }

  invocation(name: string, id: string): Promise<Invocation | null> {
    return findInvocation(this.#house.engine.parts.store, name, id);
  }

  async invoke(name: string, input: string, by: InvokedBy): Promise<InvokedByHand> {
    const entry = this.#find(name);
    if (entry === null) return { kind: "unknown" };
    if (entry.state !== "running") return { kind: "faulty", says: entry.fault ?? "It is stopped." };
    const { engine, invoker } = this.#house;
    const { declared } = entry;
    const key = `invoke:${name}/${by.id}`;
    const startedMs = engine.parts.clock.monotonicMs();
    for (let round = 1; round <= STALE_TRIES_MAX; round += 1) {
      const work = { declared, key, attempt: 1, input, traceparent: by.traceparent, alone: false };
      const ran = await invoker.run(work, by.signal);
      const verdict = await engine.submit(ran.effects);
      switch (verdict.kind) {
        case "committed":
          return ranByHand(ran, by.id, engine.parts.clock.monotonicMs() - startedMs);
        case "overloaded":
          return verdict;
        case "stale":
          continue;
        default:
          invariant(false, `a call without a job was answered with ${verdict.kind}`);
      }
    }
    return { kind: "conflict" };
  }

  async reload(): Promise<ListedFunctions> {
    await this.#house.reload();
    return await this.list();
  }

  #find(name: string): BookEntry | null {
    return this.#house.entries().find(({ declared }) => declared.name === name) ?? null;
  }

  async #status(entries: readonly BookEntry[]): Promise<readonly FunctionStatus[]> {
    const { engine, tallyOf, waitingFor } = this.#house;
    const scheduled = entries.filter(({ declared, state }) => declared.on.kind === "schedule" && state === "running");
    const jobs =
      scheduled.length === 0
        ? []
        : await engine.parts.store.jobs(scheduled.map(({ declared }) => scheduleKey(declared.name)));
    const nextRuns = new Map(scheduled.map((entry, at) => [entry, nextRunOf(jobs[at] ?? null)]));
    return await Promise.all(
      entries.map(async (entry) => ({
        ...entry,
        tally: tallyOf(entry.declared.name),
        nextRunMs: nextRuns.get(entry) ?? null,
        waiting: entry.state === "running" ? await waitingFor(entry.declared) : null,
      })),
    );
  }
}

function ranByHand(ran: Ran, id: string, tookMs: number): InvokedByHand {
  const kept = invocationIn(ran.effects.puts);
  const logs = kept?.logs ?? [];
  return {
    kind: "ran",
    id: kept?.id ?? id,
    outcome: ran.kind,
    output: ran.kind === "done" ? ran.output : null,
    error: ran.kind === "done" ? null : ran.error,
    logs,
    tookMs: Math.round(kept?.tookMs ?? tookMs),
  };
}
