import { OWN_BUS } from "#domain/arn.ts";
import type { Document } from "#domain/document.ts";
import { type Changes, happened, NO_ORIGIN, noChanges, unchanged, write } from "#engine/change.ts";
import type { Engine } from "#engine/engine.ts";
import type { Secrets } from "#ports/secrets.ts";
import type { WebAnswer, WebCaller } from "#ports/web-caller.ts";
import type { By, Done, Page, RuleBook, RuleFault, RuleWish } from "#rules/desk.ts";
import { changeOr, fault, Refusal } from "#rules/fault.ts";
import { readOwnTargets } from "#rules/own-target.ts";
import { pageOf } from "#rules/page.ts";
import type { Target } from "#rules/rule.ts";
import { bodyOf, type ShowMessage } from "#webhooks/body.ts";
import { messageIdOf } from "#webhooks/delivery.ts";
import type { EndpointDesk, EndpointWish, WithSecret } from "#webhooks/desk.ts";
import {
  type Endpoint,
  endpointOf,
  endpointPut,
  MANAGER,
  ruleAt,
  type SecretRef,
  secretText,
  signingSecrets,
  WEBHOOK_TRASH,
  WEBHOOKS,
} from "#webhooks/endpoint.ts";
import type { Gate } from "#webhooks/gate.ts";
import { RANGE_REPLAYS } from "#webhooks/replay-stage.ts";
import {
  DESCRIPTION_CHARS_MAX,
  ENDPOINTS_MAX,
  ID_CHARS_MAX,
  OLD_SECRET_MS_MAX,
  TIMEOUT_MS_MAX,
  TIMEOUT_MS_MIN,
  URL_CHARS_MAX,
} from "#webhooks/limits.ts";

export type EndpointHouse = {
  readonly engine: Engine;
  readonly secrets: Secrets;
  readonly caller: WebCaller;
  readonly gate: Gate;
  readonly showMessage: ShowMessage;
  readonly rules: () => RuleBook;
};

/** Bytes of chance in an id and in what a secret is made of. */
const ID_BYTES = 8;
const NONCE_BYTES = 16;

/** Endpoints as documents, each with the rule that gives it its events. */
export class Endpoints implements EndpointDesk {
  readonly #house: EndpointHouse;
  #count: number | null = null;

  constructor(house: EndpointHouse) {
    this.#house = house;
  }

  async create(given: string | null, wish: EndpointWish, by?: By): Promise<Done<WithSecret>> {
    const { dice, clock } = this.#house.engine.parts;
    const id = given ?? `wh_${dice.hex(ID_BYTES)}`;
    const says = idFlaw(id) ?? this.#flaw(wish) ?? (await this.#fullness());
    if (says !== null) return fault("invalid", says);
    const nowMs = clock.nowMs();
    const secret: SecretRef = { nonce: dice.hex(NONCE_BYTES), createdMs: nowMs, untilMs: null };
    const state = {
      state: "enabled",
      disabledBy: null,
      secrets: [secret],
      createdMs: nowMs,
      modifiedMs: nowMs,
    } as const;
    const made: Endpoint = { id, ...wish, ...state };
    const done = await this.#edit(id, by, made.subscription, (before) =>
      before === null ? made : fault("exists", `There is a webhook ${id} already.`),
    );
    if (done.kind !== "done") return done;
    return { kind: "done", value: { endpoint: made, secret: secretText(made, secret, this.#house.secrets) } };
  }

  async describe(id: string): Promise<Done<Endpoint>> {
    const document = await this.#read(id);
    return document === null ? unknownWebhook(id) : { kind: "done", value: endpointOf(document) };
  }

  async list({ after, limit }: { readonly after: string | null; readonly limit: number }): Promise<Page<Endpoint>> {
    const { store } = this.#house.engine.parts;
    const found = await store.listDocuments({ collection: WEBHOOKS, after, limit: limit + 1 });
    return pageOf(found.map(endpointOf), limit, ({ id }) => id);
  }

  async change(id: string, wish: Partial<EndpointWish>, by?: By): Promise<Done<Endpoint>> {
    const found = await this.describe(id);
    if (found.kind !== "done") return found;
    const subscription = wish.subscription === undefined ? found.value.subscription : wish.subscription;
    const was = found.value.subscription;
    if (was !== null && subscription !== null && was.bus !== subscription.bus) return fault("invalid", BUS_STAYS);
    const says = this.#flaw({ ...found.value, ...wish });
    if (says !== null) return fault("invalid", says);
    const next = (before: Endpoint | null, modifiedMs: number): Endpoint | RuleFault =>
      before === null ? unknownWebhook(id) : { ...before, ...wish, modifiedMs };
    if (was !== null && subscription === null) return this.#unsubscribe(id, by, was.bus, next);
    return this.#edit(id, by, wish.subscription ?? null, next);
  }

  async setEnabled(id: string, enabled: boolean, by?: By): Promise<Done<Endpoint>> {
    const done = await this.#edit(id, by, null, (before, modifiedMs) => {
      if (before === null) return unknownWebhook(id);
      if ((before.state === "enabled") === enabled) return before;
      return { ...before, state: enabled ? "enabled" : "disabled", disabledBy: enabled ? null : "hand", modifiedMs };
    });
    // Somebody has mended it, so it is called at once.
    if (done.kind === "done" && enabled) this.#house.gate.forget(id);
    return done;
  }

