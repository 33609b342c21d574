/**
 * Calls of a function's path:
 *
 *     call ──too many under way──▶ busy
 *      └──▶ handler ──failed──▶ its log is kept, the caller is told
 *              │ ├──innocent──▶ again, alone, three times
 *              │ └──returned──▶ what it emitted is committed ──▶ answer
 *              └──a document has changed──▶ again, sixteen times ──▶ conflict
 *
 * Nobody is answered before what the handler emitted is durable. If the process dies, the caller sees a broken connection; an
 * Idempotency-Key makes the repeated call get the first answer, which is kept in the same unit.
 */
import type { DraftEffects } from "#engine/draft.ts";
import type { Engine } from "#engine/engine.ts";
import { OVERLOAD_RETRY_AFTER_MS } from "#engine/limits.ts";
import { sleep } from "#engine/sleep.ts";
import type { Feed, Feeder } from "#functions/feeder.ts";
import { type HttpAnswer, keptAnswer, keptText, readHttpOutput } from "#functions/http-output.ts";
import { HttpRoutes, pathFault, routeShape, sameRoute } from "#functions/http-routes.ts";
import type { HandlerEffects, Invoker, Ran } from "#functions/invoker.ts";
import { STALE_TRIES_MAX } from "#functions/feeders/one-job.ts";
import { STOP_GRACE_MS } from "#functions/limits.ts";
import type { DeclaredFunction, InvocationError } from "#ports/function-host.ts";
import { type OnceRecord, StoreFault } from "#ports/store.ts";

/** A call as the door has read it. */
export type HttpCall = {
  /** JSON text of the handler's input, `HttpInput`. */
  readonly input: string;
  /** The call's own. */
  readonly id: string;
  readonly traceparent: string | null;
  /** Under which the answer is kept; null without an Idempotency-Key. */
  readonly once: Pick<OnceRecord, "key" | "fingerprint" | "expiresMs"> | null;
  /** Aborted when the caller has gone. */
  readonly signal: AbortSignal;
};

/** What became of it. Of what is not `answered`, nothing but the log was kept. */
export type HttpCalled =
  | { readonly kind: "answered"; readonly answer: HttpAnswer }
  /** The key was used before: by the same call, or another one. */
  | { readonly kind: "repeated"; readonly record: OnceRecord }
  | { readonly kind: "failed"; readonly error: InvocationError }
  | { readonly kind: "late"; readonly error: InvocationError }
  | { readonly kind: "busy"; readonly retryAfterMs: number }
  | { readonly kind: "conflict" };

/** A path of a function, as the door finds it. */
export interface HttpRoute {
  readonly declared: DeclaredFunction;
  readonly method: string;
  /** As declared. */
  readonly path: string;
  readonly auth: "key" | "none";
  /** Origins of pages that may call it by script; undefined: none but ours. */
  readonly cors: readonly string[] | undefined;
  /** @throws {StoreFault} when the store cannot commit now. */
  call(call: HttpCall): Promise<HttpCalled>;
}

/** Calls under way or waiting, for each place to work that a function has: who has no key may not fill our memory. */
const OPEN_CALLS_PER_PLACE = 4;
/** The same for a function whose callers have a key. */
const KEYED_CALLS_MAX = 1_000;
/** Text of all inputs under way; what more comes is told to come later. */
const INPUT_CHARS_MAX = 64 * 1024 * 1024;
/** How often a call that was not to blame is made again while its caller waits. */
const INNOCENT_TRIES_MAX = 3;

/** What all routes of a node share. */
type Budget = { inputChars: number };

export class HttpFeeder implements Feeder {
  readonly kind = "http";
  /** What the door looks at. */
  readonly routes = new HttpRoutes<HttpRoute>();
  readonly #engine: Engine;
  readonly #invoker: Invoker;
  readonly #budget: Budget = { inputChars: 0 };

  constructor(engine: Engine, invoker: Invoker) {
    this.#engine = engine;
    this.#invoker = invoker;
  }

  faultOf(declared: DeclaredFunction): string | null {
    return pathFault(placeOf(declared).path);
  }

