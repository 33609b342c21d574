import type { RecordedEvent } from "#domain/event.ts";
import { OWN_SOURCE, readAttributes } from "#domain/event.ts";
import { cut, weave } from "#rules/json-cut.ts";
import type { TargetCall } from "#rules/target-kind.ts";

/** JSON text of an event as a handler is given it, `EventInput`; its data stands in it as it was raised. */
export function eventInput(event: RecordedEvent): string {
  const { id, source, type, timeMs, data, attributes } = event;
  const own = attributes === null ? {} : readAttributes(attributes);
  const subject = source === OWN_SOURCE ? event.subject : (own.subject ?? null);
  const head = { id: own.showId ?? id, source, type, subject, time: new Date(timeMs).toISOString() };
  return withData(head, data);
}

/** The same with its place in the journal, `StreamEvent`. */
export function streamInput(event: RecordedEvent): string {
  return `${eventInput(event).slice(0, -1)},"position":${event.position}}`;
}

const PARTS = weave([["detail"], ["subject"]]);

/** The same of an event that a rule gives to a function: it comes in EventBridge's envelope. */
export function targetInput({ input, event }: TargetCall): string {
  const [detail = "null", subject] = cut(input, PARTS, 2);
  const { id, source, type, timeMs } = event;
  const head = { id, source, type, subject: null, time: new Date(timeMs).toISOString() };
  // What stands in the envelope is a JSON string.
  return withData(subject === undefined ? head : { ...head, subject: JSON.parse(subject) as string }, detail);
}

function withData(head: object, data: string): string {
  return `${JSON.stringify(head).slice(0, -1)},"data":${data}}`;
}
