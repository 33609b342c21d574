import type { Job } from "#domain/job.ts";
import { sleep } from "#engine/sleep.ts";
import type { Stage, StageContext } from "#engine/stage.ts";
import type { QueueHouse } from "#queues/house.ts";
import type { Move } from "#queues/move.ts";
import { changeMoves, MOVE_QUEUE, moveIdOf, movesOf } from "#queues/move-notes.ts";
import { MESSAGE_LANE, messageIdOf, messageJob, type Payload, payloadOf } from "#queues/payload.ts";
import { isFifo, type Queue, storeQueueOf } from "#queues/queue.ts";
import { firstSequenceOf } from "#queues/sequence.ts";
import { StoreFault } from "#ports/store.ts";

/** Messages per step: one commit, or two. */
const STEP_MAX = 100;
/** How long a step may hold messages: a process that dies gives them back then. */
const LEND_MS = 30_000;
/** Tasks at work at once, each of another dead-letter queue. */
const TASKS_MAX = 8;
/** So many workers may die over a task, or stores fail under it, before it is given up. */
const ATTEMPTS_MAX = 20;

/**
 * Moves what lies in a dead-letter queue, in steps. Each message goes by the commit that ends it there and puts it here, so
 * a crash loses none and doubles none; only the sum of what was moved may be short of a step.
 *
 * Only what lay there at the start is moved: what fails once more comes back, and is not moved in a circle.
 */
export function moveStage(house: QueueHouse): Stage<never> {
  return {
    queue: MOVE_QUEUE,
    inHandMax: { transactional: 0, bulk: TASKS_MAX },
    batchMax: TASKS_MAX,
    attemptsMax: ATTEMPTS_MAX,
    run: async (jobs, context) => {
      await Promise.all(jobs.map(({ job }) => context.guard(job, () => new MoveTask(house, job, context).run())));
    },
    bury: () => ({}),
  };
}

class MoveTask {
  readonly #house: QueueHouse;
  readonly #job: Job;
  readonly #context: StageContext;
  readonly #id: string;
  readonly #source: string;

  constructor(house: QueueHouse, job: Job, context: StageContext) {
    this.#house = house;
    this.#job = job;
    this.#context = context;
    this.#id = moveIdOf(job);
    this.#source = this.#id.slice(0, this.#id.indexOf("/"));
  }

  async run(): Promise<void> {
    const { engine } = this.#house;
    for (;;) {
      if (this.#context.signal.aborted || !this.#context.holds(this.#job)) {
        await this.#context.finish(this.#job, { kind: "release" });
        return;
      }
      const move = (await movesOf(engine, this.#source)).find(({ id }) => id === this.#id);
      if (move === undefined || move.endedMs !== null) break;
      const step = move.status === "cancelling" ? { moved: 0, end: "cancelled" as const } : await this.#step(move);
      await this.#note(step);
      if (step.end !== null) break;
      const rate = move.messagesPerSecondMax;
      if (rate !== null) await sleep(engine.parts.clock, (step.moved * 1_000) / rate, this.#context.signal);
    }
    await this.#context.finish(this.#job, { kind: "end", end: { kind: "done" }, effects: {} });
  }

  async #step(move: Move): Promise<Step> {
    const { engine, catalog, counts } = this.#house;
    const from = (await catalog.find(this.#source))?.queue ?? null;
    if (from === null) return { moved: 0, end: "failed", failure: `The queue ${this.#source} is gone.` };
    const jobs = await engine.lending.take({
      queue: storeQueueOf(from),
      lane: MESSAGE_LANE,
      max: Math.min(STEP_MAX, move.messagesPerSecondMax ?? STEP_MAX),
      lendMs: LEND_MS,
      waitMs: 0,
      signal: this.#context.signal,
      isGrouped: isFifo(from),
    });
    // By what is put in later, what lay there at the start has been moved: it stood before it.
    const old = jobs.filter(({ turn }) => turn < firstSequenceOf(move.startedMs + 1));
    const fates = await Promise.all(old.map((job) => this.#moveOne(move, from, job)));
    const stays = old.filter((_, at) => fates[at]?.kind === "stays");
    await engine.lending.giveBack([...jobs.filter((job) => !old.includes(job)), ...stays]);
    engine.lending.notify(storeQueueOf(from), MESSAGE_LANE);
    counts.touch(from);
    const moved = fates.filter(({ kind }) => kind === "moved").length;
    this.#house.tallies.add(from.name, "moved", moved);
    const [failed] = fates.filter((fate) => fate.kind === "stays");
    if (failed !== undefined) return { moved, end: "failed", failure: failed.why };
    // Who stops is given nothing, which does not mean that there is nothing.
    const isOver = old.length === 0 && !this.#context.signal.aborted;
    return { moved, end: isOver ? "completed" : null };
  }

  async #moveOne(move: Move, from: Queue, job: Job): Promise<Fate> {
    const { engine, catalog, counts, sequence } = this.#house;
    const { source, received: _, firstReceiveMs: __, ...payload } = payloadOf(job);
    const name = move.destination ?? source ?? null;
    if (name === null) return { kind: "stays", why: "A message has no source that it could go back to." };
    const into = (await catalog.find(name))?.queue ?? null;
    if (into === null || isFifo(into) !== isFifo(from)) return { kind: "stays", why: `The queue ${name} is gone.` };
    const nowMs = engine.parts.clock.nowMs();
    // It begins anew there: its time and its receives count from now.
    const anew: Payload = { ...payload, sentMs: nowMs };
    const letter = { id: messageIdOf(job), payload: anew, turn: sequence.next(nowMs), dueMs: 0 };
    // What cannot be committed at the end of a stop is in the store as it was.
    const verdict = await engine.commit({
      job: { ref: { key: job.key, fence: job.fence }, end: { kind: "done" } },
      jobs: [{ job: messageJob(into, letter, job.traceparent), hand: null }],
    });
    counts.touch(into);
    return { kind: verdict.kind === "committed" ? "moved" : "lost" };
  }

  /** Adds a step to what is known of the task. */
  async #note({ moved, end, failure = null }: Step): Promise<void> {
    if (moved === 0 && end === null) return;
    const noted = await changeMoves(this.#house.engine, this.#source, (moves, nowMs) => {
      const before = moves.find(({ id }) => id === this.#id) ?? null;
      if (before === null) return { kind: "fault", code: "move.unknown", id: this.#id };
      const sum = { ...before, moved: before.moved + moved };
      const move: Move = end === null ? sum : { ...sum, status: end, endedMs: nowMs, failure };
      const data = { move: move.id, moved: move.moved, status: move.status, failure };
      const event = end === null ? null : { type: "queue.move_ended", data, trace: this.#job.traceparent };
      return { moves: moves.map((one) => (one === before ? move : one)), move, event };
    });
    // Then the task goes on a little later.
    if (noted.kind === "fault" && noted.code === "overloaded") throw new StoreFault("store.busy", "Too much waits");
  }
}

type Fate =
  | { readonly kind: "moved" }
  /** Somebody else has it. */
  | { readonly kind: "lost" }
  | { readonly kind: "stays"; readonly why: string };

type Step = {
  readonly moved: number;
  /** Null: it goes on. */
  readonly end: "completed" | "cancelled" | "failed" | null;
  readonly failure?: string | null;
};
