import type { Json, JsonObject } from "#domain/json.ts";

/** Counts from 1 without being reused. A plain number: at 10 000 events a second it stays exact for 28 000 years. */
export type Position = number;

/** What every event of ours has in `source` (CloudEvents 1.0 §3.1.1). */
export const OWN_SOURCE = "tidings";

/**
 * An event on its way into the journal, CloudEvents-shaped. `type` is in the past tense; `subject` is what it
 * happened to. Its id and place are given by the commit.
 */
export type NewEvent = {
  readonly type: string;
  readonly subject: string;
  readonly timeMs: number;
  /** JSON text, written once at the place where the value is known. */
  readonly data: string;
  readonly traceparent: string | null;
  /** What must stay in order together; consumers with several partitions are divided by it. Null: the subject. */
  readonly key?: string | null;
  /** Null: our own. A foreign event keeps its source and id, which together identify it. */
  readonly source?: string | null;
  readonly id?: string | null;
  /** JSON text of an object: what else a foreign event came with, `EventAttributes`. Null or absent: nothing. */
  readonly attributes?: string | null;
};

/** What a foreign event may bring beside what every event has; kept as JSON text, and read only where it is needed. */
export type EventAttributes = {
  /** The bus that it was put on; absent: `default`. */
  readonly bus?: string;
  /** EventBridge's `resources`; absent: none. */
  readonly resources?: readonly string[];
  /** Of the producer's signature, if it is not the configured region. */
  readonly region?: string;
  /** The id that readers are shown, where the journal's own differs: a replayed event keeps the id it had. */
  readonly showId?: string;
  /** Name of the replay by which it came again. */
  readonly replay?: string;
  /** Names of the only rules of its bus that see it again; absent: all. */
  readonly replayTo?: readonly string[];
  /** CloudEvents: `subject` as it came; absent: none (the journal's `subject` is then the id). */
  readonly subject?: string;
  /** Absent, with data `null`: it came without data; absent with other data: JSON. What is no JSON is kept as a JSON string. */
  readonly datacontenttype?: string;
  /** That string holds the data's bytes in base64. */
  readonly base64?: true;
  readonly dataschema?: string;
  /** CloudEvents extension attributes, by name. */
  readonly extensions?: JsonObject;
};

/** An event of ours: writes its data, which is the one place where that happens. */
export function newEvent(
  type: string,
  subject: string,
  timeMs: number,
  data: JsonObject,
  traceparent: string | null,
): NewEvent {
  return { type, subject, timeMs, data: JSON.stringify(data), traceparent };
}

/** An event in the journal. */
export type RecordedEvent = {
  readonly position: Position;
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject: string;
  readonly timeMs: number;
  readonly data: string;
  readonly traceparent: string | null;
  readonly key: string;
  /** JSON text of `EventAttributes`; null: none. */
  readonly attributes: string | null;
};

/** The CloudEvents 1.0 JSON form, as every door shows it. What a foreign event brought is shown as it came. */
export function toCloudEvent(event: RecordedEvent): JsonObject {
  const { id, source, type, traceparent } = event;
  const own = event.attributes === null ? NO_ATTRIBUTES : readAttributes(event.attributes);
  // Our own events are always about something; what a foreign one has as its subject only if it said so.
  const subject = source === OWN_SOURCE ? event.subject : own.subject;
  return {
    ...own.extensions,
    specversion: "1.0",
    id: own.showId ?? id,
    source,
    type,
    ...(subject === undefined ? {} : { subject }),
    time: new Date(event.timeMs).toISOString(),
    ...(own.dataschema === undefined ? {} : { dataschema: own.dataschema }),
    ...(own.bus === undefined ? {} : { bus: own.bus }),
    ...(traceparent === null ? {} : { traceparent }),
    sequence: String(event.position),
    ...dataOf(event, own),
  };
}

/** The attributes of an event in the journal. */
export function readAttributes(text: string): EventAttributes {
  // Only `rules/journalled.ts` and what replays events write them.
  return JSON.parse(text) as EventAttributes;
}

const NO_ATTRIBUTES: EventAttributes = {};

function dataOf({ data, source }: RecordedEvent, { datacontenttype, base64 }: EventAttributes): JsonObject {
  if (data === "null" && datacontenttype === undefined && source !== OWN_SOURCE) return {};
  // The journal holds JSON text only: ours, or what a door has read.
  const value = JSON.parse(data) as Json;
  const type = datacontenttype ?? "application/json";
  return base64 === true ? { datacontenttype: type, data_base64: value } : { datacontenttype: type, data: value };
}
