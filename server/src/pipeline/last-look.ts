import type { DocumentKey } from "#domain/document.ts";
import type { Clock } from "#ports/clock.ts";
import type { Store } from "#ports/store.ts";

/** What must still be as it was when a message was routed: a subscription there, a suppression not. */
export type Standing = { readonly key: DocumentKey; readonly isThere: boolean };

/** Reads under way at once; who comes meanwhile goes with the next. */
const LOOKS_MAX = 4;
/** Between the beginnings of two reads: under load several messages share one, and a lone message waits for nobody. */
const GAP_MS = 2;
/** Names in one read. */
const KEYS_MAX = 1_000;

/**
 * "Nothing after no", across nodes: at the last moment before a provider is called, whether a no was committed by
 * another node since the message was routed. Strict and without memory: what counts is what the store says in a read
 * that begins after the question. Questions of about the same moment are one read.
 */
export class LastLook {
  readonly #store: Pick<Store, "documents">;
  #waiting: Question[] = [];
  readonly #clock: Clock;
  #looks = 0;
  #soon = false;
  #begunMs = Number.NEGATIVE_INFINITY;

  constructor(store: Pick<Store, "documents">, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** For each message whether everything still stands. @throws {StoreFault} when the store cannot say. */
  ask(messages: readonly (readonly Standing[])[]): Promise<readonly boolean[]> {
    return Promise.all(messages.map((standings) => this.#ask(standings)));
  }

  #ask(standings: readonly Standing[]): Promise<boolean> {
    if (standings.length === 0) return Promise.resolve(true);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ standings, resolve, reject });
      this.#lookSoon();
    });
  }

  #lookSoon(): void {
    if (this.#soon || this.#looks >= LOOKS_MAX) return;
    this.#soon = true;
    const look = (): void => {
      this.#soon = false;
      void this.#look();
    };
    const waitMs = this.#begunMs + GAP_MS - this.#clock.monotonicMs();
    if (waitMs > 0) this.#clock.after(waitMs, look);
    else queueMicrotask(look);
  }

  async #look(): Promise<void> {
    const questions = this.#take();
    if (questions.length === 0) return;
    this.#looks += 1;
    this.#begunMs = this.#clock.monotonicMs();
    if (this.#waiting.length > 0) this.#lookSoon();
    try {
      const keys = questions.flatMap(({ standings }) => standings.map(({ key }) => key));
      const found = (await this.#store.documents(keys)).values();
      for (const { standings, resolve } of questions) {
        let stands = true;
        for (const { isThere } of standings) if (((found.next().value ?? null) !== null) !== isThere) stands = false;
        resolve(stands);
      }
    } catch (fault) {
      for (const { reject } of questions) reject(fault);
    } finally {
      this.#looks -= 1;
      if (this.#waiting.length > 0) this.#lookSoon();
    }
  }

  #take(): readonly Question[] {
    let keys = 0;
    const next = this.#waiting.findIndex(({ standings }) => (keys += standings.length) > KEYS_MAX);
    const taken = next === -1 ? this.#waiting : this.#waiting.slice(0, Math.max(1, next));
    this.#waiting = next === -1 ? [] : this.#waiting.slice(taken.length);
    return taken;
  }
}

type Question = {
  readonly standings: readonly Standing[];
  readonly resolve: (stands: boolean) => void;
  readonly reject: (fault: unknown) => void;
};
