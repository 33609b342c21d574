import type { Document, DocumentPut } from "#domain/document.ts";
import { happened, NO_ORIGIN, noChanges, unchanged } from "#engine/change.ts";
import type { Draft } from "#engine/draft.ts";
import type { Engine } from "#engine/engine.ts";
import type { By, Done, Page } from "#rules/desk.ts";
import { fault } from "#rules/fault.ts";
import { pageOf } from "#rules/page.ts";
import { patternFault } from "#rules/pattern-fault.ts";
import {
  DELIVERIES,
  type Delivery,
  deliveryJob,
  jobKeyOf,
  logId,
  type LoggedDelivery,
  logPrefix,
  logPut,
  PAYLOADS,
  readDelivery,
  readLogged,
  readPayload,
  shareOf,
  WEBHOOK_QUEUE,
} from "#webhooks/delivery.ts";
import type { DeliveryDesk } from "#webhooks/desk.ts";
import { type Endpoint, endpointOf, WEBHOOKS } from "#webhooks/endpoint.ts";
import { SUBSCRIPTION_BUS, unknownWebhook } from "#webhooks/endpoints.ts";
import type { Gate } from "#webhooks/gate.ts";
import { RANGE_REPLAYS, type RangeReplay, replayJob, replayKey, replayOf, replayPut } from "#webhooks/replay-stage.ts";

type PageAsk = { readonly after: string | null; readonly limit: number };

/** The log of deliveries, and delivering again. */
export class Deliveries implements DeliveryDesk {
  readonly #engine: Engine;
  readonly #gate: Gate;

  constructor(engine: Engine, gate: Gate) {
    this.#engine = engine;
    this.#gate = gate;
  }

  async list(webhook: string, { after, limit }: PageAsk): Promise<Done<Page<LoggedDelivery>>> {
    if ((await this.#endpoint(webhook)) === null) return unknownWebhook(webhook);
    const found = await this.#engine.parts.store.listDocuments({
      collection: DELIVERIES,
      prefix: logPrefix(webhook),
      after: after === null ? null : logId({ webhook, id: after }),
      limit: limit + 1,
      order: "descending",
    });
    return { kind: "done", value: pageOf(found.map(readLogged), limit, ({ id }) => id) };
  }

  async describe(
    webhook: string,
    id: string,
  ): Promise<Done<{ readonly delivery: LoggedDelivery; readonly body: string | null }>> {
    const { logged, payload } = await this.#read(webhook, id);
    if (logged === null) return unknownDelivery(id);
    const body = payload === null ? null : readPayload(payload).body;
    return { kind: "done", value: { delivery: readLogged(logged), body } };
  }

  async replay(webhook: string, id: string, by?: By): Promise<Done<null>> {
    const { logged, payload } = await this.#read(webhook, id);
    if (logged === null || payload === null) return unknownDelivery(id);
    const endpoint = await this.#endpoint(webhook);
    if (endpoint?.state !== "enabled") return endpoint === null ? unknownWebhook(webhook) : DISABLED;
    const { clock, store } = this.#engine.parts;
    const nowMs = clock.nowMs();
    const { messageId, tries } = readLogged(logged);
    const { event } = readPayload(payload);
    const lane = "transactional";
    const again: Delivery = { webhook, id, messageId, event, lane, bornMs: nowMs, tried: 0, tries };
    const key = jobKeyOf(again);
    const [living = null] = await store.jobs([key]);
    const dead = await store.deadJob(key);
    const turn = this.#engine.turn(WEBHOOK_QUEUE, lane, shareOf(webhook));
    const told = happened(
      "webhook.redelivery",
      `webhook:${webhook}`,
      { delivery: id },
      { nowMs, origin: by?.origin ?? NO_ORIGIN },
    );
    const draft: Draft = {
      jobs: [{ job: deliveryJob(again, turn), hand: null }],
      puts: [
        ...(living === null ? [] : takenOver(readDelivery(living.payload), id, nowMs)),
        logPut(again, { state: "waiting", nextMs: nowMs, error: null }, nowMs),
      ],
      events: [told],
      // What waits for its next try is taken for this one; what is dead is not dead any more.
      ...(living === null ? {} : { take: key }),
      ...(dead === null ? {} : { dead: { key, then: "discard" } }),
    };
    this.#gate.forget(webhook);
    return await this.#submit(draft);
  }

