/**
 * Render: the words, for one channel and provider. Pure but for the seal of the unsubscribe link.
 *
 *     Person, compiled content ──▶ Rendered ──overrides──▶ Content
 *                                     └── cannot be said: a sentence
 */
import type { Channel, Content, EmailContent, WebhookContent } from "#domain/content.ts";
import { unreachable } from "#domain/invariant.ts";
import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";
import { attachmentsOf } from "#pipeline/attachments.ts";
import { addressOf, type Person, type Work } from "#pipeline/route.ts";
import type { Secrets } from "#ports/secrets.ts";
import type { Rendered } from "#templates/rendered.ts";
import type { Scope } from "#templates/scope.ts";

export type Words =
  | { readonly ok: true; readonly content: Content; readonly rendered: Rendered }
  | { readonly ok: false; readonly problem: string };

export type RenderHouse = {
  readonly secrets: Secrets /** Under which the one-click endpoint is reached, without a slash at the end. */;
  readonly publicUrl: () => string;
};

/** @param work its plan must have compiled content: a send without words never gets here. */
export function render(
  work: Pick<Work, "record" | "plan">,
  person: Person,
  target: { readonly channel: Channel; readonly provider: string },
  house: RenderHouse,
): Words {
  const { compiled } = work.plan;
  if (compiled === null) return { ok: false, problem: "the template does not exist" };
  const unsubscribe = unsubscribeUrl(work, person, house);
  const rendered = compiled.render(target, scopeOf(work, person, unsubscribe));
  if (!rendered.ok) return rendered;
  const override = overrideOf(work, target);
  return { ok: true, rendered, content: contentOf(rendered, override, work, person, target.channel, unsubscribe) };
}

function scopeOf({ record, plan }: Pick<Work, "record" | "plan">, person: Person, unsubscribe: string | null): Scope {
  return {
    data: person.data,
    profile: person.profile,
    tenant: {},
    brand: {},
    locale: person.locale,
    builtins: {
      messageId: record.id,
      recipient: record.recipient,
      event: record.event,
      template: record.notification,
      environment: "production",
      unsubscribeUrl: unsubscribe,
      preferencesUrl: null,
      year: new Date(plan.acceptedMs).getUTCFullYear(),
    },
  };
}

/** Mail to a list carries the way out of it: sealed, for this person and this list (RFC 8058). */
function unsubscribeUrl(work: Pick<Work, "record">, person: Person, house: RenderHouse): string | null {
  if (person.listId === null || person.userId === null) return null;
  const token = house.secrets.seal(JSON.stringify(["list", person.listId, person.userId, work.record.id]));
  return `${house.publicUrl()}/u/${token}`;
}

/** Channel first, provider over it (courier-api.md §3.8). */
function overrideOf({ plan }: Pick<Work, "plan">, target: { channel: Channel; provider: string }): JsonObject {
  const { channels, providers } = plan.message;
  const ofChannel = channels?.[target.channel]?.override ?? {};
  const ofProvider = providers?.[target.provider]?.override ?? {};
  const body = ofProvider["body"];
  return { ...ofChannel, ...ofProvider, ...(isJsonObject(body) && target.channel !== "webhook" ? body : {}) };
}

function contentOf(
  rendered: Rendered,
  override: JsonObject,
  work: Pick<Work, "record" | "plan">,
  person: Person,
  channel: Channel,
  unsubscribe: string | null,
): Content {
  switch (channel) {
    case "email":
      return emailContent(rendered, override, person, unsubscribe, attachmentsOf(override, work.plan.id));
    case "sms":
      return { channel, to: String(addressOf(channel, person)), text: textIn(override, "body") ?? smsText(rendered) };
    case "push":
      return {
        channel,
        to: objectOf(addressOf(channel, person)),
        title: textIn(override, "title") ?? rendered.title,
        body: textIn(override, "body") ?? rendered.text,
        data: objectOf(override["data"] ?? person.data),
      };
    case "direct_message":
      return { channel, to: objectOf(addressOf(channel, person)), title: rendered.title, text: rendered.text };
    case "inbox":
      return {
        channel,
        userId: String(addressOf(channel, person)),
        title: rendered.title,
        body: rendered.text,
        data: person.data,
      };
    case "webhook":
      return webhookContent(rendered, override, work, person);
    default:
      return unreachable(channel);
  }
}

