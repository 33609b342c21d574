import { declaredCollections } from "../collection.ts";
import { DEFINED, type DefinedFunction } from "../define.ts";
import type { TriggerSpec } from "../triggers.ts";

/** What one file declares, defaults filled in and ranges checked. */
export type Declaration = {
  readonly on: TriggerSpec;
  readonly line: number;
  readonly timeoutMs: number;
  readonly concurrency: number;
  readonly attempts: number;
  readonly memoryMb: number;
};

/** Name of a function: of its file, with dots between folders. */
export const FUNCTION_NAME = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*$/;
export const FUNCTION_NAME_CHARS_MAX = 60;

/** The function that a default export is; null when it is none. */
export function definedIn(exported: unknown): DefinedFunction | null {
  // Its property says that defineFunction made it, which the compiler has checked.
  return typeof exported === "object" && exported !== null && DEFINED in exported
    ? (exported as DefinedFunction)
    : null;
}

/** Reads what a function declares. @returns a sentence when it cannot be. */
export function readDeclaration(defined: DefinedFunction): Declaration | { readonly says: string } {
  if (typeof defined.handler !== "function") return { says: "handler is not a function" };
  const spec: unknown = (defined.on as unknown) === undefined ? undefined : defined.on.spec;
  const flaw = specFlaw(spec);
  if (flaw !== null) return { says: flaw };
  const { timeoutMs = 30_000, concurrency = 10, attempts = 5, memoryMb = 128 } = defined;
  const says =
    rangeFlaw("timeoutMs", timeoutMs, 1, 900_000) ??
    rangeFlaw("concurrency", concurrency, 1, 1_000) ??
    rangeFlaw("attempts", attempts, 1, 100) ??
    rangeFlaw("memoryMb", memoryMb, 16, 4_096);
  if (says !== null) return { says };
  return { on: defined.on.spec, line: lineIn(defined), timeoutMs, concurrency, attempts, memoryMb };
}

/** Where `defineFunction` was called, in the function's file. */
export function lineIn(defined: DefinedFunction): number {
  return Number(/:(\d+):\d+$/.exec(defined[DEFINED])?.[1] ?? 1);
}

/** What `collection()` declared in this thread. */
export function collectionsSeen(): readonly { readonly name: string; readonly indexes: readonly string[] }[] {
  return [...declaredCollections()].map(([name, { indexes }]) => ({ name, indexes }));
}

const KINDS = ["queue", "event", "stream", "http", "schedule", "blob"];
/** As browsers send it (RFC 6454). */
const ORIGIN = /^https?:\/\/[^/\s,]+$/;
const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/** Whoever writes JavaScript, or casts, may declare anything. */
function specFlaw(spec: unknown): string | null {
  if (typeof spec !== "object" || spec === null || !("kind" in spec) || !KINDS.includes(String(spec.kind)))
    return "on is not a trigger: it is made by queue(…), event(…), stream(…), http(…), schedule(…) or blob(…)";
  // The kinds are ours; what is in them is checked here.
  const one = spec as TriggerSpec;
  switch (one.kind) {
    case "queue":
      return (
        textFlaw("the queue's name", one.queue) ??
        rangeFlaw("batchSize", one.batchSize, 1, 1_000) ??
        patternFlaw("filter", one.filter)
      );
    case "event":
      return patternFlaw("the pattern", one.pattern) ?? textFlaw("bus", one.bus);
    case "stream":
      return (
        rangeFlaw("batchSize", one.batchSize, 1, 10_000) ??
        rangeFlaw("parallelizationFactor", one.parallelizationFactor, 1, 64) ??
        (one.maxAgeMs === null ? null : rangeFlaw("maxAgeMs", one.maxAgeMs, 1, Number.MAX_SAFE_INTEGER)) ??
        (["latest", "earliest"].includes(one.startFrom) ? null : 'startFrom is "latest" or "earliest"') ??
        patternFlaw("filter", one.filter)
      );
    case "http":
      if (!METHODS.includes(one.method)) return `the method is one of ${METHODS.join(", ")}`;
      if (!["key", "none"].includes(one.auth)) return 'auth is "key" or "none"';
      if (!(one.cors ?? []).every((origin) => origin === "*" || ORIGIN.test(origin)))
        return 'cors is "*" or a list of origins such as "https://shop.example", without a path';
      return typeof one.path === "string" && one.path.startsWith("/") ? null : "the path begins with a slash";
    case "schedule":
      return one.when.kind === "rate"
        ? rangeFlaw("the rate in milliseconds", one.when.everyMs, 1_000, 366 * 86_400_000)
        : (textFlaw("the cron expression", one.when.expression) ?? textFlaw("the time zone", one.timeZone));
    case "blob":
      return typeof one.prefix === "string" ? null : "the prefix is a text";
  }
}

function rangeFlaw(name: string, value: unknown, min: number, max: number): string | null {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max
    ? null
    : `${name} is a whole number from ${min} to ${max}`;
}

function textFlaw(name: string, value: unknown): string | null {
  return typeof value === "string" && value !== "" ? null : `${name} is a text that is not empty`;
}

function patternFlaw(name: string, value: unknown): string | null {
  if (value === null && name === "filter") return null;
  return typeof value === "object" && value !== null && !Array.isArray(value) ? null : `${name} is an object`;
}
