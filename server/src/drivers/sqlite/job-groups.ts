import { BEHIND, type GroupColumns, HELD, type JobStatements, READY, WAITING } from "#drivers/sqlite/job-sql.ts";
import type { Now } from "#drivers/sqlite/now.ts";

/** The jobs of one queue whose order is kept. Of a job that has no group there is none. */
export type Group = { readonly queue: string; readonly name: string };

export function groupOf(queue: string | null, name: string | null): Group | null {
  return queue === null || name === null ? null : { queue, name };
}

/** Groups that rows name, each once. */
export function groupsOf(rows: readonly GroupColumns[]): Group[] {
  const groups = new Map<string, Group>();
  for (const [queue, name] of rows) {
    const group = groupOf(queue, name);
    if (group !== null) groups.set(JSON.stringify(group), group);
  }
  return [...groups.values()];
}

/**
 * Keeps the order of groups. Between two transactions there is in front of each group either what is held, or one job
 * that is ready or waits until it is due, the first by turn and id (ids rise with the commits); all others are behind.
 */
export class JobGroups {
  readonly #sql: JobStatements;

  constructor(sql: JobStatements) {
    this.#sql = sql;
  }

  /** Where a new job of the group begins that would otherwise be in `state`, and whether it has to overtake then. */
  placeOf(group: Group, turn: number, state: number): { readonly state: number; readonly overtakes: boolean } {
    const front = this.#sql.front.get(group.queue, group.name);
    if (front === undefined) return { state, overtakes: false };
    const [, frontState, frontTurn] = front;
    return { state: BEHIND, overtakes: frontState !== HELD && turn < frontTurn };
  }

  /** After jobs of the group have gone, or have been put behind it. */
  regroup({ queue, name }: Group, now: Now): void {
    const front = this.#sql.front.get(queue, name);
    if (front?.[1] === HELD) return;
    const first = this.#sql.behind.get(queue, name, 1);
    if (first === undefined) return;
    const [id, dueMs, , , turn] = first;
    if (front !== undefined) {
      const [frontId, , frontTurn] = front;
      if (frontTurn < turn || (frontTurn === turn && frontId < id)) return;
      this.#sql.place.run(BEHIND, frontId);
    }
    this.#sql.place.run(dueMs <= now.wallMs ? READY : WAITING, id);
  }

  /** Those that go with the first of a group: due, of its lane, in order. */
  followers({ queue, name }: Group, lane: number, limit: number, now: Now): number[] {
    const ids: number[] = [];
    for (const [id, dueMs, ofLane] of this.#sql.behind.all(queue, name, limit)) {
      if (dueMs > now.wallMs || ofLane !== lane) break;
      ids.push(id);
    }
    return ids;
  }

  /** After the first of a group was trimmed: deletes those behind it, as long as they are older; returns how many. */
  trim(group: Group, olderThanMs: number, limit: number, now: Now): number {
    const { queue, name } = group;
    let trimmed = 0;
    if (this.#sql.front.get(queue, name) === undefined) {
      for (const [id, , , enqueuedMs] of this.#sql.behind.all(queue, name, limit)) {
        if (enqueuedMs >= olderThanMs) break;
        trimmed += this.#sql.remove.run(id);
      }
    }
    this.regroup(group, now);
    return trimmed;
  }
}
