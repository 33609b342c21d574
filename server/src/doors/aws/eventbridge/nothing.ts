import type { AwsFault } from "#doors/aws/fault.ts";
import { undone } from "#doors/aws/eventbridge/faults.ts";
import type { Done } from "#rules/desk.ts";

/** `{}`, which is how EventBridge says that it is done. */
export function nothing(done: Done<unknown>): {} | AwsFault {
  return done.kind === "done" ? {} : undone(done);
}
