import { AwsFault } from "#doors/aws/fault.ts";
import { action, type AwsCall } from "#doors/aws/service.ts";
import { list, map, required, structure, text, type Value, whole } from "#doors/aws/shape.ts";
import { batchAnswer, batchFault, FAILED } from "#doors/aws/sqs/batch.ts";
import { invalidParameter, missingParameter, sqsFault } from "#doors/aws/sqs/faults.ts";
import { md5OfAttributes, md5OfText } from "#doors/aws/sqs/md5.ts";
import { queueName } from "#doors/aws/sqs/place.ts";
import { ATTRIBUTE_VALUE, MESSAGE_ATTRIBUTES, QUEUE_URL } from "#doors/aws/sqs/shapes.ts";
import { invariant } from "#domain/invariant.ts";
import { isBinary, type MessageAttribute, type NewQueueMessage, type SentMessage } from "#queues/message.ts";

const MESSAGE = {
  MessageBody: text,
  DelaySeconds: whole,
  MessageAttributes: MESSAGE_ATTRIBUTES,
  MessageSystemAttributes: map("MessageSystemAttribute", "Name", "Value", ATTRIBUTE_VALUE),
  MessageDeduplicationId: text,
  MessageGroupId: text,
};
const MESSAGE_INPUT = structure(MESSAGE);

const SENT = {
  MessageId: text,
  MD5OfMessageBody: text,
  MD5OfMessageAttributes: text,
  MD5OfMessageSystemAttributes: text,
  SequenceNumber: text,
};

const sendMessage = action({
  name: "SendMessage",
  scope: "send",
  input: structure({ ...QUEUE_URL, ...MESSAGE }),
  output: structure(SENT),
  run: async (input, call) => {
    const queue = queueName(input.QueueUrl, call);
    if (queue instanceof AwsFault) return queue;
    const message = messageOf(input, call);
    if (message instanceof AwsFault) return message;
    const sent = await call.house.queues.send(queue, message);
    return sent.kind === "fault" ? sqsFault(sent, call) : receiptOf(sent, message);
  },
});

const ENTRY = "SendMessageBatchRequestEntry";

const sendMessageBatch = action({
  name: "SendMessageBatch",
  scope: "send",
  input: structure({ ...QUEUE_URL, Entries: list(ENTRY, structure({ Id: required(text), ...MESSAGE })) }),
  output: structure({
    Successful: list("SendMessageBatchResultEntry", structure({ Id: text, ...SENT })),
    Failed: FAILED,
  }),
  run: async (input, call) => {
    const queue = queueName(input.QueueUrl, call);
    if (queue instanceof AwsFault) return queue;
    const entries = input.Entries ?? [];
    const fault = batchFault(entries, ENTRY);
    if (fault !== null) return fault;
    const messages = entries.map((entry) => messageOf(entry, call));
    const good = messages.filter((message): message is NewQueueMessage => !(message instanceof AwsFault));
    const { queues } = call.house;
    // With nothing to send, the queue is still asked for: it may not exist.
    const batch = good.length === 0 ? { ...(await queues.get(queue)), sent: [] } : await queues.sendBatch(queue, good);
    if (batch.kind === "fault") return wholeFault(batch, call);
    const sent = batch.sent.values();
    const results = messages.map((message, index) => {
      if (message instanceof AwsFault) return message;
      const { value } = sent.next();
      invariant(value !== undefined, "every entry of a batch is answered");
      if (value.kind === "fault") return sqsFault(value, call);
      return { Id: entries[index]?.Id ?? "", ...receiptOf(value, message) };
    });
    return batchAnswer(entries, results);
  },
});

export const SEND_ACTIONS = [sendMessage, sendMessageBatch];

/** Missing in a batch, it is another fault than missing in a single message. */
function wholeFault(fault: Parameters<typeof sqsFault>[0], call: AwsCall): AwsFault {
  const said = sqsFault(fault, call);
  return fault.code === "message.group_missing" ? invalidParameter(said.message) : said;
}

function messageOf(input: Value<typeof MESSAGE_INPUT>, call: AwsCall): NewQueueMessage | AwsFault {
  if (input.MessageBody === undefined) return missingParameter("MessageBody");
  const attributes = attributesOf(input.MessageAttributes);
  if (attributes instanceof AwsFault) return attributes;
  const traceHeader = traceHeaderOf(input.MessageSystemAttributes);
  if (traceHeader instanceof AwsFault) return traceHeader;
  return {
    body: input.MessageBody,
    ...(attributes === null ? {} : { attributes }),
    delayMs: input.DelaySeconds === undefined ? null : input.DelaySeconds * 1000,
    groupId: input.MessageGroupId ?? null,
    dedupId: input.MessageDeduplicationId ?? null,
    traceHeader,
    traceparent: call.traceparent,
    sender: call.caller.id,
  };
}

type Given = ReadonlyMap<string, Value<typeof ATTRIBUTE_VALUE>> | undefined;

function attributesOf(given: Given): Record<string, MessageAttribute> | AwsFault | null {
  if (given === undefined || given.size === 0) return null;
  const entries: (readonly [string, MessageAttribute])[] = [];
  for (const [name, { DataType: type, StringValue, BinaryValue }] of given) {
    if (type === undefined || type === "") {
      return invalidParameter(`The message attribute '${name}' must contain a non-empty message attribute type.`);
    }
    entries.push([name, { type, value: (isBinary(type) ? BinaryValue : StringValue) ?? "" }]);
  }
  return Object.fromEntries(entries);
}

/** The only attribute that belongs to the system and may be sent. */
const TRACE_HEADER = "AWSTraceHeader";

function traceHeaderOf(given: Given): string | AwsFault | null {
  if (given === undefined) return null;
  for (const [name, { DataType, StringValue }] of given) {
    if (name !== TRACE_HEADER) {
      return invalidParameter(`Message system attribute name '${name}' is invalid. The only one is ${TRACE_HEADER}.`);
    }
    if (DataType !== "String" || StringValue === undefined || StringValue === "") {
      return invalidParameter(`Message (system) attribute '${name}' must contain a non-empty value of type 'String'.`);
    }
    return StringValue;
  }
  return null;
}

function receiptOf({ id, sequence }: SentMessage, { body, attributes, traceHeader }: NewQueueMessage) {
  return {
    MessageId: id,
    MD5OfMessageBody: md5OfText(body),
    MD5OfMessageAttributes: attributes === undefined ? undefined : md5OfAttributes(Object.entries(attributes)),
    MD5OfMessageSystemAttributes:
      traceHeader == null ? undefined : md5OfAttributes([[TRACE_HEADER, { type: "String", value: traceHeader }]]),
    SequenceNumber: sequence ?? undefined,
  };
}
