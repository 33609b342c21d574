/** Longest expression: a year of exceptions does not belong into a message. */
export const OPENING_HOURS_CHARS_MAX = 512;
/** A window that does not open within so many days is a mistake (Courier's limit). */
export const OPENING_DAYS_MAX = 90;

const DAY_MINUTES = 24 * 60;
const WEEKDAYS = ["mo", "tu", "we", "th", "fr", "sa", "su"] as const;
const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"] as const;

/**
 * When somebody is open: a subset of OpenStreetMap's `opening_hours`. Of the rules that match a day, the last decides.
 */
export type OpeningHours = { readonly rules: readonly Rule[] };

type Rule = {
  /** 1 Monday … 7 Sunday (ISO 8601); null: every day. */
  readonly weekdays: ReadonlySet<number> | null;
  /** Month times 100 plus day, both ends included; `from` after `to` runs over New Year. Empty: all year. */
  readonly seasons: readonly Span[];
  /** Minutes after midnight, the end excluded; an end beyond 1440 lies on the next day. Empty: closed. */
  readonly times: readonly Span[];
};
type Span = { readonly from: number; readonly to: number };

export type ParsedHours =
  | { readonly ok: true; readonly hours: OpeningHours }
  | { readonly ok: false; readonly problem: string };
export type ParsedUntil =
  | { readonly ok: true; readonly dueMs: number }
  | { readonly ok: false; readonly problem: string };

/**
 * Reads a `delay.until`: an ISO 8601 date or date-time (without a zone: UTC), or opening hours, which are due now if now
 * is within them and else when they next begin.
 *
 * @param zone where the opening hours are meant: IANA name, `UTC+4` or `+04:00`; null is UTC
 * @returns Unix epoch ms; may lie in the past for a date
 */
export function parseDelayUntil(until: string, zone: string | null, nowMs: number): ParsedUntil {
  const text = until.trim();
  if (/^\d{4}-?\d\d-?\d\d/.test(text)) return parseDate(text);
  const parsed = parseOpeningHours(text);
  if (!parsed.ok) return parsed;
  const known = parseZone(zone ?? "UTC");
  if (known === null) return problem(`"${String(zone).slice(0, 60)}" is not a time zone`);
  const dueMs = nextOpeningMs(parsed.hours, known, nowMs);
  return dueMs === null ? problem(`"${text}" does not open within ${OPENING_DAYS_MAX} days`) : { ok: true, dueMs };
}

/**
 * When to speak: `nowMs` if it is open, else the next opening; null if there is none within `OPENING_DAYS_MAX` days.
 * Hours are wall-clock times: an opening in the hour that spring skips begins when that hour is over, and one in the
 * hour that autumn repeats begins with the first.
 *
 * @param zone as `parseZone` gives it
 */
export function nextOpeningMs(hours: OpeningHours, zone: string, nowMs: number): number | null {
  const today = Temporal.Instant.fromEpochMilliseconds(nowMs).toZonedDateTimeISO(zone).toPlainDate();
  let nextMs: number | null = null;
  // Two days back: times may run to 48:00, into the second day after.
  for (let offset = -2; offset <= OPENING_DAYS_MAX; offset += 1) {
    const date = today.add({ days: offset });
    for (const { from, to } of timesOn(hours, date)) {
      const fromMs = instantMs(date, from, zone);
      const toMs = instantMs(date, to, zone);
      if (fromMs <= nowMs && nowMs < toMs) return nowMs;
      // Hours that lie within the skipped one do not take place.
      if (fromMs > nowMs && toMs > fromMs && (nextMs === null || fromMs < nextMs)) nextMs = fromMs;
    }
    // Later days begin later; only today's and earlier ones can still be open.
    if (nextMs !== null && offset >= 0) return nextMs;
  }
  return nextMs;
}

/** The name Temporal knows a zone by: IANA names as they are, `UTC+4` and `GMT-03:30` as offsets. Null: no such zone. */
export function parseZone(zone: string): string | null {
  const offset = /^(?:utc|gmt)?\s*([+-])(\d{1,2})(?::?(\d\d))?$/i.exec(zone.trim());
  const name =
    offset === null ? zone.trim() : `${offset[1] ?? "+"}${(offset[2] ?? "0").padStart(2, "0")}:${offset[3] ?? "00"}`;
  try {
    return Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name).timeZoneId;
  } catch {
    return null;
  }
}

/**
 * Reads opening hours: `Mo-Fr 08:00-18:00`, `Mo,We 09:00-12:00,13:00-17:00; Sa off`, `Fr-Mo 17:00-09:00` (into the next
 * morning), `Jun-Aug: Mo-Fr 07:00-15:00`, `Oct 31: 10:00-12:00`, `24/7`.
 */
export function parseOpeningHours(expression: string): ParsedHours {
  if (expression.length > OPENING_HOURS_CHARS_MAX)
    return problem(`is longer than ${OPENING_HOURS_CHARS_MAX} characters`);
  const rules: Rule[] = [];
  for (const source of expression.split(";")) {
    if (source.trim() === "") continue;
    const rule = parseRule(source.trim().toLowerCase());
    if (rule === null) {
      return problem(`"${source.trim()}" is neither a date (ISO 8601) nor opening hours such as "Mo-Fr 08:00-18:00"`);
    }
    rules.push(rule);
  }
  return rules.length === 0 ? problem("is empty") : { ok: true, hours: { rules } };
}

function problem(sentence: string): { readonly ok: false; readonly problem: string } {
  return { ok: false, problem: sentence };
}

