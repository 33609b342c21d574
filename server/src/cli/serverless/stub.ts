import type { TriggerSpec } from "tidings";
import { comment, literal } from "#cli/serverless/code.ts";
import type { PlannedFunction } from "#cli/serverless/plan.ts";
import type { Json } from "#domain/json.ts";

const BAD_OUTPUT = "until then what comes is tried again and kept as a dead letter: nothing is lost";

/** A function's file: its trigger is imported, its handler is to be written. @param source the imported file's name. */
export function stub({ path, was, line, on, notes, options }: PlannedFunction, source: string): string {
  const told = [was === "" ? "" : `Was ${was} (${source}:${line}).`, ...notes].filter((note) => note !== "");
  const numbers = Object.entries(options).map(([name, value]) => `  ${name}: ${thousands(value)},\n`);
  return `import { defineFunction, ${on.kind} } from "tidings";

${docstring(told)}export default defineFunction({
  on: ${trigger(on)},
${numbers.join("")}${handler(on, path)}
});
`;
}

function docstring(lines: readonly string[]): string {
  const [first, ...more] = lines.map((line) => comment(line));
  if (first === undefined) return "";
  return more.length === 0
    ? `/** ${first} */\n`
    : `/**\n${[first, ...more].map((line) => ` * ${line}\n`).join("")} */\n`;
}

function handler(on: TriggerSpec, path: string): string {
  const name = JSON.stringify(`${path} is not written yet`);
  if (on.kind === "http")
    return `  // context: events, send, queues, documents, log, settings, secrets
  handler(call, context) {
    return { status: 501, body: { error: ${name} } };
  },`;
  const input = { queue: "batch", stream: "batch", event: "event", schedule: "time", blob: "file" }[on.kind];
  return `  // context: events, send, queues, documents, log, settings, secrets
  handler(${input}, context) {
    // To be written; ${BAD_OUTPUT}.
    throw new Error(${name});
  },`;
}

function trigger(on: TriggerSpec): string {
  switch (on.kind) {
    case "queue": {
      const { queue, batchSize, filter } = on;
      return call("queue", [queue], { batchSize, ...(filter === null ? {} : { filter }) });
    }
    case "event":
      return call("event", [on.pattern], on.bus === "default" ? {} : { bus: on.bus });
    case "stream": {
      const { kind: _, maxAgeMs, filter: __, ...rest } = on;
      return call("stream", [], { ...rest, ...(maxAgeMs === null ? {} : { maxAgeMs }) });
    }
    case "http":
      return call("http", [on.method, on.path], {
        ...(on.auth === "none" ? { auth: "none" } : {}),
        ...(on.cors === undefined ? {} : { cors: on.cors.includes("*") ? "*" : on.cors }),
      });
    case "schedule":
      if (on.when.kind === "cron")
        return call("schedule", [on.when.expression, ...(on.timeZone === "UTC" ? [] : [on.timeZone])], {});
      return call("schedule", [rate(on.when.everyMs)], {});
    case "blob":
      return call("blob", [on.prefix], {});
  }
}

function call(name: string, given: readonly Json[], options: { readonly [name: string]: Json }): string {
  const all = Object.keys(options).length === 0 ? given : [...given, options];
  return `${name}(${all.map((one) => literal(one, 2)).join(", ")})`;
}

function rate(everyMs: number): string {
  const [unit, unitMs] =
    (
      [
        ["day", 86_400_000],
        ["hour", 3_600_000],
        ["minute", 60_000],
      ] as const
    ).find(([, ms]) => everyMs % ms === 0) ?? (["second", 1_000] as const);
  const count = everyMs / unitMs;
  return `rate(${count} ${unit}${count === 1 ? "" : "s"})`;
}

function thousands(value: number): string {
  return String(value).replaceAll(/\B(?=(?:\d{3})+$)/g, "_");
}
