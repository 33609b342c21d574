import { EventKept, PlainEventQuery } from "@tidings/contract";
import { Type } from "@tidings/contract";
import { type Answer, json, overloaded, refusal } from "#doors/http/answer.ts";
import { decodeText } from "#doors/http/body.ts";
import { type EventRead, parseTime } from "#doors/http/cloud-events/attributes.ts";
import { isBinaryMode, readBinary } from "#doors/http/cloud-events/binary.ts";
import { readStructured } from "#doors/http/cloud-events/structured.ts";
import type { HttpHouse } from "#doors/http/house.ts";
import { readJson } from "#doors/http/json-text.ts";
import type { Call, Routes } from "#doors/http/route.ts";
import { REQUEST_BYTES_MAX } from "#domain/limits.ts";
import { cut, weave } from "#rules/json-cut.ts";
import type { EventDesk, EventVerdict, ForeignEvent } from "#rules/event-desk.ts";

/** Events in one batch: what a producer gathers in a second; one commit takes them all. */
export const BATCH_EVENTS_MAX = 100;

const STRUCTURED = "application/cloudevents+json";
const BATCH = "application/cloudevents-batch+json";

const EXAMPLE = { specversion: "1.0", id: "4711", source: "/shop", type: "order.placed", data: { total: 42 } };

type House = Pick<HttpHouse, "events" | "clock">;

/** Events from whoever has some: CloudEvents 1.0 over HTTP in its three modes, and plain JSON. */
export function registerCloudEvents(routes: Routes, { events, clock }: House): void {
  routes.add({
    method: "POST",
    path: "/events",
    tag: "events",
    scope: "send",
    summary: "Take CloudEvents 1.0, one or a batch, in binary, structured or batch mode",
    description: `Answers as soon as they are durable. An event of a source and id that is there already is answered alike and kept once. Of a batch of up to ${BATCH_EVENTS_MAX}, all are kept or none.`,
    query: Type.Object({ bus: Type.Optional(Type.String({ description: "The bus; default: `default`" })) }),
    rawBytesMax: REQUEST_BYTES_MAX,
    rawTypes: { [STRUCTURED]: EXAMPLE, [BATCH]: [EXAMPLE], "application/json": EXAMPLE.data },
    answers: { 202: { says: "Kept; of a batch `EventsKept`", body: EventKept } },
    faults: ["event.invalid", "event.too_large", "event.unfit", "request.malformed", "request.unsupported_type"],
    handle: (call) => takeCloudEvents(call, call.query.bus ?? null, events, clock.nowMs()),
  });

  routes.add({
    method: "POST",
    path: "/events/:type",
    tag: "events",
    scope: "send",
    summary: "Take one event of this type, its data being the body: for a shell and curl",
    description: "With an Idempotency-Key, which becomes the event's id, a repeated call keeps it once.",
    params: Type.Object({ type: Type.String() }),
    query: PlainEventQuery,
    rawBytesMax: REQUEST_BYTES_MAX,
    rawTypes: { "application/json": EXAMPLE.data },
    answers: { 202: { says: "Kept", body: EventKept } },
    faults: ["event.invalid", "event.too_large", "event.unfit", "request.malformed", "request.unsupported_type"],
    handle: async (call) => {
      const encoded = encodedBody(call);
      if (encoded !== null) return encoded;
      const read = plainEvent(call, clock.nowMs());
      return read.ok ? await takeOne(read.event, call, events) : refusal(read.code, read.says);
    },
  });
}

async function takeCloudEvents(call: Call, bus: string | null, desk: EventDesk, nowMs: number): Promise<Answer> {
  const encoded = encodedBody(call);
  if (encoded !== null) return encoded;
  const { headers } = call;
  const type = headers["content-type"] ?? "";
  const media = (type.split(";", 1)[0] ?? "").trim().toLowerCase();
  const setting = { nowMs, bus };
  if (media === STRUCTURED || media === BATCH) {
    if (FOREIGN_CHARSET.test(type)) return refusal("request.unsupported_type", "CloudEvents in JSON are UTF-8.");
    const text = decodeText(bufferOf(call.bytes));
    if (text === null) return refusal("request.malformed", "The body is not valid UTF-8.");
    const body = readJson(text);
    if (!body.ok) return refusal("request.malformed", body.says);
    if (media === STRUCTURED) {
      const read = readStructured(text, body.value, setting);
      return read.ok ? await takeOne(read.event, call, desk) : refusal(read.code, read.says);
    }
    if (!Array.isArray(body.value)) return refusal("event.invalid", "A batch is a JSON array of events.");
    if (body.value.length > BATCH_EVENTS_MAX) {
      return refusal("event.invalid", `A batch has at most ${BATCH_EVENTS_MAX} events, not ${body.value.length}.`);
    }
    const { value } = body;
    const paths = weave(value.map((_, at) => [at]));
    return await takeBatch(
      cut(text, paths, value.length).map((each, at) => readStructured(each ?? "", value[at] ?? null, setting)),
      call,
      desk,
    );
  }
  if (media.startsWith("application/cloudevents")) {
    return refusal("request.unsupported_type", `Of the formats of CloudEvents, ${STRUCTURED} and ${BATCH} are taken.`);
  }
  if (!isBinaryMode(headers)) return refusal("event.invalid", NO_EVENT);
  const read = readBinary(headers, bufferOf(call.bytes), setting);
  return read.ok ? await takeOne(read.event, call, desk) : refusal(read.code, read.says);
}

