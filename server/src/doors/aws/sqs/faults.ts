import { AwsFault, unavailable } from "#doors/aws/fault.ts";
import type { AwsCall } from "#doors/aws/service.ts";
import { ATTRIBUTE_NAMES } from "#doors/aws/sqs/attribute-names.ts";
import { unreachable } from "#domain/invariant.ts";
import type { QueueFault, RangedValue } from "#queues/fault.ts";
import { BATCH_MAX, MESSAGE_ATTRIBUTES_MAX } from "#queues/message.ts";

/** A fault of the queues in SQS' words. Programs compare codes, and some compare sentences, so both are SQS' own. */
export function sqsFault(fault: QueueFault, { isQuery }: Pick<AwsCall, "isQuery">): AwsFault {
  switch (fault.code) {
    case "queue.unknown":
      return isQuery ? NO_QUEUE_QUERY : NO_QUEUE;
    case "queue.exists":
      return new AwsFault(
        "QueueNameExists",
        "QueueAlreadyExists",
        400,
        `A queue already exists with the same name and a different value for attribute ${nameOf(fault.attribute)}`,
      );
    case "queue.name":
      return invalidParameter("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length");
    case "queue.fifo_name":
      return invalidParameter(
        "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.",
      );
    case "attribute.range":
      return invalidAttributeValue(nameOf(fault.attribute));
    case "attribute.fifo_only":
      return unknownAttribute(nameOf(fault.attribute));
    case "attribute.throughput":
      return invalidAttributeValue("FifoThroughputLimit");
    case "redrive.count":
      return invalidRedrive(
        `Invalid value for maxReceiveCount: ${fault.value}, valid values are from 1 to 1000 both inclusive.`,
      );
    case "redrive.target_unknown":
      return invalidRedrive("Dead letter target does not exist.");
    case "redrive.target_type":
      return invalidRedrive("Dead-letter queue must be same type of queue as the source.");
    case "redrive.same_queue":
      return invalidRedrive("Dead letter target must be another queue than the source.");
    case "redrive.not_allowed":
      return invalidRedrive(`The redrive allow policy of ${fault.target} does not allow ${fault.queue}.`);
    case "redrive.sources":
      return invalidParameter(
        "Value for parameter RedriveAllowPolicy is invalid. Reason: sourceQueueArns must name 1 to 10 queues if redrivePermission is byQueue.",
      );
    case "tags.too_many":
      return invalidParameter(`Too many tags: a queue can have 50, and would have ${fault.tags}.`);
    case "purge.recent":
      return own(
        "PurgeQueueInProgress",
        403,
        `Only one PurgeQueue operation on ${fault.queue} is allowed every 60 seconds.`,
      );
    case "value.range":
      return outOfRange(fault);
    case "overloaded":
      return unavailable("The server has more to store than it can; nothing of this call was kept.");
    case "conflict":
      return unavailable("Others kept changing it at the same time.");
    case "in_flight.full":
      return new AwsFault(
        "OverLimit",
        "OverLimit",
        403,
        `Too many messages in flight: at most ${fault.max} in ${fault.queue}.`,
      );
    case "receipt.invalid":
      return invalidReceipt(fault.receipt);
    case "receipt.expired":
      return invalidValue(fault.receipt, "ReceiptHandle", "The receipt handle has expired.");
    case "receipt.not_in_flight":
      return invalidValue(
        fault.receipt,
        "ReceiptHandle",
        "Message does not exist or is not available for visibility timeout change.",
      );
    case "move.not_dead_letters":
      return invalidParameter("Source queue must be configured as a Dead Letter Queue.");
    case "move.same_queue":
      return invalidParameter("Source queue and destination queue must not be the same.");
    case "move.target_type":
      return invalidParameter("Source queue and destination queue must be of the same type.");
    case "move.running":
      return invalidParameter(
        "There is already a task running. Only one active task is allowed for a source queue arn at a given time.",
      );
    case "move.unknown":
      return noResource("Task does not exist.");
    case "move.ended":
      return noResource("Only active tasks can be cancelled; this one has ended.");
    default:
      return messageFault(fault);
  }
}

