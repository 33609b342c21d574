import type { Program } from "../support/program.ts";
import type { Dice } from "#ports/dice.ts";
import type { Accepted } from "./audit.ts";

/** Of a hundred sends, so many are delayed, cancelled after a delay, and made with an idempotency key. */
const DELAYED_PERCENT = 10;
const CANCELED_PERCENT = 5;
const KEYED_PERCENT = 15;
/** Some delays end in the same life, some in the next. */
const DELAY_MS_MAX = 2_000;
/** Long enough that a cancellation usually comes in time. */
const CANCEL_DELAY_MS = 1_500;
const content = { title: "Hello", body: "Hello" };

/**
 * What clients of a program do that dies again and again: send, some of it later, take it back, and repeat what was not
 * answered if it has a key. Notes what was promised.
 */
export class Kill9Load {
  readonly accepted = new Map<string, Accepted>();
  /** What must not be, found by a client itself. */
  readonly faults: string[] = [];
  readonly counts = { sends: 0, delayed: 0, canceled: 0, keyed: 0, repeatedAfterLostAnswer: 0 };
  readonly #dice: Dice;
  readonly #unanswered: Keyed[] = [];
  #number = 0;

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  /** Until the program is gone: `inFlight` clients, one call after the other each. */
  async run(program: Program, inFlight: number): Promise<void> {
    await Promise.all(Array.from({ length: inFlight }, () => this.#client(program)));
  }

  /** What nobody answered yet, in the last life. */
  async repeat(program: Program): Promise<void> {
    for (let keyed = this.#unanswered.pop(); keyed !== undefined; keyed = this.#unanswered.pop())
      await this.#sendKeyed(program, keyed);
  }

  async #client(program: Program): Promise<void> {
    try {
      for (;;) {
        const unanswered = this.#unanswered.pop();
        if (unanswered !== undefined) {
          await this.#sendKeyed(program, unanswered);
          continue;
        }
        const kind = this.#dice.next() * 100;
        const to = `k${(this.#number += 1)}@example.com`;
        if (kind < KEYED_PERCENT) await this.#sendKeyed(program, { to, key: `key-${to}`, unanswered: false });
        else if (kind < KEYED_PERCENT + CANCELED_PERCENT) await this.#sendAndCancel(program, to);
        else if (kind < KEYED_PERCENT + CANCELED_PERCENT + DELAYED_PERCENT) {
          await this.#send(program, to, Math.ceil(this.#dice.next() * DELAY_MS_MAX));
          this.counts.delayed += 1;
        } else await this.#send(program, to, 0);
      }
    } catch (error) {
      // fetch: the connection broke, the program is gone.
      if (!(error instanceof TypeError)) this.faults.push(`a client was refused: ${String(error)}`);
    }
  }

  async #send(program: Program, to: string, delayMs: number, headers = {}): Promise<string> {
    const delay = delayMs > 0 ? { delay: { duration: delayMs } } : {};
    const dueMs = performance.now() + delayMs;
    const id = await program.send({ to: { email: to }, content, ...delay }, headers);
    this.accepted.set(id, { to, dueMs, canceled: false });
    this.counts.sends += 1;
    return id;
  }

  async #sendAndCancel(program: Program, to: string): Promise<void> {
    const id = await this.#send(program, to, CANCEL_DELAY_MS);
    const dueMs = performance.now() + CANCEL_DELAY_MS;
    this.accepted.set(id, { to, dueMs: 0, canceled: "perhaps" });
    const { status } = await program.call("POST", `/messages/${id}/cancel`);
    if (status !== 200 && status !== 409) this.faults.push(`cancelling ${id} was answered ${status}`);
    this.accepted.set(id, { to, dueMs: status === 200 ? dueMs : 0, canceled: status === 200 });
    if (status === 200) this.counts.canceled += 1;
  }

  /** Sent again with the same key it is the same request, before and after a death. */
  async #sendKeyed(program: Program, keyed: Keyed): Promise<void> {
    const headers = { "idempotency-key": keyed.key };
    let first: string;
    try {
      first = await this.#send(program, keyed.to, 0, headers);
    } catch (error) {
      if (error instanceof TypeError) this.#unanswered.push({ ...keyed, unanswered: true });
      throw error;
    }
    this.counts.keyed += 1;
    if (keyed.unanswered) this.counts.repeatedAfterLostAnswer += 1;
    const again = await program.send({ to: { email: keyed.to }, content }, headers);
    if (again !== first) this.faults.push(`${keyed.key} was accepted as ${first} and as ${again}`);
  }
}

type Keyed = { readonly to: string; readonly key: string; readonly unanswered: boolean };
