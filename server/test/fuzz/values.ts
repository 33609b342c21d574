import fc, { type Arbitrary } from "fast-check";
import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";
import { listOf, objectOf } from "./operations.ts";

/** Stands for something that an earlier answer named: `@@message:3@@`. It becomes that when the call goes out. */
export function known(kind: KnownKind): Arbitrary<string> {
  return fc.nat(199).map((at) => `@@${kind}:${at}@@`);
}

export type KnownKind = "message" | "request" | "caught" | "cursor" | "deadLetter" | "key" | "upload" | "token";

/** Few enough that they meet each other, and that no send to a list becomes a flood. */
const USERS = Array.from({ length: 20 }, (_, at) => `fuzz-user-${at}`);
const LISTS = ["fuzz", "fuzz.news", "fuzz.news.daily", "fuzz.other"];
const ADDRESSES = ["ada@example.com", "Ada <ada@example.org>", "bob+1@example.net", "zoë@example.com"];

const word = fc.constantFrom("a", "name", "welcome", "Grüße", "日本", 'it\'s "so"', "<b>&amp;</b>", "x y", "0", "🎈");
const scalar: Arbitrary<Json> = fc.oneof(word, fc.integer(), fc.double({ noNaN: true }), fc.boolean());
const anyJson: Arbitrary<Json> = fc.oneof(
  scalar,
  fc.constant(null),
  fc.array(scalar, { maxLength: 3 }),
  fc.dictionary(word, scalar, { maxKeys: 3 }),
);
const anyObject: Arbitrary<JsonObject> = fc.dictionary(word, anyJson, { maxKeys: 3 });
const user = fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...USERS) }, { weight: 1, arbitrary: word });
const list = fc.constantFrom(...LISTS);
const milliseconds = fc.integer({ min: 0, max: 3_000 });
const channel = fc.constantFrom("email", "sms", "push", "inbox", "webhook", "direct_message");

/** What a field of this name means, where its schema only says "a string" or "an object". */
const BY_NAME: Readonly<Record<string, Arbitrary<Json>>> = {
  email: fc.constantFrom(...ADDRESSES),
  address: fc.constantFrom(...ADDRESSES),
  phone_number: fc.constantFrom("+46701234567", "+49 30 1234"),
  user_id: user,
  recipientId: user,
  recipient: user,
  list_id: list,
  listId: list,
  list,
  list_pattern: fc.constantFrom("fuzz.*", "fuzz.**", "fuzz.news.*"),
  pattern: fc.constantFrom("fuzz.*", "fuzz.**", "fuzz"),
  locale: fc.constantFrom("en", "de-AT"),
  timezone: fc.constantFrom("Europe/Stockholm", "UTC+4"),
  until: fc.constantFrom("2026-01-01T00:00:00Z", "Mo-Su 00:00-24:00", "2020-02-29"),
  duration: milliseconds,
  channel,
  piece: fc.constantFrom("html", "title", "body", "subject", "text", "blocks"),
  // Nobody listens there, and it is nobody else's machine.
  webhook: fc.record({ url: fc.constantFrom("http://127.0.0.1:9/hook", "https://hooks.invalid/x") }),
  override: fc.oneof(
    fc.constant<JsonObject>({ subject: "Other words", cc: "cc@example.com" }),
    fc.constant<JsonObject>({ attachments: [{ filename: "a.txt", contentType: "text/plain", data: "QUFB" }] }),
    fc.constant<JsonObject>({ from: "us@example.com", reply_to: "re@example.com", body: { text: "words" } }),
    anyObject,
  ),
  timeouts: fc.record({ provider: milliseconds, channel: milliseconds }, { requiredKeys: [] }),
  timeout: fc.record(
    { message: fc.oneof(fc.constant(0), milliseconds), unknown: fc.constantFrom("retry", "hold") },
    { requiredKeys: [] },
  ),
  expiry: fc.constant({ expires_in: "PT1H" }),
  if: fc.constantFrom("data.a == 1", "name"),
  version: fc.constant("2022-01-01"),
  tags: fc.array(fc.constantFrom("one", "two", "three"), { maxLength: 3 }),
  tag: fc.array(fc.constantFrom("one", "two", "three"), { maxLength: 3 }),
  scopes: fc.subarray(["full", "send", "read"], { minLength: 1 }),
  cursor: known("cursor"),
  enqueued_after: fc.constantFrom("1700000000000", "2024-01-01T00:00:00Z", "2024-01-01"),
  status: fc.array(fc.constantFrom("SENT", "queued", "UNDELIVERABLE"), { maxLength: 3 }),
  type: fc.constantFrom("message.", "message.sent", "list."),
  subject: known("message"),
  message_id: known("message"),
  messageId: known("message"),
  message: known("message"),
  traceId: known("request"),
  request_id: known("request"),
  request: known("request"),
  id: known("caught"),
  key_id: known("key"),
  key: known("deadLetter"),
  keys: fc.array(known("deadLetter"), { maxLength: 3 }),
  queue: fc.constantFrom("message", "expand", "none"),
  token: known("token"),
  format: fc.constantFrom("json", "text"),
  filename: fc.constantFrom("a.txt", "Grüße.pdf"),
  path: fc.constantFrom("/email", "/custom/a", "/custom", "/given_name"),
  profile: fc.record(
    {
      email: fc.constantFrom(...ADDRESSES),
      phone_number: fc.constant("+46701234567"),
      locale: fc.constant("sv"),
      custom: anyObject,
    },
    { requiredKeys: [] },
  ),
  rows: fc.array(
    fc.record({ user_id: user, email: fc.constantFrom(...ADDRESSES), data: anyObject }, { requiredKeys: ["user_id"] }),
    { maxLength: 5 },
  ),
  "Idempotency-Key": fc.oneof(
    fc.nat(50).map((at) => `repeated-${at}`),
    fc.uuid(),
  ),
  "x-idempotency-expiration": fc.constantFrom("1900000000", "1900000000000", "2030-01-01T00:00:00Z"),
};

