import type { Position, RecordedEvent } from "#domain/event.ts";
import { partitionOf } from "#domain/partition.ts";
import type { MemoryStore } from "#drivers/memory/store.ts";
import { type Consumer, RETIRED, startConsumer } from "#engine/consumer.ts";
import type { DraftEffects } from "#engine/draft.ts";
import type { Engine } from "#engine/engine.ts";
import type { Dice } from "#ports/dice.ts";
import { StoreFault } from "#ports/store.ts";
import type { Life } from "../support/world.ts";
import { int, pick } from "./chance.ts";
import type { Ledger } from "./ledger.ts";
import type { Machine } from "./machine.ts";

/** Chances per batch. Longest stall: longer than a lease of 30 s. */
const FAIL_CHANCE = 0.05;
const SLOW_CHANCE = 0.1;
const SLOW_MS_MAX = 2_000;
const STALL_CHANCE = 0.01;
const STALL_MS_MAX = 45_000;
const TRIES_MAX = 3;
/** One event in so many is poison to a consumer that can be poisoned. */
const POISON_EVERY = 97;
/** Where the mirror notes what it has read. */
export const MIRRORED = "mirrored";
const EVERYTHING = Number.MAX_SAFE_INTEGER;

const NEVER = new Promise<never>(() => {});

/** Each has numbers of partitions of its own, so that a planted bug can tell from a page whose it is. */
type Reader = Pick<Consumer, "name" | "batchMax" | "bisect"> & {
  readonly partitions: readonly number[];
  readonly poisonous: boolean;
  /** Leaves a note of each event in the commit that moves its checkpoint. */
  readonly mirrors: boolean;
  readonly reads: (event: RecordedEvent) => boolean;
};

export const READERS: readonly Reader[] = [
  { name: "mirror", partitions: [3], batchMax: 7, bisect: true, poisonous: true, mirrors: true, reads: () => true },
  {
    name: "line",
    partitions: [1],
    batchMax: 25,
    bisect: false,
    poisonous: false,
    mirrors: false,
    reads: ({ type }) => type.startsWith("message."),
  },
  {
    name: "divided",
    partitions: [2, 4, 5],
    batchMax: 10,
    bisect: true,
    poisonous: false,
    mirrors: false,
    reads: ({ type }) => type !== "message.rendered",
  },
];

/** What one consumer was given, and what it did with it. */
class Seen {
  readonly partitions: number;
  readonly delivered = new Set<Position>();
  readonly handled = new Set<Position>();
  /** Newest event of a key that was delivered, and the one before each. */
  readonly lastOf = new Map<string, Position>();
  readonly before = new Map<Position, Position>();
  readonly failures = new Map<Position, number>();
  /** Every event up to here was handled, or is poison. */
  verified = 0;

  constructor(partitions: number) {
    this.partitions = partitions;
  }
}

/**
 * Real consumers beside the pipeline, with handlers that fail, stall and choke. Checked: every event is handled by each
 * of them at least once, those of one key in order; a checkpoint never passes what was not handled, and what it has
 * passed is not delivered again; what a batch causes is committed once; poison, and nothing else, is a dead letter.
 */
export class Readers {
  readonly #machine: Machine;
  readonly #ledger: Ledger;
  readonly #store: () => MemoryStore;
  readonly #seed: number;
  readonly #seen = new Map<string, Seen>();
  /** Into how many partitions each is divided now. */
  readonly #divided = new Map<string, number>();
  /** Dead letters that somebody has tried again. */
  readonly #redriven = new Set<Position>();
  /** Poison that does no harm any more, because someone mended the handler and re-drove it. */
  readonly #mended = new Set<Position>();

  constructor(seed: number, machine: Machine, ledger: Ledger, store: () => MemoryStore) {
    this.#seed = seed;
    this.#machine = machine;
    this.#ledger = ledger;
    this.#store = store;
    for (const { name, partitions } of READERS) {
      this.#seen.set(name, new Seen(partitions[0] ?? 1));
      this.#divided.set(name, partitions[0] ?? 1);
    }
  }

