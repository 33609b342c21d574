/**
 * A consumer reads the journal in order, from its own checkpoint, in partitions by key.
 *
 * Each partition is a job that its worker holds for as long as it lives: lease, fencing, taking over from the dead and
 * sharing out among nodes are those of every job. The checkpoint moves in the commit that holds what the batch caused.
 *
 *     read a page ──empty──▶ wait for an append ──▶ read …
 *        └──▶ handle ──▶ commit { effects, checkpoint } ──▶ read …
 *               └── failed: more than one event and bisecting ──▶ each half by itself, in order
 *                     └── one event: back off and try again ──attempts or age spent──▶ dead letter, checkpoint moves on
 *
 * Order is kept per key, because a key has one partition and a partition has one worker. A partition that waits for a
 * failing event holds up its own keys only.
 */
import type { DraftEffects } from "#engine/draft.ts";
import { countUpTo, type Tally, tallyOf } from "#engine/consumer-tally.ts";
import type { Engine } from "#engine/engine.ts";
import { errorText } from "#engine/error-text.ts";
import { LOOK_AGAIN_MS } from "#engine/limits.ts";
import { sleep } from "#engine/sleep.ts";
import type { HandedJob, Stage, StageContext } from "#engine/stage.ts";
import type { Position, RecordedEvent } from "#domain/event.ts";
import { invariant } from "#domain/invariant.ts";
import type { DeadJob, Job } from "#domain/job.ts";
import { retryDelayMs } from "#domain/retry.ts";
import type { Checkpoint, Conditions } from "#ports/store.ts";
import { beginProcessing, type Span } from "#ports/tracer.ts";

/** A named reader of the journal. */
export type Consumer = {
  readonly name: string;
  /** Where it begins when it is new. */
  readonly startFrom: "earliest" | "latest";
  /** Most events in one call of `handle`. */
  readonly batchMax: number;
  /** How many work side by side (the parallelization factor); events of one key stay in order. */
  readonly partitions: number;
  /** Tries of one event before it becomes a dead letter. */
  readonly attemptsMax: number;
  /** An event that fails and is older than this is not tried again; null: age does not matter. */
  readonly ageMaxMs: number | null;
  /** Whether a failing batch is halved to find the event that fails, or tried again as it is. */
  readonly bisect: boolean;
  /** Only these; the others are passed over. */
  matches?(event: RecordedEvent): boolean;
  /** Which of our own event types are read at all (`JournalAsk.foreignAnd`), asked before each page. Null: everything. */
  ownTypes?(): readonly string[] | null;
  /**
   * Called when a worker takes a partition, before its first event: state that is kept in documents and moves with the
   * checkpoint is read here. May be called again later, when the partition was lost and came back.
   */
  begin?(partition: number, position: Position): Promise<void>;
  /**
   * Handles a batch, oldest first. What it returns is committed with the checkpoint; if it throws, nothing is.
   * Outside effects are at least once: the event's id is the key to do them once.
   */
  handle(events: readonly RecordedEvent[], signal: AbortSignal): Promise<ConsumerEffects | HandledPart>;
  /**
   * Handles one dead letter that somebody re-drives: out of order, and perhaps while a batch is handled or on a node that
   * holds no partition. Default: `handle`.
   */
  redrive?(event: RecordedEvent, signal: AbortSignal): Promise<ConsumerEffects>;
};

/**
 * A batch of which only the beginning was handled: everything up to `upTo`, which may lie before its first event when that is
 * too much for one commit. What is behind is read again.
 */
export type HandledPart = { readonly upTo: Position; readonly effects: ConsumerEffects };

/** What a batch causes, and the documents that this rests on: when one of them has changed, the batch is handled anew. */
export type ConsumerEffects = DraftEffects & Pick<Conditions, "expect">;

/** How often a batch is handled anew because a document had changed; each time, somebody else has got on. */
const STALE_TRIES_MAX = 32;
const KEPT_CHANGING = "the documents that it rests on kept changing";

/** Collection of documents that remember into how many partitions a consumer was divided. */
const CONSUMERS = "consumers";

