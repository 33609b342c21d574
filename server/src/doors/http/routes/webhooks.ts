import {
  CursorQuery,
  Type,
  Webhook,
  WebhookBody,
  WebhookChange,
  WebhookDeliveries,
  WebhookEnabledBody,
  WebhookReplay,
  WebhookReplayBody,
  WebhookRotateBody,
  Webhooks,
  WebhookTest,
  WebhookWithSecret,
  WholeWebhook,
  WholeWebhookDelivery,
} from "@tidings/contract";
import { type Answer, json, jsonText, NO_CONTENT } from "#doors/http/answer.ts";
import { originOf } from "#doors/http/commit-answer.ts";
import { BAD_CURSOR, decodeCursor, paging } from "#doors/http/cursor.ts";
import type { HttpHouse } from "#doors/http/house.ts";
import type { Call, Routes } from "#doors/http/route.ts";
import { PAGE_LIMIT, PageLimit } from "#doors/http/routes/directory-view.ts";
import { patternOf, undone } from "#doors/http/routes/rule-view.ts";
import { deliveryText, deliveryView, replayView, testView, webhookText } from "#doors/http/routes/webhook-view.ts";
import type { By } from "#rules/desk.ts";
import type { EndpointWish, WithSecret } from "#webhooks/desk.ts";
import { SUBSCRIPTION_BUS } from "#webhooks/endpoints.ts";
import { OLD_SECRET_MS_DEFAULT, TIMEOUT_MS_DEFAULT } from "#webhooks/limits.ts";

/** Endpoints or deliveries in one page. */
const LINES_MAX = 250;
const OF_WEBHOOK = Type.Object({ id: Type.String() });
const OF_DELIVERY = Type.Object({ id: Type.String(), delivery: Type.String() });
const PAGE_QUERY = Type.Object({ cursor: CursorQuery, limit: PageLimit(LINES_MAX) });
/** Only of what may be told again: a secret may not, so making one has no Idempotency-Key; the caller chooses an id. */
const SECRET_ONCE = "The secret is told in this answer only. Choose an `id` to be able to repeat the call.";

/** Outbound webhooks: who is called about what happens. */
export function registerWebhooks(routes: Routes, house: HttpHouse): void {
  registerReading(routes, house);
  registerMaking(routes, house);
  registerChanging(routes, house);
  registerDeliveries(routes, house);
}

function registerReading(routes: Routes, { webhooks: { endpoints, deliveries } }: HttpHouse): void {
  routes.add({
    method: "GET",
    path: "/webhooks",
    tag: "webhooks",
    scope: "read",
    summary: "All webhooks",
    query: PAGE_QUERY,
    answers: { 200: { says: "A page", body: Webhooks } },
    handle: async ({ query }) => {
      const after = query.cursor === undefined ? null : decodeCursor(query.cursor);
      if (query.cursor !== undefined && after === null) return BAD_CURSOR;
      const page = await endpoints.list({ after, limit: query.limit ?? PAGE_LIMIT });
      const items = page.items.map((endpoint) => webhookText(endpoint));
      return jsonText(200, `{"paging":${JSON.stringify(paging(page.next))},"items":[${items.join(",")}]}`);
    },
  });

  routes.add({
    method: "GET",
    path: "/webhooks/:id",
    tag: "webhooks",
    scope: "read",
    summary: "One webhook",
    params: OF_WEBHOOK,
    answers: { 200: { says: "The webhook", body: WholeWebhook } },
    faults: ["thing.unknown"],
    handle: async (call) => {
      const found = await endpoints.describe(call.params.id);
      if (found.kind !== "done") return undone(call, found);
      const replay = await deliveries.lastReplay(call.params.id);
      return jsonText(200, webhookText(found.value, { replay: replay === null ? null : replayView(replay) }));
    },
  });
}

