import type { EventAttributes, NewEvent } from "#domain/event.ts";
import type { Job, NewJob } from "#domain/job.ts";
import type { Document } from "#domain/document.ts";
import { happened, NO_ORIGIN } from "#engine/change.ts";
import type { Engine } from "#engine/engine.ts";
import type { Stage, StageContext } from "#engine/stage.ts";
import {
  ARCHIVED,
  type ArchiveBody,
  type ArchivedEvent,
  archivePrefix,
  REPLAY_CANCELS,
  replayOf,
  REPLAYS,
} from "#rules/collections.ts";
import type { Replay, ReplayState } from "#rules/desk.ts";

export const REPLAY_QUEUE = "replay";
/** Archived events that are looked at in one step. */
const STEP_EVENTS = 200;
/** The rest between steps: at most some 4,000 events a second, so that what happens now is not crowded out. */
const STEP_REST_MS = 50;
const IN_HAND_MAX = 4;
const ATTEMPTS_MAX = 20;

/** The job's payload: where in the archive it stands. */
type Standing = {
  readonly replay: string;
  readonly archive: Pick<ArchiveBody, "name" | "generation">;
  /** Id of the last archived event that was looked at; null: none. */
  readonly after: string | null;
};

export function replayJob(replay: string, { name, generation }: ArchiveBody, nowMs: number): NewJob {
  const standing: Standing = { replay, archive: { name, generation }, after: null };
  return {
    key: `${REPLAY_QUEUE}:${replay}`,
    queue: REPLAY_QUEUE,
    lane: "bulk",
    turn: nowMs,
    dueMs: 0,
    payload: JSON.stringify(standing),
    traceparent: null,
  };
}

/** Works replays step by step: each appends some events, moves its cursor and counts, in one commit. */
export function replayStage(engine: Engine): Stage<never> {
  return {
    queue: REPLAY_QUEUE,
    inHandMax: { transactional: 1, bulk: IN_HAND_MAX },
    batchMax: IN_HAND_MAX,
    attemptsMax: ATTEMPTS_MAX,
    run: async (jobs, context) => {
      await Promise.all(jobs.map(({ job }) => context.guard(job, () => step(engine, job, context))));
    },
    bury: () => ({}),
  };
}

async function step(engine: Engine, job: Job, context: StageContext): Promise<void> {
  if (context.signal.aborted) {
    await context.finish(job, { kind: "release" });
    return;
  }
  const { store, clock } = engine.parts;
  // Only `replayJob` and this function write payloads of this queue.
  const standing = JSON.parse(job.payload) as Standing;
  const [document = null, cancel = null] = await store.documents([
    { collection: REPLAYS, id: standing.replay },
    { collection: REPLAY_CANCELS, id: standing.replay },
  ]);
  if (document === null) {
    await context.finish(job, { kind: "end", end: { kind: "done" }, effects: {} });
    return;
  }
  const replay = replayOf(document);
  const nowMs = clock.nowMs();
  if (cancel !== null) return end(job, replay, "CANCELLED", nowMs, context);
  const page = await store.listDocuments({
    collection: ARCHIVED,
    prefix: archivePrefix(standing.archive),
    after: standing.after,
    limit: STEP_EVENTS,
  });
  const last = page.at(-1);
  if (last === undefined) return end(job, replay, "COMPLETED", nowMs, context);
  const fitting = page.flatMap((one) => fits(one, replay));
  const moved: Replay = {
    ...replay,
    state: "RUNNING",
    replayed: replay.replayed + fitting.length,
    lastEventMs: fitting.at(-1)?.event.timeMs ?? replay.lastEventMs,
  };
  await context.finish(job, {
    kind: "end",
    end: {
      kind: "again",
      payload: JSON.stringify({ ...standing, after: last.id } satisfies Standing),
      dueMs: nowMs + STEP_REST_MS,
      turn: nowMs,
      attempts: "reset",
      error: null,
    },
    effects: { events: fitting.map(({ id, event }) => again(replay, id, event)), puts: [putOf(moved, nowMs)] },
  });
}

type Fitting = { readonly id: string; readonly event: ArchivedEvent };

/** Those of its time, and of this archive only. */
function fits({ id, body }: Document, { fromMs, untilMs }: Replay): readonly Fitting[] {
  // Only the matcher writes there.
  const event = JSON.parse(body) as ArchivedEvent;
  return event.timeMs >= fromMs && event.timeMs < untilMs ? [{ id, event }] : [];
}

/** The journal takes an id of a source once, so it gets one of its own, and shows the old one. */
function again(replay: Replay, archivedId: string, event: ArchivedEvent): NewEvent {
  // Only the event desk writes attributes.
  const before = event.attributes === null ? {} : (JSON.parse(event.attributes) as EventAttributes);
  const attributes: EventAttributes = {
    ...before,
    showId: before.showId ?? event.id,
    replay: replay.name,
    ...(replay.rules === null ? {} : { replayTo: replay.rules }),
  };
  const { source, type, subject, timeMs, data, traceparent } = event;
  const id = `replay:${replay.name}:${replay.startedMs}:${archivedId}`;
  return { type, subject, timeMs, data, traceparent, source, id, attributes: JSON.stringify(attributes) };
}

async function end(job: Job, replay: Replay, state: ReplayState, nowMs: number, context: StageContext): Promise<void> {
  const { name, replayed } = replay;
  const ended: Replay = { ...replay, state, endedMs: nowMs };
  const event = happened("replay.ended", `replay:${name}`, { name, state, replayed }, { nowMs, origin: NO_ORIGIN });
  const deletes = [{ collection: REPLAY_CANCELS, id: name }];
  const effects = { puts: [putOf(ended, nowMs)], deletes, events: [event] };
  await context.finish(job, { kind: "end", end: { kind: "done" }, effects });
}

function putOf(replay: Replay, nowMs: number) {
  return { collection: REPLAYS, id: replay.name, body: JSON.stringify(replay), when: "always", nowMs } as const;
}
