/**
 * What becomes of parked work that somebody gives up:
 *
 *     a message   ▸ CANCELED, unless it has its outcome already (one of several ways had taken it)
 *     a fan-out   ▸ request.dropped; whom it had not come to yet gets no message and no outcome, those before keep theirs
 */
import type { DraftEffects } from "#engine/draft.ts";
import type { Decision } from "#engine/stage.ts";
import { newEvent } from "#domain/event.ts";
import { type MessageId, type RequestId, requestOf } from "#domain/ids.ts";
import type { ParkedJob } from "#domain/job.ts";
import { isSettled } from "#domain/message.ts";
import { COLLAPSING, documentId } from "#pipeline/collapse.ts";
import type { Plans } from "#pipeline/plan.ts";
import { readProgress } from "#pipeline/progress.ts";
import { endEffects } from "#pipeline/settle.ts";
import type { Tally } from "#pipeline/tally.ts";
import type { Clock } from "#ports/clock.ts";
import type { Secrets } from "#ports/secrets.ts";
import type { Store } from "#ports/store.ts";

/** What a parked job that somebody gave up has come to, in words. */
const DROPPED = "it was held back after a restore, because it may have been sent already, and given up by an operator";

export type DropHouse = {
  readonly store: Store;
  readonly clock: Clock;
  readonly tally: Tally;
  readonly plans: Plans;
  readonly secrets: Secrets;
};

export async function dropMessages(
  house: DropHouse,
  jobs: readonly ParkedJob[],
  { rule }: Decision,
): Promise<readonly DraftEffects[]> {
  const timeMs = house.clock.nowMs();
  // A message's job has its message's id as key.
  const records = await house.store.messages(jobs.map(({ key }) => key as MessageId));
  const orders = jobs.map(({ payload }) => readProgress(payload, timeMs).progress.deadline?.order);
  const collapsing = jobs.flatMap(({ key }, at) => (orders[at] === undefined ? [] : [requestOf(key as MessageId)]));
  const plans = await house.plans.load(collapsing);
  return jobs.map(({ traceparent }, at) => {
    const [record, order] = [records[at], orders[at]];
    if (!record || isSettled(record.status)) return {};
    house.tally.settled("", "", "CANCELED");
    const plan = plans.get(record.requestId);
    const ending = { status: "CANCELED", reason: null, error: DROPPED, rule, redrivable: false } as const;
    const { patches = [], ...rest } = endEffects(record, ending, timeMs, traceparent);
    return {
      ...rest,
      patches: patches.map((patch) => ({ ...patch, canceledMs: timeMs })),
      // An older one that says the same must not give way to it any more.
      ...(order === undefined || plan === undefined
        ? {}
        : { deletes: [{ collection: COLLAPSING, id: documentId(record, plan, order, house.secrets) }] }),
    };
  });
}

export function dropFanOuts(
  clock: Clock,
  fanOuts: readonly { readonly request: RequestId; readonly recipients: number; readonly job: ParkedJob }[],
  { rule }: Decision,
): readonly DraftEffects[] {
  const timeMs = clock.nowMs();
  return fanOuts.map(({ request, recipients, job }) => ({
    events: [newEvent("request.dropped", request, timeMs, { recipients, error: DROPPED, rule }, job.traceparent)],
  }));
}
