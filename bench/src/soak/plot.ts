import type { SoakResults } from "./results.ts";
import type { Sample } from "./sample.ts";

type Line = { readonly name: keyof Sample; readonly says: string; readonly of: "mean" | "most" };
type Panel = {
  readonly title: string;
  readonly unit: string;
  /** By tenths, for what is usually small and now and then not. */
  readonly log?: boolean;
  readonly lines: readonly Line[];
};

const PANELS: readonly Panel[] = [
  {
    title: "Mails at the server",
    unit: "per second",
    lines: [{ name: "mailsPerS", says: "mails", of: "mean" }],
  },
  {
    title: "Processor",
    unit: "cores",
    lines: [{ name: "cpuCores", says: "the process", of: "mean" }],
  },
  {
    title: "Memory",
    unit: "MiB",
    lines: [
      { name: "rssMib", says: "resident", of: "most" },
      { name: "heapMib", says: "heap", of: "mean" },
    ],
  },
  {
    title: "Disk",
    unit: "MiB",
    lines: [
      { name: "diskMib", says: "the whole folder", of: "most" },
      { name: "walMib", says: "write-ahead log", of: "most" },
    ],
  },
  {
    title: "Accept: call to 202",
    unit: "ms",
    log: true,
    lines: [
      { name: "acceptMsP99", says: "p99", of: "mean" },
      { name: "acceptMsP50", says: "p50", of: "mean" },
    ],
  },
  {
    title: "From the 202 to the mail server",
    unit: "ms",
    log: true,
    lines: [
      { name: "arriveMsP99", says: "p99", of: "mean" },
      { name: "arriveMsP50", says: "p50", of: "mean" },
    ],
  },
  {
    title: "Lag of timers, and of the event loop",
    unit: "ms",
    log: true,
    lines: [
      { name: "timerLateMsP99", says: "timers, p99", of: "mean" },
      { name: "loopDelayMsP99", says: "event loop, p99", of: "mean" },
    ],
  },
  {
    title: "Jobs",
    unit: "jobs",
    lines: [
      { name: "jobsWaiting", says: "waiting for their time", of: "mean" },
      { name: "jobsHeld", says: "in hand", of: "mean" },
      { name: "jobsReady", says: "ready", of: "mean" },
    ],
  },
];

const WIDTH = 900;
const COLUMNS = 2;
const PANEL = { width: 430, height: 150, left: 74, right: 12, top: 40, bottom: 30 };
const HEAD = 62;
/** Points of a line: each stands for as many samples as needed. */
const POINTS_MAX = 180;
const TICKS_Y = 4;
/** Bottom of a logarithmic scale, in ms. */
const LOG_LOWEST = 0.1;

