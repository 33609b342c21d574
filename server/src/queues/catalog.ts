import type { Document } from "#domain/document.ts";
import type { Draft } from "#engine/draft.ts";
import type { Engine } from "#engine/engine.ts";
import { type Queue, type QueueBody, QUEUES } from "#queues/queue.ts";

/** How old a definition may be that other nodes can have changed. */
const AGE_MS_MAX = 1_000;
/** From this age on, whoever uses it has it read again beside him, so that a busy queue's never is too old. */
const STALE_MS = 500;

/** A queue and the version of its document. */
export type Listed = { readonly queue: Queue; readonly version: number };

/**
 * The definitions of the queues as this node knows them, so that a send reads nothing. What this process changes is read
 * anew at the next use; what other nodes change, within a second. That a queue is *not* there is always asked of the store.
 */
export class Catalog {
  readonly #engine: Engine;
  readonly #known = new Map<string, Listed & { readonly readMs: number }>();
  readonly #reading = new Map<string, Promise<Listed | null>>();

  constructor(engine: Engine) {
    this.#engine = engine;
    engine.onCommitted((draft) => this.#hear(draft));
  }

  /** @throws {StoreFault} when it had to be read, and could not be. */
  async find(name: string): Promise<Listed | null> {
    const known = this.#known.get(name);
    return known !== undefined && this.#ageMs(known) < AGE_MS_MAX ? known : await this.read(name);
  }

  /** As this node knows it now; null: it does not, which says nothing. Then it is read, for the next who asks. */
  known(name: string): Queue | null {
    const known = this.#known.get(name);
    const ageMs = known === undefined ? Number.POSITIVE_INFINITY : this.#ageMs(known);
    // Whoever asks next is told of the store's trouble by his own question.
    if (ageMs >= STALE_MS) this.read(name).catch(() => {});
    return known === undefined || ageMs >= AGE_MS_MAX ? null : known.queue;
  }

  /** Reads it from the store, whatever is known. */
  read(name: string): Promise<Listed | null> {
    const under = this.#reading.get(name);
    if (under !== undefined) return under;
    const reading: Promise<Listed | null> = this.#read(name, () => this.#reading.get(name) === reading).finally(() => {
      if (this.#reading.get(name) === reading) this.#reading.delete(name);
    });
    this.#reading.set(name, reading);
    return reading;
  }

  async #read(name: string, isLatest: () => boolean): Promise<Listed | null> {
    const { store, clock } = this.#engine.parts;
    const readMs = clock.monotonicMs();
    const [document = null] = await store.documents([{ collection: QUEUES, id: name }]);
    const listed = document === null ? null : { queue: queueOf(document), version: document.version };
    // A change that was committed meanwhile may not be in it.
    if (isLatest()) {
      if (listed === null) this.#known.delete(name);
      else this.#known.set(name, { ...listed, readMs });
    }
    return listed;
  }

  #ageMs({ readMs }: { readonly readMs: number }): number {
    const { store, clock } = this.#engine.parts;
    return store.can.manyNodes ? clock.monotonicMs() - readMs : 0;
  }

  #hear({ puts, deletes }: Draft): void {
    for (const { collection, id } of [...(puts ?? []), ...(deletes ?? [])]) {
      if (collection !== QUEUES) continue;
      this.#known.delete(id);
      this.#reading.delete(id);
    }
  }
}

/** A queue from its document, which only `Definitions` writes. */
export function queueOf({ id, body }: Pick<Document, "id" | "body">): Queue {
  return { name: id, ...(JSON.parse(body) as QueueBody) };
}
