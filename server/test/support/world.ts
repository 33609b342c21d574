import { createHmac, hash } from "node:crypto";
import type { DeadlineDefaults } from "#domain/deadline.ts";
import type { Json, JsonObject } from "#domain/json.ts";
import type { SendMessage } from "#domain/notification.ts";
import type { Outcome } from "#domain/outcome.ts";
import type { Role } from "#domain/role.ts";
import { openMemoryBlobStore } from "#drivers/memory/blob-store.ts";
import { ManualClock } from "#drivers/memory/manual-clock.ts";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { type MemoryStore, type MemoryStoreOptions, openMemoryStore } from "#drivers/memory/store.ts";
import { Engine } from "#engine/engine.ts";
import { type Nodes, soleNode } from "#engine/nodes.ts";
import { SharedNodes } from "#engine/shared-nodes.ts";
import type { Accepted } from "#pipeline/accept.ts";
import { buildPipeline, type Pipeline } from "#pipeline/pipeline.ts";
import type { Clock } from "#ports/clock.ts";
import type { Dice } from "#ports/dice.ts";
import type { BlobStore } from "#ports/blob-store.ts";
import { type Log, silentLog } from "#ports/log.ts";
import { type Meter, silentMeter } from "#ports/meter.ts";
import type { Envelope, Provider } from "#ports/provider.ts";
import type { Secrets } from "#ports/secrets.ts";
import type { Store } from "#ports/store.ts";

/** Seals and digests with a fixed key: the same in every run. */
export const testSecrets: Secrets = {
  digest: (text) => hash("sha256", text, "base64url"),
  seal: (text) =>
    `${Buffer.from(text).toString("base64url")}.${createHmac("sha256", "test").update(text).digest("base64url")}`,
  derive: (text) => hash("sha256", `derived ${text}`, "base64"),
  unseal: (token) => {
    const text = Buffer.from(token.split(".")[0] ?? "", "base64url").toString();
    return testSecrets.seal(text) === token ? text : null;
  },
};

/** Answers what the test says, after as much virtual time as it says, and writes down what it was given. */
export class ScriptedProvider implements Provider {
  readonly key: string;
  readonly channels: Provider["channels"];
  readonly concurrencyMax = 10;
  readonly seen: Envelope[] = [];
  answer: (envelope: Envelope) => Outcome | Promise<Outcome> = () => ({ kind: "sent", reference: {} });

  constructor(key = "smtp", channels: Provider["channels"] = ["email"]) {
    this.key = key;
    this.channels = channels;
  }