function emailContent(
  rendered: Rendered,
  override: JsonObject,
  person: Person,
  unsubscribe: string | null,
  attachments: EmailContent["attachments"],
): EmailContent {
  const raw = rendered.raw ?? {};
  return {
    channel: "email",
    from: textIn(override, "from"),
    to: String(addressOf("email", person)),
    cc: mailboxesIn(override["cc"]),
    bcc: mailboxesIn(override["bcc"]),
    replyTo: textIn(override, "reply_to"),
    subject: textIn(override, "subject") ?? textIn(raw, "subject") ?? rendered.title,
    html: textIn(override, "html") ?? textIn(raw, "html") ?? rendered.html,
    text: textIn(override, "text") ?? textIn(raw, "text") ?? rendered.text,
    attachments,
    unsubscribe: unsubscribe === null ? null : { url: unsubscribe },
  };
}

/** An SMS has no subject: the title stands above the text, unless there is nothing else. */
function smsText(rendered: Rendered): string {
  return [rendered.title, rendered.text].filter((part) => part !== "").join("\n");
}

/** courier-api.md §7.3: the parts are known, the exact layout is not; ours is named after them. */
function webhookContent(
  rendered: Rendered,
  override: JsonObject,
  { record, plan }: Pick<Work, "record" | "plan">,
  person: Person,
): WebhookContent {
  const to = objectOf(addressOf("webhook", person));
  const target = plan.targets[record.toIndex];
  const sent = target?.kind === "person" ? withoutSecrets(target.to) : {};
  const payload = objectOf(rendered.raw?.["payload"] ?? null);
  const body = override["body"] ??
    payload["body"] ?? {
      messageId: record.id,
      event: record.event,
      template: record.notification,
      recipient: record.recipient,
      title: rendered.title,
      body: rendered.text,
      data: person.data,
      profile: to["profile"] === "expanded" ? withoutSecrets(person.profile) : sent,
    };
  const headers = { ...objectOf(to["headers"] ?? null), ...objectOf(override["headers"] ?? null) };
  return {
    channel: "webhook",
    url: textIn(override, "url") ?? String(to["url"]),
    method: (textIn(override, "method") ?? to["method"]) === "PUT" ? "PUT" : "POST",
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])),
    authentication: authenticationOf(objectOf(to["authentication"] ?? null)),
    body: typeof body === "string" ? body : JSON.stringify(body),
  };
}

/** How to authenticate at the webhook is nothing that the webhook needs to be told. */
function withoutSecrets(profile: JsonObject): JsonObject {
  const { webhook: _webhook, data: _data, ...rest } = profile;
  return rest;
}

function authenticationOf(authentication: JsonObject): WebhookContent["authentication"] {
  const { mode, username, password, token } = authentication;
  if (mode === "basic" && typeof username === "string" && typeof password === "string")
    return { mode, username, password };
  if (mode === "bearer" && typeof token === "string") return { mode, token };
  return { mode: "none" };
}

function textIn(object: JsonObject, key: string): string | null {
  const value = object[key];
  return typeof value === "string" && value !== "" ? value : null;
}

function objectOf(value: Json): JsonObject {
  return isJsonObject(value) ? value : {};
}

function mailboxesIn(value: Json | undefined): readonly string[] {
  if (typeof value === "string") return value === "" ? [] : value.split(",").map((mailbox) => mailbox.trim());
  return Array.isArray(value) ? (value as readonly Json[]).filter((mailbox) => typeof mailbox === "string") : [];
}
