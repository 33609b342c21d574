import { relative, resolve } from "node:path";
import type { TestEvent } from "node:test/reporters";

/** One test, as `node --test` tells it. */
export type TestLine = {
  readonly file: string;
  readonly name: string;
  readonly kind: "passed" | "failed" | "skipped";
  /** Why it failed or was skipped. */
  readonly reason: string;
  /** What the test itself said of its numbers. */
  readonly says: readonly string[];
};

/** A reporter: a line of JSON for each test that has none inside. */
export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const waiting: { line: TestLine | null } = { line: null };
  for await (const { type, data } of events) {
    // What a test says of itself comes right behind it, at the same depth.
    if (type === "test:diagnostic" && waiting.line !== null && data.file !== undefined) {
      waiting.line = { ...waiting.line, says: [...waiting.line.says, data.message] };
      continue;
    }
    if (type !== "test:pass" && type !== "test:fail") continue;
    if (waiting.line !== null) yield `${JSON.stringify(waiting.line)}\n`;
    waiting.line = null;
    const error = type === "test:fail" ? data.details.error : null;
    const isEcho = error !== null && "failureType" in error && error.failureType === "subtestsFailed";
    if (data.details.type === "suite" || isEcho) continue;
    const excuse = data.skip ?? data.todo;
    const isSkipped = excuse !== undefined && excuse !== false;
    waiting.line = {
      file: relative("", resolve(data.entryFile ?? data.file ?? "?")),
      name: data.name,
      kind: error !== null ? "failed" : isSkipped ? "skipped" : "passed",
      reason: error !== null ? firstLine(error) : isSkipped ? String(excuse) : "",
      says: [],
    };
  }
  if (waiting.line !== null) yield `${JSON.stringify(waiting.line)}\n`;
}

function firstLine(error: Error): string {
  const { cause } = error;
  const message = cause instanceof Error ? cause.message : typeof cause === "string" ? cause : error.message;
  return message.split("\n", 1)[0] ?? "";
}
