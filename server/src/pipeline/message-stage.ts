/**
 * The worker that carries messages from hand to outcome. In one hold of the job a message is routed, rendered and
 * delivered; what happened is committed with the end of the job.
 *
 *     job ──load──▶ route ──▶ ways to try now ──▶ deliver ──▶ all ways done ──▶ settle: done, or a dead letter
 *                     │            │   ▲              └──▶ some wait ──▶ again, with the progress
 *                     │            │   └── late, and sent all the same
 *                     │            ├── late: dropped, or collapsed into a newer one ──▶ settle
 *                     │            └── none due yet ──▶ again
 *                     └── no template, left the list, closed until morning ──▶ settle, or again
 *
 * Of several ways (`method: all`) each is committed as soon as it is done, so that a crash repeats none of the others.
 */
import type { DraftEffects } from "#engine/draft.ts";
import type { HandedJob, Stage, StageContext, StageResult } from "#engine/stage.ts";
import { type NewEvent, newEvent } from "#domain/event.ts";
import type { MessageId } from "#domain/ids.ts";
import { type Deadline, lateRule } from "#domain/deadline.ts";
import { invariant } from "#domain/invariant.ts";
import type { JsonObject } from "#domain/json.ts";
import type { DeadJob, Job } from "#domain/job.ts";
import type { NewMessage } from "#domain/message.ts";
import { parseDelayUntil } from "#domain/opening-hours.ts";
import { openLeaves } from "#domain/routing.ts";
import { newerThan } from "#pipeline/collapse.ts";
import { deadlineMs, lateEnding, zoneOf } from "#pipeline/deadline.ts";
import { type Bounds, type DeliverHouse, type Tried, tryLeaf } from "#pipeline/deliver.ts";
import { opensForRecipient } from "#pipeline/opening.ts";
import type { Plan, Plans } from "#pipeline/plan.ts";
import { freshLeaf, leafStates, type Progress, readProgress, withLeaf, writeProgress } from "#pipeline/progress.ts";
import { dropMessages } from "#pipeline/drop.ts";
import type { Revocations } from "#pipeline/revocations.ts";
import { type Person, route, wayOf, type Work } from "#pipeline/route.ts";
import { end, endEffects, type Ending, endingOf } from "#pipeline/settle.ts";
import {
  BULK_BESIDE_MAX,
  CRASHES_MAX,
  MESSAGE_BATCH_MAX,
  MESSAGE_QUEUE,
  MESSAGES_IN_HAND_MAX,
} from "#pipeline/stages.ts";
import type { Store } from "#ports/store.ts";

/** What accept and expand know already, so that a message in hand needs no reading. */
export type MessageCarry = { readonly plan: Plan; readonly record: NewMessage };

export type MessageHouse = DeliverHouse & {
  readonly store: Store;
  readonly plans: Plans;
  readonly revocations: Revocations;
};

