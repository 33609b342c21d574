/**
 * The worker that carries messages from hand to outcome. In one hold of the job a message is routed, rendered and
 * delivered; what happened is committed with the end of the job.
 *
 *     job ──load──▶ route ──▶ ways to try now ──▶ deliver ──▶ all ways done ──▶ settle: done, or a dead letter
 *                     │            │                  └──▶ some wait ──▶ again, with the progress
 *                     │            └── none due yet ──▶ again
 *                     └── no template, left the list, closed until morning ──▶ settle, or again
 *
 * Of several ways (`method: all`) each is committed as soon as it is done, so that a crash repeats none of the others.
 */
import type { DraftEffects } from "#engine/draft.ts";
import type { HandedJob, Stage, StageContext, StageResult } from "#engine/stage.ts";
import { type NewEvent, newEvent } from "#domain/event.ts";
import type { MessageId } from "#domain/ids.ts";
import { invariant } from "#domain/invariant.ts";
import type { JsonObject } from "#domain/json.ts";
import type { DeadJob, Job } from "#domain/job.ts";
import type { NewMessage } from "#domain/message.ts";
import { parseDelayUntil } from "#domain/opening-hours.ts";
import { openLeaves } from "#domain/routing.ts";
import { opensForRecipient } from "#pipeline/check-send.ts";
import { type DeliverHouse, type Tried, tryLeaf } from "#pipeline/deliver.ts";
import type { Plan, Plans } from "#pipeline/plan.ts";
import { freshLeaf, leafStates, type Progress, readProgress, withLeaf, writeProgress } from "#pipeline/progress.ts";
import { type Person, route, wayOf, type Work } from "#pipeline/route.ts";
import { end, endEffects, endingOf } from "#pipeline/settle.ts";
import { CRASHES_MAX, MESSAGE_BATCH_MAX, MESSAGE_QUEUE, MESSAGES_IN_HAND_MAX } from "#pipeline/stages.ts";
import type { Store } from "#ports/store.ts";

/** What accept and expand know already, so that a message in hand needs no reading. */
export type MessageCarry = { readonly plan: Plan; readonly record: NewMessage };

export type MessageHouse = DeliverHouse & { readonly store: Store; readonly plans: Plans };

export function messageStage(house: MessageHouse): Stage<MessageCarry> {
  return {
    queue: MESSAGE_QUEUE,
    inHandMax: { transactional: MESSAGES_IN_HAND_MAX, bulk: MESSAGES_IN_HAND_MAX },
    batchMax: MESSAGE_BATCH_MAX,
    attemptsMax: CRASHES_MAX,
    async run(jobs: readonly HandedJob<MessageCarry>[], context: StageContext): Promise<void> {
      const works = await load(house, jobs, context);
      const people = await route(works, house.store, house.revocations);
      await Promise.all(
        works.map(async (work, at) => {
          const person = people[at];
          invariant(person !== undefined, "every message has its person");
          await carry(house, work, person, context);
        }),
      );
    },
    bury(job: Job, error: string): DraftEffects {
      const ending = {
        status: "UNDELIVERABLE",
        reason: "FAILED",
        error,
        rule: "the pipeline failed on it",
        redrivable: true,
      } as const;
      // A message's job has its message's id as key.
      return endEffects({ id: job.key as MessageId }, ending, house.clock.nowMs(), job.traceparent);
    },
    revive(dead: DeadJob) {
      const id = dead.key as MessageId;
      const timeMs = house.clock.nowMs();
      return {
        payload: "",
        effects: {
          patches: [{ id, status: "ENQUEUED", reason: null, error: null }],
          events: [{ type: "message.redriven", subject: id, timeMs, data: "{}", traceparent: dead.traceparent }],
        },
      };
    },
  };
}

/** Jobs that came without what is known about them are read, all together. */
async function load(
  house: MessageHouse,
  jobs: readonly HandedJob<MessageCarry>[],
  context: StageContext,
): Promise<readonly Work[]> {
  const works: Work[] = [];
  const bare: Job[] = [];
  for (const { job, carry } of jobs) {
    if (carry === null) bare.push(job);
    else works.push({ job, ...carry });
  }
  if (bare.length === 0) return works;
  const records = await house.store.messages(bare.map((job) => job.key as MessageId));
  const plans = await house.plans.load(records.flatMap((record) => (record === null ? [] : [record.requestId])));
  for (const [at, job] of bare.entries()) {
    const record = records[at] ?? null;
    const plan = record === null ? undefined : plans.get(record.requestId);
    if (record !== null && plan !== undefined) works.push({ job, record, plan });
    else void context.finish(job, { kind: "end", end: { kind: "dead", error: "its request is gone" }, effects: {} });
  }
  return works;
}

