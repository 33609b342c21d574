import { type Problem, problem } from "#domain/problem.ts";
import { type Answer, overloaded, refuse } from "#doors/http/answer.ts";
import type { QueueFault } from "#queues/fault.ts";

/** The answer to a call about queues that was not done. */
export function queueRefusal(fault: QueueFault): Answer {
  return fault.code === "overloaded" ? overloaded(fault.retryAfterMs) : refuse(problemOf(fault));
}

function problemOf(fault: Exclude<QueueFault, { readonly code: "overloaded" }>): Problem {
  switch (fault.code) {
    case "queue.unknown":
      return problem("thing.unknown", `There is no queue ${quoted(fault.queue)}; PUT /queues/NAME makes one.`);
    case "move.unknown":
      return problem("thing.unknown", "There is no such move.");
    case "queue.exists":
      return problem("conflict.exists", `The queue ${quoted(fault.queue)} exists with another ${fault.attribute}.`);
    case "purge.recent":
      return problem("conflict.exists", `${quoted(fault.queue)} was purged less than a minute ago.`);
    case "move.running":
      return problem("conflict.exists", `What lies in ${quoted(fault.queue)} is being moved already.`);
    case "move.ended":
      return problem("conflict.exists", "The move has ended.");
    case "conflict":
      return problem("conflict.changed", "Others kept changing it at the same time.");
    case "in_flight.full":
      return problem("conflict.exists", `${fault.max} messages of ${quoted(fault.queue)} are in flight already.`);
    default:
      return problem("request.invalid", sentenceOf(fault));
  }
}

type Invalid = Exclude<
  QueueFault,
  {
    readonly code:
      | "overloaded"
      | "queue.unknown"
      | "move.unknown"
      | "queue.exists"
      | "purge.recent"
      | "move.running"
      | "move.ended"
      | "conflict"
      | "in_flight.full";
  }
>;

function sentenceOf(fault: Invalid): string {
  switch (fault.code) {
    case "queue.name":
      return "A queue's name has 1 to 80 of A-Z, a-z, 0-9, - and _.";
    case "queue.fifo_name":
      return "The name of a FIFO queue ends in .fifo, and no other one's.";
    case "attribute.range":
      return `${fault.attribute}: ${fault.value} is out of range.`;
    case "attribute.fifo_only":
      return `${fault.attribute}: only FIFO queues have it; their names end in .fifo.`;
    case "attribute.throughput":
      return "The throughput limit per group needs the deduplication scope group.";
    case "redrive.count":
      return "dead_letter.receive_max must be from 1 to 1000.";
    case "redrive.target_unknown":
      return `dead_letter.queue: there is no queue ${quoted(fault.target)}; make it first.`;
    case "redrive.target_type":
      return `dead_letter.queue: ${quoted(fault.target)} must be a ${fault.isFifo ? "FIFO" : "standard"} queue, too.`;
    case "redrive.not_allowed":
      return `dead_letter.queue: ${quoted(fault.target)} takes no dead letters of this queue.`;
    case "redrive.same_queue":
      return "dead_letter.queue: a queue is not its own dead-letter queue.";
    case "redrive.sources":
      return "The permission must name 1 to 10 source queues.";
    case "tags.too_many":
      return `A queue may have 50 tags, not ${fault.tags}.`;
    case "value.range":
      return `${fault.name} must be a whole number from ${fault.min} to ${fault.max}.`;
    case "message.empty":
      return "body: a message needs one.";
    case "message.too_long":
      return `body: with its attributes it may have ${fault.bytesMax} bytes.`;
    case "message.characters":
      return "body: it has characters that no message may have (control characters, halves of surrogate pairs).";
    case "message.group_missing":
      return "group_id: messages of a FIFO queue need one.";
    case "message.dedup_missing":
      return "dedup_id: this queue needs one, or content_dedup.";
    case "message.dedup_unwanted":
      return "dedup_id: only FIFO queues know it.";
    case "message.group_id":
    case "message.dedup_id":
      return `${fault.code.slice("message.".length)}: 1 to 128 letters, digits and punctuation marks.`;
    case "message.delay_on_fifo":
      return "delay_ms: single messages of a FIFO queue are not delayed; the queue is.";
    case "message.attributes_too_many":
      return `attributes: at most 10, not ${fault.attributes}.`;
    case "message.attribute":
      return `attributes: ${quoted(fault.attribute)} is wrong in its ${fault.what.replace("-", " ")}.`;
    case "batch.empty":
    case "batch.too_many":
    case "batch.too_long":
      return "A batch has 1 to 10 entries and at most 1 MiB.";
    case "receipt.invalid":
    case "receipt.expired":
    case "receipt.not_in_flight":
      return "The receipt is not, or no longer, that of a message in flight.";
    case "move.not_dead_letters":
      return `${quoted(fault.queue)} is no queue's dead-letter queue.`;
    case "move.same_queue":
      return "to: messages cannot be moved into the queue where they are.";
    case "move.target_type":
      return `to: ${quoted(fault.queue)} must be of the same kind, standard or FIFO.`;
  }
}

function quoted(name: string): string {
  return JSON.stringify(name);
}
