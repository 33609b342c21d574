import type { JsonObject } from "tidings";
import { compilePattern } from "#rules/pattern/compile.ts";
import { readEventText } from "#rules/pattern/event-leaves.ts";
import { matches } from "#rules/pattern/matches.ts";
import { Wanted } from "#rules/pattern/wanted.ts";

/** Whether a pattern in EventBridge's language fits a JSON object's text. */
export type Fits = (text: string) => boolean;

/** Why a pattern is none, in a sentence; null when it is one. */
export function patternFlaw(pattern: JsonObject): string | null {
  const compiled = compilePattern(JSON.stringify(pattern));
  return compiled.kind === "pattern" ? null : `Its pattern is not one of EventBridge's language: ${compiled.reason}`;
}

/** @param pattern one that `patternFlaw` finds good. Null: everything fits. */
export function fitsOf(pattern: JsonObject | null): Fits {
  if (pattern === null) return () => true;
  const compiled = compilePattern(JSON.stringify(pattern));
  if (compiled.kind !== "pattern") throw new Error("broken invariant: a pattern is looked at before it is used");
  const wanted = new Wanted(compiled.paths);
  return (text) => {
    const leaves = readEventText(text, wanted);
    return leaves !== null && matches(compiled, leaves);
  };
}
