import { OperatorFault } from "#domain/faults.ts";
import { StoreFault } from "#ports/store.ts";

/** What a disk or its rights would not let us do, as something an operator can act on; anything else as it is. */
export function diskFault(error: unknown, what: string): unknown {
  if (error instanceof OperatorFault || !(error instanceof Error)) return error;
  const isDisk = error instanceof StoreFault || "syscall" in error || "errcode" in error;
  return isDisk
    ? new OperatorFault("disk.failed", `${what}: ${error.message.replace(/ \[store\.\w+\]$/, "")}`, { cause: error })
    : error;
}