/**
 * Adds a consumer to an engine that has started: its checkpoints and the jobs of its partitions, then whoever works on
 * them.
 * @throws {StoreFault} when the store cannot answer now; nothing was done, and it may be tried again.
 */
export async function startConsumer(engine: Engine, consumer: Consumer): Promise<RunningConsumer> {
  invariant(
    consumer.partitions >= 1 && consumer.batchMax >= 1,
    `consumer ${consumer.name} has a partition and a batch`,
  );
  // Somebody was faster, or the answer was lost: what they wrote may have moved on already, and is not to be set back.
  while (!(await divide(engine, consumer)));
  const runner = engine.addStage(new ConsumerStage(engine, consumer).stage);
  return { stop: () => engine.removeStage(runner, STOP_GRACE_MS) };
}

/** A consumer at work on this node. */
export type RunningConsumer = {
  /** Lets go of its partitions, after the batches under way; whoever starts it again goes on at its checkpoints. */
  stop(): Promise<void>;
};

/** How long a batch under way may take when its consumer is stopped. */
const STOP_GRACE_MS = 10_000;

/** @returns false when the division has changed since it was read. */
async function divide(engine: Engine, consumer: Consumer): Promise<boolean> {
  const { store, clock } = engine.parts;
  const known = await store.checkpoints(consumer.name);
  const [document] = await store.documents([{ collection: CONSUMERS, id: consumer.name }]);
  const isDivided = document?.body === String(consumer.partitions);
  const nowMs = clock.nowMs();
  const indices = [...Array(consumer.partitions).keys()];
  const verdict = await engine.commit({
    ...(isDivided
      ? {}
      : {
          expect: [{ collection: CONSUMERS, id: consumer.name, version: document?.version ?? 0 }],
          checkpoints: await firstCheckpoints(engine, consumer, known),
          puts: [
            { collection: CONSUMERS, id: consumer.name, body: String(consumer.partitions), when: "always", nowMs },
          ],
        }),
    jobs: indices.map((index) => ({
      job: {
        key: partitionKey(consumer, index),
        queue: queueOf(consumer),
        lane: "transactional",
        turn: 0,
        dueMs: 0,
        payload: "",
        traceparent: null,
      },
      hand: null,
    })),
  });
  return verdict.kind === "committed";
}

/**
 * A new consumer begins where it asked to. One that is divided anew begins in every partition where the slowest of the
 * old ones stood, so some events come twice and none is missed; partitions that are gone no longer hold up retention.
 */
async function firstCheckpoints(
  engine: Engine,
  consumer: Consumer,
  known: readonly Checkpoint[],
): Promise<readonly Checkpoint[]> {
  const updatedMs = engine.parts.clock.nowMs();
  const old = known.filter(({ position }) => position < RETIRED).map(({ position }) => position);
  const { last } = await engine.parts.store.journalBounds();
  const position = old.length > 0 ? Math.min(...old) : consumer.startFrom === "latest" ? last : 0;
  const living = [...Array(consumer.partitions).keys()].map((partition) => ({ partition, position }));
  const retired = known
    .filter(({ partition }) => partition >= consumer.partitions)
    .map(({ partition }) => ({ partition, position: RETIRED }));
  return [...living, ...retired].map((checkpoint) => ({ consumer: consumer.name, updatedMs, ...checkpoint }));
}

/** The position of a partition that no longer exists: behind everything. */
export const RETIRED: Position = Number.MAX_SAFE_INTEGER;

/** What is remembered in a partition's job between failures. */
export type Failing = { readonly position: Position; readonly attempts: number };

/** What a partition's job remembers; null: nothing fails. */
export function failingOf({ payload }: Pick<Job, "payload">): Failing | null {
  // Only a partition writes it.
  return payload === "" ? null : (JSON.parse(payload) as Failing);
}

class ConsumerStage {
  readonly #engine: Engine;
  readonly #consumer: Consumer;
  readonly #tally: Tally;

  constructor(engine: Engine, consumer: Consumer) {
    this.#engine = engine;
    this.#consumer = consumer;
    this.#tally = tallyOf(engine.parts.meter, consumer.name);
  }

