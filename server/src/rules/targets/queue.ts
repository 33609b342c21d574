import { parseArn } from "#domain/arn.ts";
import type { DraftEffects } from "#engine/draft.ts";
import type { Secrets } from "#ports/secrets.ts";
import type { QueueDesk } from "#queues/desk.ts";
import type { QueueFault } from "#queues/fault.ts";
import type { NewQueueMessage } from "#queues/message.ts";
import { FIFO_SUFFIX } from "#queues/queue.ts";
import { uuidOf } from "#rules/call-id.ts";
import type { Delivered, TargetCall, TargetKind } from "#rules/target-kind.ts";
import type { Target } from "#rules/rule.ts";

/** What the target needs of the queues. */
export type Queues = Pick<QueueDesk, "draftMessage" | "send" | "get">;

/**
 * A queue gets the input as a message. One that this node knows gets it in the commit that decided it, exactly once; a FIFO
 * queue, or one that is not there yet, by a job.
 */
export function queueTarget(queues: Queues, secrets: Secrets): TargetKind {
  return {
    takes: (arn) => parseArn(arn)?.kind === "queue",
    check: ({ id, arn, messageGroupId }: Target) =>
      arn.endsWith(FIFO_SUFFIX) && messageGroupId === null
        ? `Parameter(s) SqsParameters must be specified for target: ${id}.`
        : null,
    atOnce: (call) => {
      const draft = queues.draftMessage(queueOf(call), messageOf(call, secrets), uuidOf(call.key, secrets));
      return draft?.kind === "draft" ? draft.effects : null;
    },
    deliver: async (call) => {
      const laid = await layInto(queues, queueOf(call), messageOf(call, secrets), uuidOf(call.key, secrets));
      return laid.kind === "laid" ? { kind: "done", effects: laid.effects } : refusal(laid, queueOf(call));
    },
  };
}

/**
 * Lays a message into a queue, by a job that may be done again: with effects that are committed together with the job's end
 * where the queue is a standard one, so exactly once, and otherwise under an id by which a FIFO queue knows it again.
 */
export async function layInto(
  queues: Queues,
  name: string,
  message: NewQueueMessage,
  id: string,
): Promise<{ readonly kind: "laid"; readonly effects: DraftEffects } | QueueFault> {
  let draft = queues.draftMessage(name, message, id);
  if (draft === null) {
    // A process that has just begun knows no queue until it has looked.
    const found = await queues.get(name);
    if (found.kind === "fault") return found;
    draft = queues.draftMessage(name, message, id);
  }
  if (draft?.kind === "draft") return { kind: "laid", effects: draft.effects };
  const sent = draft ?? (await queues.send(name, message));
  return sent.kind === "sent" ? { kind: "laid", effects: {} } : sent;
}

function queueOf({ target }: TargetCall): string {
  const arn = parseArn(target.arn);
  return arn?.kind === "queue" ? arn.name : "";
}

function messageOf(call: TargetCall, secrets: Secrets): NewQueueMessage {
  const { rule, target, input, event } = call;
  const isFifo = target.arn.endsWith(FIFO_SUFFIX);
  return {
    body: input,
    groupId: target.messageGroupId,
    // The same delivery, tried again, is the same message.
    ...(isFifo ? { dedupId: secrets.digest(call.key) } : {}),
    traceparent: event.traceparent,
    sender: `rule:${rule.bus}/${rule.name}`,
  };
}

function refusal(fault: QueueFault, queue: string): Delivered {
  switch (fault.code) {
    case "overloaded":
      return { kind: "retry", code: "THROTTLING", reason: "Too much waits to be stored.", afterMs: fault.retryAfterMs };
    case "queue.unknown":
      return { kind: "retry", code: "NO_RESOURCE", reason: `There is no queue ${queue}.` };
    case "conflict":
      return { kind: "retry", code: "THROTTLING", reason: "Others kept changing the queue." };
    default:
      return { kind: "refused", code: "INVALID_PARAMETER", reason: `The queue ${queue} refused it: ${fault.code}.` };
  }
}
