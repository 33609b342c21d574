/**
 * Deliveries to endpoints:
 *
 *     ready ──gate──▶ call ──2xx──▶ done
 *       ▲      │        ├──410──▶ the endpoint is disabled; dead letter
 *       │      │        └──anything else──▶ waiting, nine times over three days ──▶ dead letter
 *       │      └─ no place, or it rests: back to the store with a time, no try counted
 *       └── redriven, replayed
 *     disabled or unknown endpoint: dead letter at once
 *
 * Each try is committed with the event that tells of it and its line in the log. A process that dies during a call makes
 * it again, with the same `webhook-id`.
 */
import type { Document, DocumentPut } from "#domain/document.ts";
import { newEvent, type NewEvent } from "#domain/event.ts";
import type { DeadJob, Job } from "#domain/job.ts";
import type { DraftEffects } from "#engine/draft.ts";
import type { Engine } from "#engine/engine.ts";
import type { HandedJob, Stage, StageContext, StageEnd } from "#engine/stage.ts";
import type { Secrets } from "#ports/secrets.ts";
import type { WebAnswer, WebCaller } from "#ports/web-caller.ts";
import { bodyOf, type ShowMessage } from "#webhooks/body.ts";
import {
  type Delivery,
  logPut,
  payloadPut,
  readDelivery,
  shareOf,
  type Try,
  WEBHOOK_QUEUE,
  withTry,
} from "#webhooks/delivery.ts";
import { type Endpoint, endpointOf, signingSecrets, WEBHOOKS } from "#webhooks/endpoint.ts";
import type { Gate, Went } from "#webhooks/gate.ts";
import {
  ANSWER_CHARS_MAX,
  BATCH_MAX,
  CLAIMS_MAX,
  DELIVERY_AGE_MS_MAX,
  IN_HAND_BULK_MAX,
  IN_HAND_MAX,
} from "#webhooks/limits.ts";
import type { WebhookMeters } from "#webhooks/meters.ts";
import { nextWaitMs } from "#webhooks/retry.ts";

/** What is known already of a job that is handed over. */
export type DeliveryCarry = { readonly delivery: Delivery };

export type DeliveryHouse = {
  readonly engine: Engine;
  readonly secrets: Secrets;
  readonly caller: WebCaller;
  readonly gate: Gate;
  readonly meters: WebhookMeters;
  readonly showMessage: ShowMessage;
  /** Disables an endpoint that said at this address that it is gone; durable when it resolves. */
  readonly disable: (id: string, url: string) => Promise<void>;
};

export function deliveryStage(house: DeliveryHouse): Stage<DeliveryCarry> {
  return {
    queue: WEBHOOK_QUEUE,
    inHandMax: { transactional: IN_HAND_MAX, bulk: IN_HAND_BULK_MAX },
    batchMax: BATCH_MAX,
    attemptsMax: CLAIMS_MAX,
    run: async (jobs, context) => {
      const handed = jobs.map(({ job, carry }) => ({ job, delivery: carry?.delivery ?? readDelivery(job.payload) }));
      const endpoints = await readEndpoints(house, handed);
      await Promise.all(
        handed.map(({ job, delivery }) =>
          context.guard(job, () => work(house, { job, delivery }, endpoints.get(delivery.webhook) ?? null, context)),
        ),
      );
    },
    bury: (job, error) => buried(house, readDelivery(job.payload), error),
    revive: (dead) => revived(house, dead),
    drop: (jobs, { by }) => Promise.resolve(jobs.map(({ payload }) => dropped(house, readDelivery(payload), by))),
  };
}

type Handed = { readonly job: HandedJob<DeliveryCarry>["job"]; readonly delivery: Delivery };

/** As they are now: one that was disabled a moment ago is not called. */
async function readEndpoints(
  { engine }: DeliveryHouse,
  handed: readonly Handed[],
): Promise<ReadonlyMap<string, Endpoint>> {
  const ids = [...new Set(handed.map(({ delivery }) => delivery.webhook))];
  const found = await engine.parts.store.documents(ids.map((id) => ({ collection: WEBHOOKS, id })));
  const documents = found.filter((document): document is Document => document !== null);
  return new Map(documents.map((document) => [document.id, endpointOf(document)]));
}

async function work(
  house: DeliveryHouse,
  handed: Handed,
  endpoint: Endpoint | null,
  context: StageContext,
): Promise<void> {
  const { job, delivery } = handed;
  if (context.signal.aborted) return release(job, context);
  const says = refusalOf(delivery.webhook, endpoint);
  if (endpoint === null || says !== null) return giveUp(house, handed, says ?? "", context);
  const entry = await house.gate.enter(endpoint.id);
  if (entry.kind === "later") return comeBack(house, handed, entry.untilMs, context);
  let went: Went = { kind: "unknown" };
  try {
    if (context.signal.aborted || !context.holds(job)) return await release(job, context);
    const called = await call(house, handed, endpoint, context);
    // Nothing was sent, because we are stopping: the try is still to come.
    if (called.answer.kind === "withdrawn") return await release(job, context);
    went = wentOf(called.answer);
    await settle(house, handed, called, context);
  } finally {
    house.gate.leave(endpoint.id, went);
  }
}