function registerMaking(routes: Routes, { webhooks: { endpoints } }: HttpHouse): void {
  routes.add({
    method: "POST",
    path: "/webhooks",
    tag: "webhooks",
    scope: "full",
    summary: "Make a webhook, and the rule that gives it its events",
    description: SECRET_ONCE,
    body: WebhookBody,
    example: { url: "https://example.com/hook", pattern: { "detail-type": [{ prefix: "message." }] } },
    answers: { 201: { says: "It is there", body: WebhookWithSecret } },
    faults: ["conflict.exists", "thing.unknown"],
    handle: async (call) => {
      const { body, text } = call;
      const pattern = patternOf(text, body.pattern ?? undefined);
      const wish: EndpointWish = {
        url: body.url,
        description: body.description ?? null,
        format: body.format ?? "standard",
        allowPrivate: body.allowPrivate ?? false,
        headers: body.headers ?? {},
        timeoutMs: body.timeoutMs ?? TIMEOUT_MS_DEFAULT,
        subscription: pattern === null ? null : { bus: body.bus ?? SUBSCRIPTION_BUS, pattern },
      };
      const done = await endpoints.create(body.id ?? null, wish, byOf(call));
      return done.kind === "done" ? withSecret(201, done.value) : undone(call, done);
    },
  });

  routes.add({
    method: "POST",
    path: "/webhooks/:id/rotate",
    tag: "webhooks",
    scope: "full",
    summary: "Make a new secret; the old one signs, too, for a time",
    description: "The secret is told in this answer only.",
    params: OF_WEBHOOK,
    body: WebhookRotateBody,
    answers: { 200: { says: "It signs from now on", body: WebhookWithSecret } },
    faults: ["thing.unknown", "conflict.changed"],
    handle: async (call) => {
      const { keepOldSeconds } = call.body;
      const keepOldMs = keepOldSeconds === undefined ? OLD_SECRET_MS_DEFAULT : keepOldSeconds * 1_000;
      const done = await endpoints.rotate(call.params.id, keepOldMs, byOf(call));
      return done.kind === "done" ? withSecret(200, done.value) : undone(call, done);
    },
  });
}

function withSecret(status: number, { endpoint, secret }: WithSecret): Answer {
  return jsonText(status, webhookText(endpoint, { secret }), { "cache-control": "no-store" });
}

function registerChanging(routes: Routes, { webhooks: { endpoints } }: HttpHouse): void {
  routes.add({
    method: "PATCH",
    path: "/webhooks/:id",
    tag: "webhooks",
    scope: "full",
    summary: "Change a webhook; what is left out stays",
    params: OF_WEBHOOK,
    body: WebhookChange,
    answers: { 200: { says: "It is so", body: Webhook } },
    faults: ["thing.unknown", "conflict.changed"],
    handle: (call) => change(endpoints, call),
  });

  routes.add({
    method: "PUT",
    path: "/webhooks/:id/enabled",
    tag: "webhooks",
    scope: "full",
    summary: "Enable or disable a webhook",
    description: "While it is disabled, what it would get becomes dead letters; replay them when it is enabled again.",
    params: OF_WEBHOOK,
    body: WebhookEnabledBody,
    answers: { 200: { says: "It is so", body: Webhook } },
    faults: ["thing.unknown", "conflict.changed"],
    handle: async (call) => {
      const done = await endpoints.setEnabled(call.params.id, call.body.enabled, byOf(call));
      return done.kind === "done" ? jsonText(200, webhookText(done.value)) : undone(call, done);
    },
  });

  routes.add({
    method: "DELETE",
    path: "/webhooks/:id",
    tag: "webhooks",
    scope: "full",
    summary: "Delete a webhook with its rule",
    params: OF_WEBHOOK,
    answers: { 204: { says: "It is gone" } },
    faults: ["thing.unknown", "conflict.changed"],
    handle: async (call) => {
      const done = await endpoints.remove(call.params.id, byOf(call));
      return done.kind === "done" ? NO_CONTENT : undone(call, done);
    },
  });

  routes.add({
    method: "POST",
    path: "/webhooks/:id/test",
    tag: "webhooks",
    scope: "full",
    summary: "Send a sample event now, and tell what came back",
    params: OF_WEBHOOK,
    answers: { 200: { says: "What came back", body: WebhookTest } },
    faults: ["thing.unknown"],
    handle: async (call) => {
      const done = await endpoints.test(call.params.id, call.signal());
      return done.kind === "done" ? json(200, testView(done.value)) : undone(call, done);
    },
  });
}

type ChangeCall = Call<{ id: string }, unknown, WebhookChange>;

async function change(endpoints: HttpHouse["webhooks"]["endpoints"], call: ChangeCall): Promise<Answer> {
  const { body, text, params } = call;
  const { pattern: given, ...rest } = body;
  const found = await endpoints.describe(params.id);
  if (found.kind !== "done") return undone(call, found);
  const pattern = patternOf(text, given ?? undefined);
  const bus = found.value.subscription?.bus ?? SUBSCRIPTION_BUS;
  const subscription = given === undefined ? undefined : pattern === null ? null : { bus, pattern };
  const wish = { ...known(rest), ...(subscription === undefined ? {} : { subscription }) };
  const done = await endpoints.change(params.id, wish, byOf(call));
  return done.kind === "done" ? jsonText(200, webhookText(done.value)) : undone(call, done);
}

