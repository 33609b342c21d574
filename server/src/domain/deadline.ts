import { DELAY_MS_MAX } from "#domain/limits.ts";

/**
 * What becomes of a message that could not be sent in time: `drop` ends it, `send` sends it anyway, `collapse` sends
 * only the newest of those that say the same thing to the same person.
 */
export const LATE_POLICIES = ["drop", "send", "collapse"] as const;
export type LatePolicy = (typeof LATE_POLICIES)[number];

/** What applies to a send that does not say it itself. */
export type DeadlineDefaults = {
  /** Counted from the moment when a message may first be sent; null: no deadline. */
  readonly inMs: number | null;
  readonly late: LatePolicy;
};

/** A message's deadline, decided when it is accepted and kept in its job. */
export type Deadline = {
  /** Unix epoch ms. From then on it is late. */
  readonly atMs: number;
  /** Instead of `atMs`: so long after the recipient's own opening hours first begin, which only route can tell. */
  readonly afterOpeningMs?: number;
  readonly late: LatePolicy;
  /** Whether the time, or what to do then, was said by the settings and not by the send. */
  readonly timeByDefault?: true;
  readonly lateByDefault?: true;
  /** Its place among those that collapse; only then. */
  readonly order?: string;
};

/** A deadline further out than a year is none. */
export const DEADLINE_MS_MAX = DELAY_MS_MAX;

/** Numbers below this are seconds, years away; as milliseconds they would lie in 1973. */
const SECONDS_MAX = 100_000_000_000;

/** Unix epoch ms of an ISO 8601 time with a zone, or of epoch seconds or milliseconds; null when it is neither. */
export function parseMoment(at: unknown): number | null {
  if (typeof at === "number") {
    if (!Number.isFinite(at) || at < 0) return null;
    return Math.floor(at < SECONDS_MAX ? at * 1_000 : at);
  }
  if (typeof at !== "string") return null;
  try {
    return Temporal.Instant.from(at.trim()).epochMilliseconds;
  } catch {
    return null;
  }
}

/**
 * Milliseconds of a number of them, or of an ISO 8601 duration whose length does not depend on the calendar (weeks,
 * days of 24 hours, and below); null when it is neither, or not longer than nothing.
 */
export function parseSpan(span: unknown): number | null {
  if (typeof span === "number") return Number.isFinite(span) && span > 0 ? Math.ceil(span) : null;
  if (typeof span !== "string") return null;
  try {
    const duration = Temporal.Duration.from(span.trim());
    if (duration.sign <= 0 || duration.years !== 0 || duration.months !== 0) return null;
    const { weeks } = duration;
    return Math.ceil(weeks * 7 * 86_400_000 + duration.with({ weeks: 0 }).total({ unit: "milliseconds" }));
  } catch {
    return null;
  }
}

const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1_000],
] as const;

/** A length of time in at most two units: `2 d 4 h`, `15 min`, `4.3 s`, `30 ms`. */
export function spanText(ms: number): string {
  if (ms < 1_000) return `${ms} ms`;
  const first = UNITS.findIndex(([, unitMs]) => ms >= unitMs);
  const [name, unitMs] = UNITS[first] ?? [];
  if (name === undefined || name === "s") return `${Math.round(ms / 100) / 10} s`;
  const [below, belowMs] = UNITS[first + 1] ?? ["s", 1_000];
  const rest = Math.floor((ms % unitMs) / belowMs);
  return `${Math.floor(ms / unitMs)} ${name}${rest === 0 ? "" : ` ${rest} ${below}`}`;
}

/** The sentence by which `why` says what decided: `deadline of 2026-11-22T…Z, late by 2 h: dropped as asked`. */
export function lateRule(
  deadline: Pick<Deadline, "timeByDefault" | "lateByDefault">,
  atMs: number,
  byMs: number,
  did: string,
): string {
  const time = `${deadline.timeByDefault === true ? "default deadline" : "deadline"} of ${new Date(atMs).toISOString()}`;
  return `${time}, late by ${spanText(byMs)}: ${did} ${deadline.lateByDefault === true ? "by default" : "as asked"}`;
}
