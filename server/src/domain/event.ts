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
};

/** The CloudEvents 1.0 JSON form, as every door shows it. */
export function toCloudEvent(event: RecordedEvent): JsonObject {
  // The journal holds only JSON text that we wrote ourselves.
  const data = JSON.parse(event.data) as Json;
  return {
    specversion: "1.0",
    id: event.id,
    source: event.source,
    type: event.type,
    subject: event.subject,
    time: new Date(event.timeMs).toISOString(),
    datacontenttype: "application/json",
    ...(event.traceparent === null ? {} : { traceparent: event.traceparent }),
    sequence: String(event.position),
    data,
  };
}