/** Without what a caller may write besides. */
function known({ url, description, format, allowPrivate, headers, timeoutMs }: Omit<WebhookChange, "pattern">) {
  return {
    ...(url === undefined ? {} : { url }),
    ...(description === undefined ? {} : { description }),
    ...(format === undefined ? {} : { format }),
    ...(allowPrivate === undefined ? {} : { allowPrivate }),
    ...(headers === undefined ? {} : { headers }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
}

function registerDeliveries(routes: Routes, { webhooks: { deliveries }, clock }: HttpHouse): void {
  routes.add({
    method: "GET",
    path: "/webhooks/:id/deliveries",
    tag: "webhooks",
    scope: "read",
    summary: "Deliveries of a webhook with their tries, newest first",
    description: "The last 1,000, for 30 days.",
    params: OF_WEBHOOK,
    query: PAGE_QUERY,
    answers: { 200: { says: "A page", body: WebhookDeliveries } },
    faults: ["thing.unknown"],
    handle: async (call) => {
      const { cursor, limit = PAGE_LIMIT } = call.query;
      const after = cursor === undefined ? null : decodeCursor(cursor);
      if (cursor !== undefined && after === null) return BAD_CURSOR;
      const found = await deliveries.list(call.params.id, { after, limit });
      if (found.kind !== "done") return undone(call, found);
      return json(200, { paging: paging(found.value.next), items: found.value.items.map(deliveryView) });
    },
  });

  routes.add({
    method: "GET",
    path: "/webhooks/:id/deliveries/:delivery",
    tag: "webhooks",
    scope: "read",
    summary: "One delivery, and what was posted",
    params: OF_DELIVERY,
    answers: { 200: { says: "The delivery", body: WholeWebhookDelivery } },
    faults: ["thing.unknown"],
    handle: async (call) => {
      const found = await deliveries.describe(call.params.id, call.params.delivery);
      return found.kind === "done" ? jsonText(200, deliveryText(found.value)) : undone(call, found);
    },
  });

  routes.add({
    method: "POST",
    path: "/webhooks/:id/deliveries/:delivery/replay",
    tag: "webhooks",
    scope: "full",
    summary: "Deliver it again now, under the same `webhook-id`",
    params: OF_DELIVERY,
    answers: { 202: { says: "It is on its way" } },
    faults: ["thing.unknown", "conflict.changed"],
    handle: async (call) => {
      const done = await deliveries.replay(call.params.id, call.params.delivery, byOf(call));
      return done.kind === "done" ? ACCEPTED : undone(call, done);
    },
  });

  routes.add({
    method: "POST",
    path: "/webhooks/:id/replay",
    tag: "webhooks",
    scope: "full",
    summary: "Deliver the events of a time again",
    description: "Each under the `webhook-id` that it had, by which a receiver knows what it has already.",
    params: OF_WEBHOOK,
    body: WebhookReplayBody,
    example: { from: "2026-11-22T00:00:00Z", to: "2026-11-22T06:00:00Z" },
    answers: { 202: { says: "It has begun; `GET /webhooks/ID` tells how far it is", body: WebhookReplay } },
    faults: ["thing.unknown", "conflict.exists"],
    handle: async (call) => {
      const { from, to, bus = null, pattern } = call.body;
      const fromMs = Date.parse(from);
      const untilMs = to === undefined ? clock.nowMs() : Date.parse(to);
      if (Number.isNaN(fromMs) || Number.isNaN(untilMs)) return undone(call, NO_TIME);
      const wish = { fromMs, untilMs, bus, pattern: patternOf(call.text, pattern) };
      const done = await deliveries.replayRange(call.params.id, wish, byOf(call));
      return done.kind === "done" ? json(202, replayView(done.value)) : undone(call, done);
    },
  });
}

const NO_TIME = {
  kind: "fault",
  code: "invalid",
  message: "from and to are times such as 2026-11-22T06:00:00Z.",
} as const;

const ACCEPTED = json(202, {});

function byOf(call: Pick<Call, "once" | "traceparent">): By {
  return { origin: originOf(call, NO_CONTENT) };
}
