/** Who is in which group, of those that have one and are not parked. */
export class Groups<Member extends Grouped> {
  readonly #members = new Map<string, Set<Member>>();

  add(job: Member): void {
    if (job.group === null) return;
    const name = nameOf(job);
    const members = this.#members.get(name);
    if (members === undefined) this.#members.set(name, new Set([job]));
    else members.add(job);
  }

  delete(job: Member): void {
    if (job.group === null) return;
    const name = nameOf(job);
    const members = this.#members.get(name);
    members?.delete(job);
    if (members?.size === 0) this.#members.delete(name);
  }

  /** All of its group, in no order; none if it has no group. */
  of(job: Member): Member[] {
    return job.group === null ? [] : [...(this.#members.get(nameOf(job)) ?? [])];
  }
}

type Grouped = {
  readonly queue: string;
  readonly group: string | null;
  readonly turn: number;
  /** Rises with the order of the commits. */
  readonly seq: number;
};

export function byGroupOrder(a: Grouped, b: Grouped): number {
  return a.turn - b.turn || a.seq - b.seq;
}

function nameOf({ queue, group }: Grouped): string {
  return JSON.stringify([queue, group]);
}
