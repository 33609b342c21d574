import type { DefinedFunction } from "tidings";
import { openDirectory } from "#directory/directory.ts";
import { DocumentDesk } from "#documents/desk.ts";
import { storeCollection } from "#documents/names.ts";
import type { NewEvent, RecordedEvent } from "#domain/event.ts";
import type { DeadJob } from "#domain/job.ts";
import type { JsonObject } from "#domain/json.ts";
import { openMemoryBlobStore } from "#drivers/memory/blob-store.ts";
import { inlineHost } from "#drivers/inline/host.ts";
import type { Engine } from "#engine/engine.ts";
import { functionTarget } from "#functions/feeders/event.ts";
import { type OpenFunctions, openFunctions } from "#functions/open.ts";
import type { Pipeline } from "#pipeline/pipeline.ts";
import type { FunctionHost } from "#ports/function-host.ts";
import type { Log } from "#ports/log.ts";
import { type Store, StoreFault, type Unit } from "#ports/store.ts";
import type { Done as QueueDone, QueueDesk } from "#queues/desk.ts";
import type { QueueFault } from "#queues/fault.ts";
import type { NewQueueMessage } from "#queues/message.ts";
import { openQueues } from "#queues/queues.ts";
import type { QueueAttributesAsk, QueueCounts } from "#queues/queue.ts";
import { EventDesk } from "#rules/event-desk.ts";
import { type OpenRules, openRules } from "#rules/open-desk.ts";
import { EventJudge } from "#schemas/judge.ts";
import { SchemaDesk } from "#schemas/schema-desk.ts";
import { sendReader } from "#app/read-send.ts";
import { testSecrets, World } from "./world.ts";

export const REGION = "eu-north-1";

/** What stands beside the pipeline in one process that has functions. */
export type FunctionsOf = {
  readonly engine: Engine;
  readonly queues: QueueDesk;
  readonly events: EventDesk;
  readonly rules: OpenRules;
  readonly schemas: SchemaDesk;
  readonly documents: DocumentDesk;
  readonly functions: OpenFunctions;
  /** Begins to match and to call functions, and to tidy up, until the engine stops. @throws {StoreFault} */
  start(): Promise<void>;
};

/** Joins everything that functions need to an engine that has not started. */
export function openFunctionsOn(engine: Engine, pipeline: Pipeline, host: FunctionHost): FunctionsOf {
  const queues = openQueues(engine, testSecrets);
  const schemas = new SchemaDesk(engine);
  const events = new EventDesk(engine, testSecrets, new EventJudge(engine, schemas));
  const documents = new DocumentDesk(engine);
  const rules: OpenRules = openRules({
    engine,
    secrets: testSecrets,
    queues: queues.desk,
    kinds: [functionTarget(engine)],
    region: REGION,
  });
  // Nobody here has files.
  const blobs = openMemoryBlobStore({ clock: engine.parts.clock });
  const functions = openFunctions({
    ...{ engine, host, documents, events, blobs, secrets: testSecrets, queues: queues.desk, rules: () => rules.desk },
    ...{ send: pipeline.accept, readSend: sendReader(), region: REGION },
    subscriptions: openDirectory(engine, testSecrets).subscriptions,
  });
  const always = (): boolean => true;
  return {
    ...{ engine, events, rules, schemas, documents, functions, queues: queues.desk },
    start: async () => {
      await rules.start();
      await functions.book.reload();
      void queues.keep(always);
      void rules.keep(always);
      void functions.keep(always);
    },
  };
}

export type FunctionsWish = {
  readonly attributes?: Readonly<Record<string, QueueAttributesAsk>>;
  readonly host?: (inline: FunctionHost) => FunctionHost;
  readonly wrap?: (store: Store) => Store;
  readonly log?: Log;
  readonly beside?: FunctionsWorld;
};

type Functions = Readonly<Record<string, DefinedFunction>>;

/** Functions over a store in memory, by a clock that a test moves; what they are may change while it runs. */
export class FunctionsWorld {
  /** Read anew by `reload`. */
  functions: Functions;
  readonly world: World;
  /** Called with the number of each commit, before it (false) and after it (true); may call `die`, or throw a StoreFault. */
  onCommit: (commit: number, isDone: boolean, units: readonly Unit[]) => void = () => {};
  commits = 0;
  #of: FunctionsOf | null = null;

  constructor(functions: Functions, { host = (inline) => inline, wrap, log, beside }: FunctionsWish = {}) {
    this.functions = functions;
    const id = beside === undefined ? undefined : "second";
    const isShared = beside !== undefined;
    this.world = new World({
      ...(wrap === undefined ? {} : { wrap }),
      ...(log === undefined ? {} : { log }),
      ...(isShared ? { node: { id: id ?? "second", beside: beside.world } } : {}),
      faults: {
        before: (units) => this.onCommit((this.commits += 1), false, units),
        after: (units) => this.onCommit(this.commits, true, units),
      },
      join: (engine, pipeline) => {
        const inline: FunctionHost = {
          load: () => this.#inline(engine).load(),
          use: () => {},
          invoke: (call, reads, signal) => this.#inline(engine).invoke(call, reads, signal),
          onChanged: () => () => {},
          [Symbol.asyncDispose]: () => Promise.resolve(),
        };
        this.#of = openFunctionsOn(engine, pipeline, host(inline));
      },
    });
  }

