import { OWN_SOURCE, type Position, type RecordedEvent } from "#domain/event.ts";
import type { Job, NewJob } from "#domain/job.ts";
import { happened, NO_ORIGIN } from "#engine/change.ts";
import type { DraftJob } from "#engine/draft.ts";
import type { Engine } from "#engine/engine.ts";
import type { Stage, StageContext } from "#engine/stage.ts";
import type { Secrets } from "#ports/secrets.ts";
import { BusIndex } from "#rules/bus-index.ts";
import { EventView } from "#rules/event-view.ts";
import { deliveryJob, isOfWebhooks, messageIdOf, newDelivery, shareOf, WEBHOOK_QUEUE } from "#webhooks/delivery.ts";
import { endpointOf, WEBHOOKS } from "#webhooks/endpoint.ts";
import {
  CLAIMS_MAX,
  REPLAY_PAGE_EVENTS,
  REPLAY_REST_MS,
  REPLAY_STEP_DELIVERIES,
  REPLAY_STEP_PAGES,
} from "#webhooks/limits.ts";

/** The queue of range replays; one job an endpoint. */
export const REPLAY_QUEUE = "webhook.replay";
/** The last range replay of each endpoint: id = the endpoint's, body = `RangeReplay`. */
export const RANGE_REPLAYS = "webhook_replays";

/** Events of a time, given to an endpoint again. */
export type RangeReplay = {
  readonly webhook: string;
  /** Times of the events: from the first, itself included, up to the second, itself excluded. */
  readonly fromMs: number;
  readonly untilMs: number;
  readonly bus: string;
  readonly pattern: string;
  readonly state: "running" | "done";
  readonly startedMs: number;
  readonly endedMs: number | null;
  /** Deliveries that were begun. One that was under way already is counted, and not begun twice. */
  readonly replayed: number;
  /** The journal up to here has been looked at, and its end when the replay began. */
  readonly upTo: Position;
  readonly end: Position;
};

export function replayJob({ webhook, startedMs }: RangeReplay): NewJob {
  return {
    key: replayKey(webhook),
    queue: REPLAY_QUEUE,
    lane: "bulk",
    turn: startedMs,
    dueMs: 0,
    payload: JSON.stringify({ webhook } satisfies Standing),
    traceparent: null,
  };
}

export function replayKey(webhook: string): string {
  return `${REPLAY_QUEUE}:${webhook}`;
}

/** Where it stands lies in the document, which moves with each step. */
type Standing = { readonly webhook: string };

export function replayOf(document: { readonly body: string }): RangeReplay {
  // Only the desk of deliveries and this stage write there.
  return JSON.parse(document.body) as RangeReplay;
}

export function replayPut(replay: RangeReplay, nowMs: number) {
  const body = JSON.stringify(replay);
  return { collection: RANGE_REPLAYS, id: replay.webhook, body, when: "always", nowMs } as const;
}

export type ReplayHouse = { readonly engine: Engine; readonly secrets: Secrets };

/**
 * Reads the journal from its beginning in steps: each begins the deliveries of some events, and moves its cursor, in one
 * commit. Event times are their producers', in no order, so that the whole journal is looked at; what does not match is
 * passed over at the speed of reading.
 */
export function rangeReplayStage(house: ReplayHouse): Stage<never> {
  return {
    queue: REPLAY_QUEUE,
    inHandMax: { transactional: 1, bulk: 4 },
    batchMax: 4,
    attemptsMax: CLAIMS_MAX,
    run: async (jobs, context) => {
      await Promise.all(jobs.map(({ job }) => context.guard(job, () => step(house, job, context))));
    },
    bury: () => ({}),
  };
}

