import { ERROR_CHARS_MAX, STACK_CHARS_MAX } from "./limits.ts";
import type { Blank } from "./logs.ts";

/**
 * Why a call failed. `name`: of the error thrown, or `Timeout`, `OutOfMemory`, `Exit`, `LoadError`, `BadOutput`. `at`:
 * `file:line:column` in the functions' own code, as seen from `root`; null when none of their lines is to blame.
 */
export type CallError = {
  readonly name: string;
  readonly says: string;
  readonly at: string | null;
  readonly stack: string | null;
};

/** What was thrown, whatever it is, in words. Never throws, also when the thing does. */
export function describeError(thrown: unknown, root: string, blank: Blank): CallError {
  try {
    if (thrown instanceof Error) return ofError(thrown, root, blank);
    const says =
      typeof thrown === "string"
        ? thrown
        : `it threw ${typeof thrown === "object" ? JSON.stringify(thrown) : String(thrown)}`;
    return { name: "Error", says: blank(says).slice(0, ERROR_CHARS_MAX), at: null, stack: null };
  } catch {
    return { name: "Error", says: "it threw something that cannot be read", at: null, stack: null };
  }
}

function ofError(error: Error, root: string, blank: Blank): CallError {
  const frames = (error.stack ?? "").split("\n").filter((line) => line.trimStart().startsWith("at "));
  const own = frames.map((line) => shorten(line, root)).filter((line) => line !== null);
  const cause = error.cause instanceof Error ? ` (because: ${error.cause.message})` : "";
  return {
    name: String(error.name).slice(0, 100),
    says: blank(`${error.message}${cause}`).slice(0, ERROR_CHARS_MAX),
    at: own[0] === undefined ? null : placeOf(own[0]),
    stack: own.length === 0 ? null : blank(own.join("\n")).slice(0, STACK_CHARS_MAX),
  };
}

/** A frame of the functions' own code, its file as seen from `root`; null for frames of ours, of Node and of packages. */
function shorten(frame: string, root: string): string | null {
  const plain = frame.replaceAll("file://", "").trim();
  if (!plain.includes(root) || plain.includes("/node_modules/") || plain.includes("/sdk/src/run/")) return null;
  return plain.replaceAll(root.endsWith("/") ? root : `${root}/`, "").replace(/\?[^:)]*(?=:\d)/g, "");
}

function placeOf(frame: string): string | null {
  return /([^\s()]+:\d+:\d+)\)?$/.exec(frame)?.[1] ?? null;
}
