import assert from "node:assert/strict";
import { ManualClock } from "#drivers/memory/manual-clock.ts";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { type MemoryStore, openMemoryStore } from "#drivers/memory/store.ts";
import { systemSecrets } from "#drivers/system/secrets.ts";
import { Engine } from "#engine/engine.ts";
import type { Done, QueueDesk, ReceiveAsk } from "#queues/desk.ts";
import type { NewQueueMessage, ReceivedMessage } from "#queues/message.ts";
import type { QueueAttributesAsk, QueueCounts } from "#queues/queue.ts";
import { openQueues } from "#queues/queues.ts";
import { silentLog } from "#ports/log.ts";
import { silentMeter } from "#ports/meter.ts";
import type { Store } from "#ports/store.ts";

export const NOBODY_GOES = new AbortController().signal;

/** Where the queues lie, and how the store comes back when its process has ended. */
export type StorePlace = {
  readonly store: Store;
  readonly again: () => Promise<StorePlace>;
  /** Of a store whose answers come from outside: waits for all that it was asked; false when that was nothing. */
  readonly answered?: () => Promise<boolean>;
};

export function inMemory(store: MemoryStore): StorePlace {
  return { store, again: async () => inMemory(store.crash()) };
}

/** Queues over a store (in memory if none is given), with time that passes only when a test says so. */
export class QueueBench {
  readonly clock: ManualClock;
  #place: StorePlace;
  engine: Engine;
  desk: QueueDesk;
  /** No two processes throw the same dice. */
  #life = 0;

  constructor(given: { readonly clock?: ManualClock; readonly store?: MemoryStore; readonly place?: StorePlace } = {}) {
    this.clock = given.clock ?? new ManualClock();
    this.#place = given.place ?? inMemory(given.store ?? openMemoryStore({ clock: this.clock }));
    ({ engine: this.engine, desk: this.desk } = this.#open());
  }

  get store(): Store {
    return this.#place.store;
  }

  async start(): Promise<this> {
    await this.engine.start();
    await this.quiet();
    return this;
  }

  /** The process dies, and another opens the store. */
  async crash(): Promise<void> {
    const left = this.engine;
    this.#place = await this.#place.again();
    // No process begins in the millisecond in which another ended.
    this.clock.advance(1);
    ({ engine: this.engine, desk: this.desk } = this.#open());
    void left.stop(0);
    await this.start();
  }

  async quiet(): Promise<void> {
    do {
      for (let turn = 0; turn < 150; turn += 1) {
        this.clock.advance(0);
        await Promise.resolve();
      }
    } while ((await this.#place.answered?.()) === true);
  }

  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    await this.quiet();
  }

  /** Waits for something that needs no time but the clock's shortest turns. */
  async wait<T>(promise: Promise<T>): Promise<T> {
    let over = false;
    const settled = promise.finally(() => {
      over = true;
    });
    settled.catch(() => {});
    for (let turns = 0; !over; turns += 1) {
      assert(turns < 100, "it waits for time to pass");
      await this.quiet();
    }
    return await settled;
  }

  async make(name: string, attributes: QueueAttributesAsk = {}): Promise<void> {
    done(await this.wait(this.desk.create({ name, fifo: name.endsWith(".fifo"), attributes, tags: {} })));
  }

  async send(queue: string, body: string, given: Partial<NewQueueMessage> = {}): Promise<string> {
    const sent = await this.wait(this.desk.send(queue, { body, sender: "test", ...given }));
    assert(sent.kind === "sent", JSON.stringify(sent));
    return sent.id;
  }

  async receive(queue: string, ask: Partial<ReceiveAsk> = {}): Promise<readonly ReceivedMessage[]> {
    return done(await this.wait(this.poll(queue, ask))).messages;
  }

  poll(queue: string, ask: Partial<ReceiveAsk> = {}) {
    return this.desk.receive(queue, { max: 10, visibilityMs: null, waitMs: 0, signal: NOBODY_GOES, ...ask });
  }

  async bodies(queue: string, ask: Partial<ReceiveAsk> = {}): Promise<readonly string[]> {
    return (await this.receive(queue, ask)).map(({ body }) => body);
  }

  async delete(queue: string, { receipt }: Pick<ReceivedMessage, "receipt">): Promise<void> {
    done(await this.wait(this.desk.delete(queue, receipt)));
  }

  async counts(queue: string): Promise<readonly [visible: number, inFlight: number, delayed: number]> {
    const { visible, inFlight, delayed }: QueueCounts = done(await this.wait(this.desk.counts(queue))).counts;
    return [visible, inFlight, delayed];
  }

  async events(): Promise<readonly string[]> {
    const { events } = await this.wait(this.store.readJournal({ after: 0, limit: 10_000 }));
    return events.map(({ type, subject }) => `${type} ${subject}`);
  }

  #open() {
    const { store, clock } = this;
    this.#life += 1;
    const engine = new Engine({ store, clock, dice: seededDice(this.#life), log: silentLog, meter: silentMeter });
    return { engine, desk: openQueues(engine, systemSecrets(new Uint8Array(32).fill(7))).desk };
  }
}

/** What was done; a fault fails the test. */
export function done<Value extends object>(outcome: Done<Value>): { readonly kind: "done" } & Value {
  assert(outcome.kind === "done", JSON.stringify(outcome));
  return outcome;
}

/** The code of a fault; whatever was done fails the test. */
export function faultOf(outcome: { readonly kind: string }): string {
  assert(outcome.kind === "fault" && "code" in outcome, JSON.stringify(outcome));
  return String(outcome.code);
}
