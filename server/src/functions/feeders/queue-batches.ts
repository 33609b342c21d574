import type { DraftEffects } from "#engine/draft.ts";
import type { StageContext } from "#engine/stage.ts";
import { errorLine, STALE_TRIES_MAX } from "#functions/feeders/one-job.ts";
import type { Taken } from "#functions/feeders/queue-filter.ts";
import { type Failed, readQueueOutput } from "#functions/feeders/queue-output.ts";
import type { FunctionsHouse } from "#functions/house.ts";
import type { HandlerEffects, Invoker, Ran } from "#functions/invoker.ts";
import { INVOCATIONS } from "#functions/invocation-log.ts";
import { Gathered } from "#rules/gathered.ts";
import { retryDelayMs } from "#domain/retry.ts";
import type { DeclaredFunction } from "#ports/function-host.ts";
import { messageIdOf } from "#queues/payload.ts";
import type { Queue } from "#queues/queue.ts";

/** Messages of one call. `alone`: one of them may have ended a thread. */
export type Batch = { readonly taken: readonly Taken[]; readonly alone: boolean };

type Run = {
  readonly queue: Queue;
  readonly declared: DeclaredFunction;
  readonly batch: Batch;
  readonly context: StageContext;
};

/** Keys that are remembered because they are to be tried by themselves. */
const SUSPECTS_MAX = 10_000;

/** Calls a handler with batches of messages, and ends their jobs. */
export class QueueBatches {
  readonly #house: FunctionsHouse;
  readonly #invoker: Invoker;
  /**
   * Tried by themselves, although no try of theirs is counted: `apart` because their batch failed, `alone` in a thread because
   * theirs ended. Another node finds out by itself.
   */
  readonly #suspects = new Map<string, "apart" | "alone">();

  constructor(house: FunctionsHouse, invoker: Invoker) {
    this.#house = house;
    this.#invoker = invoker;
  }

  /** What has failed before comes by itself, so that only what is to blame fails again. */
  divide(work: readonly Taken[], batchSize: number): Batch[] {
    const batches: Batch[] = [];
    const fresh: Taken[] = [];
    for (const taken of work) {
      const { key, attempt } = taken.job;
      const suspect = this.#suspects.get(key);
      if (attempt > 1 || suspect !== undefined) batches.push({ taken: [taken], alone: suspect === "alone" });
      else fresh.push(taken);
    }
    for (let at = 0; at < fresh.length; at += batchSize) {
      batches.push({ taken: fresh.slice(at, at + batchSize), alone: false });
    }
    return batches;
  }

  async run(run: Run): Promise<void> {
    const { batch, context } = run;
    try {
      await this.#run(run);
    } catch (thrown) {
      // Of all that are not reported yet; a store that cannot answer counts against none of them.
      await Promise.all(batch.taken.map(({ job }) => context.guard(job, () => Promise.reject(thrown))));
    }
  }

