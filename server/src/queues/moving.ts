import type { Definitions } from "#queues/definitions.ts";
import { unknown } from "#queues/definitions.ts";
import type { Done } from "#queues/desk.ts";
import { type QueueFault, queueFault } from "#queues/fault.ts";
import type { QueueHouse } from "#queues/house.ts";
import { type Move, type MoveAsk, MOVE_RATE_RANGE, MOVES_KEPT_MAX } from "#queues/move.ts";
import { changeMoves, moveJob, moveJobKey, movesOf, SLASH } from "#queues/move-notes.ts";
import { isFifo, type Queue } from "#queues/queue.ts";
import { rangeFault } from "#queues/receiving.ts";

const ID_BYTES = 6;

/** Starts, shows and cancels move tasks; `move-stage.ts` does the work. */
export class Moving {
  readonly #house: QueueHouse;
  readonly #definitions: Definitions;

  constructor(house: QueueHouse, definitions: Definitions) {
    this.#house = house;
    this.#definitions = definitions;
  }

  async start(ask: MoveAsk, trace: string | null): Promise<Done<{ readonly move: Move }>> {
    const { engine, catalog, counts } = this.#house;
    const { source, destination, messagesPerSecondMax: rate } = ask;
    const fault = rate === null ? null : rangeFault("messagesPerSecondMax", rate, MOVE_RATE_RANGE);
    if (fault !== null) return fault;
    const from = (await catalog.find(source))?.queue ?? null;
    if (from === null) return unknown(source);
    const into = destination === null ? null : ((await catalog.find(destination))?.queue ?? null);
    if (destination !== null && into === null) return unknown(destination);
    const refused = routeFault(from, into);
    if (refused !== null) return refused;
    const { queues } = await this.#definitions.sourcesOf(source, { after: null, limit: 1 });
    if (queues.length === 0) return queueFault({ code: "move.not_dead_letters", queue: source });
    const { visible, inFlight, delayed } = await counts.of(from);
    const id = `${source}${SLASH}${engine.parts.dice.hex(ID_BYTES)}`;
    return await changeMoves(engine, source, async (moves, nowMs) => {
      if (await this.#isRunning(source, moves)) return queueFault({ code: "move.running", queue: source });
      const fresh = { status: "running", moved: 0, startedMs: nowMs, endedMs: null, failure: null } as const;
      const move: Move = { ...ask, ...fresh, id, toMove: visible + inFlight + delayed };
      const event = { type: "queue.move_started", data: { move: id, destination }, trace };
      return { moves: [move, ...moves], move, event, job: moveJob(move, trace) };
    });
  }

  async list(source: string, limit: number): Promise<Done<{ readonly moves: readonly Move[] }>> {
    const fault = rangeFault("limit", limit, { min: 1, max: MOVES_KEPT_MAX });
    if (fault !== null) return fault;
    if ((await this.#house.catalog.find(source)) === null) return unknown(source);
    return { kind: "done", moves: (await movesOf(this.#house.engine, source)).slice(0, limit) };
  }

  async cancel(id: string, trace: string | null): Promise<Done<{ readonly move: Move }>> {
    const source = id.slice(0, Math.max(0, id.indexOf(SLASH)));
    return await changeMoves(this.#house.engine, source, (moves) => {
      const found = moves.find((one) => one.id === id);
      if (found === undefined) return queueFault({ code: "move.unknown", id });
      if (found.status !== "running") return queueFault({ code: "move.ended", id });
      const move: Move = { ...found, status: "cancelling" };
      const event = { type: "queue.move_cancelled", data: { move: id }, trace };
      return { moves: moves.map((one) => (one === found ? move : one)), move, event };
    });
  }

  /** A task without a job has ended, whatever its last note says. */
  async #isRunning(source: string, [newest]: readonly Move[]): Promise<boolean> {
    if (newest === undefined || newest.endedMs !== null) return false;
    const [job = null] = await this.#house.engine.parts.store.jobs([moveJobKey(source)]);
    return job !== null;
  }
}

function routeFault(from: Queue, into: Queue | null): QueueFault | null {
  if (into === null) return null;
  if (into.name === from.name) return queueFault({ code: "move.same_queue", queue: into.name });
  return isFifo(into) === isFifo(from) ? null : queueFault({ code: "move.target_type", queue: into.name });
}
