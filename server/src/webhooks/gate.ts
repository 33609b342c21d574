import type { Clock } from "#ports/clock.ts";
import {
  ASKED_REST_MS_MAX,
  BACK_APART_MS_MIN,
  CALL_MS_GUESS,
  CALLS_AT_FIRST,
  CALLS_PER_ENDPOINT_MAX,
  COME_BACK_MS,
  FAILURES_BEFORE_REST,
  HEARD_MS,
  PROBE_MS,
  REST_MS_BASE,
  REST_MS_MAX,
  WAIT_IN_HAND_MS,
  WAITING_MAX,
  WAITING_PER_ENDPOINT_MAX,
} from "#webhooks/limits.ts";

/** `later`: there is no place now; the delivery goes back to the store until then. */
export type Entry = { readonly kind: "go" } | { readonly kind: "later"; readonly untilMs: number };

/** How a call went, for those that come next. `asked`: it answered, and wants to be left alone for so long. */
export type Went =
  | { readonly kind: "well"; readonly tookMs: number }
  | { readonly kind: "badly"; readonly tookMs: number }
  | { readonly kind: "asked"; readonly forMs: number }
  /** Nothing was learned: the call was taken back. */
  | { readonly kind: "unknown" };

/**
 * Stands before each endpoint, so that one that is down or stalls delays no other:
 *
 *     free ──place──▶ calls, at most so many ──▶ well: one place more
 *        └──none──▶ a short wait in hand, if it answers at all ──▶ back to the store, each with a time of its own
 *     failures in a row ──▶ rests, 30 s to 10 min ──▶ one call tries it ──▶ well: free · badly: rests longer
 *
 * This is a node's own knowledge; another node finds out by itself.
 */
export class Gate {
  readonly #clock: Clock;
  readonly #lines = new Map<string, Line>();
  /** Deliveries that wait in hand, of all endpoints. */
  #waiting = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Asks for a place; each `go` is followed by one `leave`. */
  async enter(id: string): Promise<Entry> {
    const line = this.#line(id);
    const nowMs = this.#clock.nowMs();
    if (nowMs < line.restUntilMs) return later(line, line.restUntilMs);
    if (line.busy < line.places && line.waiting.size === 0) {
      if (line.busy === 0) line.heardMs = nowMs;
      line.busy += 1;
      return { kind: "go" };
    }
    if (line.failures > 0) return later(line, nowMs + Math.max(isTried(line) ? PROBE_MS : 0, silentMs(line, nowMs)));
    const isHeard = nowMs - line.heardMs <= HEARD_MS;
    if (!isHeard || line.waiting.size >= WAITING_PER_ENDPOINT_MAX || this.#waiting >= WAITING_MAX)
      return later(line, nowMs + silentMs(line, nowMs));
    return await this.#wait(line);
  }

  leave(id: string, went: Went): void {
    const line = this.#line(id);
    line.busy -= 1;
    line.heardMs = this.#clock.nowMs();
    this.#learn(line, went);
    while (line.busy < line.places && this.#clock.nowMs() >= line.restUntilMs) {
      const [first] = line.waiting;
      if (first === undefined) break;
      line.busy += 1;
      first({ kind: "go" });
    }
    if (line.failures > 0) this.#sendBack(line);
    // What is known of it is what is assumed of one that was never met.
    if (line.busy === 0 && line.failures === 0 && this.#lines.size > LINES_KEPT_MAX) this.#lines.delete(id);
  }

  /** It is to be tried at once: somebody says that it is mended. */
  forget(id: string): void {
    const line = this.#lines.get(id);
    if (line === undefined) return;
    line.restUntilMs = 0;
    line.restMs = 0;
    line.failures = 0;
    line.failedMs = 0;
    line.lastBackMs = 0;
  }

  /** Endpoints that rest now. */
  resting(): readonly string[] {
    const nowMs = this.#clock.nowMs();
    return [...this.#lines].flatMap(([id, { restUntilMs }]) => (restUntilMs > nowMs ? [id] : []));
  }

  #wait(line: Line): Promise<Entry> {
    const { promise, resolve } = Promise.withResolvers<Entry>();
    const settle = (entry: Entry): void => {
      timer.cancel();
      line.waiting.delete(settle);
      this.#waiting -= 1;
      resolve(entry);
    };
    const timer = this.#clock.after(WAIT_IN_HAND_MS, () => {
      const nowMs = this.#clock.nowMs();
      settle(later(line, nowMs + silentMs(line, nowMs)));
    });
    line.waiting.add(settle);
    this.#waiting += 1;
    return promise;
  }