function refusalOf(id: string, endpoint: Endpoint | null): string | null {
  if (endpoint === null) return `there is no webhook ${id}`;
  if (endpoint.state === "enabled") return null;
  return `the webhook is disabled${endpoint.disabledBy === "410" ? ": it answered 410 Gone" : ""}`;
}

type Called = { readonly answer: WebAnswer; readonly body: string; readonly atMs: number; readonly url: string };

async function call(
  house: DeliveryHouse,
  { job, delivery }: Handed,
  endpoint: Endpoint,
  context: StageContext,
): Promise<Called> {
  const { clock } = house.engine.parts;
  const body = await bodyOf(endpoint, delivery.event, house.showMessage);
  const atMs = clock.nowMs();
  const { url, headers, allowPrivate, timeoutMs, format } = endpoint;
  const answer = await house.caller.post(
    {
      url,
      headers,
      body,
      allowPrivate,
      timeoutMs,
      sign: { scheme: format, id: delivery.messageId, secrets: signingSecrets(endpoint, atMs, house.secrets) },
      traceparent: context.traceOf(job) ?? job.traceparent,
    },
    context.signal,
  );
  return { answer, body, atMs, url };
}

function wentOf(answer: WebAnswer): Went {
  if (answer.kind !== "answered") return { kind: "badly", tookMs: answer.kind === "forbidden" ? 0 : answer.tookMs };
  if (isYes(answer)) return { kind: "well", tookMs: answer.tookMs };
  const askedMs = askedMsOf(answer);
  return askedMs === null ? { kind: "badly", tookMs: answer.tookMs } : { kind: "asked", forMs: askedMs };
}

function isYes(answer: WebAnswer): boolean {
  return answer.kind === "answered" && answer.status >= 200 && answer.status < 300;
}

/** `Retry-After` is kept where it says "not now": 429 and 503. */
function askedMsOf(answer: WebAnswer): number | null {
  if (answer.kind !== "answered" || (answer.status !== 429 && answer.status !== 503)) return null;
  return answer.retryAfterMs;
}

async function settle(house: DeliveryHouse, { job, delivery }: Handed, called: Called, context: StageContext) {
  const { answer, body, atMs, url } = called;
  const { clock, dice } = house.engine.parts;
  const next = withTry(delivery, tryOf(answer, atMs));
  const nowMs = clock.nowMs();
  const first = delivery.tries.length === 0 ? [payloadPut(delivery, body, nowMs)] : [];
  if (isYes(answer)) {
    house.meters.count(delivery.webhook, "delivered");
    const puts = [...first, logPut(next, { state: "delivered", nextMs: null, error: null }, nowMs)];
    const effects = { puts, events: [told("webhook.delivered", next, {}, nowMs)] };
    await context.finish(job, { kind: "end", end: { kind: "done" }, effects });
    return;
  }
  house.meters.count(delivery.webhook, "failed");
  const isGone = answer.kind === "answered" && answer.status === 410;
  if (isGone) await house.disable(delivery.webhook, url);
  const waitMs = isGone ? null : nextWaitMs(next.tried, dice.next(), askedMsOf(answer));
  const error = sentenceOf(answer);
  if (waitMs === null) {
    await bury(house, { job, delivery: next }, error, first, context);
    return;
  }
  const dueMs = nowMs + waitMs;
  const puts = [...first, logPut(next, { state: "waiting", nextMs: dueMs, error: null }, nowMs)];
  const effects = { puts, events: [told("webhook.failed", next, { nextTry: new Date(dueMs).toISOString() }, nowMs)] };
  await context.finish(job, { kind: "end", end: again(house, next, dueMs, error), effects });
}

function tryOf(answer: WebAnswer, atMs: number): Try {
  const status = answer.kind === "answered" ? answer.status : null;
  const tookMs = answer.kind === "forbidden" ? 0 : answer.tookMs;
  const says = answer.kind !== "answered" ? answer.reason : isRedirect(answer.status) ? NO_REDIRECTS : answer.body;
  return { atMs, status, tookMs, says: says.slice(0, ANSWER_CHARS_MAX).toWellFormed() };
}

function sentenceOf(answer: WebAnswer): string {
  if (answer.kind !== "answered") return answer.reason;
  const { status, body } = answer;
  if (isRedirect(status)) return `it answered ${status}: ${NO_REDIRECTS}`;
  const words = body.slice(0, ANSWER_CHARS_MAX).toWellFormed();
  return `it answered ${status}${words === "" ? "" : `: ${words}`}`;
}

