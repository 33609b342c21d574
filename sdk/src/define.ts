import type { Context } from "./context.ts";
import type { Trigger } from "./triggers.ts";

/** How a function is run, beside what starts it. */
export type FunctionOptions = {
  /** The handler is ended after so long. Default: 30,000. At most 900,000. */
  readonly timeoutMs?: number;
  /** Most calls under way at once on one node. Default: 10. */
  readonly concurrency?: number;
  /** Tries before a message or event becomes a dead letter. Default: 5. A queue's own redrive policy goes first. */
  readonly attempts?: number;
  /** Heap beyond which it is ended. Default: 128. */
  readonly memoryMb?: number;
};

/** A function: what starts it, and what it does. */
export type FunctionDefinition<Input, Output> = FunctionOptions & {
  readonly on: Trigger<Input, Output>;
  handler(input: Input, context: Context): Output | Promise<Output>;
};

/** By which a loader knows that a file's default export is a function of ours, whatever copy of this package made it. */
export const DEFINED = Symbol.for("tidings.function");

export type DefinedFunction<Input = never, Output = unknown> = FunctionDefinition<Input, Output> & {
  /** `file:line:column` of the call of `defineFunction`, for errors. */
  readonly [DEFINED]: string;
};

/**
 * The default export of a file in the functions' folder. Its name is the file's: `billing/charge.ts` is `billing.charge`.
 *
 *     export default defineFunction({
 *       on: queue<Registration>("customer-registration"),
 *       async handler(batch, { events, send }) { … },
 *     });
 */
export function defineFunction<Input, Output>(
  definition: FunctionDefinition<Input, Output>,
): DefinedFunction<Input, Output> {
  return { ...definition, [DEFINED]: callSite() };
}

/** The third line of a stack: the one who called who called us. */
function callSite(): string {
  const line = new Error("where").stack?.split("\n")[3] ?? "";
  return /\(?((?:file:|\/|[A-Za-z]:\\).*:\d+:\d+)\)?$/.exec(line.trim())?.[1] ?? "";
}
