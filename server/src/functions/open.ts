import type { Engine } from "#engine/engine.ts";
import { FunctionBook } from "#functions/book.ts";
import { type FunctionDesk, functionDesk } from "#functions/desk.ts";
import { blobFeeder } from "#functions/feeders/blob.ts";
import { BLOB_QUEUE } from "#functions/feeders/blob-listeners.ts";
import { EVENT_QUEUE, eventFeeder, forgetEventRules } from "#functions/feeders/event.ts";
import { HttpFeeder } from "#functions/feeders/http.ts";
import { keepSchedules, scheduleFeeder } from "#functions/feeders/schedule.ts";
import { queueFeeder } from "#functions/feeders/queue.ts";
import { STREAM_CONSUMER, streamFeeder } from "#functions/feeders/stream.ts";
import { HostInvoker, type Seen } from "#functions/host-invoker.ts";
import type { FunctionsHouse } from "#functions/house.ts";
import { keepInvocations } from "#functions/invocation-log.ts";
import { messagesStage } from "#functions/queue-messages.ts";
import { TalliedInvoker } from "#functions/tallies.ts";
import type { DeclaredFunction } from "#ports/function-host.ts";

export type OpenFunctions = {
  readonly desk: FunctionDesk;
  readonly book: FunctionBook;
  /** Paths of functions, as they are now. */
  readonly routes: HttpFeeder["routes"];
  /** What each function was seen to emit. */
  readonly seen: () => Seen;
  /** Tidies the log of calls until the engine stops. */
  keep(leads: () => boolean): Promise<void>;
};

/** Joins what makes up users' functions. Before the engine starts; `book.reload()` loads them after. */
export function openFunctions(house: FunctionsHouse): OpenFunctions {
  const { engine, host, queues, documents, rules, region } = house;
  const calls = new HostInvoker(house);
  const invoker = new TalliedInvoker(calls, engine.parts.clock);
  engine.addStage(messagesStage(queues));
  const http = new HttpFeeder(engine, invoker);
  const blobs = blobFeeder(engine, invoker);
  const feeders = [
    http,
    queueFeeder(house, invoker),
    eventFeeder(engine, rules, invoker),
    streamFeeder(engine, region, invoker),
    scheduleFeeder(engine, invoker),
    blobs,
  ];
  const book = new FunctionBook({
    ...{ engine, host, documents, feeders },
    loaded: async (declared, faulty) => {
      await forgetEventRules(rules(), declared, faulty);
      await blobs.tidy(declared, faulty);
    },
  });
  const desk = functionDesk({
    ...{ engine, invoker },
    entries: () => book.entries,
    faults: () => book.faults,
    tallyOf: (name) => invoker.of(name),
    waitingFor: (declared) => waitingFor(house, declared),
    reload: () => book.reload(),
  });
  return {
    desk,
    book,
    routes: http.routes,
    seen: () => calls.seen,
    keep: async (leads) => {
      await Promise.all([keepInvocations(engine, leads), keepSchedules(engine, leads, (name) => book.has(name))]);
    },
  };
}

/** What waits for a function, where something does. */
async function waitingFor({ engine, queues }: FunctionsHouse, { name, on }: DeclaredFunction): Promise<number | null> {
  switch (on.kind) {
    case "queue": {
      const counted = await queues.counts(on.queue);
      return counted.kind === "done" ? counted.counts.visible + counted.counts.delayed : null;
    }
    case "event":
      return await depthOf(engine, EVENT_QUEUE + name);
    case "stream":
      return await lagOf(engine, STREAM_CONSUMER + name);
    case "blob":
      return await depthOf(engine, BLOB_QUEUE + name);
    case "http":
    case "schedule":
      return null;
  }
}

async function depthOf({ parts: { store } }: Engine, queue: string): Promise<number> {
  const depths = await store.depths([queue]);
  return depths.reduce((sum, { waiting, ready }) => sum + waiting + ready, 0);
}

/** Events that a reader counts at most. */
const LAG_MAX = 1_000_000;

async function lagOf({ parts: { store } }: Engine, consumer: string): Promise<number> {
  const checkpoints = await store.checkpoints(consumer);
  const slowest = Math.min(...checkpoints.map(({ position }) => position));
  return Number.isFinite(slowest) ? await store.eventsBehind(slowest, LAG_MAX) : 0;
}
