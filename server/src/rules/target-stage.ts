import { arnText, parseArn } from "#domain/arn.ts";
import type { Job } from "#domain/job.ts";
import { retryDelayMs } from "#domain/retry.ts";
import type { DraftEffects } from "#engine/draft.ts";
import type { Engine } from "#engine/engine.ts";
import type { HandedJob, Stage, StageContext } from "#engine/stage.ts";
import type { Secrets } from "#ports/secrets.ts";
import type { MessageAttribute, NewQueueMessage } from "#queues/message.ts";
import { FIFO_SUFFIX } from "#queues/queue.ts";
import { uuidOf } from "#rules/call-id.ts";
import { RETRY_ATTEMPTS_MAX } from "#rules/limits.ts";
import type { RuleMeters } from "#rules/rule-meters.ts";
import type { Delivered, TargetCall, TargetKind } from "#rules/target-kind.ts";
import { readCall, TARGET_QUEUE } from "#rules/target-job.ts";
import { layInto, type Queues } from "#rules/targets/queue.ts";

/** What the matcher knows already of a job that it hands over. */
export type TargetCarry = { readonly call: TargetCall };

export type TargetStageHouse = {
  readonly engine: Engine;
  readonly kinds: readonly TargetKind[];
  /** For dead letters. */
  readonly queues: Queues;
  readonly secrets: Secrets;
  readonly meters: RuleMeters;
  readonly region: string;
};

/** Deliveries under way at once. Each is mostly a wait for a commit, and commits are shared. */
const IN_HAND_MAX = 512;
/** Claims in one step. */
const BATCH_MAX = 128;
/** Claims without a result beyond all tries that a target may ask for: whatever takes the process down ends here. */
const CLAIMS_MAX = RETRY_ATTEMPTS_MAX + 20;

/**
 * Deliveries that need work:
 *
 *     deliver ──done──▶ end, with its effects
 *        ├──retry──▶ again later, with backoff ──tries or age spent──┐
 *        └──refused───────────────────────────────────────────▶ dead letter: into the target's queue, or kept here
 */
export function targetStage(house: TargetStageHouse): Stage<TargetCarry> {
  return {
    queue: TARGET_QUEUE,
    inHandMax: { transactional: IN_HAND_MAX, bulk: IN_HAND_MAX },
    batchMax: BATCH_MAX,
    attemptsMax: CLAIMS_MAX,
    run: async (jobs, context) => {
      await Promise.all(jobs.map((handed) => context.guard(handed.job, () => work(house, handed, context))));
    },
    bury: (job) => {
      house.meters.failed(readCall(job.payload).rule);
      return {};
    },
  };
}

async function work(
  house: TargetStageHouse,
  { job, carry }: HandedJob<TargetCarry>,
  context: StageContext,
): Promise<void> {
  if (context.signal.aborted) {
    await context.finish(job, { kind: "release" });
    return;
  }
  const call = carry?.call ?? readCall(job.payload);
  const kind = house.kinds.find((one) => one.takes(call.target.arn));
  const delivered: Delivered =
    kind === undefined
      ? { kind: "refused", code: "NO_RESOURCE", reason: `Nothing here delivers to ${call.target.arn}.` }
      : await kind.deliver(call, context.signal);
  if (delivered.kind === "done") {
    house.meters.delivered(call.rule);
    await context.finish(job, { kind: "end", end: { kind: "done" }, effects: delivered.effects });
    return;
  }
  const dueMs = delivered.kind === "retry" ? nextTryMs(house, job, call, delivered.afterMs ?? 0) : null;
  if (dueMs === null) return giveUp(house, job, call, delivered, context);
  house.meters.retried(call.rule);
  const error = errorOf(delivered);
  const { payload, turn } = job;
  const end = { kind: "again", payload, dueMs, turn, attempts: "count", error } as const;
  await context.finish(job, { kind: "end", end, effects: {} });
}

/** When to try again; null when tries or time are spent. */
function nextTryMs(house: TargetStageHouse, job: Job, call: TargetCall, afterMs: number): number | null {
  const { clock, dice } = house.engine.parts;
  const { attemptsMax, ageMaxMs } = call.target.retry;
  const nowMs = clock.nowMs();
  const untilMs = job.enqueuedMs + ageMaxMs;
  if (job.attempt > attemptsMax || nowMs >= untilMs) return null;
  const waitMs = Math.max(afterMs, retryDelayMs(job.attempt, dice.next()));
  // The last try is made when time is over, not given away.
  return Math.min(nowMs + waitMs, untilMs);
}

type Failure = Exclude<Delivered, { kind: "done" }>;

async function giveUp(
  house: TargetStageHouse,
  job: Job,
  call: TargetCall,
  failure: Failure,
  context: StageContext,
): Promise<void> {
  house.meters.failed(call.rule);
  const kept = await intoQueue(house, job, call, failure);
  const error = errorOf(failure);
  if (kept !== null && "effects" in kept) {
    await context.finish(job, { kind: "end", end: { kind: "done" }, effects: kept.effects });
    return;
  }
  const says = kept === null ? error : `${error}; and its dead-letter queue: ${kept.fault}`;
  await context.finish(job, { kind: "end", end: { kind: "dead", error: says }, effects: {} });
}

/** Null: the target names no dead-letter queue. */
async function intoQueue(
  house: TargetStageHouse,
  job: Job,
  call: TargetCall,
  failure: Failure,
): Promise<{ readonly effects: DraftEffects } | { readonly fault: string } | null> {
  const { deadLetterArn } = call.target;
  if (deadLetterArn === null) return null;
  const arn = parseArn(deadLetterArn);
  if (arn?.kind !== "queue") return { fault: `${deadLetterArn} is no queue` };
  const message = letterOf(house, job, call, failure);
  const laid = await layInto(house.queues, arn.name, message, uuidOf(`dead:${call.key}`, house.secrets));
  return laid.kind === "laid" ? { effects: laid.effects } : { fault: laid.code };
}

/** As EventBridge writes it: what the target was to be told, and why it was not. */
function letterOf(house: TargetStageHouse, job: Job, call: TargetCall, failure: Failure): NewQueueMessage {
  const { rule, target, input, event } = call;
  const ruleArn = arnText({ kind: "rule", ...rule }, house.region);
  const spent =
    failure.kind === "refused" ? null : job.attempt > target.retry.attemptsMax ? "RetryAttempts" : "EventAgeInSeconds";
  return {
    body: input,
    attributes: {
      RULE_ARN: text(ruleArn),
      TARGET_ARN: text(target.arn),
      ERROR_CODE: text(failure.code),
      ERROR_MESSAGE: text(failure.reason),
      ...(spent === null ? {} : { EXHAUSTED_RETRY_CONDITION: text(`Maximum${spent}`) }),
      RETRY_ATTEMPTS: text(String(job.attempt - 1)),
    },
    traceparent: event.traceparent,
    sender: `rule:${rule.bus}/${rule.name}`,
    ...(target.deadLetterArn?.endsWith(FIFO_SUFFIX) === true
      ? { groupId: target.messageGroupId ?? rule.name, dedupId: house.secrets.digest(call.key) }
      : {}),
  };
}

/** Only what an attribute of a queue message may hold: no control characters, not nothing. */
function text(value: string): MessageAttribute {
  // oxlint-disable-next-line no-control-regex -- control characters are what is taken out
  const clean = value.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, " ").slice(0, 1_000);
  return { type: "String", value: clean === "" ? "-" : clean.toWellFormed() };
}

function errorOf({ code, reason }: Failure): string {
  return `${reason} [${code}]`;
}
