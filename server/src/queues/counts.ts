import type { Engine } from "#engine/engine.ts";
import { type Queue, type QueueCounts, storeQueueOf } from "#queues/queue.ts";
import type { QueueDepth } from "#ports/store.ts";

/** How old counts may be that nothing here has changed. */
const AGE_MS_MAX = 1_000;
/** What counting may take of the store when counts are asked for all the time: a twentieth. */
const REST_FACTOR = 20;
/** Counting that takes no longer is done again whenever something has changed. */
const CHEAP_MS = 5;
/** Queues whose counts are remembered. */
const KNOWN_MAX = 10_000;

/** How many messages lie in the queues, counted by the store and remembered for a moment. */
export class Counts {
  readonly #engine: Engine;
  /** By store queue. */
  readonly #known = new Map<string, Known>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Counts of a queue, at most about a second old; what this process did before the call is in them unless it is much. */
  async of(queue: Queue): Promise<QueueCounts> {
    const storeQueue = storeQueueOf(queue);
    const known = this.#known.get(storeQueue);
    if (known !== undefined && this.#isGood(known)) return await known.counts;
    const { clock } = this.#engine.parts;
    const askedMs = clock.monotonicMs();
    const fresh: Known = { counts: this.#count(storeQueue), askedMs, tookMs: null, isTouched: false };
    this.#known.delete(storeQueue);
    this.#known.set(storeQueue, fresh);
    this.#forgetOldest();
    try {
      return await fresh.counts;
    } catch (fault) {
      if (this.#known.get(storeQueue) === fresh) this.#known.delete(storeQueue);
      throw fault;
    } finally {
      fresh.tookMs = clock.monotonicMs() - askedMs;
    }
  }

  /** Something was put in, taken or deleted here. */
  touch(queue: Queue): void {
    const known = this.#known.get(storeQueueOf(queue));
    if (known !== undefined) known.isTouched = true;
  }

  #isGood({ askedMs, tookMs, isTouched }: Known): boolean {
    const ageMs = this.#engine.parts.clock.monotonicMs() - askedMs;
    if (!isTouched) return ageMs < AGE_MS_MAX;
    if (tookMs === null || tookMs <= CHEAP_MS) return false;
    return ageMs < Math.min(AGE_MS_MAX, tookMs * REST_FACTOR);
  }

  async #count(storeQueue: string): Promise<QueueCounts> {
    const depths = await this.#engine.parts.store.depths([storeQueue]);
    return depths.reduce(add, NOTHING);
  }

  #forgetOldest(): void {
    if (this.#known.size <= KNOWN_MAX) return;
    for (const oldest of this.#known.keys()) {
      this.#known.delete(oldest);
      return;
    }
  }
}

type Known = {
  readonly counts: Promise<QueueCounts>;
  /** Monotonic. */
  readonly askedMs: number;
  /** Null while it is counted. */
  tookMs: number | null;
  isTouched: boolean;
};

const NOTHING: QueueCounts = { visible: 0, inFlight: 0, delayed: 0, oldestVisibleMs: null };

function add(sum: QueueCounts, { ready, held, waiting, oldestReadyMs }: QueueDepth): QueueCounts {
  return {
    visible: sum.visible + ready,
    inFlight: sum.inFlight + held,
    delayed: sum.delayed + waiting,
    oldestVisibleMs: oldestReadyMs ?? sum.oldestVisibleMs,
  };
}