/** What a schema of this name means beyond what a schema can say; each still fits its schema. */
const BY_TITLE: Readonly<Record<string, (schema: JsonObject) => Arbitrary<Json>>> = {
  Recipient: (schema) => {
    const fields = fieldsOf(schema);
    const form = (...required: readonly string[]) =>
      some({ ...pick(fields, ["locale", "data", "preferences", "context"]), ...pick(fields, required) }, required);
    return fc.oneof(
      form("user_id"),
      form("email"),
      form("user_id", "email"),
      form("phone_number"),
      form("list_id"),
      form("list_pattern"),
      form("webhook"),
    );
  },
  Content: () =>
    fc.oneof(
      fc.record({ title: words, body: words }),
      fc.record({ version: fc.constant("2022-01-01"), elements: fc.array(element, { minLength: 1, maxLength: 4 }) }),
    ),
  Routing: (schema) =>
    fc.record({
      method: fc.constantFrom("single", "all"),
      channels: fc.array(
        fc.oneof(channel, fc.constantFrom("smtp", "mailbox"), fc.constant({ method: "all", channels: ["sms"] })),
        { minLength: 1, maxLength: objectOf(schema["properties"]) === undefined ? 1 : 4 },
      ),
    }),
  Message: (schema) => {
    const { content, template, to, ...others } = fieldsOf(schema);
    const said = (how: Record<string, Arbitrary<Json> | undefined>) => {
      const filled = Object.fromEntries(
        Object.entries(how).flatMap(([name, one]) => (one === undefined ? [] : [[name, given(one)]])),
      );
      return some({ ...others, ...filled }, Object.keys(filled));
    };
    return fc.oneof({ weight: 9, arbitrary: said({ to, content }) }, { weight: 1, arbitrary: said({ to, template }) });
  },
  RedriveRequest: () =>
    fc.oneof(
      fc.record({ keys: fc.array(known("deadLetter"), { maxLength: 3 }) }),
      fc.record({ queue: fc.constantFrom("message", "expand") }),
      fc.constant({ all: true }),
    ),
  HeldDecision: () =>
    fc.oneof(
      fc.constant({ all: true }),
      fc.record(
        { queue: fc.constantFrom("message", "expand"), list, request: known("request") },
        { requiredKeys: ["queue"] },
      ),
    ),
  Deadline: () =>
    fc
      .tuple(
        fc.oneof(fc.record({ at: moment }), fc.record({ in: fc.constantFrom<Json>("PT15M", 1, 500, 60_000) })),
        fc.record(
          { late: fc.constantFrom("drop", "send", "collapse"), collapse_key: fc.constantFrom("a", "b") },
          { requiredKeys: [] },
        ),
      )
      .map(([when, more]) => ({ ...when, ...more })),
  PatchOperation: () =>
    fc.oneof(
      fc.record({ op: fc.constantFrom("add"), path: fc.constantFrom("/given_name", "/x"), value: scalar }),
      fc.record({ op: fc.constantFrom("replace", "test"), path: fc.constantFrom("/given_name", "/x"), value: scalar }),
      fc.record({ op: fc.constantFrom("remove"), path: fc.constantFrom("/given_name", "/x") }),
      fc.record({ op: fc.constantFrom("move", "copy"), from: fc.constant("/x"), path: fc.constant("/y") }),
    ),
};

const DAY_MS = 86_400_000;
/** Some days back or ahead of the day on which this runs: more than a year away is refused. */
const moment: Arbitrary<Json> = fc
  .integer({ min: -300, max: 300 })
  .map((days) => (Math.round(Date.now() / DAY_MS) + days) * DAY_MS);

