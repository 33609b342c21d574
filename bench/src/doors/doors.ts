import { sendBody } from "../mail.ts";
import { type Place, Signer } from "./aws.ts";

/** The doors that are compared: how a call of each looks, and how what it brought is found on the disk afterwards. */
export type Door = {
  readonly key: DoorKey;
  readonly name: string;
  /** Events (or messages) that one call brings. */
  readonly perCall: number;
  /** The call with this number. */
  readonly call: (to: To, index: number) => string;
  /** What a good answer says, besides its status. */
  readonly says: RegExp;
  /** Where they lie. */
  readonly kept: Kept;
};

export type DoorKey =
  | "send"
  | "sqs-json"
  | "sqs-query"
  | "sqs-batch"
  | "put-events-1"
  | "put-events-10"
  | "ce-structured"
  | "ce-binary"
  | "ce-batch"
  | "events-type"
  | "courier";

export type Kept =
  | { readonly as: "request" }
  | { readonly as: "event"; readonly source: string }
  | { readonly as: "message"; readonly queue: string };

/** Where calls go, who makes them, and the word that tells this burst's from another's. */
export type To = {
  readonly place: Place;
  readonly key: string;
  readonly burst: string;
  readonly sqs: Signer;
  readonly eventBridge: Signer;
};

export const BATCH = 10;
const AN_HOUR_MS = 3_600_000;
const OK_BATCH = /^(?!.*"Failed":\[\{)(?=.*"Successful":\[\{)/s;

export function toOf(place: Place, key: string, burst: string): To {
  return { place, key, burst, sqs: new Signer(place, "sqs"), eventBridge: new Signer(place, "events") };
}

export function queueUrl({ host, port, path }: Pick<Place, "host" | "port" | "path">, queue: string): string {
  return `http://${host}:${port}${path === "/" ? "" : path}/000000000000/${queue}`;
}

/** Of some 250 bytes: what a shop says of an order. */
export function orderData(burst: string, index: number): string {
  return `{"order":"PX-${100_000 + index}","burst":"${burst}","index":${index},"customer":{"id":"c-hot","name":"Ada Lovelace","email":"ada@example.org","plan":"pro"},"total":142.5,"currency":"NOK","lines":[{"sku":"K-17","qty":2},{"sku":"K-4711","qty":1}],"shipping":{"city":"Oslo","zip":"0150"}}`;
}

const CE_TYPE = "order.placed";
/** `POST /send` of mails that are due in an hour: durable as any other, and no provider is called meanwhile. */
export const DOORS: readonly Door[] = [
  {
    key: "send",
    name: "`POST /send`",
    perCall: 1,
    call: (to, index) =>
      http(to, "/send", "application/json", sendBody(to.burst, index, { delay: { duration: AN_HOUR_MS } })),
    says: /"requestId"/,
    kept: { as: "request" },
  },
  {
    key: "sqs-json",
    name: "SQS SendMessage, JSON",
    perCall: 1,
    call: ({ place, burst, sqs }, index) =>
      sqs.json(
        "SendMessage",
        JSON.stringify({ QueueUrl: queueUrl(place, "b-json"), MessageBody: orderData(burst, index) }),
      ),
    says: /"MessageId"/,
    kept: { as: "message", queue: "b-json" },
  },
  {
    key: "sqs-query",
    name: "SQS SendMessage, Query",
    perCall: 1,
    call: ({ place, burst, sqs }, index) =>
      sqs.query("SendMessage", [
        ["QueueUrl", queueUrl(place, "b-query")],
        ["MessageBody", orderData(burst, index)],
      ]),
    says: /<MessageId>/,
    kept: { as: "message", queue: "b-query" },
  },
  {
    key: "sqs-batch",
    name: "SQS SendMessageBatch of 10",
    perCall: BATCH,
    call: ({ place, burst, sqs }, index) =>
      sqs.json(
        "SendMessageBatch",
        JSON.stringify({
          QueueUrl: queueUrl(place, "b-batch"),
          Entries: ten(index).map((n) => ({ Id: `e-${n}`, MessageBody: orderData(burst, n) })),
        }),
      ),
    says: OK_BATCH,
    kept: { as: "message", queue: "b-batch" },
  },
  {
    key: "put-events-1",
    name: "EventBridge PutEvents",
    perCall: 1,
    call: (to, index) => putEvents(to, [index], "b.put-1", CE_TYPE),
    says: /"FailedEntryCount":0/,
    kept: { as: "event", source: "b.put-1" },
  },
  {
    key: "put-events-10",
    name: "EventBridge PutEvents of 10",
    perCall: BATCH,
    call: (to, index) => putEvents(to, ten(index), "b.put-10", CE_TYPE),
    says: /"FailedEntryCount":0/,
    kept: { as: "event", source: "b.put-10" },
  },
  {
    key: "ce-structured",
    name: "CloudEvents, structured",
    perCall: 1,
    call: (to, index) =>
      http(to, "/events", "application/cloudevents+json", cloudEvent(to.burst, index, "/b/structured")),
    says: /"id"/,
    kept: { as: "event", source: "/b/structured" },
  },
  {
    key: "ce-binary",
    name: "CloudEvents, binary",
    perCall: 1,
    call: (to, index) =>
      http(to, "/events", "application/json", orderData(to.burst, index), [
        "ce-specversion: 1.0",
        `ce-id: ${to.burst}-${index}`,
        "ce-source: /b/binary",
        `ce-type: ${CE_TYPE}`,
      ]),
    says: /"id"/,
    kept: { as: "event", source: "/b/binary" },
  },
  {
    key: "ce-batch",
    name: "CloudEvents, batch of 10",
    perCall: BATCH,
    call: (to, index) =>
      http(
        to,
        "/events",
        "application/cloudevents-batch+json",
        `[${ten(index)
          .map((n) => cloudEvent(to.burst, n, "/b/batch"))
          .join(",")}]`,
      ),
    says: /"id/,
    kept: { as: "event", source: "/b/batch" },
  },
  {
    key: "events-type",
    name: "`POST /events/TYPE`",
    perCall: 1,
    call: (to, index) =>
      http(to, `/events/${CE_TYPE}?source=/b/plain`, "application/json", orderData(to.burst, index), [
        `idempotency-key: ${to.burst}-${index}`,
      ]),
    says: /"id"/,
    kept: { as: "event", source: "/b/plain" },
  },
  {
    key: "courier",
    name: "Courier's `/inbound/courier`",
    perCall: 1,
    call: (to, index) =>
      http(
        to,
        "/inbound/courier",
        "application/json",
        `{"type":"track","event":"${CE_TYPE}","messageId":"${to.burst}-${index}","properties":${orderData(to.burst, index)},"userId":"ada"}`,
      ),
    says: /"messageId"/,
    kept: { as: "event", source: "courier" },
  },
];

/** A call of EventBridge with one entry for each index. */
export function putEvents(to: To, indexes: readonly number[], source: string, type: string): string {
  const entries = indexes.map((n) => ({ Source: source, DetailType: type, Detail: orderData(to.burst, n) }));
  return to.eventBridge.json("PutEvents", JSON.stringify({ Entries: entries }));
}

/** The numbers of what a call with ten brings. */
export function ten(index: number): readonly number[] {
  return Array.from({ length: BATCH }, (_, n) => index * BATCH + n);
}

function cloudEvent(burst: string, index: number, source: string): string {
  return `{"specversion":"1.0","id":"${burst}-${index}","source":"${source}","type":"${CE_TYPE}","time":"2026-11-22T10:00:00Z","data":${orderData(burst, index)}}`;
}

function http({ place, key }: To, path: string, type: string, body: string, more: readonly string[] = []): string {
  const head = [
    `POST ${path} HTTP/1.1`,
    `host: ${place.host}:${place.port}`,
    `authorization: Bearer ${key}`,
    `content-type: ${type}`,
    ...more,
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}