type MessageFault = Extract<QueueFault, { readonly code: `message.${string}` | `batch.${string}` }>;

function messageFault(fault: MessageFault): AwsFault {
  switch (fault.code) {
    case "message.empty":
      return missingParameter("MessageBody");
    case "message.too_long":
      return invalidParameter(
        `One or more parameters are invalid. Reason: Message must be shorter than ${fault.bytesMax} bytes.`,
      );
    case "message.characters":
      return BAD_CHARACTERS;
    case "message.group_missing":
      return missingParameter("MessageGroupId");
    case "message.dedup_missing":
      return invalidParameter(
        "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
      );
    case "message.dedup_unwanted":
      return invalidValue(fault.value, "MessageDeduplicationId", WRONG_TYPE_OF_QUEUE);
    case "message.delay_on_fifo":
      return invalidValue(fault.delayMs / 1000, "DelaySeconds", WRONG_TYPE_OF_QUEUE);
    case "message.group_id":
      return invalidId(fault.value, "MessageGroupId");
    case "message.dedup_id":
      return invalidId(fault.value, "MessageDeduplicationId");
    case "message.attributes_too_many":
      return invalidParameter(
        `Number of message attributes [${fault.attributes}] exceeds the allowed maximum [${MESSAGE_ATTRIBUTES_MAX}].`,
      );
    case "message.attribute":
      return attributeFault(fault);
    case "batch.empty":
      return emptyBatch("entry");
    case "batch.too_many":
      return tooManyEntries(fault.entries);
    case "batch.too_long":
      return own(
        "BatchRequestTooLong",
        400,
        `Batch requests cannot be longer than ${fault.bytesMax} bytes. You have sent ${fault.bytes} bytes.`,
      );
    default:
      return unreachable(fault);
  }
}

function attributeFault({ attribute, what, type }: Extract<MessageFault, { code: "message.attribute" }>): AwsFault {
  const subject = `Message (user) attribute '${attribute}'`;
  switch (what) {
    case "name":
      return invalidParameter(
        "Message (user) attribute name can contain A-Z, a-z, 0-9, underscore (_), hyphen (-), and period (.) characters, and can neither begin nor end with a period, nor have two in a row.",
      );
    case "name-length":
      return invalidParameter("Message (user) attribute name must be 1 to 256 characters long.");
    case "name-reserved":
      return invalidParameter("You can't use message attribute names beginning with 'AWS.' or 'Amazon.'.");
    case "type":
      return invalidParameter(
        `The type of message (user) attribute '${attribute}' is invalid. You must use only the following supported type prefixes: Binary, Number, String.`,
      );
    case "type-length":
      return invalidParameter(
        `The type of message (user) attribute '${attribute}' must be at most 256 characters long.`,
      );
    case "empty":
      return invalidParameter(`${subject} must contain a non-empty value of type '${type}'.`);
    case "characters":
      return BAD_CHARACTERS;
    case "number":
      return invalidParameter(`Can't cast the value of message (user) attribute '${attribute}' to a number.`);
    case "binary":
      return invalidParameter(`${subject} must contain a value in base64.`);
    default:
      return unreachable(what);
  }
}

/** How the API names a number, in which unit, and how it says its range. */
const RANGES: Readonly<
  Record<RangedValue, readonly [name: string, unit: number, says: (min: number, max: number) => string]>
> = {
  max: ["MaxNumberOfMessages", 1, (min, max) => `Must be between ${min} and ${max}, if provided.`],
  visibilityMs: ["VisibilityTimeout", 1000, (min, max) => `Must be >= ${min} and <= ${max}, if provided.`],
  waitMs: ["WaitTimeSeconds", 1000, (min, max) => `Must be >= ${min} and <= ${max}, if provided.`],
  delayMs: ["DelaySeconds", 1000, (min, max) => `DelaySeconds must be >= ${min} and <= ${max}.`],
  limit: ["MaxResults", 1, (min, max) => `Must be between ${min} and ${max}, if provided.`],
  messagesPerSecondMax: [
    "MaxNumberOfMessagesPerSecond",
    1,
    (min, max) => `Must be between ${min} and ${max}, if provided.`,
  ],
};

