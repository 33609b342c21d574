import type { Engine } from "#engine/engine.ts";
import { keepQueues } from "#queues/broom.ts";
import { Catalog } from "#queues/catalog.ts";
import { Counts } from "#queues/counts.ts";
import { deadLetter } from "#queues/dead-letter.ts";
import { Definitions, unknown } from "#queues/definitions.ts";
import type { QueueDesk } from "#queues/desk.ts";
import { FirstReceives } from "#queues/first-receives.ts";
import type { QueueHouse } from "#queues/house.ts";
import { moveStage } from "#queues/move-stage.ts";
import { Moving } from "#queues/moving.ts";
import { withoutGeneration } from "#queues/queue.ts";
import { Receipts } from "#queues/receipt.ts";
import { Receiving } from "#queues/receiving.ts";
import { Returning } from "#queues/returning.ts";
import { Sending } from "#queues/sending.ts";
import { Sequence } from "#queues/sequence.ts";
import { Tallies } from "#queues/tallies.ts";
import type { Secrets } from "#ports/secrets.ts";

export type Queues = {
  readonly desk: QueueDesk;
  /** Upkeep: runs until the engine stops. */
  keep(leads: () => boolean): Promise<void>;
};

/** Opens the queues on an engine, and gives it the stage that moves dead letters. */
export function openQueues(engine: Engine, secrets: Secrets): Queues {
  const counts = new Counts(engine);
  gaugeReceivers(engine);
  const house: QueueHouse = {
    engine,
    secrets,
    catalog: new Catalog(engine),
    counts,
    sequence: new Sequence(),
    receipts: new Receipts(secrets),
    firstReceives: new FirstReceives(),
    tallies: new Tallies(engine.parts.meter),
  };
  engine.addStage(moveStage(house));
  return { desk: deskOf(house), keep: (leads) => keepQueues(engine, leads) };
}

function gaugeReceivers({ parts: { meter }, lending }: Engine): void {
  meter.gauge("tidings_queue_receivers", "Receives that wait for a message to come (long polls).", () =>
    [...lending.waitingBy(withoutGeneration)].map(([queue, value]) => ({ labels: { queue }, value })),
  );
}

function deskOf(house: QueueHouse): QueueDesk {
  const { catalog, counts } = house;
  const definitions = new Definitions(house.engine);
  const sending = new Sending(house);
  const receiving = new Receiving(house);
  const returning = new Returning(house);
  const moving = new Moving(house, definitions);
  return {
    create: (ask, trace = null) => definitions.create(ask, trace),
    get: async (name) => {
      const listed = await catalog.find(name);
      return listed === null ? unknown(name) : { kind: "done", queue: listed.queue };
    },
    list: (ask) => definitions.list(ask),
    change: (name, ask, trace = null) => definitions.change(name, ask, trace),
    tag: (name, tags, trace = null) => definitions.tag(name, tags, trace),
    remove: (name, trace = null) => definitions.remove(name, trace),
    purge: (name, trace = null) => definitions.purge(name, trace),
    deadLetterSources: async (name, ask) => {
      if ((await catalog.find(name)) === null) return unknown(name);
      return { kind: "done", ...(await definitions.sourcesOf(name, ask)) };
    },
    counts: async (name) => {
      const listed = await catalog.find(name);
      return listed === null ? unknown(name) : { kind: "done", counts: await counts.of(listed.queue) };
    },
    tally: (name) => house.tallies.of(name),
    send: (name, message) => sending.send(name, message),
    sendBatch: (name, messages) => sending.sendBatch(name, messages),
    receive: (name, ask) => receiving.receive(name, ask),
    delete: (name, receipt) => returning.delete(name, receipt),
    deleteBatch: (name, receipts) => returning.deleteBatch(name, receipts),
    changeVisibility: (name, receipt, visibilityMs) => returning.changeVisibility(name, { receipt, visibilityMs }),
    changeVisibilityBatch: (name, changes) => returning.changeVisibilityBatch(name, changes),
    startMove: (ask, trace = null) => moving.start(ask, trace),
    listMoves: (source, limit) => moving.list(source, limit),
    cancelMove: (id, trace = null) => moving.cancel(id, trace),
    draftMessage: (name, message, id) => sending.draft(name, message, id),
    draftOnce: (name, message, id) => sending.draftOnce(name, message, id),
    deadLetter: (message) => deadLetter(house, message),
    known: (name) => catalog.known(name),
  };
}