const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #1f2933 }
  .title { font-size: 17px; font-weight: 600 } .panel { font-size: 13px; font-weight: 600 } .small { fill: #616e7c }
  .grid { stroke: #e4e7eb } .edge { stroke: #9aa5b1 } .warm { fill: #9aa5b1; opacity: .13 }
  path { fill: none; stroke-width: 1.5; stroke-linejoin: round }
  .l0 { stroke: #1f6feb } .l1 { stroke: #c2410c } .l2 { stroke: #2f855a }
  .t0 { fill: #1f6feb } .t1 { fill: #c2410c } .t2 { fill: #2f855a }
  @media (prefers-color-scheme: dark) {
    text { fill: #e4e7eb } .small { fill: #9aa5b1 } .grid { stroke: #323f4b } .edge { stroke: #616e7c }
    .l0 { stroke: #6cb0ff } .l1 { stroke: #ff9b5e } .l2 { stroke: #68d391 }
    .t0 { fill: #6cb0ff } .t1 { fill: #ff9b5e } .t2 { fill: #68d391 }
  }`;

/** Small multiples over the time of the run, as SVG that follows the reader's light or dark. */
export function plotOf(results: SoakResults): string {
  const height = HEAD + Math.ceil(PANELS.length / COLUMNS) * PANEL.height + 8;
  const { minutes, ratePerS, capacityPerS, retentionMinutes, machine } = results;
  const half = capacityPerS.length === 0 ? "" : ", half of the capacity";
  const title = `${minutes} minutes at ${ratePerS.toLocaleString("en")} mails a second${half}`;
  const under =
    `Requests and journal are kept ${retentionMinutes} minutes; shaded: warm-up, not judged. ` +
    `${machine.cores} cores, shared with load and mail server. ${machine.date.slice(0, 10)}`;
  const panels = PANELS.map((panel, at) => {
    const x = (at % COLUMNS) * (PANEL.width + WIDTH - COLUMNS * PANEL.width);
    const y = HEAD + Math.floor(at / COLUMNS) * PANEL.height;
    return `<g transform="translate(${x} ${y})">${panelOf(panel, results)}</g>`;
  });
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" ` +
    `aria-label="${title}">\n<style>${STYLE}\n</style>\n<text class="title" x="12" y="26">${title}</text>\n` +
    `<text class="small" x="12" y="46">${under}</text>\n${panels.join("\n")}\n</svg>\n`
  );
}

function panelOf({ title, unit, lines, log = false }: Panel, results: SoakResults): string {
  const drawn = lines.map((line) => thinned(results, line));
  const values = drawn.flatMap((points) => points.map(([, value]) => value));
  const { share, ticks } = log ? logScale(values) : linearScale(values);
  const untilS = results.minutes * 60;
  const { left, right, width, height } = PANEL;
  const bottom = height - PANEL.bottom;
  const xOf = (seconds: number): number => left + (seconds / untilS) * (width - left - right);
  const yOf = (value: number): number => bottom - share(value) * (bottom - PANEL.top);
  const warm = xOf(results.warmUpMinutes * 60) - left;
  const parts = [
    `<text class="panel" x="${left}" y="14">${title} <tspan class="small" font-weight="400">(${unit})</tspan></text>`,
    legendOf(lines),
    `<rect class="warm" x="${left}" y="${PANEL.top}" width="${round(warm)}" height="${bottom - PANEL.top}"/>`,
  ];
  for (const [at, value] of ticks.entries()) {
    const y = round(yOf(value));
    parts.push(
      `<line class="${at === 0 ? "edge" : "grid"}" x1="${left}" x2="${width - right}" y1="${y}" y2="${y}"/>`,
      `<text class="small" x="${left - 6}" y="${y + 4}" text-anchor="end">${tickText(value)}</text>`,
    );
  }
  const every = Math.max(1, Math.round(results.minutes / 6));
  for (let minute = 0; minute <= results.minutes; minute += every) {
    const says = minute === 0 ? "0 min" : String(minute);
    parts.push(
      `<text class="small" x="${round(xOf(minute * 60))}" y="${bottom + 16}" text-anchor="middle">${says}</text>`,
    );
  }
  for (const [at, points] of drawn.entries()) {
    const path = points.map(
      ([seconds, value], n) => `${n === 0 ? "M" : "L"}${round(xOf(seconds))} ${round(yOf(value))}`,
    );
    parts.push(`<path class="l${at}" d="${path.join("")}"/>`);
  }
  return parts.join("\n");
}

function legendOf(lines: readonly Line[]): string {
  const words = lines.map(({ says }, at) => `<tspan class="t${at}"${at === 0 ? "" : ' dx="12"'}>— ${says}</tspan>`);
  return `<text x="${PANEL.left}" y="31">${words.join("")}</text>`;
}

/** One point for several samples: their mean, or the most of them. */
function thinned({ samples }: SoakResults, { name, of }: Line): readonly (readonly [number, number])[] {
  const each = Math.max(1, Math.ceil(samples.atS.length / POINTS_MAX));
  const points: (readonly [number, number])[] = [];
  for (let from = 0; from < samples.atS.length; from += each) {
    const values = samples[name].slice(from, from + each).filter((value) => value !== null);
    const seconds = samples.atS[from];
    if (values.length === 0 || seconds == null) continue;
    const value = of === "most" ? Math.max(...values) : values.reduce((sum, one) => sum + one, 0) / values.length;
    points.push([seconds, value]);
  }
  return points;
}

/** Where a value stands between the bottom (0) and the top (1), and what is written beside. */
type Scale = { readonly share: (value: number) => number; readonly ticks: readonly number[] };

function linearScale(values: readonly number[]): Scale {
  const top = niceTop(Math.max(0, ...values));
  return {
    share: (value) => value / top,
    ticks: Array.from({ length: TICKS_Y + 1 }, (_, tick) => (top / TICKS_Y) * tick),
  };
}

function logScale(values: readonly number[]): Scale {
  const low = Math.floor(Math.log10(Math.max(LOG_LOWEST, Math.min(...values))));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(LOG_LOWEST, ...values))));
  const step = high - low > TICKS_Y ? 2 : 1;
  return {
    share: (value) => (Math.log10(Math.max(10 ** low, value)) - low) / (high - low),
    ticks: Array.from({ length: Math.floor((high - low) / step) + 1 }, (_, tick) => 10 ** (low + tick * step)),
  };
}

/** The next number whose quarters are easy to read. */
function niceTop(most: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(most, 1e-3)));
  return [1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10].map((step) => step * power).find((top) => top >= most) ?? 10 * power;
}

function tickText(value: number): string {
  return value >= 10 || value === 0 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(2)));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
