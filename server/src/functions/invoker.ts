import type { DraftEffects } from "#engine/draft.ts";
import type { DeclaredFunction, InvocationError } from "#ports/function-host.ts";
import type { Conditions } from "#ports/store.ts";

/** One call of a handler that a feeder wants. */
export type Work = {
  readonly declared: DeclaredFunction;
  /** The same at every try. */
  readonly key: string;
  /** 1 at the first try. */
  readonly attempt: number;
  /** JSON text of the handler's input. */
  readonly input: string;
  readonly traceparent: string | null;
  /** It may have ended a thread before. */
  readonly alone: boolean;
  /** What is wrong with what the handler returned, JSON text; null: nothing. Then it has failed, and nothing of it is seen. */
  readonly judge?: (output: string | null) => string | null;
};

/** What the handler emitted, and what it rests on: documents that must not have changed. */
export type HandlerEffects = DraftEffects & Pick<Conditions, "expect">;

/** Whatever came of it, `effects` are to be committed with it: of what failed they are its log alone. */
export type Ran =
  | { readonly kind: "done"; readonly output: string | null; readonly effects: HandlerEffects }
  | { readonly kind: "failed"; readonly error: InvocationError; readonly effects: DraftEffects }
  /** Not its fault: to be tried again without counting. */
  | { readonly kind: "innocent"; readonly error: InvocationError; readonly effects: DraftEffects };

/**
 * Calls handlers, at most as many of one function at once as it declares; what they emit becomes effects. Nothing is
 * committed here. When the commit finds that a document has changed (`stale`), the feeder asks anew.
 */
export interface Invoker {
  run(work: Work, signal: AbortSignal): Promise<Ran>;
}
