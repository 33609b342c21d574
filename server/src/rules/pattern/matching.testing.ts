import { type Compiled, compilePattern } from "./compile.ts";
import { type EventLeaves, readEventText } from "./event-leaves.ts";
import { matches } from "./matches.ts";
import { Wanted } from "./wanted.ts";

/** JSON text is taken as it is, anything else is written as JSON. */
export type Said = unknown;

export function textOf(said: Said): string {
  return typeof said === "string" ? said : JSON.stringify(said);
}

/** A pattern that must be valid. */
export function patternOf(said: Said): Compiled {
  const pattern = compilePattern(textOf(said));
  if (pattern.kind === "invalid") throw new Error(`${textOf(said)}: ${pattern.reason}`);
  return pattern;
}

/** The values of an event that a pattern wants. */
export function leavesFor(pattern: Compiled, event: Said): EventLeaves {
  const leaves = readEventText(textOf(event), new Wanted(pattern.paths));
  if (leaves === null) throw new Error(`${textOf(event)} is no event`);
  return leaves;
}

export function doesMatch(said: Said, event: Said): boolean {
  const pattern = patternOf(said);
  return matches(pattern, leavesFor(pattern, event));
}

/** Checks what patterns must match (`yes`) and must not (`no`). @throws {Error} naming the first that is otherwise. */
export function check(
  cases: readonly { readonly pattern: Said; readonly yes?: readonly Said[]; readonly no?: readonly Said[] }[],
): void {
  for (const { pattern, yes = [], no = [] } of cases) {
    if (yes.length + no.length === 0) throw new Error(`${textOf(pattern)} is asked nothing`);
    const wrong = yes.find((event) => !doesMatch(pattern, event)) ?? no.find((event) => doesMatch(pattern, event));
    if (wrong === undefined) continue;
    throw new Error(
      `${textOf(pattern)} ${yes.includes(wrong) ? "must" : "must not"} match ${textOf(wrong).slice(0, 1000)}`,
    );
  }
}