const NO_REDIRECTS = "redirects are not followed";

function isRedirect(status: number): boolean {
  return status >= 300 && status < 400;
}

/** No place, or the endpoint rests. What could not be called until its time was over is given up. */
async function comeBack(house: DeliveryHouse, handed: Handed, untilMs: number, context: StageContext): Promise<void> {
  const { job, delivery } = handed;
  if (untilMs > delivery.bornMs + DELIVERY_AGE_MS_MAX) {
    const last = delivery.tries.at(-1);
    return giveUp(
      house,
      handed,
      `its time is over; ${last === undefined ? "never tried" : "it kept failing"}`,
      context,
    );
  }
  await context.finish(job, { kind: "end", end: again(house, delivery, untilMs, null), effects: {} });
}

/** With a turn of its own, or all that come back would stand before those of other endpoints. */
function again({ engine }: DeliveryHouse, delivery: Delivery, dueMs: number, error: string | null): StageEnd {
  const turn = engine.turn(WEBHOOK_QUEUE, delivery.lane, shareOf(delivery.webhook));
  return { kind: "again", payload: JSON.stringify(delivery), dueMs, turn, attempts: "reset", error };
}

/** Without a call. */
async function giveUp(
  house: DeliveryHouse,
  { job, delivery }: Handed,
  error: string,
  context: StageContext,
): Promise<void> {
  const nowMs = house.engine.parts.clock.nowMs();
  const first = delivery.tries.length === 0 ? [payloadPut(delivery, null, nowMs)] : [];
  await bury(house, { job, delivery }, error, first, context);
}

/** The dead letter knows of the last try, which the job that ends does not. */
async function bury(
  house: DeliveryHouse,
  { job, delivery }: Handed,
  error: string,
  puts: readonly DocumentPut[],
  context: StageContext,
): Promise<void> {
  const nowMs = house.engine.parts.clock.nowMs();
  const { key, queue, lane, traceparent, enqueuedMs } = job;
  const payload = JSON.stringify(delivery);
  const dead: DeadJob = {
    key,
    queue,
    lane,
    payload,
    traceparent,
    attempt: delivery.tried,
    error,
    enqueuedMs,
    deadMs: nowMs,
  };
  const gone = deadEffects(house, delivery, error, nowMs);
  const effects = { ...gone, puts: [...puts, ...gone.puts], buried: [dead] };
  await context.finish(job, { kind: "end", end: { kind: "done" }, effects });
}

function buried(house: DeliveryHouse, delivery: Delivery, error: string): DraftEffects {
  return deadEffects(house, delivery, error, house.engine.parts.clock.nowMs());
}

function deadEffects({ meters }: DeliveryHouse, delivery: Delivery, error: string, nowMs: number) {
  meters.count(delivery.webhook, "dead");
  return {
    puts: [logPut(delivery, { state: "dead", nextMs: null, error }, nowMs)],
    events: [told("webhook.failed", delivery, { givenUp: error }, nowMs)],
  } satisfies DraftEffects;
}

/** It was held back after a restore, and is not to be done; the log says who said so. */
function dropped({ engine }: DeliveryHouse, delivery: Delivery, by: string): DraftEffects {
  const error = `it was held back after a restore, and given up by ${by}`;
  return { puts: [logPut(delivery, { state: "dead", nextMs: null, error }, engine.parts.clock.nowMs())] };
}

/** It begins anew: all tries of the schedule, and all its time. */
function revived({ engine, gate }: DeliveryHouse, dead: DeadJob) {
  const nowMs = engine.parts.clock.nowMs();
  const delivery: Delivery = { ...readDelivery(dead.payload), bornMs: nowMs, tried: 0 };
  gate.forget(delivery.webhook);
  const puts = [logPut(delivery, { state: "waiting", nextMs: nowMs, error: null }, nowMs)];
  return { payload: JSON.stringify(delivery), effects: { puts } };
}

function told(
  type: "webhook.delivered" | "webhook.failed",
  { webhook, id, messageId, event, tries, tried }: Delivery,
  more: { readonly nextTry?: string; readonly givenUp?: string },
  nowMs: number,
): NewEvent {
  const last = tries.at(-1);
  const data = {
    delivery: id,
    messageId,
    type: event.type,
    try: tried,
    ...(last === undefined ? {} : { status: last.status, tookMs: last.tookMs, answer: last.says }),
    ...more,
  };
  return newEvent(type, `webhook:${webhook}`, nowMs, data, event.traceparent);
}

async function release(job: Job, context: StageContext): Promise<void> {
  await context.finish(job, { kind: "release" });
}