  #learn(line: Line, went: Went): void {
    const nowMs = this.#clock.nowMs();
    switch (went.kind) {
      case "well":
        line.failures = 0;
        line.failedMs = 0;
        line.restMs = 0;
        line.places = Math.min(CALLS_PER_ENDPOINT_MAX, line.places + 1);
        line.callMs += Math.min(0, went.tookMs - line.callMs) + Math.max(0, went.tookMs - line.callMs) / 32;
        return;
      case "badly": {
        line.failures += 1;
        line.failedMs = went.tookMs;
        line.places = Math.max(1, Math.floor(line.places / 2));
        // Those that were under way when it began to rest say nothing new.
        if (line.failures < FAILURES_BEFORE_REST || nowMs < line.restUntilMs) return;
        line.restMs = Math.min(REST_MS_MAX, line.restMs === 0 ? REST_MS_BASE : line.restMs * 2);
        line.restUntilMs = nowMs + line.restMs;
        line.places = 1;
        return;
      }
      case "asked":
        line.failures += 1;
        line.places = 1;
        line.restUntilMs = Math.max(line.restUntilMs, nowMs + Math.min(went.forMs, ASKED_REST_MS_MAX));
        return;
      case "unknown":
        return;
    }
  }

  #sendBack(line: Line): void {
    const fromMs = Math.max(line.restUntilMs, this.#clock.nowMs() + COME_BACK_MS);
    for (const settle of [...line.waiting]) settle(later(line, fromMs));
  }

  #line(id: string): Line {
    let line = this.#lines.get(id);
    if (line === undefined) {
      line = {
        busy: 0,
        places: CALLS_AT_FIRST,
        failures: 0,
        failedMs: 0,
        heardMs: 0,
        restUntilMs: 0,
        restMs: 0,
        callMs: CALL_MS_GUESS,
        lastBackMs: 0,
        waiting: new Set(),
      };
      this.#lines.set(id, line);
    }
    return line;
  }
}

/** Endpoints that something is remembered of although nothing is to be remembered. */
const LINES_KEPT_MAX = 10_000;

type Line = {
  /** Calls under way, and how many there may be. */
  busy: number;
  places: number;
  /** In a row. */
  failures: number;
  /** How long the last failure took; 0 after a success. */
  failedMs: number;
  /** When a call last ended, or began when there was none. */
  heardMs: number;
  restUntilMs: number;
  /** How long the last rest was; 0 after a success. */
  restMs: number;
  /** How long a call that goes well takes: the shortest, forgotten slowly, because a busy moment of ours makes many long. */
  callMs: number;
  /** The latest time that a delivery was sent back with. */
  lastBackMs: number;
  readonly waiting: Set<(entry: Entry) => void>;
};

/** It rested, and one call finds out whether it may be called again. */
function isTried({ restMs }: Line): boolean {
  return restMs > 0;
}

/**
 * How soon it is worth asking again: the longer no call has ended, or a failure took, the later. So what waits for one that
 * stalls is not taken out of the store and put back again and again.
 */
function silentMs({ heardMs, failedMs }: Line, nowMs: number): number {
  return Math.max(COME_BACK_MS, nowMs - heardMs, failedMs);
}

/** They come back one by one, as fast as the endpoint takes them: a backlog is not claimed again and again. */
function later(line: Line, fromMs: number): Entry {
  const apartMs = Math.max(BACK_APART_MS_MIN, line.callMs / CALLS_PER_ENDPOINT_MAX);
  line.lastBackMs = Math.max(fromMs, line.lastBackMs + apartMs);
  return { kind: "later", untilMs: Math.ceil(line.lastBackMs) };
}