  async send(envelopes: readonly Envelope[], report: (index: number, outcome: Outcome) => void): Promise<void> {
    await Promise.all(
      envelopes.map(async (envelope, at) => {
        this.seen.push(envelope);
        report(at, await this.answer(envelope));
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** A provider as one process sees it: when the process is dead, it calls nobody and hears nothing. */
function mortal(provider: Provider, life: Life): Provider {
  return {
    key: provider.key,
    channels: provider.channels,
    concurrencyMax: provider.concurrencyMax,
    ...(provider.perSecondMax === undefined ? {} : { perSecondMax: provider.perSecondMax }),
    async send(envelopes, report, signal) {
      if (life.over) return new Promise<void>(() => {});
      await provider.send(envelopes, (index, outcome) => life.over || report(index, outcome), signal);
      if (life.over) await new Promise<void>(() => {});
    },
    [Symbol.asyncDispose]: () => provider[Symbol.asyncDispose](),
  };
}

/** Time as one process sees it: when it is dead, nothing is due any more. */
function mortalClock(clock: Clock, life: Life): Clock {
  return {
    nowMs: () => clock.nowMs(),
    monotonicMs: () => clock.monotonicMs(),
    after: (delayMs, run) => clock.after(delayMs, () => life.over || run()),
  };
}

/** One process, from its start to its death. */
export type Life = { readonly over: boolean };

export type WorldOptions = {
  readonly seed?: number;
  /** Puts something between the engine and the store: slowness, faults, planted bugs. */
  readonly wrap?: (store: MemoryStore, life: Life) => Store;
  /** The same for large things. */
  readonly wrapBlobs?: (blobs: BlobStore, life: Life) => BlobStore;
  /** Adds to each process what is no part of the pipeline, before its engine starts. */
  readonly join?: (engine: Engine, pipeline: Pipeline, life: Life) => void;
  /** Told of each process when its engine has started. */
  readonly started?: (engine: Engine, life: Life) => void;
  readonly log?: Log;
  readonly meter?: Meter;
  /** Jobs in the store beyond which no new sends are taken. */
  readonly jobsMax?: number;
  readonly providers?: readonly Provider[];
  readonly faults?: MemoryStoreOptions["faults"];
  readonly onUnknown?: "retry" | "hold";
  readonly deadlines?: DeadlineDefaults;
  /** One of many nodes on one store, under this name; the first of them, or one more on the store of another. */
  readonly node?: { readonly id: string; readonly role?: Role; readonly beside?: World };
};

/** A whole Tidings without doors, on virtual time, in one thread. */
export class World {
  readonly clock: ManualClock;
  readonly blobs: BlobStore;
  readonly dice: Dice;
  readonly #options: WorldOptions;
  readonly provider = new ScriptedProvider();
  store: MemoryStore;
  engine: Engine;
  pipeline: Pipeline;
  nodes: Nodes;
  #life: { over: boolean } = { over: false };

  constructor(options: WorldOptions = {}) {
    this.#options = options;
    this.dice = seededDice(options.seed ?? 1);
    const { node, faults } = options;
    this.clock = node?.beside?.clock ?? new ManualClock();
    this.blobs = node?.beside?.blobs ?? openMemoryBlobStore({ clock: this.clock });
    this.store =
      node?.beside?.store.another() ??
      openMemoryStore({
        clock: this.clock,
        manyNodes: node !== undefined,
        ...(faults === undefined ? {} : { faults }),
      });
    [this.engine, this.pipeline, this.nodes] = this.#build();
  }

  static async start(options: WorldOptions = {}): Promise<World> {
    const world = new World(options);
    await world.start();
    return world;
  }

  #build(): [Engine, Pipeline, Nodes] {
    const { dice } = this;
    const life = { over: false };
    const clock = mortalClock(this.clock, life);
    this.#life = life;
    const store = this.#options.wrap?.(this.store, life) ?? this.store;
    const { log = silentLog, meter = silentMeter, jobsMax, node } = this.#options;
    const self = { id: node?.id ?? "world", role: node?.role ?? "all", version: "test" } as const;
    const engine = new Engine({ store, clock, dice, log, meter }, jobsMax, self.role);
    const nodes = node === undefined ? soleNode(self, clock.nowMs()) : new SharedNodes(engine, self);
    const pipeline = buildPipeline({
      engine,
      blobs: this.#options.wrapBlobs?.(this.blobs, life) ?? this.blobs,
      secrets: testSecrets,
      providers: (this.#options.providers ?? [this.provider]).map((provider) => mortal(provider, life)),
      publicUrl: () => "http://localhost:3300",
      onUnknown: this.#options.onUnknown ?? "retry",
      deadlines: this.#options.deadlines ?? { inMs: null, late: "drop" },
      nodes,
    });
    this.#options.join?.(engine, pipeline, life);
    return [engine, pipeline, nodes];
  }

  get dead(): boolean {
    return this.#life.over;
  }

  /** The process dies where it stands; what was committed lies in `store`. */
  die(): void {
    this.#life.over = true;
    this.store = this.store.crash(this.store.can.manyNodes ? "kept" : "dropped");
  }

  /** The process dies where it stands; another one starts on what was committed, which `look` sees before. */
  async restart(look: (committed: MemoryStore) => Promise<void> = async () => {}): Promise<void> {
    if (!this.dead) this.die();
    await look(this.store);
    [this.engine, this.pipeline, this.nodes] = this.#build();
    await this.start();
  }

  /** Starts the engine that has been built, and tells of it. */
  async start(): Promise<void> {
    if (this.nodes instanceof SharedNodes) await this.settle(this.nodes.join());
    await this.settle(this.engine.start());
    this.#options.started?.(this.engine, this.#life);
  }

  /** Lets the engine finish what it has in hand for up to `graceMs`, as at a SIGTERM, while time passes. */
  async stop(graceMs: number): Promise<void> {
    let over = false;
    const stopping = this.engine.stop(graceMs).finally(() => {
      over = true;
    });
    stopping.catch(() => {});
    while (!over) await this.pass(200, 100);
    await stopping;
    if (this.nodes instanceof SharedNodes) await this.settle(this.nodes.leave());
  }

  send(message: Json, once: { readonly key: string; readonly fingerprint?: string } | null = null): Promise<Accepted> {
    return this.settle(
      this.pipeline.accept.accept({
        text: JSON.stringify({ message }),
        // The door checks schemas; these messages are the tests' own.
        message: message as SendMessage,
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        share: "key:test",
        once: once === null ? null : { fingerprint: "f", expiresMs: this.clock.nowMs() + 86_400_000, ...once },
      }),
    );
  }

  /** Puts documents as the directory would. */
  async put(
    collection: string,
    id: string,
    body: JsonObject,
    terms: readonly (readonly [string, string])[] = [],
  ): Promise<void> {
    await this.settle(
      this.engine.commit({
        puts: [{ collection, id, body: JSON.stringify(body), terms, when: "always", nowMs: this.clock.nowMs() }],
      }),
    );
  }

  /** Lets microtasks run until nothing moves any more, without time passing. */
  async quiet(turns = 60): Promise<void> {
    for (let turn = 0; turn < turns; turn += 1) {
      this.clock.advance(0);
      await Promise.resolve();
    }
  }

  /** Waits for something that needs no time. */
  async settle<T>(promise: Promise<T>): Promise<T> {
    let over = false;
    const settled = promise.finally(() => {
      over = true;
    });
    settled.catch(() => {});
    while (!over) await this.quiet(1);
    await this.quiet();
    return settled;
  }

  /** Lets time pass in steps, with everything that happens meanwhile. */
  async pass(ms: number, stepMs = Math.max(1, Math.min(1_000, ms))): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.clock.advance(Math.min(stepMs, ms - passed));
      await this.quiet();
    }
  }
}
