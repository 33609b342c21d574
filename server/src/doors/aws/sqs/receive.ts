import { AwsFault } from "#doors/aws/fault.ts";
import { action, type AwsCall } from "#doors/aws/service.ts";
import { list, structure, text, whole } from "#doors/aws/shape.ts";
import { sqsFault } from "#doors/aws/sqs/faults.ts";
import { md5OfAttributes, md5OfText } from "#doors/aws/sqs/md5.ts";
import { queueArn, queueName } from "#doors/aws/sqs/place.ts";
import { ATTRIBUTES, MESSAGE_ATTRIBUTES, QUEUE_URL } from "#doors/aws/sqs/shapes.ts";
import { traceHeaderOf } from "#doors/aws/trace-header.ts";
import { isBinary, type MessageAttribute, type ReceivedMessage } from "#queues/message.ts";

const receiveMessage = action({
  name: "ReceiveMessage",
  scope: "full",
  input: structure({
    ...QUEUE_URL,
    MaxNumberOfMessages: whole,
    VisibilityTimeout: whole,
    WaitTimeSeconds: whole,
    AttributeNames: list("AttributeName", text),
    MessageSystemAttributeNames: list("MessageSystemAttributeName", text),
    MessageAttributeNames: list("MessageAttributeName", text),
    ReceiveRequestAttemptId: text,
  }),
  output: structure({
    Messages: list(
      "Message",
      structure({
        MessageId: text,
        ReceiptHandle: text,
        MD5OfBody: text,
        Body: text,
        Attributes: ATTRIBUTES,
        MD5OfMessageAttributes: text,
        MessageAttributes: MESSAGE_ATTRIBUTES,
      }),
    ),
  }),
  run: async (input, call) => {
    const queue = queueName(input.QueueUrl, call);
    if (queue instanceof AwsFault) return queue;
    const { VisibilityTimeout, WaitTimeSeconds } = input;
    const taken = await call.house.queues.receive(queue, {
      max: input.MaxNumberOfMessages ?? 1,
      visibilityMs: VisibilityTimeout === undefined ? null : VisibilityTimeout * 1000,
      waitMs: WaitTimeSeconds === undefined ? null : WaitTimeSeconds * 1000,
      signal: call.signal(),
    });
    if (taken.kind === "fault") return sqsFault(taken, call);
    if (taken.messages.length === 0) return {};
    const system = new Set([...(input.AttributeNames ?? []), ...(input.MessageSystemAttributeNames ?? [])]);
    const wants = wantedNames(input.MessageAttributeNames ?? []);
    return { Messages: taken.messages.map((message) => messageOf(message, system, wants, call)) };
  },
});

export const RECEIVE_ACTIONS = [receiveMessage];

type Wants = (name: string) => boolean;

/** Which message attributes were asked for: by name, by `prefix.*`, or all. Null: none. */
function wantedNames(names: readonly string[]): Wants | null {
  if (names.length === 0) return null;
  if (names.includes("All") || names.includes(".*")) return () => true;
  const prefixes = names.filter((name) => name.endsWith(".*")).map((name) => name.slice(0, -1));
  return (name) => names.includes(name) || prefixes.some((prefix) => name.startsWith(prefix));
}

function messageOf(message: ReceivedMessage, system: ReadonlySet<string>, wants: Wants | null, call: AwsCall) {
  // The digest covers what is shown, not what there is.
  const shown = wants === null ? NONE : Object.entries(message.attributes).filter(([name]) => wants(name));
  return {
    MessageId: message.id,
    ReceiptHandle: message.receipt,
    MD5OfBody: md5OfText(message.body),
    Body: message.body,
    Attributes: system.size === 0 ? undefined : systemAttributes(message, system, call),
    MD5OfMessageAttributes: md5OfAttributes(shown),
    MessageAttributes:
      shown.length === 0 ? undefined : Object.fromEntries(shown.map(([name, value]) => [name, valueOf(value)])),
  };
}

const NONE: readonly (readonly [string, MessageAttribute])[] = [];

function valueOf({ type, value }: MessageAttribute) {
  return isBinary(type) ? { BinaryValue: value, DataType: type } : { StringValue: value, DataType: type };
}

/** Those that were asked for and that the message has; names that nobody knows are ignored. */
function systemAttributes(message: ReceivedMessage, wanted: ReadonlySet<string>, { region }: AwsCall) {
  const all = wanted.has("All");
  const attributes: Record<string, string> = {};
  const put = (name: string, value: string | null): void => {
    if (value !== null && (all || wanted.has(name))) attributes[name] = value;
  };
  const { deadLetterSource } = message;
  put("SenderId", message.sender);
  put("SentTimestamp", String(message.sentMs));
  put("ApproximateReceiveCount", String(message.receiveCount));
  put("ApproximateFirstReceiveTimestamp", String(message.firstReceiveMs));
  put("SequenceNumber", message.sequence);
  put("MessageDeduplicationId", message.dedupId);
  put("MessageGroupId", message.groupId);
  put("AWSTraceHeader", message.traceHeader ?? traceOf(message, wanted));
  put("DeadLetterQueueSourceArn", deadLetterSource === null ? null : queueArn(deadLetterSource, region));
  return Object.keys(attributes).length === 0 ? undefined : attributes;
}

/**
 * What a rule put there came with an event's trace, and what a client sent with that of its call. Given to those who ask for
 * it by name, as tracing libraries do; `All` shows what the sender gave.
 */
function traceOf({ traceparent }: ReceivedMessage, wanted: ReadonlySet<string>): string | null {
  return traceparent === null || !wanted.has("AWSTraceHeader") ? null : traceHeaderOf(traceparent);
}