  /**
   * It says itself that it is gone for good. Nothing to do when it is disabled already, was deleted, or has another address
   * than the one that said so.
   */
  async disable(id: string, url: string): Promise<void> {
    const done = await this.#edit(id, undefined, null, (before, modifiedMs) => {
      if (before === null) return unknownWebhook(id);
      if (before.state === "disabled" || before.url !== url) return before;
      return { ...before, state: "disabled", disabledBy: "410", modifiedMs };
    });
    if (done.kind === "overloaded") throw new Error("too much waits to be stored");
  }

  async rotate(id: string, keepOldMs: number, by?: By): Promise<Done<WithSecret>> {
    if (keepOldMs < 0 || keepOldMs > OLD_SECRET_MS_MAX) return fault("invalid", OLD_SECRET);
    const { engine, secrets } = this.#house;
    const nonce = engine.parts.dice.hex(NONCE_BYTES);
    const done = await this.#edit(id, by, null, (before, nowMs) => {
      if (before === null) return unknownWebhook(id);
      const [newest] = before.secrets;
      const old = newest === undefined || keepOldMs === 0 ? [] : [{ ...newest, untilMs: nowMs + keepOldMs }];
      return { ...before, secrets: [{ nonce, createdMs: nowMs, untilMs: null }, ...old], modifiedMs: nowMs };
    });
    if (done.kind !== "done") return done;
    const [newest] = done.value.secrets;
    const secret = newest === undefined ? "" : secretText(done.value, newest, secrets);
    return { kind: "done", value: { endpoint: done.value, secret } };
  }

  async remove(id: string, by?: By): Promise<Done<null>> {
    const found = await this.describe(id);
    if (found.kind !== "done") return found;
    const decide = async (): Promise<Changes | RuleFault> => {
      const document = await this.#read(id);
      if (document === null) return unknownWebhook(id);
      const nowMs = this.#house.engine.parts.clock.nowMs();
      const changes = noChanges();
      const key = { collection: WEBHOOKS, id };
      changes.expect.push(unchanged(key, document));
      changes.deletes.push(key, { collection: RANGE_REPLAYS, id });
      changes.puts.push({ collection: WEBHOOK_TRASH, id, body: "{}", when: "always", nowMs });
      changes.events.push(happened("webhook.deleted", `webhook:${id}`, {}, { nowMs, origin: by?.origin ?? NO_ORIGIN }));
      return changes;
    };
    const { subscription } = found.value;
    if (subscription !== null) {
      const done = await this.#house
        .rules()
        .remove(ruleAt(id, subscription.bus), true, { ...by, ...AS, beside: decide });
      if (done.kind !== "done") return done;
      // Null: there was no rule, and nothing was written.
      if (done.value !== null) return { kind: "done", value: null };
    }
    return await changeOr<null>(this.#house.engine, by, async () => {
      const changes = await decide();
      return "kind" in changes ? { kind: "elsewhere", value: new Refusal(changes) } : write(changes, null);
    });
  }

  async test(id: string, signal: AbortSignal): Promise<Done<WebAnswer>> {
    const found = await this.describe(id);
    if (found.kind !== "done") return found;
    const { engine, secrets, caller, showMessage } = this.#house;
    const endpoint = found.value;
    const { url, headers, allowPrivate, timeoutMs, format } = endpoint;
    const { clock, dice } = engine.parts;
    const nowMs = clock.nowMs();
    const data = JSON.stringify({ message: "This is a test. Nothing happened." });
    const event = { source: "tidings", type: "webhook.test", subject: null, timeMs: nowMs, data, traceparent: null };
    const body = await bodyOf(endpoint, event, showMessage);
    const messageId = messageIdOf(id, ["test", dice.hex(NONCE_BYTES)], secrets);
    const sign = { scheme: format, id: messageId, secrets: signingSecrets(endpoint, nowMs, secrets) };
    const call = { url, headers, body, sign, traceparent: null, allowPrivate, timeoutMs };
    return { kind: "done", value: await caller.post(call, signal) };
  }

  /**
   * Changes one endpoint, and with a subscription its managed rule in the same commit.
   * @param next called again when somebody else was faster; the very same endpoint: nothing is written.
   */
  async #edit(
    id: string,
    by: By | undefined,
    subscription: Endpoint["subscription"],
    next: (before: Endpoint | null, nowMs: number) => Endpoint | RuleFault,
  ): Promise<Done<Endpoint>> {
    const decided = this.#decider(id, by, next);
    if (subscription === null) {
      return await changeOr<Endpoint>(this.#house.engine, by, async () => {
        const changes = await decided.decide();
        return "kind" in changes ? { kind: "elsewhere", value: new Refusal(changes) } : write(changes, decided.after());
      });
    }
    const wish = { ...ruleWish(id, subscription), targets: targetsOf(id) };
    const done = await this.#house.rules().putWhole(wish, { ...by, ...AS, beside: decided.decide });
    return done.kind === "done" ? { kind: "done", value: decided.after() } : done;
  }

  async #unsubscribe(
    id: string,
    by: By | undefined,
    bus: string,
    next: (before: Endpoint | null, nowMs: number) => Endpoint | RuleFault,
  ): Promise<Done<Endpoint>> {
    const decided = this.#decider(id, by, next);
    const done = await this.#house.rules().remove(ruleAt(id, bus), true, { ...by, ...AS, beside: decided.decide });
    if (done.kind !== "done") return done;
    return done.value === null ? await this.#edit(id, by, null, next) : { kind: "done", value: decided.after() };
  }

  /** Decides a change of one endpoint; `after` is what the last decision came to. */
  #decider(id: string, by: By | undefined, next: (before: Endpoint | null, nowMs: number) => Endpoint | RuleFault) {
    let after: Endpoint | null = null;
    const decide = async (): Promise<Changes | RuleFault> => {
      const document = await this.#read(id);
      const before = document === null ? null : endpointOf(document);
      const nowMs = this.#house.engine.parts.clock.nowMs();
      const wanted = next(before, nowMs);
      if ("kind" in wanted) return wanted;
      after = wanted;
      const changes = noChanges();
      if (wanted === before) return changes;
      changes.expect.push(unchanged({ collection: WEBHOOKS, id }, document));
      changes.puts.push(endpointPut(wanted));
      if (before === null) changes.deletes.push({ collection: WEBHOOK_TRASH, id });
      const origin = by?.origin ?? NO_ORIGIN;
      changes.events.push(happened(typeOf(before, wanted), `webhook:${id}`, said(wanted), { nowMs, origin }));
      return changes;
    };
    return {
      decide,
      after: (): Endpoint => {
        if (after === null) throw new Error("broken invariant: a change that is done was decided");
        return after;
      },
    };
  }

  async #read(id: string): Promise<Document | null> {
    const [document = null] = await this.#house.engine.parts.store.documents([{ collection: WEBHOOKS, id }]);
    return document;
  }

  #flaw(wish: EndpointWish): string | null {
    const { url, description, timeoutMs } = wish;
    if (url.length > URL_CHARS_MAX) return `url: at most ${URL_CHARS_MAX} characters.`;
    if ((description ?? "").length > DESCRIPTION_CHARS_MAX)
      return `description: at most ${DESCRIPTION_CHARS_MAX} characters.`;
    if (timeoutMs < TIMEOUT_MS_MIN || timeoutMs > TIMEOUT_MS_MAX) return TIMEOUT;
    const says = this.#house.caller.flaw(wish);
    return says === null ? null : `It could not be called: ${says}.`;
  }

  /** Counted once, and then what this process adds: the limit is a guard, and may be passed a little. */
  async #fullness(): Promise<string | null> {
    const { store } = this.#house.engine.parts;
    this.#count ??= (await store.listDocuments({ collection: WEBHOOKS, limit: ENDPOINTS_MAX })).length;
    this.#count += 1;
    if (this.#count <= ENDPOINTS_MAX) return null;
    this.#count = null;
    return `There are ${ENDPOINTS_MAX} webhooks already.`;
  }
}

