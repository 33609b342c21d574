/** A job that someone in this process holds. */
export type Lease = { readonly key: string; readonly fence: number; readonly untilMs: number };

type Entry = Lease & { readonly leaseMs: number };

/**
 * Who holds which job until when, on the monotonic clock: one process owns the file, so its leases need not be written,
 * a heartbeat costs nothing, and no jump of the wall clock ends them.
 *
 * Leases of one length end in the order in which they began, and there are few lengths: one map per length, in order of
 * insertion, answers "who is over?" by looking at its front.
 */
export class LeaseBook {
  readonly #byKey = new Map<string, Entry>();
  readonly #byLength = new Map<number, Map<string, Entry>>();

  hold(key: string, fence: number, leaseMs: number, monotonicMs: number): void {
    this.drop(key);
    const entry: Entry = { key, fence, leaseMs, untilMs: monotonicMs + leaseMs };
    let line = this.#byLength.get(leaseMs);
    if (line === undefined) this.#byLength.set(leaseMs, (line = new Map()));
    line.set(key, entry);
    this.#byKey.set(key, entry);
  }

  drop(key: string): void {
    const entry = this.#byKey.get(key);
    if (entry === undefined) return;
    this.#byKey.delete(key);
    const line = this.#byLength.get(entry.leaseMs);
    line?.delete(key);
    if (line?.size === 0) this.#byLength.delete(entry.leaseMs);
  }

  holds(key: string, fence: number): boolean {
    return this.#byKey.get(key)?.fence === fence;
  }

  /** Up to `limit` leases that are over. */
  over(monotonicMs: number, limit: number): Lease[] {
    const over: Lease[] = [];
    for (const line of this.#byLength.values()) {
      for (const lease of line.values()) {
        if (lease.untilMs > monotonicMs || over.length === limit) break;
        over.push(lease);
      }
    }
    return over;
  }

  /** When the next lease is over; null when nothing is held. */
  get nextMs(): number | null {
    let nextMs: number | null = null;
    for (const line of this.#byLength.values()) {
      for (const { untilMs } of line.values()) {
        if (nextMs === null || untilMs < nextMs) nextMs = untilMs;
        break;
      }
    }
    return nextMs;
  }
}
