/** A job that someone holds: in this process, or outside if it is lent. */
export type Lease = {
  readonly key: string;
  readonly fence: number;
  readonly isLent: boolean;
  readonly untilMs: number;
};
export type NewLease = Omit<Lease, "untilMs"> & { readonly leaseMs: number };

type Entry = Lease & { readonly line: number };

/** The line of those that were lent before this process began. */
const ADOPTED = -1;

/**
 * Who holds which job until when, on the monotonic clock: one process owns the file, so its leases need not be written,
 * a heartbeat costs nothing, and no jump of the wall clock ends them. Of what is lent the end is in the row too, because
 * whoever has it outlives the process.
 *
 * Leases of one length end in the order in which they began, and there are few lengths: one line per length, a map in
 * order of insertion, answers "who is over?" by looking at its front.
 */
export class LeaseBook {
  readonly #byKey = new Map<string, Entry>();
  readonly #lines = new Map<number, Map<string, Entry>>();

  hold({ key, fence, isLent, leaseMs }: NewLease, monotonicMs: number): void {
    this.drop(key);
    this.#add({ key, fence, isLent, untilMs: monotonicMs + leaseMs, line: leaseMs });
  }

  /** Loans that were made before; once, at the beginning. */
  adopt(loans: readonly Omit<Lease, "isLent">[]): void {
    for (const loan of loans.toSorted((a, b) => a.untilMs - b.untilMs))
      this.#add({ ...loan, isLent: true, line: ADOPTED });
  }

  drop(key: string): void {
    const entry = this.#byKey.get(key);
    if (entry === undefined) return;
    this.#byKey.delete(key);
    const line = this.#lines.get(entry.line);
    line?.delete(key);
    if (line?.size === 0) this.#lines.delete(entry.line);
  }

  /** The lease by which this reference holds its job; null if it does not. */
  held(key: string, fence: number): Lease | null {
    const lease = this.#byKey.get(key);
    return lease?.fence === fence ? lease : null;
  }

  /** Up to `limit` leases that are over. */
  over(monotonicMs: number, limit: number): Lease[] {
    const over: Lease[] = [];
    for (const line of this.#lines.values()) {
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
    for (const line of this.#lines.values()) {
      for (const { untilMs } of line.values()) {
        if (nextMs === null || untilMs < nextMs) nextMs = untilMs;
        break;
      }
    }
    return nextMs;
  }

  #add(entry: Entry): void {
    let line = this.#lines.get(entry.line);
    if (line === undefined) this.#lines.set(entry.line, (line = new Map()));
    line.set(entry.key, entry);
    this.#byKey.set(entry.key, entry);
  }
}