async function step({ engine, secrets }: ReplayHouse, job: Job, context: StageContext): Promise<void> {
  if (context.signal.aborted) {
    await context.finish(job, { kind: "release" });
    return;
  }
  const { store, clock } = engine.parts;
  // Only `replayJob` writes payloads of this queue.
  const { webhook } = JSON.parse(job.payload) as Standing;
  const [document = null, endpoint = null] = await store.documents([
    { collection: RANGE_REPLAYS, id: webhook },
    { collection: WEBHOOKS, id: webhook },
  ]);
  if (document === null || endpoint === null) {
    await context.finish(job, { kind: "end", end: { kind: "done" }, effects: {} });
    return;
  }
  if (endpointOf(endpoint).state !== "enabled") {
    // Redriven when it is enabled, it goes on from here; else all that is left would become dead letters one by one.
    await context.finish(job, { kind: "end", end: { kind: "dead", error: "the webhook is disabled" }, effects: {} });
    return;
  }
  const replay = replayOf(document);
  const { found, upTo } = await search(engine, replay, context.signal);
  const nowMs = clock.nowMs();
  const jobs = found.map((event) => draft(engine, secrets, webhook, event, nowMs));
  const isOver = upTo >= replay.end;
  const moved: RangeReplay = {
    ...replay,
    upTo,
    replayed: replay.replayed + jobs.length,
    ...(isOver ? { state: "done", endedMs: nowMs } : {}),
  };
  const puts = [replayPut(moved, nowMs)];
  if (isOver) {
    const data = { replayed: moved.replayed };
    const events = [happened("webhook.replayed", `webhook:${webhook}`, data, { nowMs, origin: NO_ORIGIN })];
    await context.finish(job, { kind: "end", end: { kind: "done" }, effects: { jobs, puts, events } });
    return;
  }
  const dueMs = jobs.length === 0 ? nowMs : nowMs + REPLAY_REST_MS;
  const end = { kind: "again", payload: job.payload, dueMs, turn: nowMs, attempts: "reset", error: null } as const;
  await context.finish(job, { kind: "end", end, effects: { jobs, puts } });
}

type Found = { readonly found: readonly EventView[]; readonly upTo: Position };

/** The next events that are meant, as many as one commit takes, and up to where the journal has been looked at. */
async function search(engine: Engine, replay: RangeReplay, signal: AbortSignal): Promise<Found> {
  const index = new BusIndex();
  index.add(replay.webhook, replay.pattern);
  const found: EventView[] = [];
  let { upTo } = replay;
  for (let page = 0; page < REPLAY_STEP_PAGES && upTo < replay.end; page += 1) {
    if (signal.aborted || found.length > 0) break;
    const read = await engine.parts.store.readJournal({ after: upTo, limit: REPLAY_PAGE_EVENTS });
    // The end of what is kept.
    if (read.upTo === upTo) return { found, upTo: replay.end };
    upTo = read.upTo;
    for (const event of read.events) {
      if (event.position > replay.end) return { found, upTo: replay.end };
      if (!isMeant(event, replay, index)) continue;
      found.push(new EventView(event, ""));
      if (found.length === REPLAY_STEP_DELIVERIES) return { found, upTo: event.position };
    }
  }
  return { found, upTo };
}

function isMeant(event: RecordedEvent, { bus, fromMs, untilMs }: RangeReplay, index: BusIndex): boolean {
  if (event.timeMs < fromMs || event.timeMs >= untilMs || isOfWebhooks(event)) return false;
  const view = new EventView(event, "");
  return view.bus === bus && index.match(view).length > 0;
}

function draft(engine: Engine, secrets: Secrets, webhook: string, view: EventView, nowMs: number): DraftJob {
  const { source, type, timeMs, data, traceparent } = view.event;
  const subject = source === OWN_SOURCE ? view.event.subject : (view.attributes.subject ?? null);
  const event = { source, type, timeMs, data, traceparent, subject };
  const messageId = messageIdOf(webhook, [source, view.id], secrets);
  const delivery = newDelivery({ webhook, messageId, event, lane: "bulk" }, nowMs);
  return { job: deliveryJob(delivery, engine.turn(WEBHOOK_QUEUE, "bulk", shareOf(webhook))), hand: null };
}