function parseDate(text: string): ParsedUntil {
  try {
    const zoned = /[zZ]$|[Tt ].*[+-]\d\d(?::?\d\d)?$/.test(text);
    const instant = text.endsWith("]")
      ? Temporal.ZonedDateTime.from(text).toInstant()
      : zoned
        ? Temporal.Instant.from(text)
        : Temporal.PlainDateTime.from(text).toZonedDateTime("UTC").toInstant();
    return { ok: true, dueMs: instant.epochMilliseconds };
  } catch {
    return problem(`"${text.slice(0, 60)}" is not an ISO 8601 date or time`);
  }
}

function timesOn(hours: OpeningHours, date: Temporal.PlainDate): readonly Span[] {
  const rule = hours.rules.findLast((each) => matches(each, date));
  return rule?.times ?? [];
}

function matches(rule: Rule, date: Temporal.PlainDate): boolean {
  if (rule.weekdays !== null && !rule.weekdays.has(date.dayOfWeek)) return false;
  const day = date.month * 100 + date.day;
  return (
    rule.seasons.length === 0 ||
    rule.seasons.some(({ from, to }) => (from <= to ? from <= day && day <= to : from <= day || day <= to))
  );
}

function instantMs(date: Temporal.PlainDate, minutes: number, zone: string): number {
  const day = date.add({ days: Math.floor(minutes / DAY_MINUTES) });
  const plainTime = { hour: Math.floor(minutes / 60) % 24, minute: minutes % 60 };
  // "compatible", the default, is what the promise above says about skipped and repeated hours.
  return day.toZonedDateTime({ timeZone: zone, plainTime }).epochMilliseconds;
}

const TIME_SPAN = /^(\d{1,2}):(\d\d)\s*-\s*(\d{1,2}):(\d\d)$/;
const SEASON = /^([a-z]{3})(?:\s*(\d{1,2}))?(?:\s*-\s*(?:([a-z]{3})\s*)?(\d{1,2})?)?$/;

/** `[seasons[:]] [weekdays] times`, lower case; null when it is nothing of the kind. */
function parseRule(source: string): Rule | null {
  if (source === "24/7") return { weekdays: null, seasons: [], times: [{ from: 0, to: DAY_MINUTES }] };
  const cut = /^(?<days>.*?)(?<times>off|closed|24\/7|\d{1,2}:\d\d.*)$/.exec(source)?.groups;
  if (cut === undefined) return null;
  const times = parseTimes(cut["times"] ?? "");
  const { days = "" } = cut;
  // The colon behind a season is Courier's; without it the first weekday ends the season.
  const colon = days.indexOf(":");
  const weekdaysAt = /(?:^|[\s,])(?:mo|tu|we|th|fr|sa|su)(?![a-z])/.exec(days)?.index ?? days.length;
  const seasonSource = days.slice(0, colon < 0 ? weekdaysAt : colon).trim();
  const daySource = days.slice(colon < 0 ? weekdaysAt : colon + 1).trim();
  const seasons = seasonSource === "" ? [] : everyOf(seasonSource, parseSeason);
  const weekdays = daySource === "" ? null : everyOf(daySource, parseWeekdays);
  if (times === null || seasons === null || (daySource !== "" && weekdays === null)) return null;
  return { weekdays: weekdays === null ? null : new Set(weekdays.flat()), seasons, times };
}

/** Reads a list with commas; null if one of its entries cannot be read. */
function everyOf<T>(source: string, parse: (entry: string) => T | null): readonly T[] | null {
  const entries: T[] = [];
  for (const entry of source.split(",")) {
    const parsed = parse(entry.trim());
    if (parsed === null) return null;
    entries.push(parsed);
  }
  return entries;
}

function parseTimes(source: string): readonly Span[] | null {
  if (source === "off" || source === "closed") return [];
  return source === "24/7" ? [{ from: 0, to: DAY_MINUTES }] : everyOf(source, parseTime);
}

function parseTime(source: string): Span | null {
  const [, fromHour, fromMinute, toHour, toMinute] = (TIME_SPAN.exec(source) ?? []).map(Number);
  if (fromHour === undefined || fromMinute === undefined || toHour === undefined || toMinute === undefined) return null;
  const from = fromHour * 60 + fromMinute;
  const to = toHour * 60 + toMinute;
  if (fromMinute > 59 || toMinute > 59 || from >= DAY_MINUTES || to > 2 * DAY_MINUTES) return null;
  return { from, to: to <= from ? to + DAY_MINUTES : to };
}

/** `mo`, or `fr-mo` over the weekend. */
function parseWeekdays(source: string): readonly number[] | null {
  const [first = "", last = first, more] = source.split(/\s*-\s*/);
  const from = WEEKDAYS.findIndex((day) => day === first);
  const to = WEEKDAYS.findIndex((day) => day === last);
  if (from < 0 || to < 0 || more !== undefined) return null;
  const days = ((to - from + 7) % 7) + 1;
  return Array.from({ length: days }, (_, at) => ((from + at) % 7) + 1);
}

/** `jun`, `jun-aug`, `oct 31`, `dec 24-26`, `dec 24-jan 6`. */
function parseSeason(source: string): Span | null {
  const [whole, firstMonth = "", firstDay, lastMonth = firstMonth, lastDay] = SEASON.exec(source) ?? [];
  const from = MONTHS.findIndex((month) => month === firstMonth) + 1;
  const to = MONTHS.findIndex((month) => month === lastMonth) + 1;
  if (whole === undefined || from === 0 || to === 0 || source.endsWith("-")) return null;
  const single = !source.includes("-");
  const begin = Number(firstDay ?? 1);
  const end = single ? Number(firstDay ?? 31) : Number(lastDay ?? 31);
  if (begin < 1 || begin > 31 || end < 1 || end > 31) return null;
  return { from: from * 100 + begin, to: to * 100 + end };
}
