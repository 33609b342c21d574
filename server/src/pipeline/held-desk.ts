/**
 * The desk for what is held back since a backup was restored: look at it, let it go on, or give it up.
 *
 *     parked ──release──▶ where it was: ready, or waiting for its time
 *        └─────drop─────▶ its one outcome (`pipeline/drop.ts`)
 *
 * Everything goes in bounded steps behind a cursor, so that a million jobs block nobody and whoever asks can stop.
 */
import type { Engine, Overloaded } from "#engine/engine.ts";
import type { MessageId, RequestId } from "#domain/ids.ts";
import { LANES, type ParkedJob } from "#domain/job.ts";
import type { MessageRecord } from "#domain/message.ts";
import type { Plan, Plans } from "#pipeline/plan.ts";
import { heldBackBecause, readRestored, type Restored } from "#pipeline/restored.ts";
import { EXPAND_QUEUE, MESSAGE_QUEUE } from "#pipeline/stages.ts";
import { jobKeysOf, type ParkedPlace, type ParkedSum } from "#ports/store.ts";

/** Jobs read, and decided on, together: one commit's worth. */
const PAGE = 200;
/** Jobs that one step looks at: a second or so, also where few of them are meant. */
const STEP_MAX = 4_000;
/** Jobs that are looked at to tell which lists they are for; of more, only the first are told. */
const LISTS_LOOKED_MAX = 10_000;

/** Which of the parked jobs; what is given must all be so, and nothing given means all of them. */
export type HeldSelection = {
  readonly queue?: string;
  /** Messages that came of this list, and fan-outs that go to nobody else. */
  readonly list?: string;
  readonly request?: RequestId;
  /** When they were enqueued; the first included, the second not. */
  readonly fromMs?: number;
  readonly beforeMs?: number;
  /** When they are due; what is due at once is due in 1970. */
  readonly dueFromMs?: number;
  readonly dueBeforeMs?: number;
};

export type HeldJob = ParkedJob & {
  /** Null: not a message, or not of a list. */
  readonly list: string | null;
  readonly recipient: string | null;
};

export type HeldSummary = {
  /** Null when nothing was ever restored here. */
  readonly restored: Restored | null;
  readonly jobs: number;
  readonly places: readonly ParkedSum[];
  /** Messages and fan-outs by list; `list` null: those to no list, or to several. */
  readonly lists: readonly { readonly list: string | null; readonly messages: number; readonly fanOuts: number }[];
  /** False when there are more jobs than were looked at for `lists`. */
  readonly listsComplete: boolean;
};

/** Where a walk goes on: a walk of several stretches, and a place in one of them. */
export type HeldCursor = { readonly stretch: number; readonly after: ParkedPlace | null };

export type HeldPage = { readonly jobs: readonly HeldJob[]; readonly next: HeldCursor | null };
/** `gone`: somebody else was faster. */
export type HeldStep = { readonly done: number; readonly gone: number; readonly next: HeldCursor | null };

export class HeldDesk {
  readonly #engine: Engine;
  readonly #plans: Plans;

  constructor(engine: Engine, plans: Plans) {
    this.#engine = engine;
    this.#plans = plans;
  }

  async summary(): Promise<HeldSummary> {
    const { store } = this.#engine.parts;
    const [restored, places] = await Promise.all([readRestored(store), store.parked()]);
    const jobs = places.reduce((sum, place) => sum + place.jobs, 0);
    const lists = new Map<string | null, { messages: number; fanOuts: number }>();
    let next: HeldCursor | null = { stretch: 0, after: null };
    let looked = 0;
    while (next !== null && looked < LISTS_LOOKED_MAX) {
      const page: HeldPage = await this.page({}, next, PAGE);
      for (const { queue, list } of page.jobs) {
        const counts = lists.get(list) ?? { messages: 0, fanOuts: 0 };
        if (queue === MESSAGE_QUEUE) counts.messages += 1;
        if (queue === EXPAND_QUEUE) counts.fanOuts += 1;
        if (counts.messages + counts.fanOuts > 0) lists.set(list, counts);
      }
      looked += page.jobs.length;
      next = page.next;
    }
    return {
      restored,
      jobs,
      places,
      lists: [...lists].map(([list, counts]) => ({ list, ...counts })),
      listsComplete: next === null,
    };
  }