  async #run(run: Run): Promise<void> {
    const { taken } = run.batch;
    const spent = new Set(taken.filter((one) => this.#isSpent(run, one, one.job.attempt - 1)));
    // Their workers ended without a result, or other queues have tried them as often: they are not tried once more.
    const failed = [...spent].map((one) => ({ taken: one, says: `${triesOf(one)} tries ended without a result` }));
    await this.#endEach(run, failed, {});
    await this.#call({ ...run, batch: { ...run.batch, taken: taken.filter((one) => !spent.has(one)) } });
  }

  async #call(run: Run): Promise<void> {
    const { declared, batch, context } = run;
    const { taken, alone } = batch;
    const [first] = taken;
    if (first === undefined) return;
    for (let tries = 1; ; tries += 1) {
      if (context.signal.aborted || taken.some(({ job }) => !context.holds(job))) return await this.#release(run);
      const { job } = first;
      const work = {
        ...{ declared, attempt: job.attempt, input: inputOf(taken), alone },
        key: taken.length === 1 ? job.key : `${job.key}+${taken.length - 1}`,
        traceparent: context.traceOf(job) ?? job.traceparent,
      };
      const ran = await this.#invoker.run(work, context.signal);
      const ended = await this.#end(run, ran);
      if (ended !== "stale") return;
      if (tries >= STALE_TRIES_MAX) {
        const says = "the documents that it rests on kept changing";
        return await this.#endEach(
          run,
          taken.map((one) => ({ taken: one, says })),
          {},
        );
      }
    }
  }

  async #end(run: Run, ran: Ran): Promise<"ended" | "stale"> {
    const { taken } = run.batch;
    switch (ran.kind) {
      case "innocent":
        for (const { job } of taken) this.#suspect(job.key, "alone");
        await this.#release(run);
        return "ended";
      case "failed":
        await this.#endWhole(run, errorLine(ran.error), ran.effects);
        return "ended";
      case "done": {
        for (const { job } of taken) this.#suspects.delete(job.key);
        const output = readQueueOutput(ran.output, taken);
        if (output.kind === "invalid") {
          await this.#endWhole(run, output.says, logOf(ran.effects));
          return "ended";
        }
        return await this.#endPart(run, output.failed, ran.effects);
      }
    }
  }

  /** The good ones together, with what was emitted; the others by themselves. */
  async #endPart(
    run: Run,
    failed: readonly Failed[],
    { expect, ...effects }: HandlerEffects,
  ): Promise<"ended" | "stale"> {
    const { taken } = run.batch;
    const bad = new Set(failed.map((one) => one.taken));
    const [first, ...others] = taken.filter((one) => !bad.has(one));
    // Nothing is done, so nothing is seen.
    if (first === undefined) {
      await this.#endEach(run, failed, logOf(effects));
      return "ended";
    }
    const ended = await run.context.finish(first.job, {
      ...{ kind: "end", end: { kind: "done" }, effects, also: others.map(({ job }) => job) },
      ...(expect === undefined ? {} : { expect }),
    });
    if (ended === "stale") return "stale";
    await this.#endEach(run, failed, {});
    return "ended";
  }

  /** Nobody knows who of them is to blame: whoever would be given up for it is tried once more, by himself. */
  async #endWhole(run: Run, says: string, effects: DraftEffects): Promise<void> {
    const { taken } = run.batch;
    await Promise.all(
      taken.map(async (one, at) => {
        const own = at === 0 ? effects : {};
        const isSpared = taken.length > 1 && this.#isSpent(run, one, one.job.attempt);
        if (!isSpared) return await this.#endFailed(run, { taken: one, says }, own);
        this.#suspect(one.job.key, "apart");
        await this.#again(run, { taken: one, says }, "reset", own);
      }),
    );
  }

  /** @param effects committed with the first. */
  async #endEach(run: Run, failed: readonly Failed[], effects: DraftEffects): Promise<void> {
    await Promise.all(failed.map((one, at) => this.#endFailed(run, one, at === 0 ? effects : {})));
  }

  async #endFailed(run: Run, { taken, says }: Failed, effects: DraftEffects): Promise<void> {
    const { context, queue } = run;
    const { job, payload } = taken;
    if (!this.#isSpent(run, taken, job.attempt)) return await this.#again(run, { taken, says }, "count", effects);
    this.#suspects.delete(job.key);
    const target = queue.attributes.redrive?.deadLetterQueue ?? null;
    const receives = (payload.received ?? 0) + job.attempt;
    const letter =
      target === null ? null : await this.#house.queues.deadLetter({ queue, target, job, payload, receives });
    if (letter === null) {
      await context.finish(job, { kind: "end", end: { kind: "dead", error: says }, effects });
      return;
    }
    const gathered = new Gathered();
    gathered.add(effects);
    gathered.add(letter);
    await context.finish(job, { kind: "end", end: { kind: "done" }, effects: gathered.effects });
  }

  async #again(
    { context }: Run,
    { taken: { job }, says: error }: Failed,
    attempts: "count" | "reset",
    effects: DraftEffects,
  ): Promise<void> {
    const { clock, dice } = this.#house.engine.parts;
    const dueMs = clock.nowMs() + retryDelayMs(job.attempt, dice.next());
    const { payload, turn } = job;
    await context.finish(job, {
      kind: "end",
      end: { kind: "again", payload, dueMs, turn, attempts, error },
      effects,
    });
  }

  /** @param tries that have brought nothing. */
  #isSpent({ queue, declared }: Run, { payload }: Taken, tries: number): boolean {
    const { redrive } = queue.attributes;
    return redrive === null ? tries >= declared.attempts : (payload.received ?? 0) + tries >= redrive.receiveMax;
  }

  #suspect(key: string, how: "apart" | "alone"): void {
    if (this.#suspects.size >= SUSPECTS_MAX) this.#suspects.clear();
    this.#suspects.set(key, how);
  }

  async #release({ batch, context }: Run): Promise<void> {
    await Promise.all(batch.taken.map(({ job }) => context.finish(job, { kind: "release" })));
  }
}

/** Of what a call emitted, its log alone. */
function logOf({ puts = [] }: DraftEffects): DraftEffects {
  const log = puts.filter(({ collection }) => collection === INVOCATIONS);
  return log.length === 0 ? {} : { puts: log };
}

/** How often a message was tried before this time, here and in other queues. */
function triesOf({ job, payload }: Taken): number {
  return (payload.received ?? 0) + job.attempt - 1;
}

/** JSON text of the handler's input: its bodies are read there. */
function inputOf(taken: readonly Taken[]): string {
  const messages = taken.map(({ job, payload }) => ({
    id: messageIdOf(job),
    text: payload.body,
    attributes: Object.fromEntries(Object.entries(payload.attributes ?? {}).map(([name, { value }]) => [name, value])),
    groupId: payload.group ?? null,
    receiveCount: (payload.received ?? 0) + job.attempt,
    sentMs: payload.sentMs,
  }));
  return JSON.stringify({ messages });
}