export function unknownWebhook(id: string): RuleFault {
  return fault("unknown", `There is no webhook ${JSON.stringify(id.slice(0, ID_CHARS_MAX))}.`);
}

/** Which events it gets when nothing else is said: our own bus. */
export const SUBSCRIPTION_BUS = OWN_BUS;

const AS = { as: MANAGER };
const BUS_STAYS = "bus: it stays what it was; make another webhook for another bus.";
const TIMEOUT = `timeoutMs: from ${TIMEOUT_MS_MIN} to ${TIMEOUT_MS_MAX}.`;
const OLD_SECRET = `The old secret signs for at most ${OLD_SECRET_MS_MAX / 86_400_000} days more.`;

function idFlaw(id: string): string | null {
  return /^[A-Za-z0-9_-]+$/.test(id) && id.length <= ID_CHARS_MAX
    ? null
    : `id: 1 to ${ID_CHARS_MAX} letters, digits, - and _.`;
}

function ruleWish(id: string, { bus, pattern }: NonNullable<Endpoint["subscription"]>): RuleWish {
  const description = `What the webhook ${id} gets.`;
  return { ...ruleAt(id, bus), pattern, schedule: null, state: "ENABLED", description, roleArn: null, tags: {} };
}

function targetsOf(id: string): readonly Target[] {
  // A webhook's ARN has no region.
  const read = readOwnTargets([{ id: "webhook", webhook: id }], "");
  if (read.kind === "invalid") throw new Error(`broken invariant: ${read.says}`);
  return read.targets;
}

function typeOf(before: Endpoint | null, after: Endpoint): string {
  if (before === null) return "webhook.created";
  if (before.state !== after.state) return after.state === "enabled" ? "webhook.enabled" : "webhook.disabled";
  return before.secrets[0]?.nonce === after.secrets[0]?.nonce ? "webhook.changed" : "webhook.rotated";
}

/** For whoever asks later; neither headers nor anything that a secret is made of. */
function said({ url, state, disabledBy, format, allowPrivate, subscription }: Endpoint) {
  return { url, state, disabledBy, format, allowPrivate, subscription };
}
