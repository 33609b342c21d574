import { storeCollection } from "#documents/names.ts";
import type { DeadJob } from "#domain/job.ts";
import type { Store } from "#ports/store.ts";
import type { QueueDesk } from "#queues/desk.ts";
import type { Promises } from "../events/promises.ts";
import { addressOf, GROUPS, isPoison, LINE, MARKS, type Message, NEXT, ORDER, WORK_DEAD } from "./house.ts";

const EVERYTHING = 1_000_000;

/** Looks at everything when nothing is left to do: what came of each message, and what nobody may ever see. */
export class Audit {
  readonly #promises: Promises;
  readonly #queues: QueueDesk;
  readonly #settle: <T>(asked: Promise<T>) => Promise<T>;
  dead = 0;
  mails = 0;

  constructor(promises: Promises, queues: QueueDesk, settle: <T>(asked: Promise<T>) => Promise<T>) {
    this.#promises = promises;
    this.#queues = queues;
    this.#settle = settle;
  }

  /** @param sent numbers that were sent with an answer; of the others up to `last` nobody knows. */
  async look(store: Store, sent: ReadonlySet<number>, last: number): Promise<void> {
    const { holds } = this.#promises;
    const { events } = await store.readJournal({ after: 0, limit: EVERYTHING });
    const marks = await documentsOf<{ readonly times: number }>(store, MARKS.name);
    const times = (name: string): number => marks.get(name)?.times ?? 0;
    const next = counted(await this.#drained(NEXT));
    const dead = counted(await this.#drained(WORK_DEAD));
    const letters = await store.deadJobs({ queue: null, after: null, limit: EVERYTHING });
    this.dead = dead.size + letters.length;
    const worked: number[] = [];
    for (const { type, source, data } of events) {
      if (!source.startsWith("/functions/")) continue;
      holds(type !== "never", "an event of a call that failed is in the journal");
      if (type === "worked") worked.push(numberIn(data));
    }
    holds(!next.has(-1), "a message of a call that failed is in a queue");
    const raised = counted(worked);
    for (let n = 1; n <= last; n += 1) {
      const ends = times(`work/${n}`) + (dead.get(n) ?? 0);
      holds(ends === 1 || (ends === 0 && !sent.has(n)), () => `message ${n} came to ${ends} ends`);
      holds(!isPoison(n) || times(`work/${n}`) === 0, () => `message ${n} is poison, and is done`);
      const effects = [raised.get(n) ?? 0, next.get(n) ?? 0];
      holds(
        effects.every((of) => of === times(`work/${n}`)),
        () => `message ${n} has other effects: ${effects.join(" ")}`,
      );
    }
    holds(times("work") === worked.length, `the counter says ${times("work")} of ${worked.length} messages`);
    this.#heard({ worked, times, letters });
    await this.#written(store, worked, times);
    await this.#lined(store, worked, letters);
    this.#ticked(events.filter(({ type }) => type === "ticked").length, marks);
  }

  #heard({ worked, times, letters }: Heard): void {
    const { holds } = this.#promises;
    const unheard = new Set(
      letters.filter(({ queue }) => queue === "function:listen").map(({ payload }) => numberIn(inputIn(payload))),
    );
    const gone = letters.filter(({ queue }) => queue === "consumer:function:read").length;
    for (const n of worked) {
      const heard = times(`heard/${n}`) + (unheard.has(n) ? 1 : 0);
      holds(heard === 1, () => `the event of ${n} was heard ${heard} times`);
      holds(times(`read/${n}`) <= 1, () => `the event of ${n} was read ${times(`read/${n}`)} times`);
    }
    const read = worked.filter((n) => times(`read/${n}`) === 1).length;
    holds(read + gone === worked.length, `${read} events of ${worked.length} were read, ${gone} are dead letters`);
    holds(times("read") === read, `the reader counts ${times("read")}, and has read ${read}`);
    const done = worked.filter((n) => times(`heard/${n}`) === 1).length;
    holds(times("heard") === done, `the listener counts ${times("heard")}, and has heard ${done}`);
  }

  /** Each call that was committed has written its mail once, and it was sent. */
  async #written(store: Store, worked: readonly number[], times: (name: string) => number): Promise<void> {
    const { holds } = this.#promises;
    const { messages } = await store.listMessages({}, { after: null, limit: EVERYTHING });
    const mails = new Map<string, number>();
    for (const { recipient, status } of messages) {
      mails.set(recipient, (mails.get(recipient) ?? 0) + 1);
      holds(status === "SENT", () => `the mail to ${recipient} is ${status}`);
    }
    holds(!mails.has(addressOf(-1)), "a mail of a call that failed was accepted");
    for (const n of worked) {
      const [wanted, found] = [times(`heard/${n}`), mails.get(addressOf(n)) ?? 0];
      holds(found === wanted, () => `of ${n} was told ${wanted} times, by ${found} mails`);
    }
    this.mails = messages.length;
  }