async function carry(house: MessageHouse, work: Work, person: Person, context: StageContext): Promise<void> {
  const nowMs = house.clock.nowMs();
  const stopped = stopBefore(work, person, nowMs);
  if (stopped !== null) {
    const status = stopped.kind === "end" ? stopped.effects.patches?.[0]?.status : undefined;
    if (status !== undefined && status !== "DELAYED") house.tally.settled("", "", status);
    await context.finish(work.job, stopped);
    return;
  }
  const first = work.job.payload === "";
  const events = first ? [routed(house, work, person, nowMs)] : [];
  await new Trip(house, work, person, context, readProgress(work.job.payload, nowMs), events).go();
}

/** What ends or postpones a message before any way is tried. */
function stopBefore(work: Work, person: Person, nowMs: number): StageResult | null {
  if (work.plan.compiled === null) {
    const error = `no template "${work.record.notification}" exists`;
    return end(work, { status: "UNMAPPED", reason: null, error, rule: "template lookup", redrivable: false }, nowMs);
  }
  if (person.leftList) {
    const { leaves } = readProgress(work.job.payload, nowMs);
    // It reached them on one way before they left; the other ways are given up, the outcome stays.
    if (Object.values(leaves).some(({ state }) => state === "sent")) {
      return { kind: "end", end: { kind: "done" }, effects: {} };
    }
    const error = `${work.record.recipient} is not on the list ${person.listId} any more`;
    return end(
      work,
      { status: "UNDELIVERABLE", reason: "UNSUBSCRIBED", error, rule: "subscription removed", redrivable: false },
      nowMs,
    );
  }
  if (work.job.payload !== "" || !opensForRecipient(work.plan.message)) return null;
  const zone = person.profile["zoneinfo"] ?? person.profile["timezone"];
  const until = parseDelayUntil(work.plan.message.delay?.until ?? "", typeof zone === "string" ? zone : null, nowMs);
  if (!until.ok || until.dueMs <= nowMs) return null;
  const delayed = event("message.delayed", work, nowMs, { untilMs: until.dueMs });
  return {
    kind: "end",
    end: { kind: "again", payload: "", dueMs: until.dueMs, turn: work.job.turn, attempts: "reset", error: null },
    effects: { patches: [{ id: work.record.id, status: "DELAYED" }], events: [delayed] },
  };
}

/** Who and where, as it was decided; the profile is kept so that what was said can be looked at later. */
function routed(house: MessageHouse, work: Work, person: Person, nowMs: number): NewEvent {
  const open: JsonObject[] = [];
  const closed: JsonObject[] = [];
  for (const leaf of work.plan.leaves) {
    const way = wayOf(leaf, work.plan, person, house.providers);
    if (way.kind === "closed") closed.push({ entry: leaf.entry, reason: way.reason, rule: way.rule });
    else open.push({ entry: leaf.entry, channel: way.channel, provider: way.providers[0]?.key ?? "" });
  }
  // Why other ways were closed matters only when none was open.
  const channels = open.length > 0 ? open : closed;
  return event("message.routed", work, nowMs, { channels, profile: person.profile, data: personalData(work, person) });
}

/** The data is kept only where it is not the request's own. */
function personalData(work: Work, person: Person): JsonObject | null {
  return person.data === work.plan.message.data ? null : person.data;
}

function event(type: string, work: Work, timeMs: number, data: JsonObject): NewEvent {
  return newEvent(type, work.record.id, timeMs, data, work.plan.traceparent);
}

