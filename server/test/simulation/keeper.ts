import type { RecordedEvent } from "#domain/event.ts";
import type { RequestId } from "#domain/ids.ts";
import type { MessageRecord } from "#domain/message.ts";
import type { MemoryStore } from "#drivers/memory/store.ts";
import { RETIRED } from "#engine/consumer.ts";
import type { Retention } from "#engine/upkeep.ts";
import type { BlobStore } from "#ports/blob-store.ts";
import type { Clock } from "#ports/clock.ts";
import type { Checkpoint, Store } from "#ports/store.ts";
import type { Counts } from "./coverage.ts";
import type { Ledger } from "./ledger.ts";
import { altered } from "./slow-store.ts";

const MINUTE_MS = 60_000;

/** Short, so that much is forgotten while everything else goes on; in every other seed requests outlive the rest. */
export function retentionOf(seed: number): Retention {
  return {
    messagesAgeMaxMs: seed % 2 === 0 ? 6 * MINUTE_MS : 300 * MINUTE_MS,
    journalAgeMaxMs: 4 * MINUTE_MS,
    journalEventsMax: 600,
    evenUnread: false,
  };
}

const EVERYTHING = Number.MAX_SAFE_INTEGER;
/** Blobs that a request's row names, whatever they are for. */
const BLOB_NAMES = /"(?:\$blob|blob)":"([^"]+)"/g;

/** A round that forgets requests, from before it until it is known what is gone. */
type Trim = { readonly before: readonly MessageRecord[]; readonly olderThanMs: number };

/** Looks what upkeep sweeps away: never what lives, what is young, or what a consumer has still to read. */
export class Keeper {
  readonly #ledger: Ledger;
  readonly #counts: Counts;
  readonly #retention: Retention;
  readonly #clock: () => Clock;
  #trim: Trim | null = null;

  constructor(ledger: Ledger, counts: Counts, retention: Retention, clock: () => Clock) {
    this.#ledger = ledger;
    this.#counts = counts;
    this.#retention = retention;
    this.#clock = clock;
  }

  /** The store of one process, under the eyes of the keeper. */
  watch(store: MemoryStore): Store {
    return altered(store, {
      commit: async (units) => {
        try {
          return await store.commit(units);
        } finally {
          // Whoever is called next is judged by what is known by then.
          await this.#ledger.witness.look(store);
        }
      },
      claim: async (asks, leaseMs) => {
        const jobs = await store.claim(asks, leaseMs);
        for (const { key } of jobs) this.#ledger.claimed(key);
        return jobs;
      },
      trimRequests: async (ask) => {
        await this.#ledger.witness.look(store);
        const olderThanMs = this.#clock().nowMs() - this.#retention.messagesAgeMaxMs;
        this.#trim = { before: await allMessages(store), olderThanMs };
        // Asked in one breath, so that nothing happens in between; the first answer is kept in case of a death.
        const [before, trimmed] = await Promise.all([allMessages(store), store.trimRequests(ask)]);
        this.#trim = { ...this.#trim, before };
        await this.#trimmed(store);
        this.#counts.add("retention.requests", trimmed.deleted);
        return trimmed;
      },
      trimJournal: async (upTo, olderThanMs, limit) => {
        await this.#ledger.witness.look(store);
        const [checkpoints, before, trimmed, after] = await Promise.all([
          store.checkpoints(null),
          store.readJournal({ after: 0, limit: EVERYTHING }),
          store.trimJournal(upTo, olderThanMs, limit),
          store.readJournal({ after: 0, limit: EVERYTHING }),
        ]);
        this.#onlyRead(checkpoints, before.events, after.events);
        this.#counts.add("retention.events", trimmed);
        return trimmed;
      },
      sweep: async (limit) => {
        const swept = await store.sweep(limit);
        this.#counts.add("retention.keys", swept);
        return swept;
      },
    });
  }

  /** The process has died, perhaps in the middle of forgetting. */
  async died(store: MemoryStore): Promise<void> {
    if (this.#trim !== null) await this.#trimmed(store);
  }

  async #trimmed(store: MemoryStore): Promise<void> {
    if (this.#trim === null) return;
    const { before, olderThanMs } = this.#trim;
    const accepted = this.#ledger.acceptedIds();
    const [after, rows] = await Promise.all([allMessages(store), store.requests(accepted)]);
    const left = new Set(after.map(({ id }) => id));
    const gone = before.filter(({ id }) => !left.has(id));
    await this.#ledger.witness.look(store);
    const jobs = await store.jobs(gone.map(({ id }) => id));
    const dead = await Promise.all(gone.map(({ id }) => store.deadJob(id)));
    this.#trim = null;
    for (const [at, message] of gone.entries())
      this.#ledger.forgets(message, olderThanMs, (jobs[at] ?? dead[at] ?? null) !== null);
    this.#ledger.forgetsRequests(
      accepted.filter((_, at) => rows[at] === null),
      olderThanMs,
    );
    this.#counts.add("retention.messages", gone.length);
  }

  #onlyRead(
    checkpoints: readonly Checkpoint[],
    before: readonly RecordedEvent[],
    after: readonly RecordedEvent[],
  ): void {
    const left = new Set(after.map(({ position }) => position));
    const read = checkpoints.filter(({ position }) => position < RETIRED).map(({ position }) => position);
    const readUpTo = Math.min(...read);
    for (const { position } of before)
      if (!left.has(position))
        this.#ledger.holds(
          position <= readUpTo,
          `event ${position} is trimmed, and a consumer has only read ${readUpTo}`,
        );
  }
}

/** Every message of the store, acknowledged or not, archived or not, as of now. */
export async function allMessages(store: Store): Promise<readonly MessageRecord[]> {
  const page = await store.listMessages({ archived: true }, { after: null, limit: EVERYTHING });
  return page.messages;
}

/** Every blob that a request in the store names is there. */
export async function noneDangles(store: MemoryStore, blobs: BlobStore, ledger: Ledger): Promise<void> {
  const messages = await allMessages(store);
  const ids = new Set<RequestId>([...ledger.acceptedIds(), ...messages.map(({ requestId }) => requestId)]);
  for (const request of await store.requests([...ids]))
    for (const [, id = ""] of request?.body.matchAll(BLOB_NAMES) ?? [])
      ledger.holds((await blobs.get(id)) !== null, `${request?.id} names the blob ${id}, which is gone`);
}
