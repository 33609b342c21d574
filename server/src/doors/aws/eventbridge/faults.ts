import { AwsFault, faultOf } from "#doors/aws/fault.ts";
import type { RuleFaultCode, Undone } from "#rules/desk.ts";

/** The desk's codes in EventBridge's names (aws-ingest.md §10); its sentences are EventBridge's already. */
const TYPES: Readonly<Record<RuleFaultCode, string>> = {
  unknown: "ResourceNotFoundException",
  exists: "ResourceAlreadyExistsException",
  pattern: "InvalidEventPatternException",
  invalid: "ValidationException",
  limit: "LimitExceededException",
  managed: "ManagedRuleException",
  changed: "ConcurrentModificationException",
  status: "IllegalStatusException",
};

/** Why a call to the desk was not done. */
export function undone(why: Undone): AwsFault {
  switch (why.kind) {
    case "fault":
      return eventsFault(TYPES[why.code], why.message);
    case "overloaded":
      return faultOf("overloaded");
    case "repeated":
      throw new Error("broken invariant: calls of this door have no Idempotency-Key");
  }
}

export function validation(message: string): AwsFault {
  return eventsFault("ValidationException", message);
}

/** In EventBridge's words, a member is named in lower camel case. */
export function missingMember(member: string): AwsFault {
  const parts = member.split(".").map((part) => part.charAt(0).toLowerCase() + part.slice(1));
  const says = `1 validation error detected: Value null at '${parts.join(".")}' failed to satisfy constraint: Member must not be null`;
  return validation(says);
}

function eventsFault(type: string, message: string): AwsFault {
  return new AwsFault(type, type, 400, message);
}