export function messageStage(house: MessageHouse): Stage<MessageCarry> {
  return {
    queue: MESSAGE_QUEUE,
    inHandMax: { transactional: MESSAGES_IN_HAND_MAX, bulk: MESSAGES_IN_HAND_MAX },
    bulkBesideMax: BULK_BESIDE_MAX,
    batchMax: MESSAGE_BATCH_MAX,
    attemptsMax: CRASHES_MAX,
    async run(jobs: readonly HandedJob<MessageCarry>[], context: StageContext): Promise<void> {
      const works = await load(house, jobs, context);
      const people = await route(works, house.store, house.revocations);
      await Promise.all(
        works.map((work, at) =>
          context.guard(work.job, async () => {
            const person = people[at];
            invariant(person !== undefined, "every message has its person");
            await carry(house, work, person, context);
          }),
        ),
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
    drop: (jobs, decision) => dropMessages(house, jobs, decision),
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
  const begun = readProgress(work.job.payload, nowMs);
  const stopped = stopBefore(work, person, begun, nowMs);
  if (stopped !== null) {
    const status = stopped.kind === "end" ? stopped.effects.patches?.[0]?.status : undefined;
    if (status !== undefined && status !== "DELAYED") house.tally.settled("", "", status);
    await context.finish(work.job, stopped);
    return;
  }
  await new Trip(house, work, person, context, begun).go();
}

type Begun = { readonly progress: Progress; readonly isFirst: boolean };

/** What ends or postpones a message before any way is tried. */
function stopBefore(work: Work, person: Person, { progress, isFirst }: Begun, nowMs: number): StageResult | null {
  if (work.plan.compiled === null) {
    const error = `no template "${work.record.notification}" exists`;
    return end(work, { status: "UNMAPPED", reason: null, error, rule: "template lookup", redrivable: false }, nowMs);
  }
  if (person.leftList) {
    // It reached them on one way before they left; the other ways are given up, the outcome stays.
    if (wasSent(progress)) {
      return { kind: "end", end: { kind: "done" }, effects: {} };
    }
    const error = `${work.record.recipient} is not on the list ${person.listId} any more`;
    return end(
      work,
      { status: "UNDELIVERABLE", reason: "UNSUBSCRIBED", error, rule: "subscription removed", redrivable: false },
      nowMs,
    );
  }
  if (!isFirst || !opensForRecipient(work.plan.message)) return null;
  const until = parseDelayUntil(work.plan.message.delay?.until ?? "", zoneOf(person), nowMs);
  if (!until.ok || until.dueMs <= nowMs) return null;
  const { deadline } = progress;
  const endMs = deadline === undefined ? null : deadlineMs(deadline, work.plan, person);
  // What will be dropped before they open is settled at its deadline.
  const dueMs = endMs !== null && deadline?.late === "drop" ? Math.min(until.dueMs, endMs) : until.dueMs;
  if (dueMs <= nowMs) return null;
  const lateFrom = endMs === null ? {} : { deadlineMs: endMs };
  const delayed = event("message.delayed", work, nowMs, { untilMs: dueMs, ...lateFrom });
  const { payload, turn } = work.job;
  return {
    kind: "end",
    end: { kind: "again", payload, dueMs, turn, attempts: "reset", error: null },
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

function wasSent({ leaves }: Progress): boolean {
  return Object.values(leaves).some(({ state }) => state === "sent");
}

function lastError({ leaves }: Progress): string | null {
  return Object.values(leaves).find(({ error }) => error !== null)?.error ?? null;
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

  /** Null without a deadline; when it is late, in Unix epoch ms. */
  readonly #deadline: (Deadline & { readonly atMs: number }) | null;
  /** Decided in this hold: it is late and goes all the same. */
  #goesLate = false;
  #isFirst: boolean;

  constructor(house: MessageHouse, work: Work, person: Person, context: StageContext, { progress, isFirst }: Begun) {
    this.#house = house;
    this.#work = work;
    this.#person = person;
    this.#context = context;
    this.#progress = progress;
    this.#isFirst = isFirst;
    this.#effects = { patches: [], events: [], puts: [] };
    const { deadline } = progress;
    this.#deadline = deadline === undefined ? null : { ...deadline, atMs: deadlineMs(deadline, work.plan, person) };
  }

  async go(): Promise<void> {
    for (;;) {
      const nowMs = this.#house.clock.nowMs();
      const open = openLeaves(this.#work.plan.tree, leafStates(this.#progress));
      if (open.length > 0 && this.#deadline !== null && (await this.#isOver(this.#deadline, nowMs))) return;
      if (this.#isFirst) this.#tell(routed(this.#house, this.#work, this.#person, nowMs));
      this.#isFirst = false;
      if (open.length === 0) return this.#settle(nowMs, endingOf(this.#work, this.#progress));
      const due = open.filter((index) => (this.#progress.leaves[index]?.nextMs ?? 0) <= nowMs);
      if (due.length === 0)
        return this.#again(Math.min(...open.map((index) => this.#progress.leaves[index]?.nextMs ?? 0)));
      const goesOn = await this.#try(due, nowMs);
      if (!goesOn) return;
    }
  }

  /** Whether it is late and must not be tried any more; then it is settled. */
  async #isOver(deadline: Deadline, nowMs: number): Promise<boolean> {
    if (nowMs < deadline.atMs || this.#goesLate) return false;
    const { record, plan } = this.#work;
    const { atMs, late, order } = deadline;
    const into = order === undefined ? null : await newerThan(record, plan, order, this.#house, nowMs);
    const times = { atMs, nowMs };
    if (late === "drop" || into !== null) {
      this.#house.tally.late(late);
      await this.#giveUp(lateEnding(deadline, times, into, lastError(this.#progress)), nowMs);
      return true;
    }
    this.#goesLate = true;
    if (this.#progress.late === true) return false;
    this.#house.tally.late("send");
    this.#progress = { ...this.#progress, late: true };
    const did = late === "send" ? "sent" : "sent as the newest of its kind,";
    const data = {
      deadlineMs: atMs,
      byMs: nowMs - atMs,
      then: "send",
      rule: lateRule(deadline, atMs, nowMs - atMs, did),
    };
    this.#tell(event("message.late", this.#work, nowMs, data));
    return false;
  }

  /** Ends it with no further try. What reached them on one way stays sent; what waits for a person's decision, too. */
  #giveUp(ending: Ending, nowMs: number): Promise<void> {
    const isHeld = Object.values(this.#progress.leaves).some(({ state }) => state === "held");
    if (!isHeld && !wasSent(this.#progress)) return this.#settle(nowMs, ending);
    this.#tell(event("message.late", this.#work, nowMs, { ...ending.data, error: ending.error, rule: ending.rule }));
    const held = endingOf(this.#work, this.#progress);
    return this.#settle(nowMs, wasSent(this.#progress) || held === null ? null : { ...held, redrivable: true });
  }

  /** When nothing is tried any more; what is sent late or collapses has no such time. */
  get #endMs(): number {
    return this.#deadline?.late === "drop" ? this.#deadline.atMs : Number.POSITIVE_INFINITY;
  }

  #bounds(): Bounds {
    const { clock, revocations } = this.#house;
    const { routedAt, revocableBy } = this.#person;
    // What becomes late while it waits is looked at again.
    const lateMs = this.#goesLate ? Number.POSITIVE_INFINITY : (this.#deadline?.atMs ?? Number.POSITIVE_INFINITY);
    return {
      endMs: this.#endMs,
      trace: this.#context.traceOf(this.#work.job),
      mayGo: () =>
        !this.#context.signal.aborted &&
        this.#context.holds(this.#work.job) &&
        (lateMs === Number.POSITIVE_INFINITY || clock.nowMs() < lateMs) &&
        !revocations.revokedSince(routedAt, revocableBy),
    };
  }

  #tell(told: NewEvent): void {
    this.#effects = { ...this.#effects, events: [...this.#effects.events, told] };
  }

  /** @returns false when the message must be let go: a no, a shutdown, or someone else has it. */
  async #try(due: readonly number[], nowMs: number): Promise<boolean> {
    const { leaves } = this.#work.plan;
    const bounds = this.#bounds();
    let goesOn = true;
    const tries = due.map(async (index) => {
      const leaf = leaves[index];
      invariant(leaf !== undefined, "an open leaf is in the tree");
      const before = this.#progress.leaves[index] ?? freshLeaf(nowMs);
      const tried = await tryLeaf(this.#house, this.#work, this.#person, this.#progress, leaf, before, bounds);
      if (tried === "withdrawn") {
        goesOn = false;
        return;
      }
      this.#note(index, tried);
      if (due.length > 1 && goesOn && !(await this.#keep())) goesOn = false;
    });
    // A way that throws lets the others end first: what a provider took is written down before the message fails.
    for (const tried of await Promise.allSettled(tries)) if (tried.status === "rejected") throw tried.reason;
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

  /** @param ending null: it was sent */
  async #settle(nowMs: number, ending: Ending | null): Promise<void> {
    this.#house.tally.settled(this.#channel, this.#provider, ending?.status ?? "SENT");
    const effects = this.#takeEffects();
    const result: StageResult =
      ending === null ? { kind: "end", end: { kind: "done" }, effects } : end(this.#work, ending, nowMs, effects);
    await this.#context.finish(this.#work.job, result);
  }

  async #again(wishMs: number): Promise<void> {
    const error = lastError(this.#progress);
    const dueMs = Math.min(wishMs, this.#endMs);
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