  /** Looks at up to `limit` jobs from a cursor on; a page may be short, even empty, although there is a next. */
  async page(selection: HeldSelection, from: HeldCursor | null, limit: number): Promise<HeldPage> {
    const { stretch, after } = from ?? { stretch: 0, after: null };
    const stretches = stretchesOf(selection);
    const here = stretches[stretch];
    if (here === undefined) return { jobs: [], next: null };
    const page = await this.#engine.parts.store.parkedJobs({ after: after ?? here.after, limit });
    const end = page.findIndex((job) => here.endsBefore(job));
    const within = end === -1 ? page : page.slice(0, end);
    const last = within.at(-1);
    const goesOn = end === -1 && page.length === limit && last !== undefined;
    const next = goesOn ? { stretch, after: placeOf(last) } : { stretch: stretch + 1, after: null };
    const jobs = (await this.#described(within)).filter((job) => isMeant(job, selection));
    return { jobs, next: next.stretch < stretches.length ? next : null };
  }

  /** Whether any job of a request is held back. */
  async holds(request: RequestId): Promise<boolean> {
    let next: HeldCursor | null = { stretch: 0, after: null };
    while (next !== null) {
      const page: HeldPage = await this.page({ request }, next, 1);
      if (page.jobs.length > 0) return true;
      next = page.next;
    }
    return false;
  }

  /**
   * Decides on what is meant, as far as one step goes.
   * @throws {StoreFault} when the store cannot commit now; what was decided before stays decided.
   */
  async decide(
    then: "release" | "drop",
    selection: HeldSelection,
    from: HeldCursor | null,
    by: string,
  ): Promise<HeldStep | Overloaded> {
    const because = heldBackBecause(await readRestored(this.#engine.parts.store));
    const rule = `${because}, ${then === "drop" ? "dropped" : "released"} by ${by}`;
    let next: HeldCursor | null = from ?? { stretch: 0, after: null };
    let [done, gone] = [0, 0];
    for (let looked = 0; next !== null && looked < STEP_MAX; looked += PAGE) {
      const page: HeldPage = await this.page(selection, next, PAGE);
      for (const jobs of byQueue(page.jobs)) {
        for (const verdict of await this.#engine.settleParked(jobs, { then, by, rule })) {
          if (verdict.kind === "overloaded") return verdict;
          if (verdict.kind === "committed") done += 1;
          else gone += 1;
        }
      }
      next = page.next;
    }
    return { done, gone, next };
  }

  /** With the list and the person that a job is for. */
  async #described(jobs: readonly ParkedJob[]): Promise<readonly HeldJob[]> {
    const messages = jobs.filter(({ queue }) => queue === MESSAGE_QUEUE);
    const fanOuts = jobs.filter(({ queue }) => queue === EXPAND_QUEUE);
    const records = new Map<string, MessageRecord>();
    if (messages.length > 0) {
      // A message's job has its message's id as key, a fan-out's the id of its request at its end.
      const found = await this.#engine.parts.store.messages(messages.map(({ key }) => key as MessageId));
      for (const record of found) if (record !== null) records.set(record.id, record);
    }
    const plans =
      fanOuts.length === 0 ? NO_PLANS : await this.#plans.load(fanOuts.map(({ key }) => requestOfFanOut(key)));
    return jobs.map((job) => {
      const record = records.get(job.key);
      const list =
        job.queue === EXPAND_QUEUE ? onlyList(plans.get(requestOfFanOut(job.key))) : (record?.listId ?? null);
      return { ...job, list, recipient: record?.recipient ?? null };
    });
  }
}

const NO_PLANS: ReadonlyMap<RequestId, Plan> = new Map();

/** Jobs that lie together in the order of places, with few others before them. */
type Stretch = { readonly after: ParkedPlace | null; readonly endsBefore: (job: ParkedJob) => boolean };

/** The narrowest walk for a selection. */
function stretchesOf({ request, queue }: HeldSelection): readonly Stretch[] {
  if (request !== undefined) {
    const { fanOut } = jobKeysOf(request);
    return LANES.flatMap((lane) => [
      startingWith({ queue: EXPAND_QUEUE, lane, key: fanOut }),
      startingWith({ queue: MESSAGE_QUEUE, lane, key: request }),
    ]);
  }
  if (queue === undefined) return [{ after: null, endsBefore: () => false }];
  return [{ after: { queue, lane: "transactional", key: "" }, endsBefore: (job) => job.queue !== queue }];
}

function startingWith({ queue, lane, key }: ParkedPlace): Stretch {
  return {
    // Below every key that begins so; what lies between is of another request.
    after: { queue, lane, key: key.slice(0, -1) },
    endsBefore: (job) => job.queue !== queue || job.lane !== lane || (job.key > key && !job.key.startsWith(key)),
  };
}

function isMeant(job: HeldJob, selection: HeldSelection): boolean {
  const { queue, list, request, fromMs = 0, beforeMs = Infinity, dueFromMs = 0, dueBeforeMs = Infinity } = selection;
  return (
    (queue === undefined || job.queue === queue) &&
    (list === undefined || job.list === list) &&
    (request === undefined || isOf(job.key, request)) &&
    job.enqueuedMs >= fromMs &&
    job.enqueuedMs < beforeMs &&
    job.dueMs >= dueFromMs &&
    job.dueMs < dueBeforeMs
  );
}

function isOf(key: string, request: RequestId): boolean {
  const { fanOut, sole, members } = jobKeysOf(request);
  return key === fanOut || key === sole || key.startsWith(members);
}

/** The list to which a fan-out goes, if it goes to nobody else. */
function onlyList(plan: Plan | undefined): string | null {
  const lists = new Set(plan?.targets.map((target) => (target.kind === "list" ? target.listId : null)));
  const [only] = lists;
  return lists.size === 1 && only !== undefined ? only : null;
}

function byQueue(jobs: readonly HeldJob[]): readonly (readonly HeldJob[])[] {
  return [...Map.groupBy(jobs, ({ queue }) => queue).values()];
}

function placeOf({ queue, lane, key }: ParkedPlace): ParkedPlace {
  return { queue, lane, key };
}

function requestOfFanOut(key: string): RequestId {
  return key.slice(EXPAND_QUEUE.length + 1) as RequestId;
}