const FOREIGN_CHARSET = /;\s*charset="?(?!utf-?8"?\s*(?:;|$))/i;
const NO_EVENT = `This is no CloudEvent: it has neither headers like ce-id, ce-source, ce-type, ce-specversion, nor the content type ${STRUCTURED} or ${BATCH}. For plain JSON there is POST /events/TYPE.`;

async function takeOne(event: ForeignEvent, call: Pick<Call, "traceparent">, desk: EventDesk): Promise<Answer> {
  const [verdict] = await desk.accept([event], call);
  return verdict === undefined ? refusal("internal", "The event was not judged.") : answerOf(verdict);
}

/** The answer that tells of one event. */
export function answerOf(verdict: EventVerdict): Answer {
  switch (verdict.kind) {
    case "kept":
      return json(202, { id: verdict.id });
    case "quarantined":
      return json(202, { id: verdict.id, quarantined: verdict.says });
    case "refused":
      return refusal(verdict.code, verdict.says);
    case "repeated":
      return refusal("conflict.exists", "This event is here already.");
    case "overloaded":
      return overloaded(verdict.retryAfterMs);
  }
}

/** All or none: whoever is told of one that is wrong mends it and sends the same batch again. */
async function takeBatch(
  reads: readonly EventRead[],
  call: Pick<Call, "traceparent">,
  desk: EventDesk,
): Promise<Answer> {
  const events: ForeignEvent[] = [];
  for (const [index, read] of reads.entries()) {
    if (!read.ok) return refusal(read.code, inBatch(index, read.says));
    events.push(read.event);
  }
  if (events.length === 0) return json(202, { events: [] });
  const verdict = await desk.acceptTogether(events, call);
  switch (verdict.kind) {
    case "refused":
      return refusal(verdict.code, inBatch(verdict.index, verdict.says));
    case "overloaded":
      return overloaded(verdict.retryAfterMs);
    case "done":
      return json(202, {
        events: verdict.verdicts.map((one) =>
          one.kind === "kept" ? { id: one.id } : { id: one.id, quarantined: one.says },
        ),
      });
  }
}

function inBatch(index: number, says: string): string {
  return `Nothing of the batch was kept, because of event ${index}: ${says}`;
}

/** `POST /events/TYPE`: whatever a shell's default content type says, the body is JSON. */
function plainEvent(call: Call<{ type: string }, PlainEventQuery>, nowMs: number): EventRead {
  const { params, query, headers, caller } = call;
  const text = decodeText(bufferOf(call.bytes));
  if (text === null) return { ok: false, code: "request.malformed", says: "The body is not valid UTF-8." };
  const data = text.trim() === "" ? "null" : text;
  const body = readJson(data);
  if (!body.ok) return { ok: false, code: "request.malformed", says: body.says };
  const key = headers["idempotency-key"];
  const id = query.id ?? (typeof key === "string" && key !== "" ? key : null);
  const timeMs = query.time === undefined ? nowMs : parseTime(query.time);
  if (timeMs === null) return { ok: false, code: "event.invalid", says: "The time must be as RFC 3339 has it." };
  const event = {
    id,
    // A key's name may have spaces; a source is a URI reference.
    source: query.source ?? encodeURI(caller.name),
    type: params.type,
    timeMs,
    data,
    subject: query.subject ?? null,
    traceparent: null,
    attributes: query.bus === undefined ? {} : { bus: query.bus },
  };
  return { ok: true, event };
}

/** Node's bytes of a body are a Buffer; others are seen as one without a copy. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function encodedBody({ headers }: Pick<Call, "headers">): Answer | null {
  const encoding = headers["content-encoding"];
  if (encoding === undefined || encoding === "identity") return null;
  return refusal("request.unsupported_type", "Compressed bodies are not accepted; leave out Content-Encoding.");
}
