/**
 * Messages for FIFO queues that a call emitted: each needs the memory of its queue for what was sent before, so it is a job of
 * its own, in the order of its group.
 *
 *     call committed ──▶ job ──send──▶ in the queue, known again by its id if the job is done twice
 *                         └──refused──▶ dead letter
 */
import type { NewJob } from "#domain/job.ts";
import type { Stage } from "#engine/stage.ts";
import type { NewQueueMessage } from "#queues/message.ts";
import type { QueueDesk } from "#queues/desk.ts";

export const MESSAGES_QUEUE = "function-messages";

const IN_HAND_MAX = 256;
const ATTEMPTS_MAX = 20;

type Payload = { readonly queue: string; readonly message: NewQueueMessage };

/** @param id made of the call, so that the same message is known again. */
export function messageLater(queue: string, message: NewQueueMessage, id: string): NewJob {
  const payload: Payload = { queue, message: { ...message, dedupId: message.dedupId ?? id } };
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
            // Only `messageLater` writes there.
            const { queue, message } = JSON.parse(job.payload) as Payload;
            const sent = await queues.send(queue, message);
            const end = { kind: "end", end: { kind: "done" }, effects: {} } as const;
            const isPassing = sent.kind === "fault" && (sent.code === "overloaded" || sent.code === "conflict");
            if (sent.kind === "sent") await context.finish(job, end);
            else if (isPassing) await context.finish(job, { kind: "failed", error: sent.code });
            else await context.finish(job, { ...end, end: { kind: "dead", error: `${queue}: ${sent.code}` } });
          }),
        ),
      );
    },
    bury: () => ({}),
  };
}
