import { basename, relative, resolve } from "node:path";
import type { EventData } from "node:test";
import type { TestEvent } from "node:test/reporters";
import { inspect, styleText } from "node:util";

/** What `scripts/test.ts` is told of each test, over the IPC channel, as soon as it is known. */
export type Result = {
  readonly kind: "passed" | "failed" | "skipped" | "skipped silently" | "empty";
  /** With the names of the suites around it. */
  readonly name: string;
  readonly file: string;
  readonly reason: string;
};

type Ended = { readonly data: EventData.TestPass | EventData.TestFail; readonly error: EventData.Error | null };

/** What is kept of a file's own output, to be shown if one of its tests fails. */
const OUTPUT_CHARS_MAX = 20_000;
const MARKS = { passed: "✔", failed: "✖", skipped: "﹣", "skipped silently": "✖", empty: "✖" } as const;
const COLOURS = { passed: "green", failed: "red", skipped: "yellow", "skipped silently": "red", empty: "red" } as const;

/** Each file with its tests and suites, one line each, and everything about those that fail. */
export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const outputs = new Map<string, string>();
  /** The names on the way down to the current test, by nesting. */
  const path: string[] = [];
  let heading = "";
  for await (const { type, data } of events) {
    if (type === "test:stdout" || type === "test:stderr") {
      const file = fileOf(data);
      outputs.set(file, `${outputs.get(file) ?? ""}${data.message}`.slice(-OUTPUT_CHARS_MAX));
    } else if (type === "test:start") {
      path.splice(data.nesting, Infinity, data.name);
    } else if (type === "test:pass" || type === "test:fail") {
      const ended = { data, error: type === "test:fail" ? data.details.error : null };
      const result = resultOf(ended, [...path.slice(0, data.nesting), data.name]);
      if (result !== null) process.send?.(result);
      const shown = result ?? { kind: "passed" as const, name: data.name, file: fileOf(data), reason: "" };
      if (data.nesting > 0 && shown.kind === "passed") continue;
      if (isEcho(ended)) continue;
      if (shown.file !== heading) yield `\n${styleText("dim", (heading = shown.file))}\n`;
      yield `  ${styleText(COLOURS[shown.kind], MARKS[shown.kind])} ${shown.name}${durationOf(data.details.duration_ms)}\n`;
      if (ended.error !== null) yield* detailsOf(ended.error, outputs.get(shown.file) ?? "");
    }
  }
  process.send?.("finished");
}

/** Null for what is no test of its own: a suite that went well, a parent that failed only because of its children. */
function resultOf(ended: Ended, path: readonly string[]): Result | null {
  const { data, error } = ended;
  const isSuite = data.details.type === "suite";
  const result = { name: path.join(" › "), file: fileOf(data), reason: "" };
  if (error !== null) return isEcho(ended) ? null : { ...result, kind: "failed", reason: firstLine(error) };
  const excuse = data.skip ?? data.todo;
  if (excuse !== undefined && excuse !== false) {
    const reason = typeof excuse === "string" ? excuse : "";
    return { ...result, kind: reason === "" ? "skipped silently" : "skipped", reason };
  }
  // A file in which no test was declared is reported as if it were one.
  if (data.nesting === 0 && basename(data.name) === basename(result.file)) return { ...result, kind: "empty" };
  return isSuite ? null : { ...result, kind: "passed" };
}

function isEcho({ error }: Ended): boolean {
  return error !== null && "failureType" in error && error.failureType === "subtestsFailed";
}

function fileOf(data: EventData.LocationInfo): string {
  return relative("", resolve(data.entryFile ?? data.file ?? "?"));
}

function durationOf(ms: number): string {
  return ms < 100 ? "" : styleText("dim", ` ${ms < 10_000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`}`);
}

function firstLine(error: EventData.Error): string {
  const { cause } = error;
  const message = cause instanceof Error ? cause.message : typeof cause === "string" ? cause : error.message;
  return message.split("\n", 1)[0] ?? "";
}

function* detailsOf(error: EventData.Error, output: string): Generator<string> {
  const cause = error.cause ?? error;
  const text = typeof cause === "string" ? cause : inspect(cause, { depth: 6 });
  const lines = text.split("\n").filter((line) => !/^\s+at .*\(?node:internal/.test(line));
  yield `${lines.map((line) => `      ${line}`).join("\n")}\n`;
  if (output !== "") yield `      — its output —\n${output.replace(/^/gm, "      ")}\n`;
}
