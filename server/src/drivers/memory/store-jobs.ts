import { compareCodePoints } from "#drivers/memory/code-points.ts";
import { byGroupOrder, Groups } from "#drivers/memory/store-groups.ts";
import type { RequestId } from "#domain/ids.ts";
import { invariant, unreachable } from "#domain/invariant.ts";
import type { DeadJob, Job, JobEnd, JobRef, ParkedJob } from "#domain/job.ts";
import type { Clock } from "#ports/clock.ts";
import {
  type ClaimAsk,
  type EnqueuedJob,
  jobKeysOf,
  type JobState,
  type ParkedAsk,
  type ParkedPlace,
  type ParkedSum,
  type QueueDepth,
  type JobRange,
  type JobSum,
} from "#ports/store.ts";

/** The jobs of the memory store: the same rules as everywhere, in plain maps. */
export class MemoryJobs {
  readonly #clock: Clock;
  readonly #living = new Map<string, Living>();
  readonly #places: Readonly<Record<Place, Set<Living>>> = {
    waiting: new Set(),
    ready: new Set(),
    held: new Set(),
    parked: new Set(),
    behind: new Set(),
  };
  readonly #groups = new Groups<Living>();
  readonly #dead = new Map<string, Dead>();
  #seq = 0;
  #fence = 1;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  heldBy(ref: JobRef): boolean {
    const job = this.#living.get(ref.key);
    return job?.state === "held" && job.fence === ref.fence;
  }

  /** The last step by which a job was kept in the hands that hold it. */
  stepsDone(key: string): number {
    return this.#living.get(key)?.step ?? 0;
  }

  stateOf(key: string): Place | "gone" {
    return this.#living.get(key)?.state ?? "gone";
  }

  isDead(key: string): boolean {
    return this.#dead.has(key);
  }

  /** Whether a living job or a dead letter works on this request. */
  concern(request: RequestId): boolean {
    const { fanOut, sole, members } = jobKeysOf(request);
    const is = (key: string): boolean => key === fanOut || key === sole || key.startsWith(members);
    return this.#living.keys().some(is) || this.#dead.keys().some(is);
  }

  enqueue({ heldForMs, ...job }: EnqueuedJob): boolean {
    if (this.#living.has(job.key)) return false;
    const nowMs = this.#clock.nowMs();
    const born = heldForMs === null ? 0 : 1;
    const group = job.group ?? null;
    invariant(group === null || heldForMs === null, "one of a group is never born held");
    this.#add({ ...job, group, attempt: born, fence: born, enqueuedMs: nowMs, error: null }, heldForMs);
    return true;
  }

  end(ref: JobRef, end: JobEnd): void {
    const job = this.#living.get(ref.key);
    invariant(job !== undefined, "the job was found by the conditions");
    switch (end.kind) {
      case "keep":
        job.payload = end.payload ?? job.payload;
        job.attempt = 1;
        job.step = end.step;
        return;
      case "done":
        return this.remove(ref.key);
      case "again":
        job.payload = end.payload;
        job.dueMs = end.dueMs;
        job.turn = end.turn;
        job.error = end.error;
        if (end.attempts === "reset") job.attempt = 0;
        return this.#letGo(job, end.dueMs <= this.#clock.nowMs() ? "ready" : "waiting");
      case "dead": {
        const { key, queue, lane, payload, traceparent, attempt, enqueuedMs, turn, group } = job;
        const deadMs = this.#clock.nowMs();
        this.#dead.set(key, {
          key,
          queue,
          lane,
          payload,
          traceparent,
          attempt,
          error: end.error,
          enqueuedMs,
          deadMs,
          turn,
          group,
        });
        return this.remove(key);
      }
      default:
        return unreachable(end);
    }
  }

  /** A dead letter that was never a job. */
  bury(dead: DeadJob): void {
    this.#dead.set(dead.key, { ...dead, turn: 0, group: null });
  }

  remove(key: string): void {
    const job = this.#living.get(key);
    if (job === undefined) return;
    this.#living.delete(key);
    this.#places[job.state].delete(job);
    this.#groups.delete(job);
    this.#regroup(job);
  }

  bringBack(key: string, then: "revive" | "discard", payload: string | undefined): void {
    const dead = this.#dead.get(key);
    invariant(dead !== undefined, "the dead letter was found by the conditions");
    this.#dead.delete(key);
    if (then === "discard") return;
    const nowMs = this.#clock.nowMs();
    const { queue, lane, turn, group, traceparent } = dead;
    const job = { key, queue, lane, turn, group, traceparent, payload: payload ?? dead.payload, dueMs: nowMs };
    this.#add({ ...job, attempt: 0, fence: 0, enqueuedMs: nowMs, error: null }, null);
  }

  claim(asks: readonly ClaimAsk[], leaseMs: number): Job[] {
    const monotonicMs = this.#clock.monotonicMs();
    const fence = ++this.#fence;
    return asks.flatMap((ask) =>
      this.#claimable(ask).map((job) => {
        job.attempt += 1;
        job.fence = Math.max(job.fence + 1, fence);
        job.step = 0;
        if (ask.lendMs !== 0) {
          this.#move(job, "held");
          job.untilMs = monotonicMs + (ask.lendMs ?? leaseMs);
          job.isLent = ask.lendMs !== undefined;
        }
        return jobOf(job);
      }),
    );
  }

  extend(refs: readonly JobRef[], leaseMs: number): JobRef[] {
    const untilMs = this.#clock.monotonicMs() + leaseMs;
    return refs.filter((ref) => {
      const job = this.#living.get(ref.key);
      if (job === undefined || !this.heldBy(ref)) return true;
      job.untilMs = untilMs;
      if (leaseMs === 0) this.#letGo(job, "ready");
      return false;
    });
  }

  release(refs: readonly JobRef[]): void {
    for (const ref of refs) {
      const job = this.#living.get(ref.key);
      if (job === undefined || !this.heldBy(ref)) continue;
      job.attempt = Math.max(job.attempt - 1, 0);
      this.#letGo(job, "ready");
    }
  }

  wakeDue(limit: number): { woken: number; nextDueMs: number | null } {
    const [nowMs, monotonicMs] = [this.#clock.nowMs(), this.#clock.monotonicMs()];
    const over = [...this.#places.held].filter((job) => job.untilMs <= monotonicMs);
    const due = [...this.#places.waiting].filter((job) => job.dueMs <= nowMs).sort((a, b) => a.dueMs - b.dueMs);
    const woken = [...over, ...due].slice(0, limit);
    for (const job of woken) {
      if (job.state === "held") this.#letGo(job, "ready");
      else this.#move(job, "ready");
    }
    let nextDueMs: number | null = null;
    const note = (ms: number): void => void (nextDueMs = Math.min(nextDueMs ?? ms, ms));
    for (const job of this.#places.waiting) note(job.dueMs);
    for (const job of this.#places.held) note(nowMs + Math.max(0, Math.ceil(job.untilMs - monotonicMs)));
    return { woken: woken.length, nextDueMs };
  }

  /** Nobody lives who holds anything; what was lent to somebody outside is still with them. */
  dropLeases(): void {
    for (const job of [...this.#places.held]) if (!job.isLent) this.#letGo(job, "ready");
  }

  park(limit: number): number {
    // Those behind first: whoever is first in a group goes last, and nobody has to take the place.
    const { waiting, ready, held, behind } = this.#places;
    const living = [...behind, ...waiting, ...ready, ...held].slice(0, limit);
    for (const job of living) {
      this.#move(job, "parked");
      this.#groups.delete(job);
    }
    return living.length;
  }

  /** Deletes what was enqueued before a time. */
  trim({ queue, olderThanMs, limit }: { queue: string; olderThanMs: number; limit: number }): number {
    const old = [...this.#living.values()].filter((job) => job.queue === queue && job.enqueuedMs < olderThanMs);
    const oldest = old.sort((a, b) => a.enqueuedMs - b.enqueuedMs || a.seq - b.seq).slice(0, limit);
    for (const { key } of oldest) this.remove(key);
    return oldest.length;
  }

  unpark(key: string): void {
    const job = this.#living.get(key);
    // The same unit may have taken it.
    if (job?.state !== "parked") return;
    this.#groups.add(job);
    this.#letGo(job, job.dueMs <= this.#clock.nowMs() ? "ready" : "waiting");
  }

  parked(): ParkedSum[] {
    const sums = new Map<string, ParkedSum>();
    for (const { queue, lane, enqueuedMs, dueMs } of this.#places.parked) {
      const sum = sums.get(`${lane} ${queue}`);
      sums.set(`${lane} ${queue}`, {
        queue,
        lane,
        jobs: (sum?.jobs ?? 0) + 1,
        firstEnqueuedMs: Math.min(sum?.firstEnqueuedMs ?? enqueuedMs, enqueuedMs),
        lastEnqueuedMs: Math.max(sum?.lastEnqueuedMs ?? enqueuedMs, enqueuedMs),
        firstDueMs: Math.min(sum?.firstDueMs ?? dueMs, dueMs),
        lastDueMs: Math.max(sum?.lastDueMs ?? dueMs, dueMs),
      });
    }
    return [...sums.values()].sort(byQueueAndLane);
  }

  parkedJobs({ after, limit }: ParkedAsk): ParkedJob[] {
    return [...this.#places.parked]
      .filter((job) => after === null || byPlace(job, after) > 0)
      .sort(byPlace)
      .slice(0, limit)
      .map(({ key, queue, lane, payload, traceparent, attempt, enqueuedMs, dueMs }) => ({
        key,
        queue,
        lane,
        payload,
        traceparent,
        attempt,
        enqueuedMs,
        dueMs,
      }));
  }

  state(key: string): JobState | null {
    const job = this.#living.get(key);
    if (job === undefined) return null;
    const { queue, lane, dueMs, attempt, payload, error } = job;
    return { key, queue, lane, state: shown(job.state), dueMs, attempt, payload, error };
  }

  within({ from, before, atMost }: JobRange): JobSum {
    const found = [...this.#living.values()]
      .filter(({ key }) => compareCodePoints(key, from) >= 0 && compareCodePoints(key, before) < 0)
      .sort((a, b) => compareCodePoints(a.key, b.key))
      .slice(0, atMost);
    const oldestMs = found.reduce((oldest, { enqueuedMs }) => Math.min(oldest, enqueuedMs), Number.POSITIVE_INFINITY);
    const [first] = found;
    return {
      jobs: found.length,
      firstKey: first?.key ?? null,
      oldestMs: first === undefined ? null : oldestMs,
    };
  }

  deadJobs({ queue, after, limit }: { queue: string | null; after: string | null; limit: number }): DeadJob[] {
    return [...this.#dead.values()]
      .filter((job) => queue === null || job.queue === queue)
      .filter((job) => after === null || compareCodePoints(job.key, after) > 0)
      .sort((a, b) => compareCodePoints(a.key, b.key))
      .slice(0, limit)
      .map(deadJobOf);
  }

  deadJob(key: string): DeadJob | null {
    const dead = this.#dead.get(key);
    return dead === undefined ? null : deadJobOf(dead);
  }

  depths(queues?: readonly string[]): QueueDepth[] {
    const depths = new Map<string, { -readonly [field in keyof QueueDepth]: QueueDepth[field] }>();
    const of = ({ queue, lane }: { queue: string; lane: Job["lane"] }) => {
      const name = `${lane === "bulk" ? 1 : 0}/${queue}`;
      let depth = depths.get(name);
      if (depth === undefined) {
        depth = { queue, lane, waiting: 0, ready: 0, held: 0, parked: 0, dead: 0, oldestReadyMs: null };
        depths.set(name, depth);
      }
      return depth;
    };
    const asked = (job: { readonly queue: string }): boolean => queues === undefined || queues.includes(job.queue);
    for (const job of this.#living.values().filter(asked)) {
      const depth = of(job);
      const state = shown(job.state);
      depth[state] += 1;
      if (state === "ready") depth.oldestReadyMs = Math.min(depth.oldestReadyMs ?? job.enqueuedMs, job.enqueuedMs);
    }
    for (const job of this.#dead.values().filter(asked)) of(job).dead += 1;
    return [...depths.values()].sort(byQueueAndLane);
  }

  /** In the order in which they are given out: behind the first of a group those that go with it. */
  #claimable({ queue, lane, limit, lendMs }: ClaimAsk): Living[] {
    const nowMs = this.#clock.nowMs();
    const ready = [...this.#places.ready].filter((job) => job.queue === queue && job.lane === lane);
    ready.sort((a, b) => a.turn - b.turn || a.enqueuedMs - b.enqueuedMs || a.seq - b.seq);
    const jobs: Living[] = [];
    for (const job of ready) {
      if (jobs.length >= limit) break;
      jobs.push(job);
      if (lendMs === undefined) continue;
      for (const next of this.#groups.of(job).sort(byGroupOrder)) {
        if (next === job) continue;
        if (jobs.length >= limit || next.dueMs > nowMs || next.lane !== lane) break;
        jobs.push(next);
      }
    }
    return jobs;
  }

  #add(job: Omit<Living, "seq" | "state" | "untilMs" | "isLent" | "step">, heldForMs: number | null): void {
    const untilMs = heldForMs === null ? 0 : this.#clock.monotonicMs() + heldForMs;
    const living: Living = { ...job, seq: ++this.#seq, state: "held", untilMs, isLent: false, step: 0 };
    this.#living.set(job.key, living);
    this.#places.held.add(living);
    this.#groups.add(living);
    if (heldForMs === null) this.#letGo(living, job.dueMs <= this.#clock.nowMs() ? "ready" : "waiting");
  }

  /** Nobody holds it: it goes to its place, or behind the others of its group. */
  #letGo(job: Living, place: "ready" | "waiting"): void {
    this.#move(job, job.group === null ? place : "behind");
    this.#regroup(job);
  }

  /** The first of the group comes forward, unless one of them is held; all others stand behind. */
  #regroup(one: Living): void {
    const members = this.#groups.of(one);
    if (members.some((job) => job.state === "held")) return;
    const [first, ...others] = members.sort(byGroupOrder);
    for (const job of others) if (job.state !== "behind") this.#move(job, "behind");
    if (first?.state === "behind") this.#move(first, first.dueMs <= this.#clock.nowMs() ? "ready" : "waiting");
  }

  #move(job: Living, state: Place): void {
    this.#places[job.state].delete(job);
    job.state = state;
    this.#places[state].add(job);
  }
}

/** `behind`: others of its group come first. */
type Place = JobState["state"] | "behind";

type Dead = DeadJob & { readonly turn: number; readonly group: string | null };

type Living = {
  readonly key: string;
  readonly queue: string;
  readonly lane: Job["lane"];
  readonly group: string | null;
  readonly traceparent: string | null;
  readonly enqueuedMs: number;
  readonly seq: number;
  turn: number;
  dueMs: number;
  payload: string;
  attempt: number;
  fence: number;
  step: number;
  error: string | null;
  state: Place;
  /** End of the lease on the monotonic clock, while it is held. */
  untilMs: number;
  /** Held by somebody outside. */
  isLent: boolean;
};

/** As the port speaks of it. */
function shown(state: Place): JobState["state"] {
  return state === "behind" ? "ready" : state;
}

function byPlace(a: ParkedPlace, b: ParkedPlace): number {
  return byQueueAndLane(a, b) || compareCodePoints(a.key, b.key);
}

function byQueueAndLane(a: Omit<ParkedPlace, "key">, b: Omit<ParkedPlace, "key">): number {
  return compareCodePoints(a.queue, b.queue) || Number(a.lane === "bulk") - Number(b.lane === "bulk");
}

function jobOf({ key, queue, lane, payload, traceparent, attempt, fence, turn, group, enqueuedMs }: Living): Job {
  return { key, queue, lane, payload, traceparent, attempt, fence, turn, group, enqueuedMs };
}

function deadJobOf({ turn: _, group: __, ...job }: Dead): DeadJob {
  return job;
}
