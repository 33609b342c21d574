import type { Nodes } from "#engine/nodes.ts";
import type { Clock } from "#ports/clock.ts";

/** What the other nodes are given to tell what their probe has found: a beat, and the call itself. */
const PROBE_MS = 4_000;
/** Nobody is believed for longer. */
const BELIEVED_MS_MAX = 3_600_000;

/**
 * Which destinations rest, as nodes tell each other: what one has found out, seven others need not find out again. When
 * a rest is over, the node with the lowest id among those that told of it probes; the others wait a moment longer for
 * what it finds: a new rest, or that nobody tells of one any more.
 */
export class Rests {
  readonly #nodes: Nodes;
  readonly #clock: Clock;
  readonly #own = new Set<string>();

  constructor(nodes: Nodes, clock: Clock) {
    this.#nodes = nodes;
    this.#clock = clock;
  }

  /** This node leaves a destination alone until then, Unix epoch ms. */
  tell(destination: string, untilMs: number, reason: string): void {
    this.#own.add(destination);
    this.#nodes.post(topicOf(destination), untilMs, reason);
  }

  /** It answers (again). */
  over(destination: string): void {
    if (this.#own.delete(destination)) this.#nodes.takeBack(topicOf(destination));
  }

  /** Until when others want it left alone, and why; null when nobody does. */
  of(destination: string): { readonly untilMs: number; readonly reason: string } | null {
    const notices = this.#nodes.noticesOf(topicOf(destination));
    if (notices.length === 0) return null;
    const nowMs = this.#clock.nowMs();
    const { id } = this.#nodes.self;
    const isProber = this.#own.has(destination) && notices.every(({ node }) => id < node);
    let found: { readonly untilMs: number; readonly reason: string } | null = null;
    for (const { untilMs, says } of notices) {
      const atMs = Math.min(untilMs, nowMs + BELIEVED_MS_MAX) + (isProber ? 0 : PROBE_MS);
      if (atMs > nowMs && atMs > (found?.untilMs ?? 0)) found = { untilMs: atMs, reason: says };
    }
    return found;
  }

  /** Calls back when others have changed their mind. */
  onChange(listener: () => void): void {
    this.#nodes.onNews(listener);
  }
}

function topicOf(destination: string): string {
  return `rest ${destination}`;
}
