import { LEASE_MS } from "#conformance/store-world.ts";
import type { Job, JobRef } from "#domain/job.ts";

/**
 * What groups promise, as simply as it can be said: a list, looked through anew for each question. Knows one queue and
 * one lane.
 */
export class GroupOracle {
  readonly #jobs: OracleJob[] = [];
  #seq = 0;

  enqueue(key: string, group: string | null, turn: number, dueMs: number, nowMs: number): void {
    if (this.#living(key) !== undefined) return;
    this.#add({ key, group, turn, dueMs, enqueuedMs: nowMs });
  }

  /** What a claim gives, in order. */
  claim(limit: number, lendMs: number | null, nowMs: number): OracleJob[] {
    const given: OracleJob[] = [];
    const heads = this.#jobs.filter((job) => job.place === "free" && job.dueMs <= nowMs && this.#isFirst(job));
    heads.sort((a, b) => a.turn - b.turn || a.enqueuedMs - b.enqueuedMs || a.seq - b.seq);
    for (const head of heads) {
      const followers = lendMs === null || head.group === null ? [] : this.#free(head.group).slice(1);
      const late = followers.findIndex((job) => job.dueMs > nowMs);
      given.push(head, ...(late < 0 ? followers : followers.slice(0, late)));
    }
    given.splice(limit);
    for (const job of given) {
      job.attempt += 1;
      job.fence = null;
      if (lendMs === 0) continue;
      job.place = "held";
      job.untilMs = nowMs + (lendMs ?? LEASE_MS);
    }
    return given;
  }

  /** The fence that a claim has given. */
  note({ key, fence }: Job): void {
    const job = this.#living(key);
    if (job !== undefined) job.fence = fence;
  }

  /** The job that this reference holds. */
  held({ key, fence }: JobRef): OracleJob | null {
    const job = this.#living(key);
    return job?.place === "held" && job.fence === fence ? job : null;
  }

  /** A newer dead letter takes the place of an older one of its key. */
  bury(job: OracleJob): void {
    for (const other of this.#jobs) if (other.place === "dead" && other.key === job.key) other.place = "gone";
    job.place = "dead";
  }

  wake(nowMs: number): void {
    for (const job of this.#jobs) if (job.place === "held" && job.untilMs <= nowMs) job.place = "free";
  }

  take(key: string): "committed" | "held" | "gone" {
    const job = this.#living(key);
    if (job === undefined) return "gone";
    if (job.place === "held") return "held";
    job.place = "gone";
    return "committed";
  }

  park(): void {
    for (const job of this.#jobs) if (isLiving(job)) job.place = "parked";
  }

  unpark(key: string): boolean {
    const job = this.#living(key);
    if (job?.place !== "parked") return false;
    job.place = "free";
    return true;
  }

  revive(key: string, nowMs: number): "committed" | "held" | "gone" {
    const dead = this.#jobs.find((job) => job.place === "dead" && job.key === key);
    if (dead === undefined) return "gone";
    if (this.#living(key) !== undefined) return "held";
    dead.place = "gone";
    this.#add({ key, group: dead.group, turn: dead.turn, dueMs: nowMs, enqueuedMs: nowMs });
    return "committed";
  }

  trim(olderThanMs: number): number {
    const old = this.#jobs.filter((job) => isLiving(job) && job.enqueuedMs < olderThanMs);
    for (const job of old) job.place = "gone";
    return old.length;
  }

  stateOf(key: string, nowMs: number): string {
    const job = this.#living(key);
    if (job?.place !== "free") return job?.place ?? "gone";
    return job.dueMs > nowMs && this.#isFirst(job) ? "waiting" : "ready";
  }

  keys(...places: readonly OracleJob["place"][]): string[] {
    return this.#jobs.filter(({ place }) => places.includes(place)).map(({ key }) => key);
  }

  #isFirst(job: OracleJob): boolean {
    if (job.group === null) return true;
    const isHeld = this.#jobs.some(({ group, place }) => group === job.group && place === "held");
    return !isHeld && this.#free(job.group)[0] === job;
  }

  #free(group: string): OracleJob[] {
    const free = this.#jobs.filter((job) => job.group === group && job.place === "free");
    return free.sort((a, b) => a.turn - b.turn || a.seq - b.seq);
  }

  #living(key: string): OracleJob | undefined {
    return this.#jobs.find((job) => job.key === key && isLiving(job));
  }

  #add(job: Pick<OracleJob, "key" | "group" | "turn" | "dueMs" | "enqueuedMs">): void {
    this.#jobs.push({ ...job, seq: ++this.#seq, attempt: 0, fence: null, untilMs: 0, place: "free" });
  }
}

export type OracleJob = {
  readonly key: string;
  readonly group: string | null;
  readonly seq: number;
  readonly enqueuedMs: number;
  turn: number;
  dueMs: number;
  attempt: number;
  fence: number | null;
  untilMs: number;
  place: "free" | "held" | "parked" | "dead" | "gone";
};

function isLiving({ place }: OracleJob): boolean {
  return place === "free" || place === "held" || place === "parked";
}
