import type { TriggerKind } from "tidings";
import type { DeclaredFunction } from "#ports/function-host.ts";

/** What starts functions of one trigger kind. One file in `feeders/` each. */
export interface Feeder {
  readonly kind: TriggerKind;
  /** Why this trigger cannot be, in a sentence for who declared it; null when it can. Asked before anything starts. */
  faultOf(declared: DeclaredFunction): string | null;
  /**
   * Begins to call the function. What it needs in the store (a queue, a rule, a job) is made if it is not there.
   * @throws {StoreFault} when the store cannot answer now; it is tried again.
   */
  start(declared: DeclaredFunction): Promise<Feed>;
}

export interface Feed {
  /** Takes nothing more and waits for the calls under way. What is in the store stays there. */
  stop(): Promise<void>;
  /** The function is the same, but its options or code changed: from now on it is called as declared here. */
  update(declared: DeclaredFunction): void;
}
