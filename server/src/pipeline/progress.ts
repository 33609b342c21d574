import type { Deadline } from "#domain/deadline.ts";
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
  /** When it was first worked on; the patience of `timeout.message` counts from here. */
  readonly startMs: number;
  readonly leaves: Readonly<Record<number, LeafProgress>>;
  /** Absent: none. */
  readonly deadline?: Deadline;
  /** The journal says already that it is late and is sent all the same. */
  readonly late?: true;
};

/** What a message's job is born with: nothing but its deadline, if it has one. */
export function unbegun(deadline: Deadline | null): string {
  return deadline === null ? "" : JSON.stringify({ deadline });
}

/** Reads what this file wrote; `isFirst`: nobody has worked on it yet. */
export function readProgress(
  payload: string,
  nowMs: number,
): { readonly progress: Progress; readonly isFirst: boolean } {
  if (payload === "") return { progress: { startMs: nowMs, leaves: {} }, isFirst: true };
  const written = JSON.parse(payload) as Progress | Pick<Progress, "deadline">;
  if ("startMs" in written) return { progress: written, isFirst: false };
  return { progress: { startMs: nowMs, leaves: {}, ...written }, isFirst: true };
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
