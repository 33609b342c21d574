/**
 * Settle: the one outcome of a message, when its last way is done.
 *
 *     sent      ▸ SENT             one way took it
 *     failed    ▸ UNDELIVERABLE    all were tried; if patience ended rather than hope, also a dead letter to re-drive
 *     held      ▸ UNDELIVERABLE    unknown whether it arrived, and the sender wants a person to decide; a dead letter
 *     skipped   ▸ UNROUTABLE       no way was open: no address, no provider
 *               ▸ UNDELIVERABLE    … because of a no: suppression, unsubscribed
 *     no words  ▸ UNMAPPED         the template does not exist
 *     late      ▸ UNDELIVERABLE    past its deadline and dropped
 *               ▸ FILTERED         … because a newer one says it (collapsed)
 */
import type { DraftEffects } from "#engine/draft.ts";
import type { StageResult } from "#engine/stage.ts";
import { type NewEvent, newEvent } from "#domain/event.ts";
import type { JobEnd } from "#domain/job.ts";
import type { JsonObject } from "#domain/json.ts";
import type { MessageReason, MessageStatus } from "#domain/message.ts";
import { stateOf } from "#domain/routing.ts";
import { leafStates, type LeafProgress, type Progress } from "#pipeline/progress.ts";
import type { Work } from "#pipeline/route.ts";

/** A message that goes no further, and why. */
export type Ending = {
  readonly status: MessageStatus;
  readonly reason: MessageReason | null;
  readonly error: string;
  /** The rule that decided, for `why`. */
  readonly rule: string;
  /** Kept as a dead letter, to be read and re-driven. */
  readonly redrivable: boolean;
  /** What else its event tells. */
  readonly data?: JsonObject;
};

/** What a message has come to when no way is open any more; null when it was sent. */
export function endingOf(work: Work, progress: Progress): Ending | null {
  const state = stateOf(work.plan.tree, leafStates(progress));
  if (state === "sent") return null;
  const leaves = Object.values(progress.leaves);
  const decisive =
    leaves.find((leaf) => leaf.state === "held") ??
    leaves.find((leaf) => leaf.state === "failed" && leaf.exhausted) ??
    leaves.find((leaf) => leaf.state === "failed") ??
    mostTelling(leaves);
  const reason = decisive?.reason ?? "NO_CHANNELS";
  const unroutable = state === "skipped" && reason !== "UNSUBSCRIBED" && reason !== "BOUNCED";
  return {
    status: unroutable ? "UNROUTABLE" : "UNDELIVERABLE",
    reason,
    error: decisive?.error ?? "no channel was tried",
    rule: decisive?.rule ?? "routing",
    redrivable: state === "held" || decisive?.exhausted === true,
  };
}

/** The message's last state, with the event that tells of it, as the end of its job. */
export function end(work: Work, ending: Ending, timeMs: number, before: DraftEffects = {}): StageResult {
  const jobEnd: JobEnd = ending.redrivable ? { kind: "dead", error: ending.error } : { kind: "done" };
  return {
    kind: "end",
    end: jobEnd,
    effects: { ...before, ...endEffects(work.record, ending, timeMs, work.plan.traceparent, before.events) },
  };
}

export function endEffects(
  record: Pick<Work["record"], "id">,
  ending: Ending,
  timeMs: number,
  traceparent: string | null,
  before: readonly NewEvent[] = [],
): DraftEffects {
  const { status, reason, error, rule, data } = ending;
  const type = `message.${status.toLowerCase()}`;
  return {
    patches: [{ id: record.id, status, reason, error }],
    events: [...before, newEvent(type, record.id, timeMs, { reason, error, rule, ...data }, traceparent)],
  };
}

/** A no says most, then a mistake in the routing, then a missing address, then a channel that is not set up at all. */
function mostTelling(leaves: readonly LeafProgress[]): LeafProgress | undefined {
  const order: readonly (MessageReason | null)[] = [
    "UNSUBSCRIBED",
    "BOUNCED",
    "PROVIDER_ERROR",
    "NO_CHANNELS",
    "NO_PROVIDERS",
  ];
  for (const reason of order) {
    const found = leaves.find((leaf) => leaf.reason === reason);
    if (found !== undefined) return found;
  }
  return leaves[0];
}
