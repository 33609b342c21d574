import type { MessageReason } from "#domain/message.ts";
import type { LeafState } from "#domain/routing.ts";

/** How far one way of reaching someone has come; kept in the job between tries. */
export type LeafProgress = {
  readonly state: LeafState;
  /** Which of the leaf's providers is next. */
  readonly provider: number;
  /** Tries at that provider so far. */
  readonly attempts: number;
  /** When this leaf, and this provider, were first tried. */
  readonly sinceMs: number;
  readonly providerSinceMs: number;
  /** Not before then. */
  readonly nextMs: number;
  /** Why it failed or was skipped, and the rule that said so. */
  readonly reason: MessageReason | null;
  readonly error: string | null;
  readonly rule: string | null;
  /** True when patience ended rather than hope: a person may re-drive it. */
  readonly exhausted: boolean;
};

/** A message's way so far. */
export type Progress = {
  /** When it was first worked on; the message's deadline counts from here. */
  readonly startMs: number;
  readonly leaves: Readonly<Record<number, LeafProgress>>;
};

/** Reads what this file wrote; an empty payload is a message that was never tried. */
export function readProgress(payload: string, nowMs: number): Progress {
  return payload === "" ? { startMs: nowMs, leaves: {} } : (JSON.parse(payload) as Progress);
}

export function writeProgress(progress: Progress): string {
  return JSON.stringify(progress);
}

export function freshLeaf(nowMs: number): LeafProgress {
  return {
    state: "open",
    provider: 0,
    attempts: 0,
    sinceMs: nowMs,
    providerSinceMs: nowMs,
    nextMs: 0,
    reason: null,
    error: null,
    rule: null,
    exhausted: false,
  };
}

export function withLeaf(progress: Progress, index: number, leaf: LeafProgress): Progress {
  return { ...progress, leaves: { ...progress.leaves, [index]: leaf } };
}

export function leafStates(progress: Progress): (index: number) => LeafState {
  return (index) => progress.leaves[index]?.state ?? "open";
}
