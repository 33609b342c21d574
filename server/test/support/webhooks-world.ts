import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { setImmediate as turn } from "node:timers/promises";
import { newEvent, type NewEvent, type RecordedEvent } from "#domain/event.ts";
import { ManualClock } from "#drivers/memory/manual-clock.ts";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { openMemoryStore } from "#drivers/memory/store.ts";
import { systemSecrets } from "#drivers/system/secrets.ts";
import { Engine } from "#engine/engine.ts";
import { openRegistry } from "#observers/metrics/registry.ts";
import { silentLog } from "#ports/log.ts";
import type { Clock } from "#ports/clock.ts";
import type { Store } from "#ports/store.ts";
import type { Resolve } from "#providers/webhook/guarded-connector.ts";
import { openWebCaller } from "#providers/webhook/web-caller.ts";
import { type OpenRules, openRules } from "#rules/open-desk.ts";
import type { EndpointWish, WebhookDesk, WithSecret } from "#webhooks/desk.ts";
import { type OpenWebhooks, openWebhooks } from "#webhooks/open.ts";
import { value } from "./rules-world.ts";

export type Received = { readonly headers: IncomingHttpHeaders; readonly body: string; readonly path: string };

/** Answers a call; what it does not end stays open. */
export type Answering = (response: ServerResponse, received: Received, count: number) => void;

/** Somebody's endpoint on loopback. */
export class Receiver implements AsyncDisposable {
  readonly received: Received[] = [];
  answer: Answering;
  readonly #server = createServer((request, response) => void this.#take(request, response));

  private constructor(answer: Answering) {
    this.answer = answer;
  }

  static async open(answer: Answering = (response) => void response.end("thanks")): Promise<Receiver> {
    const receiver = new Receiver(answer);
    receiver.#server.listen(0, "127.0.0.1");
    await once(receiver.#server, "listening");
    return receiver;
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const received = { headers: request.headers, body: await text(request), path: request.url ?? "" };
    this.received.push(received);
    this.answer(response, received, this.received.length);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

/** How long of real time something may take that waits for loopback. */
const PATIENCE_MS = 10_000;

/** Rules and webhooks over a store and a clock that a test moves; calls are real. */
export class WebhooksWorld implements AsyncDisposable {
  readonly clock: ManualClock;
  readonly registry = openRegistry();
  readonly store: Store;
  readonly engine: Engine;
  readonly rules: OpenRules;
  readonly webhooks: OpenWebhooks;
  readonly #caller;

  private constructor(store: Store, clock: ManualClock, resolve: Resolve | null) {
    this.clock = clock;
    this.store = store;
    const { registry: meter } = this;
    this.engine = new Engine({ store: this.store, clock, dice: seededDice(3), log: silentLog, meter });
    const { engine } = this;
    const secrets = systemSecrets(new Uint8Array(32).fill(7));
    this.#caller = openWebCaller({ clock, ...(resolve === null ? {} : { resolve }) });
    this.webhooks = openWebhooks({
      engine,
      secrets,
      caller: this.#caller,
      showMessage: (id) => Promise.resolve({ id, status: "SENT" }),
      rules: () => this.rules.desk,
    });
    const queues = {
      draftMessage: () => ({ kind: "draft", effects: {} }) as const,
      get: () => Promise.reject(new Error("every queue is known here")),
      send: () => Promise.reject(new Error("every queue is known here")),
    };
    this.rules = openRules({ engine, secrets, queues, kinds: [this.webhooks.target], region: "eu-north-1" });
  }

  static async start(
    openStore: (clock: Clock) => Store | Promise<Store> = (clock) => openMemoryStore({ clock }),
    resolve: Resolve | null = null,
  ): Promise<WebhooksWorld> {
    const clock = new ManualClock();
    const world = new WebhooksWorld(await openStore(clock), clock, resolve);
    await world.engine.start();
    await world.rules.start();
    return world;
  }

  get desk(): WebhookDesk {
    return this.webhooks.desk;
  }

  /** An endpoint that gets every event of the shop. */
  async endpoint(url: string, given: Partial<EndpointWish> = {}, id: string | null = null): Promise<WithSecret> {
    const wish: EndpointWish = {
      url,
      description: null,
      format: "standard",
      allowPrivate: true,
      headers: {},
      timeoutMs: 15_000,
      subscription: { bus: "default", pattern: '{"source":["shop"]}' },
      ...given,
    };
    return value(await this.desk.endpoints.create(id, wish));
  }

  async append(...events: readonly NewEvent[]): Promise<void> {
    await this.engine.commit({ events });
  }

  /** Lets real time pass until something is so; virtual time stands, or moves by `stepMs` at each look. */
  async until<T>(what: string, look: () => T | Promise<T>, stepMs = 0): Promise<NonNullable<T>> {
    const untilMs = performance.now() + PATIENCE_MS;
    for (;;) {
      const seen = await look();
      if (seen !== null && seen !== undefined && seen !== false) return seen;
      if (performance.now() > untilMs) throw new Error(`it did not happen that ${what}`);
      this.clock.advance(stepMs);
      // Timers first, then what comes from the network.
      for (let times = 0; times < 10; times += 1) await turn();
    }
  }

  async events(prefix: string): Promise<readonly RecordedEvent[]> {
    const { events } = await this.store.readJournal({ after: 0, limit: 1_000_000 });
    return events.filter(({ type }) => type.startsWith(prefix));
  }

  /** The first so many events of a type. */
  async told(type: string, count = 1): Promise<readonly RecordedEvent[]> {
    return await this.until(`${count} × ${type}`, async () => {
      const events = await this.events(type);
      return events.length >= count ? events : null;
    });
  }

  async dead() {
    return await this.store.deadJobs({ queue: "webhook", after: null, limit: 1_000 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine.stop(0);
    await this.#caller[Symbol.asyncDispose]();
    await this.store[Symbol.asyncDispose]();
  }
}

/** An event of the shop. */
export function ordered(id: string, data: object = { order: id }): NewEvent {
  return {
    type: "OrderPlaced",
    subject: id,
    timeMs: 1_714_979_289_123,
    data: JSON.stringify(data),
    traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    source: "shop",
    id,
  };
}

/** An event of ours. */
export function own(type: string, subject: string, data = {}): NewEvent {
  return newEvent(type, subject, 1_714_979_289_123, data, null);
}