  /** Queues that are named with attributes are there before any function is. */
  static async start(functions: Functions, wish: FunctionsWish = {}): Promise<FunctionsWorld> {
    const world = new FunctionsWorld(functions, wish);
    await world.world.start();
    for (const [name, attributes] of Object.entries(wish.attributes ?? {})) await world.queue(name, attributes);
    await world.world.settle(world.of.start());
    return world;
  }

  get of(): FunctionsOf {
    if (this.#of === null) throw new Error("it was not started");
    return this.#of;
  }

  get store(): Store {
    return this.world.store;
  }

  get book() {
    return this.of.functions.book;
  }

  /** The process dies now; whatever it still waits for is never answered. For use in `onCommit`. */
  die(): never {
    this.world.die();
    throw new StoreFault("store.failed", "died");
  }

  /** Another process goes on with what was committed; it is over with the one before. */
  async restart(): Promise<void> {
    await this.world.restart();
    await this.world.settle(this.of.start());
  }

  async reload(functions?: Functions) {
    if (functions !== undefined) this.functions = functions;
    return await this.stopping(this.book.reload());
  }

  async queue(name: string, attributes: QueueAttributesAsk = {}): Promise<void> {
    const ask = { name, fifo: name.endsWith(".fifo"), attributes, tags: {} };
    good(await this.world.settle(this.of.queues.create(ask)));
  }

  /** Bodies, each a message of its own. @returns their ids. */
  async put(queue: string, ...bodies: readonly (string | Partial<NewQueueMessage>)[]): Promise<readonly string[]> {
    const messages = bodies.map(
      (one): NewQueueMessage => ({ body: "", sender: "test", ...(typeof one === "string" ? { body: one } : one) }),
    );
    const ids: string[] = [];
    for (let at = 0; at < messages.length; at += 10) {
      const { sent } = good(await this.world.settle(this.of.queues.sendBatch(queue, messages.slice(at, at + 10))));
      for (const one of sent) {
        if (one.kind !== "sent") throw new Error(`not sent: ${JSON.stringify(one)}`);
        ids.push(one.id);
      }
    }
    await this.quiet();
    return ids;
  }

  async append(...events: readonly NewEvent[]): Promise<void> {
    await this.world.settle(this.of.engine.commit({ events }));
    await this.quiet();
  }

  async quiet(turns = 300): Promise<void> {
    await this.world.quiet(turns);
  }

  async pass(ms: number, stepMs = 500): Promise<void> {
    await this.quiet();
    await this.world.pass(ms, stepMs);
    await this.quiet();
  }

  /** Waits for something that needs time. */
  async stopping<T>(promise: Promise<T>): Promise<T> {
    let over = false;
    const settled = promise.finally(() => (over = true));
    settled.catch(() => {});
    while (!over) {
      await this.quiet(30);
      if (!over) await this.world.pass(10, 10);
    }
    return await settled;
  }

  /** Events that functions raised, oldest first. */
  async raised(type: string | null = null): Promise<readonly RecordedEvent[]> {
    const { events } = await this.store.readJournal({ after: 0, limit: 1_000_000 });
    return events.filter((event) => event.source.startsWith("/functions/") && (type === null || event.type === type));
  }

  /** Their data. */
  async said(type: string | null = null): Promise<readonly unknown[]> {
    return (await this.raised(type)).map(({ data }) => JSON.parse(data));
  }

  async dead(queue: string | null = null): Promise<readonly DeadJob[]> {
    return await this.store.deadJobs({ queue, after: null, limit: 1_000 });
  }

  async document(collection: string, id: string): Promise<JsonObject | null> {
    const [found = null] = await this.store.documents([{ collection: storeCollection(collection), id }]);
    // Users' documents are objects.
    return found === null ? null : (JSON.parse(found.body) as JsonObject);
  }

  async counts(queue: string): Promise<QueueCounts> {
    // What is counted may be a second old.
    await this.world.pass(1_500);
    return good(await this.world.settle(this.of.queues.counts(queue))).counts;
  }

  /** What lies in a queue now, taken out of it. */
  async take(queue: string) {
    const ask = { max: 10, visibilityMs: 60_000, waitMs: 0, signal: new AbortController().signal };
    return good(await this.world.settle(this.of.queues.receive(queue, ask))).messages;
  }

  #inline(engine: Engine): FunctionHost {
    return inlineHost({ functions: this.functions, clock: engine.parts.clock });
  }
}

function good<T extends object>(done: QueueDone<T>): Exclude<QueueDone<T>, QueueFault> {
  if (done.kind === "fault") throw new Error(JSON.stringify(done));
  // What is no fault is the other one of the two.
  return done as Exclude<QueueDone<T>, QueueFault>;
}
