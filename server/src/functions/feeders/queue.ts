/**
 * A stage on a queue's messages. It follows the queue: a purge begins another store queue, a deleted one may come again.
 *
 *     messages ──expired, passed over by the filter──▶ gone
 *        └──▶ a batch ──▶ handler ──returned──▶ done together, with what it emitted, in one unit
 *                           │   └── failed: some of them ──▶ those by themselves, below
 *                           ├──failed──▶ each again later, alone in its batch ──too often──▶ dead letter
 *                           └──innocent──▶ each again at once, alone in its thread, not counted
 */
import { dueNow } from "#functions/feeders/queue-filter.ts";
import { type Batch, QueueBatches } from "#functions/feeders/queue-batches.ts";
import type { Feed, Feeder } from "#functions/feeder.ts";
import type { FunctionsHouse } from "#functions/house.ts";
import type { Invoker } from "#functions/invoker.ts";
import { Pace } from "#functions/pace.ts";
import { CLAIM_MAX, IN_HAND_MAX, QUEUE_LOOK_MS, STOP_GRACE_MS } from "#functions/limits.ts";
import { type Fits, fitsOf, patternFlaw } from "#functions/pattern.ts";
import { errorText } from "#engine/error-text.ts";
import { sleep } from "#engine/sleep.ts";
import type { HandedJob, Stage, StageContext } from "#engine/stage.ts";
import type { StageRunner } from "#engine/stage-runner.ts";
import type { DeclaredFunction } from "#ports/function-host.ts";
import { StoreFault } from "#ports/store.ts";
import { FIFO_SUFFIX, type Queue, storeQueueOf } from "#queues/queue.ts";

export function queueFeeder(house: FunctionsHouse, invoker: Invoker): Feeder {
  return {
    kind: "queue",
    faultOf: ({ on }) => (on.kind === "queue" && on.filter !== null ? patternFlaw(on.filter) : null),
    start: async (declared) => {
      const feed = new QueueFeed(house, invoker, declared);
      await feed.start();
      return feed;
    },
  };
}

class QueueFeed implements Feed {
  readonly #house: FunctionsHouse;
  readonly #batches: QueueBatches;
  #declared: DeclaredFunction;
  #fits: Fits | null;
  #at: { readonly storeQueue: string; readonly runner: StageRunner<never> } | null = null;
  readonly #pace = new Pace();
  readonly #stopping = new AbortController();
  #following: Promise<void> = Promise.resolve();

  constructor(house: FunctionsHouse, invoker: Invoker, declared: DeclaredFunction) {
    this.#house = house;
    this.#declared = declared;
    this.#fits = filterOf(declared);
    this.#batches = new QueueBatches(house, invoker);
  }

  /** @throws {StoreFault}, or an error with a sentence when the queue cannot be made. */
  async start(): Promise<void> {
    const { queue: name } = onOf(this.#declared);
    const { queues, engine } = this.#house;
    const found = await queues.get(name);
    if (found.kind === "fault") {
      const made = await queues.create({ name, fifo: name.endsWith(FIFO_SUFFIX), attributes: {}, tags: {} });
      if (made.kind === "fault") throw new Error(`The queue ${name} cannot be made: ${made.code}`);
    }
    await this.#follow();
    this.#following = this.#followAlways(AbortSignal.any([engine.signal, this.#stopping.signal]));
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#following;
    await this.#leave();
  }

  update(declared: DeclaredFunction): void {
    this.#declared = declared;
    this.#fits = filterOf(declared);
  }

  async #followAlways(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#house.engine.parts;
    while (!signal.aborted) {
      await sleep(clock, QUEUE_LOOK_MS, signal);
      if (signal.aborted) return;
      try {
        await this.#follow();
      } catch (fault) {
        if (!(fault instanceof StoreFault)) throw fault;
        log.warn("It could not be asked whether a function's queue is still the same", { error: errorText(fault) });
      }
    }
  }

  /** Works the queue as it is now. */
  async #follow(): Promise<void> {
    const { queues, engine } = this.#house;
    const found = await queues.get(onOf(this.#declared).queue);
    const storeQueue = found.kind === "done" ? storeQueueOf(found.queue) : null;
    if (storeQueue === (this.#at?.storeQueue ?? null)) return;
    await this.#leave();
    if (storeQueue === null || found.kind !== "done") return;
    const stage = this.#stage(found.queue, storeQueue);
    this.#at = { storeQueue, runner: engine.addStage(stage) };
  }

  async #leave(): Promise<void> {
    const at = this.#at;
    this.#at = null;
    if (at !== null) await this.#house.engine.removeStage(at.runner, STOP_GRACE_MS);
  }

  #stage(queue: Queue, storeQueue: string): Stage<never> {
    const declared = (): DeclaredFunction => this.#declared;
    const inHand = (): number => {
      const { concurrency } = declared();
      const least = 2 * concurrency * onOf(declared()).batchSize;
      // Fast handlers find more ready, or a claim would take longer than the calls; slow ones hold back nobody's messages.
      const fast = 2 * this.#pace.inLastWindow(this.#house.engine.parts.clock.monotonicMs());
      return Math.min(IN_HAND_MAX, Math.max(least, fast));
    };
    return {
      queue: storeQueue,
      get inHandMax() {
        return { transactional: inHand(), bulk: 1 };
      },
      get batchMax() {
        // Whole batches.
        const { batchSize } = onOf(declared());
        return Math.min(inHand(), batchSize * Math.max(1, Math.floor(CLAIM_MAX / batchSize)));
      },
      // Counted here, where a queue's redrive policy is known.
      attemptsMax: Number.MAX_SAFE_INTEGER,
      run: (jobs, context) => this.#run(queue, jobs, context),
      bury: () => ({}),
    };
  }

  async #run(known: Queue, handed: readonly HandedJob<never>[], context: StageContext): Promise<void> {
    const declared = this.#declared;
    const jobs = handed.map(({ job }) => job);
    // Its redrive policy may have been changed.
    const queue = this.#house.queues.known(known.name) ?? known;
    const { work, gone } = dueNow(queue, jobs, this.#fits, this.#house.engine.parts.clock.nowMs());
    const done = { kind: "end", end: { kind: "done" }, effects: {} } as const;
    const batches: Batch[] = this.#batches.divide(work, onOf(declared).batchSize);
    await Promise.all([
      ...gone.map((job) => context.guard(job, async () => void (await context.finish(job, done)))),
      ...batches.map(async (batch) => {
        await this.#batches.run({ queue, declared, batch, context });
        this.#pace.done(batch.taken.length, this.#house.engine.parts.clock.monotonicMs());
      }),
    ]);
  }
}

function filterOf(declared: DeclaredFunction): Fits | null {
  const { filter } = onOf(declared);
  return filter === null ? null : fitsOf(filter);
}

function onOf({ on }: DeclaredFunction) {
  if (on.kind !== "queue") throw new Error(`broken invariant: a queue was declared as ${on.kind}`);
  return on;
}
