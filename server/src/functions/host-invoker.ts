import type { FunctionsHouse } from "#functions/house.ts";
import { invocationPut } from "#functions/invocation-log.ts";
import type { Invoker, Ran, Work } from "#functions/invoker.ts";
import { FunctionMeters } from "#functions/meters.ts";
import { Outbox } from "#functions/outbox.ts";
import { Places } from "#functions/places.ts";
import { functionReads } from "#functions/reads.ts";
import type { Emitted, FunctionReads, InvocationError, Invoked } from "#ports/function-host.ts";

/** Bytes of chance in a call's id, and of the seed of ids that a handler learns at once. */
const ID_BYTES = 9;
const SEED_BYTES = 10;

/** What a function was seen to emit: `queue:orders`, `event:shop/OrderPlaced`, `send`, `documents:customers`. */
export type Seen = ReadonlyMap<string, ReadonlySet<string>>;
/** Things that are remembered of one function. */
const SEEN_MAX = 100;

/** Calls handlers at the host, and turns what they emit into effects. */
export class HostInvoker implements Invoker {
  readonly meters: FunctionMeters;
  readonly #house: FunctionsHouse;
  readonly #outbox: Outbox;
  readonly #reads: FunctionReads;
  readonly #places = new Map<string, Places>();
  readonly #seen = new Map<string, Set<string>>();

  constructor(house: FunctionsHouse) {
    this.#house = house;
    this.#outbox = new Outbox(house);
    this.#reads = functionReads(house);
    this.meters = new FunctionMeters(house.engine.parts.meter, () => this.underWay);
  }

  /** What each function was seen to emit since this process started. */
  get seen(): Seen {
    return this.#seen;
  }

  get underWay(): ReadonlyMap<string, number> {
    return new Map([...this.#places].map(([name, places]) => [name, places.underWay]));
  }

  async run(work: Work, signal: AbortSignal): Promise<Ran> {
    const { name, concurrency } = work.declared;
    let places = this.#places.get(name);
    if (places === undefined) this.#places.set(name, (places = new Places(concurrency)));
    else places.resize(concurrency);
    return await places.run(() =>
      // Who has gone while he waited for a place is not called for.
      signal.aborted ? Promise.resolve(NOT_BEGUN) : this.#call(work, signal),
    );
  }

  async #call(work: Work, signal: AbortSignal): Promise<Ran> {
    const { clock, dice } = this.#house.engine.parts;
    const { declared, key, attempt, input, traceparent, alone } = work;
    const id = dice.hex(ID_BYTES);
    const idSeed = dice.hex(SEED_BYTES);
    const startedMs = clock.nowMs();
    const beganMs = clock.monotonicMs();
    const call = { id, declared, key, attempt, input, idSeed, traceparent, alone };
    const invoked = await this.#house.host.invoke(call, this.#reads, signal);
    const posted = await this.#post(work, id, invoked);
    const tookMs = clock.monotonicMs() - beganMs;
    this.meters.ended(declared.name, posted.kind, tookMs);
    const put = invocationPut({
      ...{ callId: id, function: declared.name, key, attempt, startedMs, tookMs, traceparent, logs: invoked.logs },
      ...{ outcome: posted.kind, error: posted.kind === "done" ? null : posted.error },
    });
    const { effects } = posted;
    return { ...posted, effects: put === null ? effects : { ...effects, puts: [...(effects.puts ?? []), put] } };
  }

  async #post(work: Work, callId: string, invoked: Invoked): Promise<Ran> {
    if (invoked.kind !== "returned") return { ...failure(invoked.error), kind: invoked.kind };
    const bad = work.judge?.(invoked.output) ?? null;
    if (bad !== null) return { ...failure({ name: "BadOutput", says: bad, at: null, stack: null }), kind: "failed" };
    const { name } = work.declared;
    const origin = { function: name, callId, traceparent: work.traceparent };
    const posted = await this.#outbox.post(invoked.emitted, origin);
    if (posted.kind === "refused") {
      return { ...failure({ name: "Refused", says: posted.says, at: null, stack: null }), kind: "failed" };
    }
    this.#note(name, invoked.emitted);
    return { kind: "done", output: invoked.output, effects: posted.effects };
  }

  #note(name: string, { events, sends, queued, documents }: Emitted): void {
    if (events.length + sends.length + queued.length + documents.length === 0) return;
    let seen = this.#seen.get(name);
    if (seen === undefined) this.#seen.set(name, (seen = new Set()));
    const add = (what: string): void => {
      if (seen.size < SEEN_MAX) seen.add(what);
    };
    for (const { bus, type } of events) add(`event:${bus ?? "default"}/${type}`);
    if (sends.length > 0) add("send");
    for (const { queue } of queued) add(`queue:${queue}`);
    for (const { collection } of documents) add(`documents:${collection}`);
  }
}

const NOT_BEGUN: Ran = {
  kind: "innocent",
  error: { name: "Stopped", says: "it was not begun: nobody waits for it any more", at: null, stack: null },
  effects: {},
};

function failure(error: InvocationError): { readonly error: InvocationError; readonly effects: Record<string, never> } {
  return { error, effects: {} };
}