  async start(declared: DeclaredFunction): Promise<Feed> {
    const open = (route: HttpRoute): (() => void) => this.routes.add(route, route);
    return await Promise.resolve(new HttpFeed(this.#engine, this.#invoker, declared, this.#budget, open));
  }
}

/**
 * Which of several functions declare a path that another one of them declares as well, with a sentence each: the first by
 * name has it.
 */
export function sameRoutes(declared: readonly DeclaredFunction[]): ReadonlyMap<string, string> {
  const first = new Map<string, DeclaredFunction>();
  const faults = new Map<string, string>();
  for (const one of declared.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (one.on.kind !== "http") continue;
    const shape = routeShape(one.on);
    const other = first.get(shape);
    if (other === undefined) first.set(shape, one);
    else faults.set(one.name, sameRoute(one.on, other));
  }
  return faults;
}

class HttpFeed implements Feed, HttpRoute {
  declared: DeclaredFunction;
  readonly #engine: Engine;
  readonly #invoker: Invoker;
  readonly #budget: Budget;
  readonly #open: (route: HttpRoute) => () => void;
  #close: () => void;
  readonly #underWay = new Set<Promise<HttpCalled>>();

  constructor(
    engine: Engine,
    invoker: Invoker,
    declared: DeclaredFunction,
    budget: Budget,
    open: (route: HttpRoute) => () => void,
  ) {
    this.#engine = engine;
    this.#invoker = invoker;
    this.declared = declared;
    this.#budget = budget;
    this.#open = open;
    this.#close = open(this);
  }

  get method(): string {
    return placeOf(this.declared).method;
  }

  get path(): string {
    return placeOf(this.declared).path;
  }

  get auth(): "key" | "none" {
    return placeOf(this.declared).auth;
  }

  get cors(): readonly string[] | undefined {
    return placeOf(this.declared).cors;
  }

  update(declared: DeclaredFunction): void {
    this.#close();
    this.declared = declared;
    this.#close = this.#open(this);
  }

  async stop(): Promise<void> {
    this.#close();
    const isOver = new AbortController();
    const ended = Promise.allSettled(this.#underWay).finally(() => isOver.abort());
    await Promise.race([ended, sleep(this.#engine.parts.clock, STOP_GRACE_MS, isOver.signal)]);
  }

  async call(call: HttpCall): Promise<HttpCalled> {
    const callsMax = this.auth === "key" ? KEYED_CALLS_MAX : this.declared.concurrency * OPEN_CALLS_PER_PLACE;
    const { length } = call.input;
    if (this.#underWay.size >= callsMax || this.#budget.inputChars + length > INPUT_CHARS_MAX) return BUSY;
    this.#budget.inputChars += length;
    const called = this.#run(call);
    this.#underWay.add(called);
    try {
      return await called;
    } finally {
      this.#underWay.delete(called);
      this.#budget.inputChars -= length;
    }
  }

  async #run(call: HttpCall): Promise<HttpCalled> {
    let innocent = 0;
    for (let round = 1; round <= STALE_TRIES_MAX; ) {
      const ran = await this.#invoke(call, innocent);
      switch (ran.kind) {
        case "failed":
          await this.#keepLog(ran.effects);
          return { kind: ran.error.name === "Timeout" ? "late" : "failed", error: ran.error };
        case "innocent":
          await this.#keepLog(ran.effects);
          innocent += 1;
          if (innocent >= INNOCENT_TRIES_MAX || call.signal.aborted) return BUSY;
          break;
        case "done": {
          const called = await this.#answer(call, ran.output, ran.effects);
          if (called !== "stale") return called;
          round += 1;
        }
      }
    }
    return { kind: "conflict" };
  }

  #invoke(call: HttpCall, innocent: number): Promise<Ran> {
    const { declared } = this;
    const { input, traceparent, signal } = call;
    const key = this.#keyOf(call);
    return this.#invoker.run({ declared, key, attempt: 1, input, traceparent, alone: innocent > 0, judge }, signal);
  }

  async #answer(call: HttpCall, output: string | null, effects: HandlerEffects): Promise<HttpCalled | "stale"> {
    const read = readHttpOutput(output);
    if (!read.ok) throw new Error("broken invariant: what a handler returned is judged before");
    const { answer } = read;
    const answered: HttpCalled = { kind: "answered", answer };
    if (call.once === null && isNothing(effects)) return answered;
    const once = call.once === null ? {} : { once: { ...call.once, status: answer.status, body: keptText(answer) } };
    const verdict = await this.#engine.submit({ ...effects, ...once });
    switch (verdict.kind) {
      case "committed":
        return answered;
      case "stale":
        return "stale";
      case "repeated":
        return verdict;
      case "overloaded":
        return { kind: "busy", retryAfterMs: verdict.retryAfterMs };
      case "gone":
      case "held":
      case "fenced":
        throw new Error(`broken invariant: a call without a job was answered with ${verdict.kind}`);
    }
  }

  #keyOf({ id, once }: HttpCall): string {
    return `http:${this.declared.name}/${once?.key ?? id}`;
  }

  /** What a handler said before it failed; where the store takes nothing, the caller's answer is worth more. */
  async #keepLog(effects: DraftEffects): Promise<void> {
    if (isNothing(effects)) return;
    try {
      await this.#engine.submit(effects);
    } catch (fault) {
      if (!(fault instanceof StoreFault)) throw fault;
      this.#engine.parts.log.warn("The log of a function's call could not be kept", {
        function: this.declared.name,
        code: fault.code,
      });
    }
  }
}

/** The first answer to a call with this key, or that it was another call. */
export function repeatedAnswer(record: OnceRecord, fingerprint: string): HttpAnswer | null {
  return record.fingerprint === fingerprint ? keptAnswer(record) : null;
}

const BUSY: HttpCalled = { kind: "busy", retryAfterMs: OVERLOAD_RETRY_AFTER_MS };

function isNothing(effects: HandlerEffects): boolean {
  return Object.values(effects).every((rows) => rows.length === 0);
}

function judge(output: string | null): string | null {
  const read = readHttpOutput(output);
  return read.ok ? null : read.says;
}

/** The book starts this feeder for paths only. */
function placeOf({ on }: DeclaredFunction) {
  if (on.kind !== "http") throw new Error(`broken invariant: a path was declared as ${on.kind}`);
  return on;
}