  /** Jobs that they hold for as long as they live. */
  get partitions(): number {
    return [...this.#divided.values()].reduce((sum, n) => sum + n, 0);
  }

  /** A new process starts them; the store may not answer at first. */
  start(engine: Engine, life: Life): void {
    for (const reader of READERS) void this.#start(reader, engine, life);
  }

  async #start(reader: Reader, engine: Engine, life: Life): Promise<void> {
    const { dice, counts } = this.#machine;
    if (reader.partitions.length > 1 && dice.next() < 0.5) {
      const before = this.#divided.get(reader.name);
      this.#divided.set(reader.name, pick(dice, reader.partitions));
      if (before !== this.#divided.get(reader.name)) counts.add("consumer.divided");
    }
    const consumer = this.#consumer(reader, life);
    while (!life.over && !engine.signal.aborted) {
      try {
        await startConsumer(engine, consumer);
        return;
      } catch (fault) {
        if (!(fault instanceof StoreFault))
          this.#ledger.holds(false, `${reader.name} does not start: ${String(fault)}`);
        await this.#machine.wait(1_000);
      }
    }
  }

  #consumer(reader: Reader, life: Life): Consumer {
    const { name, batchMax, bisect, reads } = reader;
    const partitions = this.#divided.get(name) ?? 1;
    return {
      name,
      startFrom: "earliest",
      batchMax,
      partitions,
      attemptsMax: TRIES_MAX,
      ageMaxMs: null,
      bisect,
      matches: reads,
      handle: (events) => (life.over ? NEVER : this.#handle(reader, partitions, life, events)),
    };
  }

  async #handle(
    reader: Reader,
    partitions: number,
    life: Life,
    events: readonly RecordedEvent[],
  ): Promise<DraftEffects> {
    const seen = this.#seenBy(reader);
    const redriven = events.length === 1 && events.every(({ position }) => this.#redriven.has(position));
    if (!redriven) await this.#delivers(reader, seen, partitions, events);
    const { counts, dice } = this.#machine;
    if (this.#machine.happens(STALL_CHANCE)) {
      counts.add("consumer.stalled");
      await this.#machine.wait(int(dice, STALL_MS_MAX));
    } else if (this.#machine.happens(SLOW_CHANCE)) await this.#machine.wait(int(dice, SLOW_MS_MAX));
    if (life.over) return await NEVER;
    if (events.some((event) => this.#isPoison(reader, event.position))) {
      counts.add("consumer.poisoned");
      throw new Error("cannot read this");
    }
    if (this.#fails(seen, events)) throw new Error("bad luck");
    for (const { position } of events) this.#handles(reader, seen, position, redriven);
    const nowMs = this.#machine.nowMs;
    return !reader.mirrors
      ? {}
      : {
          puts: events.map(({ position }) => {
            return { collection: MIRRORED, id: String(position), body: "1", when: "always" as const, nowMs };
          }),
        };
  }

  /** May these be handed out now, in this order? */
  async #delivers(reader: Reader, seen: Seen, partitions: number, events: readonly RecordedEvent[]): Promise<void> {
    const { name } = reader;
    const partition = partitionOf(events[0]?.key ?? "", partitions);
    const { holds } = this.#ledger;
    // As of this moment: the store answers later, but looks at once.
    const checkpoints = this.#store().checkpoints(name);
    let last = 0;
    for (const { position, key } of events) {
      holds(position > last, `${name} is given ${position} after ${last}`);
      holds(partitionOf(key, partitions) === partition, `${name} is given a stranger's event ${position}`);
      last = position;
      if (seen.delivered.has(position)) {
        this.#machine.counts.add("consumer.redelivered");
        continue;
      }
      seen.delivered.add(position);
      const before = seen.lastOf.get(key);
      holds(before === undefined || before < position, `${name} is given ${position} of ${key} after ${before}`);
      if (before !== undefined) seen.before.set(position, before);
      seen.lastOf.set(key, position);
    }
    const done = (await checkpoints).find((checkpoint) => checkpoint.partition === partition)?.position ?? 0;
    const first = events[0]?.position ?? 0;
    holds(first > done, `${name} is given ${first}, and its checkpoint stands at ${done}`);
  }

  #handles(reader: Reader, seen: Seen, position: Position, redriven: boolean): void {
    this.#machine.counts.add("consumer.handled");
    seen.handled.add(position);
    const before = seen.before.get(position);
    const inOrder = before === undefined || seen.handled.has(before) || this.#wasPoison(reader, before);
    if (!redriven) this.#ledger.holds(inOrder, `${reader.name} has handled ${position} before ${before} of its key`);
  }

  /** Not so often in a row that an event would be given up. */
  #fails(seen: Seen, events: readonly RecordedEvent[]): boolean {
    const first = events[0]?.position ?? 0;
    const failures = seen.failures.get(first) ?? 0;
    if (failures >= TRIES_MAX - 1 || !this.#machine.happens(FAIL_CHANCE)) return false;
    seen.failures.set(first, failures + 1);
    this.#machine.counts.add("consumer.failed");
    return true;
  }

  #wasPoison({ poisonous }: Reader, position: Position): boolean {
    return poisonous && (position + this.#seed) % POISON_EVERY === 0;
  }

  #isPoison(reader: Reader, position: Position): boolean {
    return this.#wasPoison(reader, position) && !this.#mended.has(position);
  }

  /** Somebody mends the handler, or not, and tries one of the dead letters again. Null when there is none. */
  async redrive(dice: Dice): Promise<string | null> {
    const dead = await this.#store().deadJobs({ queue: "consumer:mirror", after: null, limit: 50 });
    if (dead.length === 0) return null;
    const { key } = pick(dice, dead);
    this.#redriven.add(positionOf(key));
    if (dice.next() < 0.7) this.#mended.add(positionOf(key));
    return key;
  }

  /** At a death, and at the end: nothing that a checkpoint has passed is left undone. */
  async passed(store: MemoryStore): Promise<void> {
    await this.#ledger.witness.look(store);
    for (const reader of READERS) {
      const checkpoints = (await store.checkpoints(reader.name)).filter(({ position }) => position < RETIRED);
      // Where it is divided anew just now, they all stand at the same place.
      const least = Math.min(...checkpoints.map(({ position }) => position));
      if (checkpoints.length === 0) continue;
      const seen = this.#seenBy(reader);
      const places = new Map(checkpoints.map(({ partition, position }) => [partition, position]));
      for (const event of this.#ledger.witness.events.slice(seen.verified)) {
        const { position, key } = event;
        const place = places.get(partitionOf(key, checkpoints.length)) ?? 0;
        if (position > place || !reader.reads(event) || this.#wasPoison(reader, position)) continue;
        const isDone = seen.handled.has(position);
        this.#ledger.holds(isDone, `${reader.name}: the checkpoint stands at ${place}, ${position} was not handled`);
      }
      seen.verified = Math.max(seen.verified, least);
    }
  }

  /** Events that the slowest of them has still to read. */
  async lag(store: MemoryStore): Promise<number> {
    const checkpoints = await store.checkpoints(null);
    const slowest = Math.min(...checkpoints.map(({ position }) => position));
    return await store.eventsBehind(slowest, EVERYTHING);
  }

  /** Everybody has read everything, and nothing but poison was given up. */
  async audit(store: MemoryStore): Promise<void> {
    await this.passed(store);
    const { holds } = this.#ledger;
    const lag = await this.lag(store);
    holds(lag === 0, `consumers have ${lag} events still to read at rest`);
    for (const reader of READERS) {
      const { name } = reader;
      const seen = this.#seenBy(reader);
      const letters = await store.deadJobs({ queue: `consumer:${name}`, after: null, limit: EVERYTHING });
      const dead = new Set(letters.map(({ key }) => positionOf(key)));
      for (const position of dead)
        holds(this.#wasPoison(reader, position), `${name} has given up ${position}, which is no poison`);
      for (const event of this.#ledger.witness.events) {
        const { position } = event;
        if (!reader.reads(event)) continue;
        const isDone = seen.handled.has(position) || dead.has(position);
        holds(isDone, `${name} has never handled ${position} (${event.type}), and did not give it up`);
      }
    }
    await this.#once(store);
  }

  async #once(store: MemoryStore): Promise<void> {
    const notes = await store.listDocuments({ collection: MIRRORED, limit: EVERYTHING });
    const { holds } = this.#ledger;
    for (const { id, version } of notes)
      holds(version === 1, `what the event ${id} causes was committed ${version} times`);
    const noted = new Set(notes.map(({ id }) => Number(id)));
    for (const position of this.#seen.get("mirror")?.handled ?? [])
      holds(
        noted.has(position) || this.#mended.has(position),
        `what the event ${position} causes was not committed, and it was handled`,
      );
  }

  #seenBy({ name }: Reader): Seen {
    const seen = this.#seen.get(name);
    if (seen === undefined) throw new Error(`nobody is called ${name}`);
    return seen;
  }
}

/** Of the event of a dead letter, `consumer:mirror#12`. */
function positionOf(key: string): Position {
  return Number(key.slice(key.indexOf("#") + 1));
}