  async replayRange(
    webhook: string,
    wish: {
      readonly fromMs: number;
      readonly untilMs: number;
      readonly pattern: string | null;
      readonly bus: string | null;
    },
    by?: By,
  ): Promise<Done<RangeReplay>> {
    const { store, clock } = this.#engine.parts;
    const endpoint = await this.#endpoint(webhook);
    if (endpoint?.state !== "enabled") return endpoint === null ? unknownWebhook(webhook) : DISABLED;
    const pattern = wish.pattern ?? endpoint.subscription?.pattern ?? null;
    if (pattern === null) return fault("invalid", "pattern: the webhook has none of its own, so say which events.");
    const flaw = patternFault(pattern);
    if (flaw !== null) return flaw;
    if (wish.untilMs <= wish.fromMs) return fault("invalid", "to: it must be later than from.");
    const [before = null] = await store.documents([{ collection: RANGE_REPLAYS, id: webhook }]);
    const [living = null] = await store.jobs([replayKey(webhook)]);
    if (living !== null) return fault("exists", "A replay of this webhook is running already.");
    const nowMs = clock.nowMs();
    const { first, last } = await store.journalBounds();
    const replay: RangeReplay = {
      webhook,
      fromMs: wish.fromMs,
      untilMs: wish.untilMs,
      bus: wish.bus ?? endpoint.subscription?.bus ?? SUBSCRIPTION_BUS,
      pattern,
      state: "running",
      startedMs: nowMs,
      endedMs: null,
      replayed: 0,
      upTo: Math.max(0, first - 1),
      end: last,
    };
    const changes = noChanges();
    changes.expect.push(unchanged({ collection: RANGE_REPLAYS, id: webhook }, before));
    const data = { from: wish.fromMs, to: wish.untilMs };
    changes.events.push(
      happened("webhook.replaying", `webhook:${webhook}`, data, { nowMs, origin: by?.origin ?? NO_ORIGIN }),
    );
    const jobs = [{ job: replayJob(replay), hand: null }];
    const done = await this.#submit({ ...changes, puts: [replayPut(replay, nowMs)], jobs });
    return done.kind === "done" ? { kind: "done", value: replay } : done;
  }

  async lastReplay(webhook: string): Promise<RangeReplay | null> {
    const [document = null] = await this.#engine.parts.store.documents([{ collection: RANGE_REPLAYS, id: webhook }]);
    return document === null ? null : replayOf(document);
  }

  async #submit(draft: Draft): Promise<Done<null>> {
    const verdict = await this.#engine.submit(draft);
    switch (verdict.kind) {
      case "committed":
        return { kind: "done", value: null };
      case "overloaded":
      case "repeated":
        return verdict;
      default:
        return fault("changed", "It is being delivered right now.");
    }
  }

  async #endpoint(id: string): Promise<Endpoint | null> {
    const [document = null] = await this.#engine.parts.store.documents([{ collection: WEBHOOKS, id }]);
    return document === null ? null : endpointOf(document);
  }

  async #read(
    webhook: string,
    id: string,
  ): Promise<{ readonly logged: Document | null; readonly payload: Document | null }> {
    const [logged = null, payload = null] = await this.#engine.parts.store.documents([
      { collection: DELIVERIES, id: logId({ webhook, id }) },
      { collection: PAYLOADS, id: logId({ webhook, id }) },
    ]);
    return { logged, payload };
  }
}

/** Another line of the log was waiting for the same message: it waits no longer. */
function takenOver(other: Delivery, by: string, nowMs: number): readonly DocumentPut[] {
  if (other.id === by) return [];
  return [logPut(other, { state: "dead", nextMs: null, error: `delivered by the replay of ${by}` }, nowMs)];
}

const DISABLED = fault("status", "The webhook is disabled; enable it first.");

function unknownDelivery(id: string) {
  return fault("unknown", `The log has no delivery ${JSON.stringify(id.slice(0, 80))} of this webhook.`);
}