const words = fc.constantFrom(
  "Hello {{name}}",
  "Plain words",
  "{{#if a}}yes{{else}}no{{/if}}",
  "**bold** & <i>",
  "日本",
);
const element: Arbitrary<JsonObject> = fc.oneof(
  fc.record({ type: fc.constant("text"), content: words }),
  fc.record({ type: fc.constant("meta"), title: words }),
  fc.record({ type: fc.constant("action"), href: fc.constant("https://example.com/"), content: words }),
  fc.constant<JsonObject>({ type: "divider" }),
  fc.record({ type: fc.constant("quote"), content: words }),
);

/** Whatever fits a schema, mostly as somebody would mean it. */
export function valueOf(schema: JsonObject, name = ""): Arbitrary<Json> {
  const title = schema["title"];
  const meant = typeof title === "string" && Object.hasOwn(BY_TITLE, title) ? BY_TITLE[title]?.(schema) : undefined;
  if (meant !== undefined) return meant;
  if ("const" in schema) return fc.constant(schema["const"] ?? null);
  if (Array.isArray(schema["enum"])) return fc.constantFrom(...listOf(schema["enum"]));
  if (Array.isArray(schema["anyOf"])) {
    const forms = listOf(schema["anyOf"]).map((one) => objectOf(one));
    return fc.oneof(
      ...forms.map((form) => ({ weight: form["type"] === "null" ? 1 : 5, arbitrary: valueOf(form, name) })),
    );
  }
  const named = Object.hasOwn(BY_NAME, name) ? BY_NAME[name] : undefined;
  if (named !== undefined && fitsType(schema, named)) return named;
  return ofType(schema, name);
}

/** Whether what is meant by a name is of the type that the schema says; one sample tells. */
function fitsType(schema: JsonObject, named: Arbitrary<Json>): boolean {
  const [sample = null] = fc.sample(named, { numRuns: 1, seed: 1 });
  const type = Array.isArray(sample) ? "array" : typeof sample;
  return schema["type"] === undefined || schema["type"] === type;
}

function ofType(schema: JsonObject, name: string): Arbitrary<Json> {
  const at = (keyword: string, otherwise: number): number => {
    const value = schema[keyword];
    return typeof value === "number" ? value : otherwise;
  };
  switch (schema["type"]) {
    case "string": {
      const [least, most] = [at("minLength", 0), at("maxLength", 40)];
      return fc.oneof(
        word.map((text) => text.padEnd(least, "x").slice(0, most)),
        fc.string({ minLength: Math.max(1, least), maxLength: Math.min(most, 40), unit: "grapheme-ascii" }),
      );
    }
    case "integer":
      return fc.integer({ min: at("minimum", 0), max: Math.min(at("maximum", 100_000), 100_000) });
    case "number":
      return fc.double({ min: at("minimum", 0), max: at("maximum", 100_000), noNaN: true });
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "array":
      return fc.array(valueOf(objectOf(schema["items"] ?? {}), name), {
        minLength: at("minItems", 0),
        maxLength: Math.min(at("maxItems", 4), 4),
      });
    case "object": {
      const fields = fieldsOf(schema);
      const of = schema["additionalProperties"] ?? Object.values(objectOf(schema["patternProperties"] ?? {}))[0];
      if (Object.keys(fields).length > 0) return some(fields, listOf(schema["required"]).map(String));
      if (isJsonObject(of)) {
        const names = fc.constantFrom("email", "smtp", "mailbox", "sms", "topic");
        return fc.dictionary(names, valueOf(of), { maxKeys: 3 });
      }
      return anyObject;
    }
    default:
      return anyJson;
  }
}

type Fields = Readonly<Record<string, Arbitrary<Json>>>;

function fieldsOf(schema: JsonObject): Fields {
  const properties = Object.entries(objectOf(schema["properties"] ?? {}));
  return Object.fromEntries(properties.map(([name, inner]) => [name, valueOf(objectOf(inner), name)]));
}

/** The required fields, and each of the others in one call of four. */
function some(fields: Fields, required: readonly string[]): Arbitrary<JsonObject> {
  const entries = Object.entries(fields).map(
    ([name, value]) =>
      (required.includes(name)
        ? value.map((one) => [[name, one]] as const)
        : fc.oneof(
            { weight: 3, arbitrary: fc.constant([]) },
            { weight: 1, arbitrary: value.map((one) => [[name, one]]) },
          )) as Arbitrary<[string, Json][]>,
  );
  return fc.tuple(...entries).map((all) => Object.fromEntries(all.flat()));
}

function pick(fields: Fields, names: readonly string[]): Fields {
  return Object.fromEntries(
    names.flatMap((name) => {
      const field = fields[name];
      return field === undefined ? [] : [[name, given(field)]];
    }),
  );
}

/** Not null: Courier's way of saying "left out". */
function given(value: Arbitrary<Json>): Arbitrary<Json> {
  return value.filter((one) => one !== null);
}
