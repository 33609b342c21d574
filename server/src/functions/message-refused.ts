import type { MessageRefusal, QueueFault } from "#queues/fault.ts";
import { GROUP_ID_CHARS_MAX, MESSAGE_ATTRIBUTES_MAX } from "#queues/message.ts";

/** Why a queue does not take a message that a handler sent, and what to do, for who wrote the handler. */
export function messageRefused(fault: QueueFault): string {
  switch (fault.code) {
    case "message.empty":
      return "the body is empty, which a queue does not take.";
    case "message.too_long":
      return `body and attributes take more than the queue's ${fault.bytesMax} bytes; keep what is large as a document or a file, and send its name.`;
    case "message.characters":
      return "the body has control characters, which a queue does not take; send them as JSON or base64.";
    case "message.group_missing":
      return "a FIFO queue needs a groupId.";
    case "message.dedup_unwanted":
      return "only a FIFO queue takes a dedupId.";
    case "message.group_id":
    case "message.dedup_id": {
      const name = fault.code === "message.group_id" ? "groupId" : "dedupId";
      return `${name} ${JSON.stringify(fault.value.slice(0, 80))} is not 1 to ${GROUP_ID_CHARS_MAX} letters, digits and punctuation marks of ASCII.`;
    }
    case "message.delay_on_fifo":
      return "a FIFO queue takes no delayMs of a single message; the queue itself may have a delay.";
    case "message.attributes_too_many":
      return `it has ${fault.attributes} attributes; ${MESSAGE_ATTRIBUTES_MAX} are the most.`;
    case "message.attribute":
      return `the attribute ${JSON.stringify(fault.attribute.slice(0, 80))} ${ATTRIBUTE[fault.what]}.`;
    case "value.range":
      return `${fault.name} is a whole number from ${fault.min} to ${fault.max}, not ${fault.value}.`;
    default:
      return `the queue does not take it (${fault.code}).`;
  }
}

type What = (MessageRefusal & { readonly code: "message.attribute" })["what"];

const ATTRIBUTE: Readonly<Record<What, string>> = {
  name: "has a name with other characters than letters, digits, and _ - . between them",
  "name-length": "has too long a name",
  "name-reserved": "begins with aws. or amazon., which are AWS' own",
  type: "has a type that is none",
  "type-length": "has too long a type",
  empty: "is empty",
  characters: "has control characters",
  number: "is no number",
  binary: "is no base64",
};
