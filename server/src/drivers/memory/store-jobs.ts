import { compareCodePoints } from "#drivers/memory/code-points.ts";
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
} from "#ports/store.ts";

/** The jobs of the memory store: the same rules as everywhere, in plain maps. */
export class MemoryJobs {
  readonly #clock: Clock;
  readonly #living = new Map<string, Living>();
  readonly #places: Readonly<Record<JobState["state"], Set<Living>>> = {
    waiting: new Set(),
    ready: new Set(),
    held: new Set(),
    parked: new Set(),
  };
  readonly #dead = new Map<string, DeadJob & { readonly turn: number }>();
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

  stateOf(key: string): JobState["state"] | "gone" {
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
    this.#add({ ...job, attempt: born, fence: born, enqueuedMs: nowMs, error: null }, heldForMs);
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
        return this.#move(job, end.dueMs <= this.#clock.nowMs() ? "ready" : "waiting");
      case "dead": {
        const { key, queue, lane, payload, traceparent, attempt, enqueuedMs, turn } = job;
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
        });
        return this.remove(key);
      }
      default:
        return unreachable(end);
    }
  }

  /** A dead letter that was never a job. */
  bury(dead: DeadJob): void {
    this.#dead.set(dead.key, { ...dead, turn: 0 });
  }

  remove(key: string): void {
    const job = this.#living.get(key);
    if (job === undefined) return;
    this.#living.delete(key);
    this.#places[job.state].delete(job);
  }

  bringBack(key: string, then: "revive" | "discard", payload: string | undefined): void {
    const dead = this.#dead.get(key);
    invariant(dead !== undefined, "the dead letter was found by the conditions");
    this.#dead.delete(key);
    if (then === "discard") return;
    const nowMs = this.#clock.nowMs();
    const { queue, lane, turn, traceparent } = dead;
    const job = { key, queue, lane, turn, traceparent, payload: payload ?? dead.payload, dueMs: nowMs };
    this.#add({ ...job, attempt: 0, fence: 0, enqueuedMs: nowMs, error: null }, null);
  }

  claim(asks: readonly ClaimAsk[], leaseMs: number): Job[] {
    const untilMs = this.#clock.monotonicMs() + leaseMs;
    const fence = ++this.#fence;
    return asks.flatMap(({ queue, lane, limit }) => {
      const ready = [...this.#places.ready].filter((job) => job.queue === queue && job.lane === lane);
      ready.sort((a, b) => a.turn - b.turn || a.enqueuedMs - b.enqueuedMs || a.seq - b.seq);
      return ready.slice(0, limit).map((job) => {
        job.attempt += 1;
        job.fence = Math.max(job.fence + 1, fence);
        job.step = 0;
        this.#move(job, "held");
        job.untilMs = untilMs;
        return jobOf(job);
      });
    });
  }

  extend(refs: readonly JobRef[], leaseMs: number): JobRef[] {
    const untilMs = this.#clock.monotonicMs() + leaseMs;
    return refs.filter((ref) => {
      const job = this.#living.get(ref.key);
      if (job === undefined || !this.heldBy(ref)) return true;
      job.untilMs = untilMs;
      return false;
    });
  }

  release(refs: readonly JobRef[]): void {
    for (const ref of refs) {
      const job = this.#living.get(ref.key);
      if (job === undefined || !this.heldBy(ref)) continue;
      job.attempt = Math.max(job.attempt - 1, 0);
      this.#move(job, "ready");
    }
  }

  wakeDue(limit: number): { woken: number; nextDueMs: number | null } {
    const [nowMs, monotonicMs] = [this.#clock.nowMs(), this.#clock.monotonicMs()];
    const over = [...this.#places.held].filter((job) => job.untilMs <= monotonicMs);
    const due = [...this.#places.waiting].filter((job) => job.dueMs <= nowMs).sort((a, b) => a.dueMs - b.dueMs);
    const woken = [...over, ...due].slice(0, limit);
    for (const job of woken) this.#move(job, "ready");
    let nextDueMs: number | null = null;
    const note = (ms: number): void => void (nextDueMs = Math.min(nextDueMs ?? ms, ms));
    for (const job of this.#places.waiting) note(job.dueMs);
    for (const job of this.#places.held) note(nowMs + Math.max(0, Math.ceil(job.untilMs - monotonicMs)));
    return { woken: woken.length, nextDueMs };
  }

  /** Nobody lives who holds anything. */
  dropLeases(): void {
    for (const job of [...this.#places.held]) this.#move(job, "ready");
  }

  park(limit: number): number {
    const { waiting, ready, held } = this.#places;
    const living = [...waiting, ...ready, ...held].slice(0, limit);
    for (const job of living) this.#move(job, "parked");
    return living.length;
  }

  unpark(key: string): void {
    const job = this.#living.get(key);
    // The same unit may have taken it.
    if (job?.state !== "parked") return;
    this.#move(job, job.dueMs <= this.#clock.nowMs() ? "ready" : "waiting");
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
    const { queue, lane, state, dueMs, attempt, payload, error } = job;
    return { key, queue, lane, state, dueMs, attempt, payload, error };
  }

  deadJobs({ queue, after, limit }: { queue: string | null; after: string | null; limit: number }): DeadJob[] {
    return [...this.#dead.values()]
      .filter((job) => queue === null || job.queue === queue)
      .filter((job) => after === null || compareCodePoints(job.key, after) > 0)
      .sort((a, b) => compareCodePoints(a.key, b.key))
      .slice(0, limit)
      .map(({ turn: _, ...job }) => job);
  }

  deadJob(key: string): DeadJob | null {
    const dead = this.#dead.get(key);
    if (dead === undefined) return null;
    const { turn: _, ...job } = dead;
    return job;
  }

  depths(): QueueDepth[] {
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
    for (const job of this.#living.values()) {
      const depth = of(job);
      depth[job.state] += 1;
      if (job.state === "ready") depth.oldestReadyMs = Math.min(depth.oldestReadyMs ?? job.enqueuedMs, job.enqueuedMs);
    }
    for (const job of this.#dead.values()) of(job).dead += 1;
    return [...depths.values()].sort(byQueueAndLane);
  }

  #add(job: Omit<Living, "seq" | "state" | "untilMs" | "step">, heldForMs: number | null): void {
    const state = heldForMs !== null ? "held" : job.dueMs <= this.#clock.nowMs() ? "ready" : "waiting";
    const untilMs = heldForMs === null ? 0 : this.#clock.monotonicMs() + heldForMs;
    const living: Living = { ...job, seq: ++this.#seq, state, untilMs, step: 0 };
    this.#living.set(job.key, living);
    this.#places[state].add(living);
  }

  #move(job: Living, state: JobState["state"]): void {
    this.#places[job.state].delete(job);
    job.state = state;
    this.#places[state].add(job);
  }
}

type Living = {
  readonly key: string;
  readonly queue: string;
  readonly lane: Job["lane"];
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
  state: JobState["state"];
  /** End of the lease on the monotonic clock, while it is held. */
  untilMs: number;
};

function byPlace(a: ParkedPlace, b: ParkedPlace): number {
  return byQueueAndLane(a, b) || compareCodePoints(a.key, b.key);
}

function byQueueAndLane(a: Omit<ParkedPlace, "key">, b: Omit<ParkedPlace, "key">): number {
  return compareCodePoints(a.queue, b.queue) || Number(a.lane === "bulk") - Number(b.lane === "bulk");
}

function jobOf({ key, queue, lane, payload, traceparent, attempt, fence, turn, enqueuedMs }: Living): Job {
  return { key, queue, lane, payload, traceparent, attempt, fence, turn, enqueuedMs };
}