function outOfRange({ name, value, min, max }: Extract<QueueFault, { code: "value.range" }>): AwsFault {
  const [parameter, unit, says] = RANGES[name];
  return invalidValue(value / unit, parameter, says(min / unit, max / unit));
}

/** A number of the API out of its range, where the queues are not asked. */
export function numberFault(parameter: string, value: number, min: number, max: number): AwsFault {
  return invalidValue(value, parameter, `Must be between ${min} and ${max}, if provided.`);
}

function nameOf(attribute: string): string {
  return ATTRIBUTE_NAMES[attribute] ?? attribute;
}

const WRONG_TYPE_OF_QUEUE = "The request include parameter that is not valid for this queue type.";

const NO_QUEUE = noQueue("The specified queue does not exist.");
const NO_QUEUE_QUERY = noQueue("The specified queue does not exist for this wsdl version.");
const BAD_CHARACTERS = new AwsFault(
  "InvalidMessageContents",
  "InvalidMessageContents",
  400,
  "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
);

function noQueue(message: string): AwsFault {
  return new AwsFault("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", 400, message);
}

/** A fault whose older code is its name behind the service's. */
function own(type: string, status: number, message: string): AwsFault {
  return new AwsFault(type, `AWS.SimpleQueueService.${type}`, status, message);
}

export function missingParameter(parameter: string): AwsFault {
  const says = `The request must contain the parameter ${parameter}.`;
  return new AwsFault("MissingRequiredParameterException", "MissingParameter", 400, says);
}

export function invalidParameter(message: string): AwsFault {
  return new AwsFault("InvalidParameterValueException", "InvalidParameterValue", 400, message);
}

export function invalidValue(value: string | number, parameter: string, reason: string): AwsFault {
  return invalidParameter(`Value ${value} for parameter ${parameter} is invalid. Reason: ${reason}`);
}

function invalidId(value: string, parameter: string): AwsFault {
  const says = `${parameter} can only include alphanumeric and punctuation characters. 1 to 128 in length.`;
  return invalidValue(value, parameter, says);
}

function invalidRedrive(reason: string): AwsFault {
  return invalidParameter(`Value for parameter RedrivePolicy is invalid. Reason: ${reason}`);
}

export function invalidAttributeValue(attribute: string): AwsFault {
  const says = `Invalid value for the parameter ${attribute}.`;
  return new AwsFault("InvalidAttributeValue", "InvalidAttributeValue", 400, says);
}

export function unknownAttribute(attribute: string): AwsFault {
  return new AwsFault("InvalidAttributeName", "InvalidAttributeName", 400, `Unknown Attribute ${attribute}.`);
}

export function invalidReceipt(receipt: string): AwsFault {
  const says = `The input receipt handle "${receipt}" is not a valid receipt handle.`;
  return new AwsFault("ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid", 404, says);
}

export function noResource(message: string): AwsFault {
  return new AwsFault("ResourceNotFoundException", "ResourceNotFoundException", 404, message);
}

export function emptyBatch(entry: string): AwsFault {
  return own("EmptyBatchRequest", 400, `There should be at least one ${entry} in the request.`);
}

export function tooManyEntries(entries: number): AwsFault {
  const says = `Maximum number of entries per request are ${BATCH_MAX}. You have sent ${entries}.`;
  return own("TooManyEntriesInBatchRequest", 400, says);
}

export function repeatedId(id: string): AwsFault {
  return own("BatchEntryIdsNotDistinct", 400, `Id ${id} repeated.`);
}

export const BAD_ENTRY_ID = own(
  "InvalidBatchEntryId",
  400,
  "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.",
);
