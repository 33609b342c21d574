import { styleText } from "node:util";
import { fit, widthOf } from "#cli/text.ts";
import type { Screen } from "#cli/world.ts";

export type Style = Parameters<typeof styleText>[0];

/** Colours `text` if the screen shows colours. */
export function paint(screen: Screen, style: Style, text: string): string {
  return screen.colours ? styleText(style, text, { validateStream: false }) : text;
}

export type Column = {
  readonly title: string;
  readonly align?: "left" | "right";
  /** Where it may be shortened, down to `min` columns. Absent: never, because somebody will copy it. */
  readonly cut?: "end" | "middle";
  readonly min?: number;
  /** Left out when the screen is too narrow; the highest first. */
  readonly drop?: number;
};

export type Cell = string | { readonly text: string; readonly style: Style };

/** Columns between columns. */
const GAP = 2;
const MIN_DEFAULT = 8;

/**
 * Lines of a table that fits the screen; headings in dim capitals. Cells must be clean. A column without a word in it
 * is left out.
 */
export function table(screen: Screen, columns: readonly Column[], rows: readonly (readonly Cell[])[]): string[] {
  const natural = columns.map(({ title }, index) => {
    const widest = rows.reduce((width, row) => Math.max(width, widthOf(textOf(row[index] ?? ""))), 0);
    return widest === 0 ? 0 : Math.max(widest, widthOf(title));
  });
  const widths = layOut(columns, natural, screen.columns);
  const draw = (cells: readonly Cell[]): string =>
    columns
      .flatMap((column, index) => {
        const width = widths[index];
        return width === undefined || width === 0 ? [] : [drawCell(screen, column, cells[index] ?? "", width)];
      })
      .join(" ".repeat(GAP))
      .trimEnd();
  return [columns.map(({ title }): Cell => ({ text: title.toUpperCase(), style: "dim" })), ...rows].map(draw);
}

function textOf(cell: Cell): string {
  return typeof cell === "string" ? cell : cell.text;
}

function drawCell(screen: Screen, column: Column, cell: Cell, width: number): string {
  const text = fit(textOf(cell), width, column.cut ?? "end");
  const space = " ".repeat(width - widthOf(text));
  const painted = typeof cell === "string" ? text : paint(screen, cell.style, text);
  return column.align === "right" ? space + painted : painted + space;
}

/** Widths that fit: first columns are left out, then the widest that may be cut gives way, one column at a time. */
function layOut(columns: readonly Column[], natural: readonly number[], width: number): number[] {
  const widths = [...natural];
  const least = (index: number): number => {
    const column = columns[index];
    const full = widths[index] ?? 0;
    return column?.cut === undefined ? full : Math.min(full, column.min ?? MIN_DEFAULT);
  };
  const total = (of: (index: number) => number): number => {
    const shown = widths.flatMap((full, index) => (full === 0 ? [] : [of(index)]));
    return shown.reduce((sum, one) => sum + one, GAP * (shown.length - 1));
  };
  const droppable = columns
    .map((column, index) => ({ index, drop: column.drop ?? 0 }))
    .filter(({ drop }) => drop > 0)
    .toSorted((one, other) => other.drop - one.drop);
  for (const { index } of droppable) if (total(least) > width) widths[index] = 0;
  while (total((index) => widths[index] ?? 0) > width) {
    const widest = widths
      .map((full, index) => ({ index, full, spare: full - least(index) }))
      .filter(({ spare }) => spare > 0)
      .toSorted((one, other) => other.full - one.full)[0];
    if (widest === undefined) break;
    widths[widest.index] = widest.full - 1;
  }
  return widths;
}

/** `12s`, `3m`, `2h`, `5d`: how long ago, in the unit that matters. */
export function ago(nowMs: number, thenMs: number): string {
  const seconds = Math.max(0, Math.round((nowMs - thenMs) / 1000));
  if (seconds < 60) return `${seconds}s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ago`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)}h ago`;
  return `${Math.floor(seconds / 86_400)}d ago`;
}

/** `850 ms`, `2.1 s`, `3 min 20 s`, `5 h 2 min`, `2 d 4 h`. */
export function span(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1).replace(/\.0$/, "")} s`;
  const [big, small, bigName, smallName] =
    ms < 3_600_000
      ? [Math.floor(ms / 60_000), Math.floor((ms % 60_000) / 1000), "min", "s"]
      : ms < 86_400_000
        ? [Math.floor(ms / 3_600_000), Math.floor((ms % 3_600_000) / 60_000), "h", "min"]
        : [Math.floor(ms / 86_400_000), Math.floor((ms % 86_400_000) / 3_600_000), "d", "h"];
  return small === 0 ? `${big} ${bigName}` : `${big} ${bigName} ${small} ${smallName}`;
}

/** Time of day here, `14:03:09` or `14:03:09.120`. */
export function timeOfDay(ms: number, precise = false): string {
  const at = new Date(ms);
  if (Number.isNaN(at.getTime())) return "--:--:--";
  const two = (number: number): string => String(number).padStart(2, "0");
  const text = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return precise ? `${text}.${String(at.getMilliseconds()).padStart(3, "0")}` : text;
}

/** `2026-11-20 14:03:09`, here. */
export function dateTime(ms: number): string {
  const at = new Date(ms);
  if (Number.isNaN(at.getTime())) return "unknown";
  const two = (number: number): string => String(number).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${timeOfDay(ms)}`;
}

/** `12,400` */
export function grouped(number: number): string {
  return number.toLocaleString("en");
}

/** `1 row`, `12,400 rows`. */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${grouped(number)} ${number === 1 ? one : many}`;
}

/** `812 bytes`, `64 KB`, `3.4 MB`, `12 GB`; of 1,024 each. */
export function size(bytes: number): string {
  if (bytes < 1_024) return count(bytes, "byte");
  const [unit, divisor] =
    bytes < 1_024 ** 2 ? ["KB", 1_024] : bytes < 1_024 ** 3 ? ["MB", 1_024 ** 2] : ["GB", 1_024 ** 3];
  const many = bytes / Number(divisor);
  return `${many < 10 ? many.toFixed(1).replace(/\.0$/, "") : Math.round(many)} ${unit}`;
}

/** The colour in which a status is shown everywhere. */
export function statusStyle(status: string): Style {
  if (["SENT", "DELIVERED", "OPENED", "CLICKED"].includes(status)) return "green";
  if (["UNDELIVERABLE", "UNROUTABLE", "UNMAPPED"].includes(status)) return "red";
  if (["CANCELED", "FILTERED", "THROTTLED"].includes(status)) return "yellow";
  return "cyan";
}
