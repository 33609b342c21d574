import { isWholeWithin } from "#queues/attributes.ts";
import { type MessageRefusal, type QueueFault, queueFault } from "#queues/fault.ts";
import {
  ATTRIBUTE_NAME_CHARS_MAX,
  GROUP_ID_CHARS_MAX,
  isBinary,
  type MessageAttribute,
  MESSAGE_ATTRIBUTES_MAX,
  messageBytes,
  type NewQueueMessage,
} from "#queues/message.ts";
import { ATTRIBUTE_RANGES, isFifo, type Queue } from "#queues/queue.ts";

/** What XML 1.0 can say, which is what SQS takes (§2.2 of that specification). A surrogate alone is none of them. */
const TEXT = /^[\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]*$/u;
/** Letters, digits and ASCII punctuation. */
const GROUP_ID = new RegExp(`^[!-~]{1,${GROUP_ID_CHARS_MAX}}$`);
const ATTRIBUTE_NAME = /^(?!\.)(?!.*\.\.)[A-Za-z0-9_.-]+(?<!\.)$/;
const RESERVED_NAME = /^(aws|amazon)\./i;
const TYPE = /^(String|Number|Binary)(\..+)?$/s;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
const NUMBER_DIGITS_MAX = 38;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Why a queue does not take a message; null: it does. */
export function messageFault(queue: Queue, message: NewQueueMessage): QueueFault | null {
  const { body, attributes = {}, groupId = null, dedupId = null } = message;
  if (body === "") return queueFault({ code: "message.empty" });
  const fault = attributesFault(attributes);
  if (fault !== null) return { kind: "fault", ...fault };
  const { messageBytesMax } = queue.attributes;
  if (messageBytes(message) > messageBytesMax) {
    return queueFault({ code: "message.too_long", bytesMax: messageBytesMax });
  }
  if (!TEXT.test(body)) return queueFault({ code: "message.characters" });
  if (groupId !== null && !GROUP_ID.test(groupId)) return queueFault({ code: "message.group_id", value: groupId });
  if (dedupId !== null && !GROUP_ID.test(dedupId)) return queueFault({ code: "message.dedup_id", value: dedupId });
  return isFifo(queue) ? fifoFault(queue, message) : standardFault(message);
}

function fifoFault({ attributes: { fifo } }: Queue, message: NewQueueMessage): QueueFault | null {
  const { groupId = null, dedupId = null, delayMs = null } = message;
  if (groupId === null) return queueFault({ code: "message.group_missing" });
  if (dedupId === null && fifo?.contentDedup !== true) return queueFault({ code: "message.dedup_missing" });
  return delayMs === null || delayMs === 0 ? null : queueFault({ code: "message.delay_on_fifo", delayMs });
}

function standardFault({ dedupId = null, delayMs = null }: NewQueueMessage): QueueFault | null {
  if (dedupId !== null) return queueFault({ code: "message.dedup_unwanted", value: dedupId });
  const range = ATTRIBUTE_RANGES.delayMs;
  if (delayMs === null || isWholeWithin(delayMs, range.min, range.max)) return null;
  return queueFault({ code: "value.range", name: "delayMs", value: delayMs, ...range });
}

function attributesFault(attributes: NonNullable<NewQueueMessage["attributes"]>): MessageRefusal | null {
  const entries = Object.entries(attributes);
  if (entries.length > MESSAGE_ATTRIBUTES_MAX) {
    return { code: "message.attributes_too_many", attributes: entries.length };
  }
  for (const [name, attribute] of entries) {
    const what = nameTrouble(name) ?? valueTrouble(attribute);
    if (what === null) continue;
    return { code: "message.attribute", attribute: name, what, type: attribute.type.split(".", 1)[0] ?? "" };
  }
  return null;
}

type Trouble = (MessageRefusal & { readonly code: "message.attribute" })["what"];

function nameTrouble(name: string): Trouble | null {
  if (name.length > ATTRIBUTE_NAME_CHARS_MAX) return "name-length";
  if (RESERVED_NAME.test(name)) return "name-reserved";
  return ATTRIBUTE_NAME.test(name) ? null : "name";
}

function valueTrouble({ type, value }: MessageAttribute): Trouble | null {
  if (type.length > ATTRIBUTE_NAME_CHARS_MAX) return "type-length";
  if (!TYPE.test(type)) return "type";
  if (value === "") return "empty";
  if (isBinary(type)) return BASE64.test(value) ? null : "binary";
  if (!TEXT.test(value)) return "characters";
  if (!type.startsWith("Number")) return null;
  const digits = value
    .replace(/[eE].*$/, "")
    .replaceAll(/\D/g, "")
    .replace(/^0+/, "").length;
  return NUMBER.test(value) && digits <= NUMBER_DIGITS_MAX ? null : "number";
}
