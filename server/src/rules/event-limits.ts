import { OWN_BUS } from "#domain/arn.ts";
import { OWN_SOURCE } from "#domain/event.ts";
import type { FaultCode } from "#domain/problem.ts";
import type { ForeignEvent } from "#rules/event-desk.ts";

/** Largest event: what EventBridge and SQS take since 2026; CloudEvents asks for 64 KiB. Larger things are named by URL. */
export const EVENT_BYTES_MAX = 1024 * 1024;
/** Longest attributes in bytes of UTF-8. Source and id stand in one index entry, of which Postgres takes 2,704 bytes. */
export const SOURCE_BYTES_MAX = 1024;
export const EVENT_ID_BYTES_MAX = 512;
export const TYPE_BYTES_MAX = 512;
export const SUBJECT_BYTES_MAX = 1024;
/** EventBridge's longest name of a bus. */
export const BUS_CHARS_MAX = 256;
/**
 * How far ahead of our clock an event may be dated: a producer's clock goes wrong by minutes or a time zone. The journal
 * lets go of events by age, and one of the year 9999 would hold up those before it.
 */
export const AHEAD_MS_MAX = 48 * 60 * 60 * 1000;

type Flaw = { readonly code: FaultCode; readonly says: string };

/** What is wrong with an event, whoever brought it; null when it may be kept. */
export function eventFlaw(event: ForeignEvent, nowMs: number): Flaw | null {
  const { id, source, type, timeMs, data, subject, attributes } = event;
  const says =
    nameFlaw("source", source, SOURCE_BYTES_MAX) ??
    nameFlaw("type", type, TYPE_BYTES_MAX) ??
    (id === null ? null : nameFlaw("id", id, EVENT_ID_BYTES_MAX)) ??
    (subject === null ? null : nameFlaw("subject", subject, SUBJECT_BYTES_MAX)) ??
    (source === OWN_SOURCE ? `The source "${OWN_SOURCE}" is that of the server's own events; name yours.` : null) ??
    busFlaw(attributes.bus) ??
    timeFlaw(timeMs, nowMs) ??
    (data.isWellFormed() ? null : "The data is not well-formed Unicode.");
  if (says !== null) return { code: "event.invalid", says };
  return isLarger(event, EVENT_BYTES_MAX)
    ? {
        code: "event.too_large",
        says: `An event may have ${EVENT_BYTES_MAX} bytes; put what is larger elsewhere and name it.`,
      }
    : null;
}

function nameFlaw(name: string, text: string, bytesMax: number): string | null {
  if (text === "") return `The event's ${name} is empty.`;
  if (text.length * BYTES_PER_UNIT_MAX > bytesMax && utf8Bytes(text) > bytesMax) {
    return `The event's ${name} is longer than ${bytesMax} bytes.`;
  }
  return CONTROLS.test(text) || !text.isWellFormed() ? `The event's ${name} has control characters.` : null;
}

// oxlint-disable-next-line no-control-regex -- control characters are what is refused
const CONTROLS = /[\u0000-\u001f\u007f]/;
/** Letters, digits and `. - _ /`, as EventBridge has them. */
const BUS = /^[A-Za-z0-9._/-]+$/;

function busFlaw(bus: string | undefined): string | null {
  if (bus === undefined) return null;
  if (bus === OWN_BUS) return `The bus "${OWN_BUS}" carries the server's own events only.`;
  return bus.length <= BUS_CHARS_MAX && BUS.test(bus)
    ? null
    : `A bus is named by 1 to ${BUS_CHARS_MAX} letters, digits and . - _ /`;
}

function timeFlaw(timeMs: number, nowMs: number): string | null {
  if (!Number.isSafeInteger(timeMs) || timeMs < 0) return "The event's time must lie between 1970 and now.";
  return timeMs > nowMs + AHEAD_MS_MAX ? "The event's time lies more than two days ahead." : null;
}

/** UTF-16 gives at most three bytes of UTF-8 for one of its units. */
const BYTES_PER_UNIT_MAX = 3;
/** Attributes other than data that are not counted one by one while the event is far from the limit. */
const ATTRIBUTES_BYTES_GUESS = 16 * 1024;

function isLarger(event: ForeignEvent, bytesMax: number): boolean {
  const { data, attributes } = event;
  const hasMore = attributes.extensions !== undefined || attributes.resources !== undefined;
  if (!hasMore && data.length * BYTES_PER_UNIT_MAX + ATTRIBUTES_BYTES_GUESS < bytesMax) return false;
  const { id, source, type, subject } = event;
  const rest = `${id ?? ""}${source}${type}${subject ?? ""}${JSON.stringify(attributes)}`;
  return utf8Bytes(data) + utf8Bytes(rest) > bytesMax;
}

function utf8Bytes(text: string): number {
  return encoder.encode(text).length;
}

const encoder = new TextEncoder();
