/**
 * Deadlines: what a send says about being late, as a decision that is kept with each of its messages.
 *
 *     send ──check──▶ refused, or Deadline ──in the job of every message──▶ looked at before each try:
 *
 *     in time ──▶ tried
 *     late ──drop──▶ ended        ──send──▶ tried, and told        ──collapse──▶ the newest: tried, and told; others: ended
 *
 * It is decided at accept, so that a changed setting changes nothing that was promised. It lives in the job: a resend
 * and a revived dead letter begin without one, because a person who sends again means it.
 */
import {
  DEADLINE_MS_MAX,
  type Deadline,
  type DeadlineDefaults,
  LATE_POLICIES,
  type LatePolicy,
  lateRule,
  parseMoment,
  parseSpan,
} from "#domain/deadline.ts";
import type { SendMessage } from "#domain/notification.ts";
import { parseDelayUntil } from "#domain/opening-hours.ts";
import { opensForRecipient } from "#pipeline/opening.ts";
import { eventName, type Plan } from "#pipeline/plan.ts";
import type { Person } from "#pipeline/route.ts";
import type { Ending } from "#pipeline/settle.ts";

/** Longest `collapse_key`: a composed business key rarely has 100. */
export const COLLAPSE_KEY_CHARS_MAX = 256;

/**
 * What applies to the messages of a send; null: they have no deadline. A string says what is wrong.
 *
 * An `at` that has passed is no mistake: a caller that had to try again for an hour is as late as a queue that stood for
 * an hour, and the send says what is to happen then. Only what can be nothing but a slip of units is refused.
 *
 * @param times when it is accepted, and when it may first be sent; a relative deadline counts from there
 */
export function readDeadline(
  message: SendMessage,
  defaults: DeadlineDefaults,
  times: { readonly nowMs: number; readonly dueMs: number },
): Deadline | null | string {
  const wish = message.deadline;
  if (wish === undefined) return defaultDeadline(message, defaults, times.dueMs);
  const wrong = wishWrong(wish);
  if (wrong !== null) return wrong;
  const late = LATE_POLICIES.find((policy) => policy === wish.late);
  const time = timeOf(wish, message, defaults, times);
  if (typeof time === "string") return time;
  const deadline = policed(message, { ...time, late: late ?? defaults.late, byDefault: late === undefined });
  if (wish.collapse_key !== undefined && deadline.late !== "collapse") {
    return `message.deadline.collapse_key goes with late: "collapse"; here late is "${deadline.late}"`;
  }
  if (late === "collapse" && collapseKeyOf(message) === "") {
    return 'message.deadline.late: "collapse" needs a collapse_key, a template or metadata.event, to know what says the same';
  }
  return deadline;
}

function defaultDeadline(message: SendMessage, { inMs, late }: DeadlineDefaults, dueMs: number): Deadline | null {
  if (inMs === null) return null;
  return policed(message, { ...relative(message, inMs, dueMs), timeByDefault: true, late, byDefault: true });
}

/** A send that collapses only by default and has nothing to be told by is sent: nobody asked that it be lost. */
function policed(
  message: SendMessage,
  { late, byDefault, ...time }: Omit<Deadline, "late"> & { readonly late: LatePolicy; readonly byDefault: boolean },
): Deadline {
  const unknown = late === "collapse" && byDefault && collapseKeyOf(message) === "";
  return { ...time, late: unknown ? "send" : late, ...(byDefault ? { lateByDefault: true } : {}) };
}

function wishWrong(wish: NonNullable<SendMessage["deadline"]>): string | null {
  const { late, collapse_key: key } = wish;
  if (late !== undefined && !LATE_POLICIES.some((policy) => policy === late)) {
    return 'message.deadline.late must be "drop", "send" or "collapse"';
  }
  if (key !== undefined && (key === "" || key.length > COLLAPSE_KEY_CHARS_MAX)) {
    return `message.deadline.collapse_key must be a string of 1 to ${COLLAPSE_KEY_CHARS_MAX} characters`;
  }
  return wish.at !== undefined && wish.in !== undefined ? "message.deadline has both at and in; say one of them" : null;
}

