import { parseArn } from "#domain/arn.ts";
import type { TargetKind } from "#rules/target-kind.ts";

/**
 * A service of AWS that is not here. EventBridge's clients may put it, so that what describes a whole installation can be
 * applied; what is delivered to it becomes a dead letter that says so.
 */
export const foreignTarget: TargetKind = {
  takes: (arn) => parseArn(arn) === null && FOREIGN.test(arn),
  check: () => null,
  deliver: ({ target }) =>
    Promise.resolve({ kind: "refused", code: "NO_RESOURCE", reason: `Nothing here delivers to ${target.arn}.` }),
};

const FOREIGN = /^arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]*:.+/;
