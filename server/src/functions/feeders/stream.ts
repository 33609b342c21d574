/** A function as a reader of the journal: checkpoint, order, halving and dead letters are those of every consumer. */
import {
  BatchFailure,
  type Consumer,
  type ConsumerEffects,
  type RunningConsumer,
  startConsumer,
} from "#engine/consumer.ts";
import { OWN_SOURCE, type RecordedEvent } from "#domain/event.ts";
import { isJsonObject } from "#domain/json.ts";
import type { Engine } from "#engine/engine.ts";
import { streamInput } from "#functions/event-input.ts";
import type { Feed, Feeder } from "#functions/feeder.ts";
import { errorLine } from "#functions/feeders/one-job.ts";
import type { Invoker } from "#functions/invoker.ts";
import { type Fits, fitsOf, patternFlaw } from "#functions/pattern.ts";
import type { DeclaredFunction } from "#ports/function-host.ts";
import { EventView } from "#rules/event-view.ts";

/** Batches of which it is remembered how often they failed: those of all partitions, and their halves. */
const FAILURES_MAX = 1_000;

/** Names of readers that are functions begin so. */
export const STREAM_CONSUMER = "function:";

export function streamFeeder(engine: Engine, region: string, invoker: Invoker): Feeder {
  return {
    kind: "stream",
    faultOf: ({ on }) => (on.kind === "stream" && on.filter !== null ? patternFlaw(on.filter) : null),
    start: async (declared) => {
      const feed = new StreamFeed(engine, region, invoker, declared);
      await feed.start();
      return feed;
    },
  };
}

class StreamFeed implements Feed {
  readonly #engine: Engine;
  readonly #region: string;
  readonly #invoker: Invoker;
  #declared: DeclaredFunction;
  #running: RunningConsumer | null = null;
  /** How often batches that are tried again have failed in this process, by key. */
  readonly #failures = new Map<string, number>();
  readonly #fits: Fits;
  readonly #watchesOwn: boolean;

  constructor(engine: Engine, region: string, invoker: Invoker, declared: DeclaredFunction) {
    this.#engine = engine;
    this.#region = region;
    this.#invoker = invoker;
    this.#declared = declared;
    const { filter } = onOf(declared);
    this.#fits = fitsOf(filter);
    this.#watchesOwn = JSON.stringify(filter?.["source"] ?? null).includes(OWN_SOURCE);
  }

  async start(): Promise<void> {
    this.#running = await startConsumer(this.#engine, this.#consumer);
  }

  async stop(): Promise<void> {
    await this.#running?.stop();
  }

  /** The book starts it anew when its trigger changes. */
  update(declared: DeclaredFunction): void {
    this.#declared = declared;
  }

  get #consumer(): Consumer {
    const { name } = this.#declared;
    const on = onOf(this.#declared);
    const attempts = (): number => this.#declared.attempts;
    return {
      name: STREAM_CONSUMER + name,
      startFrom: on.startFrom,
      batchMax: on.batchSize,
      partitions: on.parallelizationFactor,
      get attemptsMax() {
        return attempts();
      },
      ageMaxMs: on.maxAgeMs,
      bisect: on.bisectOnError,
      ...(on.filter === null ? {} : { matches: (event: RecordedEvent) => this.#matches(event) }),
      // Unless they are asked for, our own events are passed over: few want each step of each message.
      ownTypes: () => (this.#watchesOwn ? null : []),
      handle: (events, signal) => this.#handle(events, signal),
    };
  }

  #matches(event: RecordedEvent): boolean {
    return this.#fits(new EventView(event, this.#region).text);
  }

  async #handle(events: readonly RecordedEvent[], signal: AbortSignal): Promise<ConsumerEffects> {
    const [first] = events;
    const last = events.at(-1);
    if (first === undefined || last === undefined) return {};
    const input = `[${events.map(streamInput).join(",")}]`;
    // Of these events and no others: a batch is halved, and read anew with more behind it.
    const key = `stream:${this.#declared.name}/${first.position}-${last.position}/${events.length}`;
    const attempt = (this.#failures.get(key) ?? 0) + 1;
    for (let alone = false; ; alone = true) {
      const { traceparent } = first;
      const work = { declared: this.#declared, key, attempt, input, traceparent, alone };
      const ran = await this.#invoker.run(work, signal);
      if (ran.kind === "done") {
        this.#failures.delete(key);
        return ran.effects;
      }
      // Its thread was ended by another call: once more, by itself.
      if (ran.kind === "innocent" && !alone && !signal.aborted) continue;
      if (this.#failures.size >= FAILURES_MAX) this.#failures.clear();
      this.#failures.set(key, attempt);
      throw new BatchFailure(errorLine(ran.error), ran.effects);
    }
  }
}

function onOf({ on }: DeclaredFunction) {
  if (on.kind !== "stream") throw new Error(`broken invariant: a stream was declared as ${on.kind}`);
  if (on.filter !== null && !isJsonObject(on.filter)) throw new Error("broken invariant: a filter is an object");
  return on;
}
