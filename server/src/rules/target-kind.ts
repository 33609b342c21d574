import type { DraftEffects } from "#engine/draft.ts";
import type { Target } from "#rules/rule.ts";

/** One matching event for one target: everything that is needed to deliver it, whatever becomes of rule and event. */
export type TargetCall = {
  /** Made of event, rule and target, so that the same delivery is known again: for idempotency keys and ids. */
  readonly key: string;
  readonly rule: { readonly bus: string; readonly name: string };
  readonly target: Target;
  /** What the target is told, filled in already. */
  readonly input: string;
  readonly event: {
    readonly id: string;
    readonly source: string;
    readonly type: string;
    readonly timeMs: number;
    readonly traceparent: string | null;
  };
};

export type Delivered =
  /** `effects` are committed together with the end of the job. */
  | { readonly kind: "done"; readonly effects: DraftEffects }
  /** It may work later; `afterMs` when the other side said so. Counts as a try. */
  | { readonly kind: "retry"; readonly code: string; readonly reason: string; readonly afterMs?: number }
  /** It can never work as it is: dead letter at once. */
  | { readonly kind: "refused"; readonly code: string; readonly reason: string };

/** A kind of thing that a rule may target. The rules know the kinds only by this; `app/` tells which there are. */
export interface TargetKind {
  /** Whether an ARN names one of this kind. */
  takes(arn: string): boolean;
  /** A sentence when a target can never work, said to whoever puts it; null when it is fine. */
  check(target: Target): string | null;
  /**
   * What to commit together with the matcher's checkpoint, exactly once, without looking anything up; null when it needs
   * a job of its own.
   */
  atOnce?(call: TargetCall): DraftEffects | null;
  /** In a job of its own; at least once, so it must be harmless to repeat under the same `key`. */
  deliver(call: TargetCall, signal: AbortSignal): Promise<Delivered>;
}
