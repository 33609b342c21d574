import { parseArn } from "#domain/arn.ts";
import type { TargetKind } from "#rules/target-kind.ts";

/**
 * Another bus, whose rules see the event as if it had been put there. The matcher does that by itself, in the same step;
 * here is only what is checked.
 */
export const busTarget: TargetKind = {
  takes: (arn) => parseArn(arn)?.kind === "bus",
  check: ({ id, input }) =>
    input.kind === "event"
      ? null
      : `Input, InputPath and InputTransformer are not supported for target ${id}: an event bus gets the event itself.`,
  deliver: () =>
    Promise.resolve({ kind: "refused", code: "NO_RESOURCE", reason: "A bus is given its events by the matcher." }),
};
