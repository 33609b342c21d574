import { setTimeout as wait } from "node:timers/promises";
import type { Dice } from "#ports/dice.ts";
import type { Accepted, ListSend } from "../crash/audit.ts";
import type { Program } from "../support/program.ts";

/** Clients, each with one call at a time: something is always under way, and a node that hangs does not stop the rest. */
const CLIENTS = 24;
/** A client rests so long between two sends: about eighty a second while all goes well. */
const REST_MS = 300;
/** Before it tries again what was refused or broke; sooner than `Retry-After`, to see when it works again. */
const AGAIN_MS = 200;
/** No call may take longer, whatever has happened: then it hangs. */
export const CALL_MS_MAX = 45_000;
const DELAYED_PERCENT = 20;
const DELAY_MS_MAX = { quick: 2_000, full: 8_000 };
/** So many of the keys are sent once more after their 202, often through another node. */
const REPEATED_PERCENT = 10;
const LIST = "everybody";
export const LIST_SIZE = 100;
const LIST_EVERY_MS = 4_000;
const content = { title: "Hello", body: "Hello" };

/** One call, as its client saw it; monotonic ms. */
export type Call = {
  readonly startMs: number;
  readonly endMs: number;
  /** HTTP status; "broken": the connection broke, "hung": it took longer than {@link CALL_MS_MAX}. */
  readonly answer: number | "broken" | "hung";
};

/**
 * Clients who send all the time, each send with an idempotency key, and repeat with it what was refused or not answered,
 * through whichever node, until it is accepted. Notes what was promised, and every call.
 */
export class SteadyLoad {
  /** `byMs`: when it had to come, as its delay counts from its acceptance; its own time may be a little before. */
  readonly accepted = new Map<string, Accepted & { readonly byMs: number }>();
  readonly lists: { readonly id: string }[] = [];
  readonly calls: Call[] = [];
  /** What must not be, found by a client. */
  readonly problems: string[] = [];
  readonly counts = { delayed: 0, repeated: 0, afterLostAnswer: 0 };
  readonly #dice: Dice;
  readonly #doors: () => readonly Program[];
  readonly #delayMsMax: number;
  readonly #stop = new AbortController();
  #running: Promise<unknown> = Promise.resolve();
  #number = 0;

  /** @param doors the nodes that a client may call at this moment, also those that are in trouble. */
  constructor(dice: Dice, doors: () => readonly Program[], pace: "quick" | "full") {
    this.#dice = dice;
    this.#delayMsMax = DELAY_MS_MAX[pace];
    this.#doors = doors;
  }

  get members(): readonly string[] {
    return Array.from({ length: LIST_SIZE }, (_, at) => `member${at}@example.com`);
  }

  async start(): Promise<void> {
    const rows = this.members.map((email, at) => ({ user_id: `member${at}`, email }));
    const door = this.#doors()[0];
    const { status } = (await door?.call("POST", `/lists/${LIST}/import`, { rows })) ?? {};
    if (status !== 200) throw new Error(`the import answered ${status}`);
    const clients = Array.from({ length: CLIENTS }, () => this.#client());
    this.#running = Promise.all([...clients, this.#lister()]);
  }

  /** No new sends; resolves when every send that was begun is accepted. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #client(): Promise<void> {
    await wait(this.#dice.next() * REST_MS);
    while (!this.#stop.signal.aborted) {
      const to = `p${(this.#number += 1)}@example.com`;
      const delayMs = this.#dice.next() * 100 < DELAYED_PERCENT ? Math.ceil(this.#dice.next() * this.#delayMsMax) : 0;
      const delay = delayMs > 0 ? { delay: { duration: delayMs } } : {};
      const dueMs = performance.now() + delayMs;
      const message = { to: { email: to }, content, ...delay };
      const id = await this.#accept(`key-${to}`, message);
      this.accepted.set(id, { to, dueMs, canceled: false, byMs: performance.now() + delayMs });
      if (delayMs > 0) this.counts.delayed += 1;
      if (this.#dice.next() * 100 < REPEATED_PERCENT) await this.#repeat(`key-${to}`, message, id);
      await this.#rest(REST_MS * (0.5 + this.#dice.next()));
    }
  }

  async #lister(): Promise<void> {
    for (let number = 1; !this.#stop.signal.aborted; number += 1) {
      const id = await this.#accept(`key-list-${number}`, { to: { list_id: LIST }, content });
      this.lists.push({ id });
      await this.#rest(LIST_EVERY_MS);
    }
  }

  async #repeat(key: string, message: object, id: string): Promise<void> {
    const again = await this.#accept(key, message);
    this.counts.repeated += 1;
    if (again !== id) this.problems.push(`${key} was accepted as ${id} and as ${again}`);
  }

  /** @returns the request's id. */
  async #accept(key: string, message: object): Promise<string> {
    for (let isAgain = false; ; isAgain = true) {
      const { answer, text } = await this.#call(key, message);
      if (answer === 202) {
        if (isAgain) this.counts.afterLostAnswer += 1;
        return (JSON.parse(text) as { requestId: string }).requestId;
      }
      await wait(AGAIN_MS * (0.5 + this.#dice.next()));
    }
  }

  async #call(key: string, message: object): Promise<{ answer: Call["answer"]; text: string }> {
    const doors = this.#doors();
    const door = doors[Math.floor(this.#dice.next() * doors.length)];
    if (door === undefined) return { answer: "broken", text: "" };
    const startMs = performance.now();
    let answer: Call["answer"] = "broken";
    let text = "";
    try {
      const response = await Promise.race([
        door.call("POST", "/send", { message }, { "idempotency-key": key }),
        wait(CALL_MS_MAX, null, { ref: false }),
      ]);
      if (response === null) answer = "hung";
      else {
        text = await response.text();
        answer = response.status;
        this.#judge(response, text);
      }
    } catch {
      // The connection broke: the node is gone.
    }
    this.calls.push({ startMs, endMs: performance.now(), answer });
    return { answer, text };
  }

  #judge({ status, headers }: Response, text: string): void {
    if (status === 202) return;
    if (status !== 503) this.problems.push(`a send was answered ${status} ${text.slice(0, 200)}`);
    else if (headers.get("retry-after") === null)
      this.problems.push(`a 503 without Retry-After: ${text.slice(0, 200)}`);
  }

  async #rest(ms: number): Promise<void> {
    await wait(ms, null, { signal: this.#stop.signal }).catch(() => {});
  }
}

/** How the list sends have ended, as the program says. */
export async function endsOf(lists: SteadyLoad["lists"], door: Program): Promise<ListSend[]> {
  type Balance = { readonly complete: boolean; readonly outcomes: { readonly SENT?: number } };
  const ends: ListSend[] = [];
  for (const { id } of lists) {
    const { complete, outcomes } = await door.get<Balance>(`/requests/${id}`);
    ends.push({ id, complete, sent: outcomes.SENT ?? 0, size: LIST_SIZE });
  }
  return ends;
}