  get stage(): Stage<never> {
    return {
      queue: queueOf(this.#consumer),
      // Re-driven events need a hand beside the partitions.
      inHandMax: { transactional: 2 * this.#consumer.partitions, bulk: 1 },
      batchMax: this.#consumer.partitions,
      // A partition's job has no end: what fails are its events, which are counted by themselves.
      attemptsMax: Number.MAX_SAFE_INTEGER,
      run: async (jobs, context) => {
        await Promise.all(jobs.map((handed) => context.guard(handed.job, () => this.#work(handed, context))));
      },
      bury: () => ({}),
    };
  }

  async #work({ job }: HandedJob<never>, context: StageContext): Promise<void> {
    const redriven = redrivenPosition(job);
    if (redriven !== null) return this.#redrive(job, redriven, context);
    const index = [...Array(this.#consumer.partitions).keys()].find(
      (at) => partitionKey(this.#consumer, at) === job.key,
    );
    if (index === undefined) {
      // Left over from another division.
      await context.finish(job, { kind: "end", end: { kind: "done" }, effects: {} });
      return;
    }
    const checkpoints = await this.#engine.parts.store.checkpoints(this.#consumer.name);
    const position = checkpoints.find(({ partition }) => partition === index)?.position ?? 0;
    await this.#consumer.begin?.(index, position);
    const partition = new Partition(this.#engine, this.#consumer, this.#tally, { index, job, context, position });
    if ((await partition.run()) === "stopped") await context.finish(job, { kind: "release" });
  }

  /** One dead letter, tried again out of order because someone asked for it. */
  async #redrive(job: Job, position: Position, context: StageContext): Promise<void> {
    const page = await this.#engine.parts.store.readJournal({ after: position - 1, limit: 1 });
    const event = page.events.find((found) => found.position === position);
    if (event === undefined) {
      const error = "the event is no longer in the journal";
      await context.finish(job, { kind: "end", end: { kind: "dead", error }, effects: {} });
      return;
    }
    let error = KEPT_CHANGING;
    for (let tries = 1; tries <= STALE_TRIES_MAX; tries += 1) {
      let redriven: ConsumerEffects;
      try {
        redriven = await this.#redriven(event, context.signal);
      } catch (thrown) {
        if (context.signal.aborted) return void (await context.finish(job, { kind: "release" }));
        error = errorText(thrown);
        break;
      }
      const { expect = [], ...effects } = redriven;
      const ended = await context.finish(job, { kind: "end", end: { kind: "done" }, effects, expect });
      if (ended !== "stale") return;
    }
    await context.finish(job, { kind: "end", end: { kind: "dead", error }, effects: {} });
  }

  async #redriven(event: RecordedEvent, signal: AbortSignal): Promise<ConsumerEffects> {
    if (this.#consumer.redrive !== undefined) return await this.#consumer.redrive(event, signal);
    const handled = await this.#consumer.handle([event], signal);
    invariant(!("upTo" in handled), `consumer ${this.#consumer.name} handles one event whole`);
    return handled;
  }
}

/** One worker on one partition, for as long as it holds the partition's job. */
class Partition {
  readonly #engine: Engine;
  readonly #consumer: Consumer;
  readonly #index: number;
  readonly #job: Job;
  readonly #context: StageContext;
  readonly #tally: Tally;
  #position: Position;
  #committed: Position;
  #failing: Failing | null;

  constructor(engine: Engine, consumer: Consumer, tally: Tally, { index, job, context, position }: Place) {
    this.#engine = engine;
    this.#consumer = consumer;
    this.#tally = tally;
    this.#index = index;
    this.#job = job;
    this.#context = context;
    this.#position = position;
    this.#committed = position;
    this.#failing = failingOf(job);
  }

  async run(): Promise<"stopped" | "lost"> {
    const { store, clock } = this.#engine.parts;
    const { signal } = this.#context;
    while (this.#goesOn) {
      const appended = this.#nextAppend();
      const page = await store.readJournal({
        after: this.#position,
        limit: this.#consumer.batchMax,
        ...(this.#consumer.partitions === 1
          ? {}
          : { partition: { index: this.#index, of: this.#consumer.partitions } }),
        ...this.#filter(),
      });
      const events = page.events.filter((event) => this.#consumer.matches?.(event) ?? true);
      if (events.length > 0) {
        appended.cancel();
        if ((await this.#handle(events, page.upTo)) === "lost") return "lost";
      } else if (page.upTo > this.#position) {
        appended.cancel();
        this.#position = page.upTo;
      } else {
        // Nothing concerned us for a while: say so, or retention would wait for us.
        if (this.#position > this.#committed && (await this.#commit({}, this.#position)) === "lost") return "lost";
        await Promise.race([appended.promise, sleep(clock, LOOK_AGAIN_MS, signal)]);
        appended.cancel();
      }
    }
    return "stopped";
  }

  #filter(): { readonly foreignAnd?: readonly string[] } {
    const ownTypes = this.#consumer.ownTypes?.() ?? null;
    return ownTypes === null ? {} : { foreignAnd: ownTypes };
  }

  /** A worker that may have lost its lease calls nobody: another one may be further on, and would be overtaken. */
  get #goesOn(): boolean {
    return !this.#context.signal.aborted && this.#context.holds(this.#job);
  }

  #nextAppend(): { readonly promise: Promise<void>; cancel(): void } {
    let wake: () => void = () => {};
    const promise = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const cancel = this.#engine.onAppended(wake);
    return { promise, cancel };
  }

  async #handle(events: readonly RecordedEvent[], upTo: Position): Promise<Handled> {
    const { clock, dice } = this.#engine.parts;
    const { signal } = this.#context;
    for (;;) {
      if (!this.#goesOn) return "stopped";
      const failure = await this.#try(events, upTo);
      if (failure.kind !== "failed") return failure.kind;
      // Who was told to stop in the middle has not failed: it is handled anew by whoever comes next.
      if (signal.aborted) return "stopped";
      if (this.#consumer.bisect && events.length > 1) return this.#halves(events, upTo);
      const attempts = this.#countFailure(events);
      if (this.#spent(events, attempts)) return await this.#bury(events, upTo, failure, attempts);
      if ((await this.#commit(failure.effects, this.#committed)) === "lost") return "lost";
      await sleep(clock, retryDelayMs(attempts, dice.next()), signal);
    }
  }

  async #try(
    events: readonly RecordedEvent[],
    upTo: Position,
  ): Promise<{ readonly kind: "committed" | "lost" | "stopped" } | Failure> {
    const { clock, dice } = this.#engine.parts;
    for (let tries = 1; tries <= STALE_TRIES_MAX; tries += 1) {
      const handled = await this.#run(events);
      if ("kind" in handled) return handled;
      const failing = this.#failing;
      this.#failing = null;
      const done = "upTo" in handled ? handled : { upTo, effects: handled };
      const { expect, ...effects } = done.effects;
      const kind = await this.#commit(effects, done.upTo, expect);
      if (kind === "committed") this.#tally.handled.add(countUpTo(events, done.upTo));
      if (kind !== "stale") return { kind };
      this.#failing = failing;
      await sleep(clock, Math.ceil(dice.next() * tries), this.#context.signal);
      if (!this.#goesOn) return { kind: "stopped" };
    }
    this.#tally.failures.add(1);
    return { kind: "failed", error: KEPT_CHANGING, effects: {} };
  }

  async #run(events: readonly RecordedEvent[]): Promise<ConsumerEffects | HandledPart | Failure> {
    const span = this.#trace(events);
    try {
      const handled = await this.#consumer.handle(events, this.#context.signal);
      span?.end();
      return handled;
    } catch (thrown) {
      const error = errorText(thrown);
      span?.end({ error });
      this.#tally.failures.add(1);
      return { kind: "failed", error, effects: thrown instanceof BatchFailure ? thrown.effects : {} };
    }
  }

  #trace(events: readonly RecordedEvent[]): Span | null {
    const { tracer } = this.#engine.parts;
    if (tracer === undefined) return null;
    const from = events.map((event) => event.traceparent);
    return beginProcessing(tracer, queueOf(this.#consumer), from, { "messaging.batch.message_count": events.length });
  }

  async #halves(events: readonly RecordedEvent[], upTo: Position): Promise<Handled> {
    const middle = Math.ceil(events.length / 2);
    const [first, second] = [events.slice(0, middle), events.slice(middle)];
    const end = first.at(-1);
    invariant(end !== undefined, "half of two is one");
    const done = await this.#handle(first, end.position);
    // When only a part of it was handled, the rest is read again.
    return done === "committed" && this.#position >= end.position ? this.#handle(second, upTo) : done;
  }

  #countFailure(events: readonly RecordedEvent[]): number {
    const position = events[0]?.position ?? 0;
    const attempts = this.#failing?.position === position ? this.#failing.attempts + 1 : 1;
    this.#failing = { position, attempts };
    return attempts;
  }

  #spent(events: readonly RecordedEvent[], attempts: number): boolean {
    const { attemptsMax, ageMaxMs } = this.#consumer;
    const oldestMs = events[0]?.timeMs ?? 0;
    return attempts >= attemptsMax || (ageMaxMs !== null && this.#engine.parts.clock.nowMs() - oldestMs > ageMaxMs);
  }

  async #bury(
    events: readonly RecordedEvent[],
    upTo: Position,
    { error, effects }: Failure,
    attempts: number,
  ): Promise<"committed" | "lost" | "stale"> {
    const deadMs = this.#engine.parts.clock.nowMs();
    const buried = events.map((event) => deadEvent(this.#consumer.name, event, { error, attempts, deadMs }));
    this.#failing = null;
    const result = await this.#commit({ ...effects, buried }, upTo);
    if (result === "committed") this.#tally.buried.add(events.length);
    return result;
  }

  async #commit(
    effects: DraftEffects,
    position: Position,
    expect?: Conditions["expect"],
  ): Promise<"committed" | "lost" | "stale"> {
    const checkpoint = {
      consumer: this.#consumer.name,
      partition: this.#index,
      position,
      updatedMs: this.#engine.parts.clock.nowMs(),
    };
    const payload = this.#failing === null ? "" : JSON.stringify(this.#failing);
    const result = await this.#context.finish(this.#job, {
      kind: "end",
      end: { kind: "keep", payload },
      effects: { ...effects, checkpoints: [...(effects.checkpoints ?? []), checkpoint] },
      ...(expect === undefined ? {} : { expect }),
    });
    if (result === "committed") {
      this.#position = position;
      this.#committed = position;
    }
    return result;
  }
}

/** `effects`: what is committed with the failure all the same, such as its log. */
type Failure = { readonly kind: "failed"; readonly error: string; readonly effects: DraftEffects };

/** Thrown by a `handle` that wants something to be committed with its failure. */
export class BatchFailure extends Error {
  readonly effects: DraftEffects;

  constructor(says: string, effects: DraftEffects) {
    super(says);
    this.name = "BatchFailure";
    this.effects = effects;
  }
}

/** `stopped`, `stale`: nothing was done, the events are read again. */
type Handled = "committed" | "lost" | "stopped" | "stale";

/** Where a worker works, and from which event on. */
type Place = {
  readonly index: number;
  readonly job: Job;
  readonly context: StageContext;
  readonly position: Position;
};

/** An event as a dead letter of a consumer; whoever re-drives it has it handled again, out of order. */
export function deadEvent(
  consumer: string,
  event: RecordedEvent,
  { error, attempts, deadMs }: { readonly error: string; readonly attempts: number; readonly deadMs: number },
): DeadJob {
  const queue = queueOf({ name: consumer });
  return {
    key: `${queue}#${event.position}`,
    queue,
    lane: "transactional",
    payload: JSON.stringify({ redrive: event.position }),
    traceparent: event.traceparent,
    attempt: attempts,
    error,
    enqueuedMs: event.timeMs,
    deadMs,
  };
}

/** Key of the job that stands for a partition. */
export function partitionKey(consumer: Pick<Consumer, "name" | "partitions">, index: number): string {
  return `${queueOf(consumer)}/${index}/${consumer.partitions}`;
}

/** The store's queue of a reader: its partitions, and its dead letters. */
export function queueOf(consumer: Pick<Consumer, "name">): string {
  return `consumer:${consumer.name}`;
}

function redrivenPosition(job: Job): Position | null {
  if (!job.payload.startsWith('{"redrive":')) return null;
  return (JSON.parse(job.payload) as { redrive: Position }).redrive;
}