  /** Each group has its messages once, in the order in which the calls that sent them were committed. */
  async #lined(store: Store, worked: readonly number[], letters: readonly DeadJob[]): Promise<void> {
    const { holds } = this.#promises;
    const orders = await documentsOf<{ readonly numbers: readonly number[] }>(store, ORDER.name);
    const dead = new Set(
      letters.filter(({ queue }) => queue.includes(LINE)).map(({ payload }) => numberIn(bodyIn(payload))),
    );
    for (let group = 0; group < GROUPS; group += 1) {
      const wanted = worked.filter((n) => n % GROUPS === group && !dead.has(n));
      const numbers = orders.get(String(group))?.numbers ?? [];
      holds(
        numbers.join() === wanted.join(),
        () => `group ${group} is not in its order: ${numbers.join()} for ${wanted.join()}`,
      );
    }
  }

  #ticked(ticked: number, marks: ReadonlyMap<string, { readonly times: number }>): void {
    const { holds } = this.#promises;
    const times = [...marks].filter(([name]) => name.startsWith("tick/"));
    for (const [name, mark] of times) holds(mark.times === 1, () => `${name} ran ${mark.times} times`);
    holds(ticked === times.length, () => `${times.length} times ran, and ${ticked} were told`);
    holds(times.length > 0, "the schedule never ran");
  }

  /** All messages of a queue, by number. */
  async #drained(queue: string): Promise<readonly number[]> {
    const numbers: number[] = [];
    const { signal } = new AbortController();
    for (;;) {
      const ask = { max: 10, visibilityMs: 12 * 3_600_000, waitMs: 0, signal };
      const got = await this.#settle(this.#queues.receive(queue, ask));
      if (got.kind === "fault" || got.messages.length === 0) return numbers;
      numbers.push(...got.messages.map(({ body }) => numberIn(body)));
    }
  }
}

type Heard = {
  readonly worked: readonly number[];
  readonly times: (name: string) => number;
  readonly letters: readonly DeadJob[];
};

function counted(numbers: readonly number[]): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (const n of numbers) counts.set(n, (counts.get(n) ?? 0) + 1);
  return counts;
}

async function documentsOf<Value>(store: Store, collection: string): Promise<ReadonlyMap<string, Value>> {
  const all = await store.listDocuments({ collection: storeCollection(collection), limit: EVERYTHING });
  // The simulation's functions alone write there.
  return new Map(all.map(({ id, body }) => [id, JSON.parse(body) as Value]));
}

/** The number in a text of the simulation. */
function numberIn(text: string): number {
  return (JSON.parse(text) as Message).n;
}

function bodyIn(payload: string): string {
  return (JSON.parse(payload) as { readonly body: string }).body;
}

function inputIn(payload: string): string {
  const { input } = JSON.parse(payload) as { readonly input: string };
  return JSON.stringify((JSON.parse(input) as { readonly data: Message }).data);
}
