import { DEFAULT_BUS, OWN_BUS } from "#domain/arn.ts";
import type { Position } from "#domain/event.ts";
import { errorText } from "#engine/error-text.ts";
import type { Log } from "#ports/log.ts";
import type { Store } from "#ports/store.ts";
import { BusIndex } from "#rules/bus-index.ts";
import { ARCHIVE_COUNTS, type ArchiveBody, type ArchiveCount, archivePrefix, LIVE } from "#rules/collections.ts";
import type { EventView } from "#rules/event-view.ts";
import { type LiveThing, thingOf } from "#rules/live-thing.ts";

/** Documents read at once: with rules of a few KB each, a page of some MB. */
const PAGE = 1_000;
/** Ids of the documents in `LIVE` that are no things begin so, and no thing's does. */
export const CURSOR_ID = "~cursor";

/** Id of the document that says up to which place events are held back, since a backup was restored; body `HeldBack`. */
export const HELD_ID = "~held";

export type HeldBack = { readonly upTo: Position };

/** How many effects of an event, which has too many for one commit, are committed already. */
export type Cursor = { readonly position: Position; readonly done: number };

/** All that looks at events at one place of the journal, compiled and indexed, in memory. */
export class LiveSet {
  readonly #log: Log;
  readonly #things = new Map<string, LiveThing>();
  readonly #buses = new Map<string, BusIndex>();
  readonly #counts = new Map<string, ArchiveCount>();
  cursor: Cursor | null = null;
  heldBack: HeldBack | null = null;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Reads the documents, as they were committed with the matcher's checkpoint. */
  static async load(store: Store, log: Log, region: string): Promise<LiveSet> {
    const set = new LiveSet(log);
    for (let after: string | null = null; ; ) {
      const page = await store.listDocuments({ collection: LIVE, after, limit: PAGE });
      for (const { id, body } of page) {
        if (id === CURSOR_ID) set.cursor = JSON.parse(body) as Cursor;
        else if (id === HELD_ID) set.heldBack = JSON.parse(body) as HeldBack;
        else set.put(id, thingOf(id, body, region));
      }
      const last = page.at(-1);
      if (page.length < PAGE || last === undefined) break;
      after = last.id;
    }
    const archives = [...set.#things.values()].flatMap((thing) => (thing.kind === "archive" ? [thing.archive] : []));
    const keys = archives.map((archive) => ({ collection: ARCHIVE_COUNTS, id: `${archivePrefix(archive)}in` }));
    for (const document of await store.documents(keys)) {
      if (document !== null) set.#counts.set(document.id, JSON.parse(document.body) as ArchiveCount);
    }
    return set;
  }

  get size(): number {
    return this.#things.size;
  }

  /** Whether anything looks at our own events, which are passed over otherwise. */
  get watchesOwn(): boolean {
    return this.#buses.has(OWN_BUS);
  }

  /** Whether anything at all looks at the events of the bus that most are on. */
  get watchesDefault(): boolean {
    return this.#buses.has(DEFAULT_BUS);
  }

  has(id: string): boolean {
    return this.#things.has(id);
  }

  /** Puts a thing in the place of the one with its id; null: takes that away. */
  put(id: string, thing: LiveThing | null): void {
    const before = this.#things.get(id);
    if (before !== undefined) this.#forget(before);
    if (thing === null) return;
    let index = this.#buses.get(thing.bus);
    if (index === undefined) this.#buses.set(thing.bus, (index = new BusIndex()));
    try {
      index.add(id, thing.pattern);
    } catch (thrown) {
      // It was checked when it was put, by a version that took it.
      this.#log.error("A rule's pattern cannot be read any more; it matches nothing", { id, error: errorText(thrown) });
    }
    this.#things.set(id, thing);
  }

  /** What matches an event on a bus, in the order of ids. */
  match(bus: string, view: EventView): readonly LiveThing[] {
    const ids = this.#buses.get(bus)?.match(view) ?? NONE;
    if (ids.length === 0) return NOTHING;
    const sorted = ids.length === 1 ? ids : ids.toSorted();
    return sorted.flatMap((id) => this.#things.get(id) ?? []);
  }

  /** Counts an event into an archive. */
  count(archive: ArchiveBody, bytes: number): { readonly id: string; readonly count: ArchiveCount } {
    const id = `${archivePrefix(archive)}in`;
    const before = this.#counts.get(id) ?? { events: 0, bytes: 0 };
    const count = { events: before.events + 1, bytes: before.bytes + bytes };
    this.#counts.set(id, count);
    return { id, count };
  }

  #forget(thing: LiveThing): void {
    this.#things.delete(thing.id);
    const index = this.#buses.get(thing.bus);
    index?.remove(thing.id);
    if (index?.size === 0) this.#buses.delete(thing.bus);
  }
}

const NONE: readonly string[] = [];
const NOTHING: readonly LiveThing[] = [];