/** One hold of one message's job: tries ways until none is left to try now. */
class Trip {
  readonly #house: MessageHouse;
  readonly #work: Work;
  readonly #person: Person;
  readonly #context: StageContext;
  #progress: Progress;
  #effects: {
    patches: NonNullable<DraftEffects["patches"]>;
    events: readonly NewEvent[];
    puts: NonNullable<DraftEffects["puts"]>;
  };

  constructor(
    house: MessageHouse,
    work: Work,
    person: Person,
    context: StageContext,
    progress: Progress,
    events: readonly NewEvent[],
  ) {
    this.#house = house;
    this.#work = work;
    this.#person = person;
    this.#context = context;
    this.#progress = progress;
    this.#effects = { patches: [], events, puts: [] };
  }

  async go(): Promise<void> {
    for (;;) {
      const nowMs = this.#house.clock.nowMs();
      const open = openLeaves(this.#work.plan.tree, leafStates(this.#progress));
      if (open.length === 0) return this.#settle(nowMs);
      const due = open.filter((index) => (this.#progress.leaves[index]?.nextMs ?? 0) <= nowMs);
      if (due.length === 0)
        return this.#again(Math.min(...open.map((index) => this.#progress.leaves[index]?.nextMs ?? 0)));
      const goesOn = await this.#try(due, nowMs);
      if (!goesOn) return;
    }
  }

  /** @returns false when the message must be let go: a no, a shutdown, or someone else has it. */
  async #try(due: readonly number[], nowMs: number): Promise<boolean> {
    const { leaves } = this.#work.plan;
    let goesOn = true;
    const tries = due.map(async (index) => {
      const leaf = leaves[index];
      invariant(leaf !== undefined, "an open leaf is in the tree");
      const before = this.#progress.leaves[index] ?? freshLeaf(nowMs);
      const tried = await tryLeaf(this.#house, this.#work, this.#person, this.#progress, leaf, before, this.#context);
      if (tried === "withdrawn") {
        goesOn = false;
        return;
      }
      this.#note(index, tried);
      if (due.length > 1 && goesOn && !(await this.#keep())) goesOn = false;
    });
    await Promise.all(tries);
    if (goesOn) return true;
    await this.#letGo();
    return false;
  }

  #note(index: number, tried: Tried): void {
    this.#channel = tried.patch?.channel ?? this.#channel;
    this.#provider = tried.patch?.provider ?? this.#provider;
    this.#progress = withLeaf(this.#progress, index, tried.leaf);
    const { patches, events, puts } = this.#effects;
    this.#effects = {
      patches: tried.patch === null ? patches : [...patches, { id: this.#work.record.id, ...tried.patch }],
      events: [...events, ...tried.events],
      puts: [...puts, ...tried.puts],
    };
  }

  #lost = false;
  /** What took it, for the tally; empty when nothing did. */
  #channel = "";
  #provider = "";

  #keeping: Promise<boolean> = Promise.resolve(true);

  /** One after the other: a commit that has to be tried again must not be overtaken by what happened after it. */
  #keep(): Promise<boolean> {
    this.#keeping = this.#keeping.then((kept) => kept && this.#keepNow());
    return this.#keeping;
  }

  async #keepNow(): Promise<boolean> {
    const effects = this.#takeEffects();
    const payload = writeProgress(this.#progress);
    const kept = await this.#context.finish(this.#work.job, { kind: "end", end: { kind: "keep", payload }, effects });
    if (kept === "lost") this.#lost = true;
    return kept === "committed";
  }

  #takeEffects(): DraftEffects {
    const effects = this.#effects;
    this.#effects = { patches: [], events: [], puts: [] };
    return effects;
  }

  async #settle(nowMs: number): Promise<void> {
    const ending = endingOf(this.#work, this.#progress);
    this.#house.tally.settled(this.#channel, this.#provider, ending?.status ?? "SENT");
    const effects = this.#takeEffects();
    const result: StageResult =
      ending === null ? { kind: "end", end: { kind: "done" }, effects } : end(this.#work, ending, nowMs, effects);
    await this.#context.finish(this.#work.job, result);
  }

  async #again(dueMs: number): Promise<void> {
    const error = Object.values(this.#progress.leaves).find((leaf) => leaf.error !== null)?.error ?? null;
    const payload = writeProgress(this.#progress);
    await this.#context.finish(this.#work.job, {
      kind: "end",
      end: { kind: "again", payload, dueMs, turn: this.#work.job.turn, attempts: "reset", error },
      effects: this.#takeEffects(),
    });
  }

  /** Back to the queue: after a no it will be routed anew, after a shutdown the next process has it. */
  async #letGo(): Promise<void> {
    if (this.#lost) return;
    const touched = Object.keys(this.#progress.leaves).length > 0;
    if (touched || !this.#context.signal.aborted) return this.#again(0);
    await this.#context.finish(this.#work.job, { kind: "release" });
  }
}
