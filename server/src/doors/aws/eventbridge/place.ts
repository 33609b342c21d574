import type { AwsFault } from "#doors/aws/fault.ts";
import { validation } from "#doors/aws/eventbridge/faults.ts";
import { DEFAULT_BUS, parseArn } from "#domain/arn.ts";
import type { PageAsk, RuleAt } from "#rules/desk.ts";

/** The bus that a member names: by name or by ARN; `default` when it is absent. */
export function busName(given: string | undefined): string {
  if (given === undefined || given === "") return DEFAULT_BUS;
  const arn = given.startsWith("arn:") ? parseArn(given) : null;
  return arn?.kind === "bus" ? arn.name : given;
}

export function ruleAt(name: string, bus: string | undefined): RuleAt {
  return { bus: busName(bus), name };
}

/** Unix ms as the seconds with a fraction that JSON 1.1 has for a time. */
export function secondsOf(ms: number): number {
  return ms / 1000;
}

/** Items of one page (aws-ingest.md §9.6). */
const PAGE_MAX = 100;

export type Paging = { readonly Limit: number | undefined; readonly NextToken: string | undefined };

export function pageAsk({ Limit, NextToken }: Paging, prefix?: string): PageAsk | AwsFault {
  if (Limit !== undefined && (Limit < 1 || Limit > PAGE_MAX)) {
    const bound =
      Limit < 1
        ? "Member must have value greater than or equal to 1"
        : `Member must have value less than or equal to ${PAGE_MAX}`;
    return validation(
      `1 validation error detected: Value '${Limit}' at 'limit' failed to satisfy constraint: ${bound}`,
    );
  }
  const after = NextToken === undefined ? null : Buffer.from(NextToken, "base64url").toString("utf8");
  if (after !== null && !/^[\w./-]{1,400}$/.test(after)) return validation("Parameter NextToken is not valid.");
  return { prefix: prefix ?? null, after, limit: Limit ?? PAGE_MAX };
}

export function nextToken(next: string | null): string | undefined {
  return next === null ? undefined : Buffer.from(next).toString("base64url");
}
