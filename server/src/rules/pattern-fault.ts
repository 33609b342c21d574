import type { RuleFault } from "#rules/desk.ts";
import { fault } from "#rules/fault.ts";
import { compilePattern } from "#rules/pattern/compile.ts";

/** What is wrong with a pattern's text, in EventBridge's words; null when it is one. */
export function patternFault(text: string): RuleFault | null {
  const compiled = compilePattern(text);
  return compiled.kind === "pattern"
    ? null
    : fault("pattern", `Event pattern is not valid. Reason: ${compiled.reason}`);
}
