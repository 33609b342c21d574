/**
 * Messages for FIFO queues that a call emitted: each needs the memory of its queue for what was sent before, so it is a job of
 * its own, in the order of its group.
 *
 *     call committed ──▶ job ──▶ in the queue, in the unit that ends the job
 *                         ├──its queue is to know it again──▶ sent; if the job is done twice within five minutes, known again
 *                         └──refused──▶ dead letter
 */
import type { Job, NewJob } from "#domain/job.ts";
import type { Stage, StageResult } from "#engine/stage.ts";
import type { NewQueueMessage } from "#queues/message.ts";
import type { QueueDesk } from "#queues/desk.ts";
import type { QueueFault } from "#queues/fault.ts";

export const MESSAGES_QUEUE = "function-messages";

const IN_HAND_MAX = 256;
const ATTEMPTS_MAX = 20;

type Payload = { readonly id: string; readonly queue: string; readonly message: NewQueueMessage };

/** @param id of the message, made of the call. */
export function messageLater(queue: string, message: NewQueueMessage, id: string): NewJob {
  const payload: Payload = { id, queue, message };
  return {
    key: `${MESSAGES_QUEUE}:${id}`,
    queue: MESSAGES_QUEUE,
    lane: "transactional",
    // Those of a group go by the order of their commits: turns begin anew with each process, and would let later ones overtake.
    turn: 0,
    dueMs: 0,
    payload: JSON.stringify(payload),
    traceparent: message.traceparent ?? null,
    group: `${queue}/${message.groupId ?? ""}`,
  };
}

export function messagesStage(queues: QueueDesk): Stage<never> {
  return {
    queue: MESSAGES_QUEUE,
    inHandMax: { transactional: IN_HAND_MAX, bulk: 1 },
    batchMax: IN_HAND_MAX,
    attemptsMax: ATTEMPTS_MAX,
    run: async (jobs, context) => {
      await Promise.all(
        jobs.map(({ job }) =>
          context.guard(job, async () => {
            const ended = await context.finish(job, await lay(queues, job));
            if (ended === "stale") await context.finish(job, { kind: "failed", error: "conflict" });
          }),
        ),
      );
    },
    bury: () => ({}),
  };
}

async function lay(queues: QueueDesk, job: Job): Promise<StageResult> {
  // Only `messageLater` writes there.
  const { id, queue, message } = JSON.parse(job.payload) as Payload;
  // Without an id to be known by, it is kept once because its job ends once.
  if ((message.dedupId ?? id) === id) {
    const drafted = await queues.draftOnce(queue, message, id);
    if (drafted.kind === "fault") return refused(queue, drafted);
    return { kind: "end", end: DONE, effects: drafted.effects, expect: drafted.expect };
  }
  const sent = await queues.send(queue, message);
  return sent.kind === "fault" ? refused(queue, sent) : { kind: "end", end: DONE, effects: {} };
}

const DONE = { kind: "done" } as const;

function refused(queue: string, { code }: QueueFault): StageResult {
  // Of these another try may come to something else.
  if (code === "overloaded" || code === "conflict") return { kind: "failed", error: code };
  return { kind: "end", end: { kind: "dead", error: `${queue}: ${code}` }, effects: {} };
}
