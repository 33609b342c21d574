import {
  type Changed,
  type Decision,
  change,
  happened,
  noChanges,
  type Origin,
  unchanged,
  write,
} from "#engine/change.ts";
import type { Document } from "#domain/document.ts";
import type { Draft } from "#engine/draft.ts";
import type { Engine } from "#engine/engine.ts";
import { errorText } from "#engine/error-text.ts";
import { sleep } from "#engine/sleep.ts";
import { journalled, type WholeEvent } from "#rules/journalled.ts";

/** Events that did not fit their schema and wait for somebody's word: id = `quarantineId`, body = `KeptAside`. */
export const QUARANTINE = "quarantine";

type KeptAside = { readonly event: WholeEvent; readonly says: string; readonly sinceMs: number };

/** An event that waits. `key` names it in calls. */
export type Quarantined = KeptAside & { readonly key: string };

/** Enough of a digest that no two events have the same. */
const KEY_CHARS = 32;

/** Keeps an event aside. The same event coming again finds itself there. */
export function quarantineDraft(
  event: WholeEvent,
  says: string,
  nowMs: number,
  digest: (text: string) => string,
): Draft {
  // Neither may have a line break, so no two pairs look the same.
  const id = digest(`${event.source}\n${event.id}`).slice(0, KEY_CHARS);
  const body: KeptAside = { event, says, sinceMs: nowMs };
  const { source, type, traceparent } = event;
  const told = { source, type, id: event.id, says };
  return {
    puts: [
      {
        collection: QUARANTINE,
        id,
        body: JSON.stringify(body),
        terms: [
          ["type", type],
          ["source", source],
        ],
        when: "absent",
        nowMs,
      },
    ],
    events: [happened("event.quarantined", id, told, { nowMs, origin: { once: null, traceparent } })],
  };
}

/** How long an event waits for somebody's word; whoever has not looked for so long is not going to. */
const WAIT_MS_MAX = 30 * 24 * 60 * 60 * 1000;
/** How often those that waited too long are looked for, and how many at a time. */
const TRIM_EVERY_MS = 60 * 60 * 1000;
const TRIM_PAGE = 200;

/** What was kept aside: looked through, released or dropped. */
export class Quarantine {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** By key, strictly behind `after`; of one type if given. */
  async list(ask: { readonly type: string | null; readonly after: string | null; readonly limit: number }): Promise<{
    readonly events: readonly Quarantined[];
    readonly next: string | null;
  }> {
    const { type, after, limit } = ask;
    const found = await this.#engine.parts.store.listDocuments({
      collection: QUARANTINE,
      ...(type === null ? {} : { term: ["type", type] as const }),
      after,
      limit: limit + 1,
    });
    const page = found.slice(0, limit);
    return { events: page.map(read), next: found.length > limit ? (page.at(-1)?.id ?? null) : null };
  }

  async get(key: string): Promise<Quarantined | null> {
    const [document] = await this.#engine.parts.store.documents([{ collection: QUARANTINE, id: key }]);
    return document == null ? null : read(document);
  }

  /** Accepts it now, as it is, whatever its schema says; null when nothing of this key waits. */
  release(key: string, origin: Origin): Promise<Changed<Quarantined | null>> {
    return this.#settle(key, origin, "event.released");
  }

  /** Forgets it; null when nothing of this key waits. */
  drop(key: string, origin: Origin): Promise<Changed<Quarantined | null>> {
    return this.#settle(key, origin, "event.dropped");
  }

  /**
   * Forgets what has waited for thirty days, until the engine stops.
   * @param leads of many nodes one is enough for it.
   */
  async trimAlways(leads: () => boolean): Promise<void> {
    const { clock, log } = this.#engine.parts;
    for (;;) {
      await sleep(clock, TRIM_EVERY_MS, this.#engine.signal);
      if (this.#engine.signal.aborted) return;
      if (!leads()) continue;
      try {
        await this.trim();
      } catch (fault) {
        log.warn("The quarantine could not be cut back; the next round will", { error: errorText(fault) });
      }
    }
  }

  /** Forgets what has waited too long; answers how many. */
  async trim(): Promise<number> {
    const { store, clock } = this.#engine.parts;
    let dropped = 0;
    for (let after: string | null = null; ; ) {
      const page: readonly Document[] = await store.listDocuments({ collection: QUARANTINE, after, limit: TRIM_PAGE });
      const old = page.filter(({ createdMs }) => createdMs < clock.nowMs() - WAIT_MS_MAX);
      if (old.length > 0) {
        await this.#engine.commit({ deletes: old.map(({ id }) => ({ collection: QUARANTINE, id })) });
      }
      dropped += old.length;
      after = page.at(-1)?.id ?? null;
      if (page.length < TRIM_PAGE || this.#engine.signal.aborted) return dropped;
    }
  }

  #settle(id: string, origin: Origin, type: "event.released" | "event.dropped"): Promise<Changed<Quarantined | null>> {
    const { store, clock } = this.#engine.parts;
    const key = { collection: QUARANTINE, id };
    return change(
      this.#engine,
      async (): Promise<Decision<Quarantined | null>> => {
        const [document = null] = await store.documents([key]);
        const changes = noChanges();
        if (document === null) return write(changes, null);
        const kept = read(document);
        const { source, type: eventType, id: eventId } = kept.event;
        changes.expect.push(unchanged(key, document));
        changes.deletes.push(key);
        if (type === "event.released") changes.events.push(journalled(kept.event));
        const told = { source, type: eventType, id: eventId };
        changes.events.push(happened(type, id, told, { nowMs: clock.nowMs(), origin }));
        return write(changes, kept);
      },
      origin,
    );
  }
}

function read({ id, body }: Document): Quarantined {
  // Only `quarantineDraft` writes the collection.
  return { key: id, ...(JSON.parse(body) as KeptAside) };
}
