import type { Operation } from "./operations.ts";
import type { Plan } from "./calls.ts";

export type Heard = {
  readonly status: number;
  /** Media type, without parameters; "" without one. */
  readonly type: string;
  readonly body: string;
  readonly retryAfter: string | undefined;
  /** The answer goes on for ever; only its beginning was read. */
  readonly endless: boolean;
};

/** What is wrong with an answer to this call; null: it is as documented. */
export function judge(plan: Plan, heard: Heard, operations: readonly Operation[]): string | null {
  const { status, type, body } = heard;
  if (status === 503) return heard.retryAfter === undefined ? "503 without Retry-After" : null;
  if (status >= 500) return `${status}: ${body.slice(0, 200)}`;
  const answers = answersOf(plan, operations);
  // Most often 405; the page behind an unsubscribe link is nobody's interface.
  if (answers === null) return null;
  const refusedKey = plan.auth === "good" && (status === 401 || status === 403);
  if (refusedKey) return `${status}, although the key is good`;
  const declared = answers.get(status);
  if (declared === undefined) return `${status} is not documented for this operation: ${body.slice(0, 200)}`;
  if (plan.method === "HEAD") return body === "" ? null : "an answer to HEAD has a body";
  if (declared.size === 0) return body === "" ? null : `${status} has a body, and none is documented`;
  const fits = declared.get(type) ?? declared.get("*/*");
  if (fits === undefined) return `${status} is documented as ${[...declared.keys()].join(", ")}, and came as ${type}`;
  return heard.endless || fits(body) ? null : `${status} does not fit its schema: ${body.slice(0, 300)}`;
}

/** What is documented for the method that was used; HEAD answers as GET does. Null: nothing is. */
function answersOf({ operation, method }: Plan, operations: readonly Operation[]): Operation["answers"] | null {
  const asked = method === "HEAD" ? "GET" : method;
  if (asked === operation.method) return operation.answers;
  return operations.find((one) => one.path === operation.path && one.method === asked)?.answers ?? null;
}