type Time = Pick<Deadline, "atMs" | "afterOpeningMs" | "timeByDefault">;

function timeOf(
  wish: NonNullable<SendMessage["deadline"]>,
  message: SendMessage,
  defaults: DeadlineDefaults,
  { nowMs, dueMs }: { readonly nowMs: number; readonly dueMs: number },
): Time | string {
  if (wish.in !== undefined) {
    const inMs = parseSpan(wish.in);
    if (inMs === null) {
      return 'message.deadline.in must be more than 0 milliseconds, or an ISO 8601 duration in weeks, days, hours, minutes and seconds, e.g. "PT15M"';
    }
    return inMs > DEADLINE_MS_MAX ? "message.deadline.in is more than a year" : relative(message, inMs, dueMs);
  }
  if (wish.at === undefined) {
    if (defaults.inMs !== null) return { ...relative(message, defaults.inMs, dueMs), timeByDefault: true };
    return 'message.deadline says neither at nor in, and this server has no default (TIDINGS_DEADLINE); say e.g. "in": "PT15M"';
  }
  const atMs = parseMoment(wish.at);
  if (atMs === null) {
    return 'message.deadline.at must be an ISO 8601 time with its zone, e.g. "2027-01-01T09:00:00Z", or epoch seconds or milliseconds';
  }
  if (atMs < nowMs - DEADLINE_MS_MAX) return "message.deadline.at lies more than a year back";
  if (atMs > dueMs + DEADLINE_MS_MAX) return "message.deadline.at lies more than a year ahead";
  return dueMs > nowMs && atMs <= dueMs
    ? "message.deadline.at lies before the end of message.delay: it could never be sent in time"
    : { atMs };
}

function relative(message: SendMessage, inMs: number, dueMs: number): Time {
  return { atMs: dueMs + inMs, ...(opensForRecipient(message) ? { afterOpeningMs: inMs } : {}) };
}

/** What says the same: the key that was given, else the event's name, which is the template's without one. */
export function collapseKeyOf(message: SendMessage): string {
  return message.deadline?.collapse_key ?? eventName(message);
}

/** When it is late, now that the recipient's own hours are known. Unix epoch ms. */
export function deadlineMs({ atMs, afterOpeningMs }: Deadline, plan: Plan, person: Person): number {
  if (afterOpeningMs === undefined) return atMs;
  const opening = parseDelayUntil(plan.message.delay?.until ?? "", zoneOf(person), plan.acceptedMs);
  return opening.ok ? opening.dueMs + afterOpeningMs : atMs;
}

/** The zone in which the recipient's own hours are meant; null when the profile does not say. */
export function zoneOf({ profile }: Pick<Person, "profile">): string | null {
  const zone = profile["zoneinfo"] ?? profile["timezone"];
  return typeof zone === "string" ? zone : null;
}

/**
 * The end of a message that is late and will not be sent. Courier knows no reason for it: what was dropped failed
 * (FAILED), what collapsed was left out by a condition of the send (FILTERED).
 *
 * @param into the newer message that is sent instead; null: dropped
 * @param lastError what the last try came to, if there was one
 */
export function lateEnding(
  deadline: Deadline,
  times: { readonly atMs: number; readonly nowMs: number },
  into: string | null,
  lastError: string | null,
): Ending {
  const did = into === null ? "dropped" : `collapsed into ${into}`;
  const passed = `the deadline of ${new Date(times.atMs).toISOString()} has passed`;
  const then = into === null ? "" : `, and ${into} is newer`;
  return {
    status: into === null ? "UNDELIVERABLE" : "FILTERED",
    reason: into === null ? "FAILED" : "FILTERED",
    error: `${passed}${then}${lastError === null ? "" : `; the last try: ${lastError}`}`,
    rule: lateRule(deadline, times.atMs, times.nowMs - times.atMs, did),
    redrivable: false,
    data: {
      deadlineMs: times.atMs,
      byMs: times.nowMs - times.atMs,
      ...(into === null ? { then: "drop" } : { then: "collapse", into }),
    },
  };
}
