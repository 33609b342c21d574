import { Cron } from "croner";
import type { ScheduleWhen } from "tidings";

/** What a schedule asks for, as a function declares it. */
export type Schedule = { readonly when: ScheduleWhen; readonly timeZone: string };

/** Shortest and longest rate: faster is a loop, slower is a calendar. */
const RATE_MS_MIN = 1_000;
const RATE_MS_MAX = 366 * 24 * 60 * 60 * 1_000;
const CRON_FIELDS = 5;
/** Longest expression: all minutes of an hour, written out, have 169. */
const CRON_CHARS_MAX = 256;

/** Why a schedule cannot be, in a sentence for who wrote it; null when it can. `nowMs`: it must happen after that. */
export function scheduleFault(schedule: Schedule, nowMs: number): string | null {
  const { when, timeZone } = schedule;
  if (when.kind === "rate") {
    if (when.everyMs >= RATE_MS_MIN && when.everyMs <= RATE_MS_MAX) return null;
    return "The rate must be from a second to a year, such as rate(5 minutes).";
  }
  const { expression } = when;
  const shown = JSON.stringify(expression.slice(0, 80));
  if (!isZone(timeZone))
    return `There is no time zone ${JSON.stringify(timeZone.slice(0, 80))}; name one of IANA's, such as Europe/Berlin or UTC.`;
  if (expression.length > CRON_CHARS_MAX || expression.split(/\s+/).length !== CRON_FIELDS)
    return `${shown} is no schedule: write five fields (minute, hour, day, month, weekday), such as "0 8 * * MON-FRI", or rate(5 minutes).`;
  try {
    if (nextTimeMs(schedule, nowMs) !== null) return null;
    return `${shown} never happens: no day has that date.`;
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message.replace(/^Cron\w+: /, "") : "it cannot be read";
    return `${shown} is no schedule: ${why}${why.endsWith(".") ? "" : "."}`;
  }
}

/**
 * The first time strictly after `afterMs`; null when there is none. A rate is counted from `anchorMs`, so that being late does
 * not move all that follows.
 *
 * A time of day that a clock change leaves out is made up for as soon as the clock has changed; one that comes twice happens
 * once. What is repeated (`*`, `*\/5`) goes by the clock on the wall: it is neither made up for nor held back.
 * @throws {Error} when it is no schedule; `scheduleFault` says why.
 */
export function nextTimeMs({ when, timeZone }: Schedule, afterMs: number, anchorMs = afterMs): number | null {
  if (when.kind === "rate") {
    const { everyMs } = when;
    return anchorMs + (Math.floor(Math.max(0, afterMs - anchorMs) / everyMs) + 1) * everyMs;
  }
  const cron = new Cron(when.expression, {
    timezone: timeZone,
    mode: "5-part",
    // Lists of times, `30 2,14`, are times of day as well.
    fixedTimeRule: "no-wildcard",
  });
  return cron.nextRun(new Date(afterMs))?.getTime() ?? null;
}

/** In words, for lists: `0 8 * * MON-FRI (Europe/Berlin)`, `every 5 minutes`. */
export function scheduleText({ when, timeZone }: Schedule): string {
  if (when.kind === "cron") return `${when.expression} (${timeZone})`;
  const [unit, unitMs] = UNITS.find(([, ms]) => when.everyMs % ms === 0) ?? ["ms", 1];
  const count = when.everyMs / unitMs;
  return count === 1 ? `every ${unit}` : `every ${count} ${unit}s`;
}

const UNITS = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1_000],
] as const;

function isZone(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone });
    return true;
  } catch {
    return false;
  }
}
