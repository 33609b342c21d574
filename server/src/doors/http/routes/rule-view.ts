import { arnText } from "#domain/arn.ts";
import type { Json } from "#domain/json.ts";
import { type Answer, refusal } from "#doors/http/answer.ts";
import { denied } from "#doors/http/commit-answer.ts";
import { readJson } from "#doors/http/json-text.ts";
import type { Call } from "#doors/http/route.ts";
import { iso } from "#doors/http/routes/directory-view.ts";
import type { FaultCode } from "#domain/problem.ts";
import type { Bus, RuleFaultCode, Undone } from "#rules/desk.ts";
import { cutOne } from "#rules/json-cut.ts";
import { showTarget } from "#rules/own-target.ts";
import type { Rule } from "#rules/rule.ts";

/** A rule as JSON text, its pattern as it was written. */
export function ruleText(rule: Rule, region: string): string {
  const { bus, name, pattern, schedule, state, description, tags, targets, managedBy, createdMs, modifiedMs } = rule;
  const head = { bus, name, arn: arnText({ kind: "rule", bus, name }, region) };
  const isLossy = pattern !== null && JSON.stringify(JSON.parse(pattern) as Json) !== withoutBlanks(pattern);
  const rest = {
    ...(isLossy ? { patternText: pattern } : {}),
    schedule,
    enabled: state === "ENABLED",
    description,
    tags,
    targets: targets.map(showTarget),
    managedBy,
    created: iso(createdMs),
    modified: iso(modifiedMs),
  };
  return `${JSON.stringify(head).slice(0, -1)},"pattern":${pattern ?? "null"},${JSON.stringify(rest).slice(1)}`;
}

/**
 * A pattern or an event that came as an object or as text, as text: cut out of the body, so that it is as it was written.
 * Null: absent.
 */
export function patternOf(body: string, given: unknown, member = "pattern"): string | null {
  if (given === undefined) return null;
  // Text that is no JSON stays as it is, and is refused.
  if (typeof given === "string") return readJson(given).ok ? withoutBlanks(given) : given;
  const text = cutOne(body, [member]);
  return text === undefined ? null : withoutBlanks(text);
}

export function busView({ name, description, tags }: Bus, region: string) {
  return { name, description, tags, arn: arnText({ kind: "bus", name }, region) };
}

/** The answer to what was not done. */
export function undone(call: Pick<Call, "once">, why: Undone): Answer {
  return why.kind === "fault" ? refusal(CODES[why.code], why.message) : denied(call, why);
}

const CODES: Readonly<Record<RuleFaultCode, FaultCode>> = {
  unknown: "thing.unknown",
  exists: "conflict.exists",
  pattern: "request.invalid",
  invalid: "request.invalid",
  limit: "request.invalid",
  managed: "request.invalid",
  changed: "conflict.changed",
  status: "request.invalid",
};

/** JSON text without what means nothing, numbers and strings as they are. */
function withoutBlanks(text: string): string {
  return text.replace(STRING_OR_BLANKS, (token) => (token.startsWith('"') ? token : ""));
}

const STRING_OR_BLANKS = /"(?:[^"\\]|\\[^])*"|[ \t\r\n]+/g;
