import type { NewJob } from "#domain/job.ts";
import type { JsonObject } from "#domain/json.ts";
import { change, happened, NO_ORIGIN, noChanges, unchanged, write } from "#engine/change.ts";
import type { Engine } from "#engine/engine.ts";
import type { Done } from "#queues/desk.ts";
import { type QueueFault, queueFault } from "#queues/fault.ts";
import { type Move, MOVES_KEPT_MAX, QUEUE_MOVES } from "#queues/move.ts";

/** The store queue of the jobs that move messages. */
export const MOVE_QUEUE = "queue-move";
/** Stands between the source and the rest in the id of a move; no queue has it in its name. */
export const SLASH = "/";

/** What is decided about the tasks of a source. */
export type MoveStep = {
  /** Newest first. */
  readonly moves: readonly Move[];
  readonly move: Move;
  /** What the journal says of it; null: nothing. */
  readonly event: { readonly type: string; readonly data: JsonObject; readonly trace: string | null } | null;
  readonly job?: NewJob;
};

/** The tasks of a source, newest first. */
export async function movesOf({ parts: { store } }: Engine, source: string): Promise<readonly Move[]> {
  const [document = null] = await store.documents([{ collection: QUEUE_MOVES, id: source }]);
  // Written by `changeMoves` alone.
  return document === null ? [] : (JSON.parse(document.body) as readonly Move[]);
}

/** Decides about the tasks of a source and commits, together with the event and the job that belong to it. */
export async function changeMoves(
  engine: Engine,
  source: string,
  decide: (moves: readonly Move[], nowMs: number) => MoveStep | QueueFault | Promise<MoveStep | QueueFault>,
): Promise<Done<{ readonly move: Move }>> {
  const { store, clock } = engine.parts;
  const key = { collection: QUEUE_MOVES, id: source };
  const changed = await change<Done<{ readonly move: Move }>>(engine, async () => {
    const [document = null] = await store.documents([key]);
    const nowMs = clock.nowMs();
    const step = await decide(document === null ? [] : (JSON.parse(document.body) as readonly Move[]), nowMs);
    if ("kind" in step) return { kind: "elsewhere", value: step };
    const { moves, move, event, job } = step;
    const changes = { ...noChanges(), ...(job === undefined ? {} : { jobs: [{ job, hand: null }] }) };
    changes.expect.push(unchanged(key, document));
    changes.puts.push({ ...key, body: JSON.stringify(moves.slice(0, MOVES_KEPT_MAX)), when: "always", nowMs });
    if (event !== null) {
      const origin = { ...NO_ORIGIN, traceparent: event.trace };
      changes.events.push(happened(event.type, `queue:${source}`, event.data, { nowMs, origin }));
    }
    return write(changes, { kind: "done", move });
  });
  if (changed.kind === "done") return changed.value;
  if (changed.kind === "overloaded") return queueFault({ code: "overloaded", retryAfterMs: changed.retryAfterMs });
  return queueFault({ code: "conflict" });
}

export function moveJobKey(source: string): string {
  return `${MOVE_QUEUE}:${source}`;
}

/** One of a source lives at a time, because it has the source's key. */
export function moveJob({ id, source }: Pick<Move, "id" | "source">, trace: string | null): NewJob {
  return {
    key: moveJobKey(source),
    queue: MOVE_QUEUE,
    lane: "bulk",
    turn: 0,
    dueMs: 0,
    payload: JSON.stringify({ id }),
    traceparent: trace,
  };
}

/** The task that a job works on. */
export function moveIdOf({ payload }: { readonly payload: string }): string {
  // Written by `moveJob` alone.
  return (JSON.parse(payload) as { readonly id: string }).id;
}
