import { AwsFault } from "#doors/aws/fault.ts";
import { invalidAttributeValue, unknownAttribute } from "#doors/aws/sqs/faults.ts";
import { queueArn } from "#doors/aws/sqs/place.ts";
import { allowText, readAllow, readRedrive, redriveText } from "#doors/aws/sqs/redrive.ts";
import type { FifoAttributes, Queue, QueueAttributesAsk, QueueCounts } from "#queues/queue.ts";

/** What a caller sets; `fifo` is what he says of FifoQueue, undefined when he says nothing. */
export type GivenAttributes = { readonly ask: QueueAttributesAsk; readonly fifo: boolean | undefined };

/** Attributes as the API gives them, all text, in seconds. Ranges are the queues' to check. */
export function readAttributes(given: ReadonlyMap<string, string>): GivenAttributes | AwsFault {
  let fifo: boolean | undefined;
  let ask: QueueAttributesAsk = {};
  for (const [name, value] of given) {
    if (name === "FifoQueue") {
      const truth = readTruth(value);
      if (truth === null) return invalidAttributeValue(name);
      fifo = truth;
      continue;
    }
    const read = READERS[name]?.(value, name);
    if (read === undefined) return unknownAttribute(name);
    if (read instanceof AwsFault) return read;
    ask = merged(ask, read);
  }
  return { ask, fifo };
}

type Reader = (value: string, name: string) => QueueAttributesAsk | AwsFault;

const READERS: Readonly<Partial<Record<string, Reader>>> = Object.assign(Object.create(null), {
  VisibilityTimeout: wholeOf((seconds) => ({ visibilityMs: seconds * 1000 })),
  DelaySeconds: wholeOf((seconds) => ({ delayMs: seconds * 1000 })),
  MaximumMessageSize: wholeOf((bytes) => ({ messageBytesMax: bytes })),
  MessageRetentionPeriod: wholeOf((seconds) => ({ retentionMs: seconds * 1000 })),
  ReceiveMessageWaitTimeSeconds: wholeOf((seconds) => ({ waitMs: seconds * 1000 })),
  RedrivePolicy: readRedrive,
  RedriveAllowPolicy: readAllow,
  ContentBasedDeduplication: (value, name) => {
    const contentDedup = readTruth(value);
    return contentDedup === null ? invalidAttributeValue(name) : { fifo: { contentDedup } };
  },
  DeduplicationScope: oneOf({ queue: { dedupScope: "queue" }, messageGroup: { dedupScope: "group" } }),
  FifoThroughputLimit: oneOf({ perQueue: { throughput: "queue" }, perMessageGroupId: { throughput: "group" } }),
  Policy: keep,
  KmsMasterKeyId: keep,
  KmsDataKeyReusePeriodSeconds: keep,
  // What holds unless something else was said is not kept, so that saying it changes nothing.
  SqsManagedSseEnabled: (value, name) => {
    const truth = readTruth(value);
    return truth === null ? invalidAttributeValue(name) : keep(truth ? "" : "false", name);
  },
} satisfies Record<string, Reader>);

function wholeOf(ask: (number: number) => QueueAttributesAsk): Reader {
  return (value, name) => (/^\d{1,9}$/.test(value) ? ask(Number(value)) : invalidAttributeValue(name));
}

function oneOf(choices: Readonly<Record<string, Partial<FifoAttributes>>>): Reader {
  return (value, name) => {
    const fifo = Object.hasOwn(choices, value) ? choices[value] : undefined;
    return fifo === undefined ? invalidAttributeValue(name) : { fifo };
  };
}

function keep(value: string, name: string): QueueAttributesAsk {
  return { kept: { [name]: value } };
}

function readTruth(value: string): boolean | null {
  return value === "true" ? true : value === "false" ? false : null;
}

function merged(one: QueueAttributesAsk, other: QueueAttributesAsk): QueueAttributesAsk {
  return {
    ...one,
    ...other,
    ...(other.fifo === undefined ? {} : { fifo: { ...one.fifo, ...other.fifo } }),
    ...(other.kept === undefined ? {} : { kept: { ...one.kept, ...other.kept } }),
  };
}

/** What an attribute's value is made of. */
type Shown = { readonly queue: Queue; readonly counts: QueueCounts | null; readonly region: string };

/** In the order of SQS' own documentation; null: this queue does not have it. */
const WRITERS: Readonly<Record<string, (shown: Shown) => string | null>> = {
  QueueArn: ({ queue, region }) => queueArn(queue.name, region),
  ApproximateNumberOfMessages: ({ counts }) => String(counts?.visible ?? 0),
  ApproximateNumberOfMessagesNotVisible: ({ counts }) => String(counts?.inFlight ?? 0),
  ApproximateNumberOfMessagesDelayed: ({ counts }) => String(counts?.delayed ?? 0),
  CreatedTimestamp: ({ queue }) => seconds(queue.createdMs),
  LastModifiedTimestamp: ({ queue }) => seconds(queue.modifiedMs),
  VisibilityTimeout: ({ queue }) => seconds(queue.attributes.visibilityMs),
  DelaySeconds: ({ queue }) => seconds(queue.attributes.delayMs),
  MaximumMessageSize: ({ queue }) => String(queue.attributes.messageBytesMax),
  MessageRetentionPeriod: ({ queue }) => seconds(queue.attributes.retentionMs),
  ReceiveMessageWaitTimeSeconds: ({ queue }) => seconds(queue.attributes.waitMs),
  RedrivePolicy: ({ queue, region }) => redriveText(queue.attributes.redrive, region),
  RedriveAllowPolicy: ({ queue, region }) => allowText(queue.attributes.redriveAllow, region),
  Policy: ({ queue }) => queue.attributes.kept["Policy"] ?? null,
  KmsMasterKeyId: ({ queue }) => queue.attributes.kept["KmsMasterKeyId"] ?? null,
  KmsDataKeyReusePeriodSeconds: ({ queue }) => queue.attributes.kept["KmsDataKeyReusePeriodSeconds"] ?? null,
  SqsManagedSseEnabled: ({ queue }) => queue.attributes.kept["SqsManagedSseEnabled"] ?? "true",
  FifoQueue: ({ queue }) => (queue.attributes.fifo === null ? null : "true"),
  ContentBasedDeduplication: fifoOnly(({ contentDedup }) => String(contentDedup)),
  DeduplicationScope: fifoOnly(({ dedupScope }) => (dedupScope === "queue" ? "queue" : "messageGroup")),
  FifoThroughputLimit: fifoOnly(({ throughput }) => (throughput === "queue" ? "perQueue" : "perMessageGroupId")),
};

function fifoOnly(write: (fifo: FifoAttributes) => string): (shown: Shown) => string | null {
  return ({ queue }) => (queue.attributes.fifo === null ? null : write(queue.attributes.fifo));
}

/** Which attributes are meant; All means all. */
export function wantedAttributes(names: readonly string[]): readonly string[] | AwsFault {
  const unknown = names.find((name) => name !== "All" && !Object.hasOwn(WRITERS, name));
  if (unknown !== undefined) return unknownAttribute(unknown);
  return names.includes("All") ? Object.keys(WRITERS) : names;
}

/** Whether messages have to be counted for these. */
export function needsCounts(names: readonly string[]): boolean {
  return names.some((name) => name.startsWith("ApproximateNumber"));
}

/** Those of the wanted attributes that the queue has. */
export function writeAttributes(wanted: readonly string[], shown: Shown): Readonly<Record<string, string>> {
  const attributes: Record<string, string> = {};
  for (const name of wanted) {
    const value = WRITERS[name]?.(shown) ?? null;
    if (value !== null) attributes[name] = value;
  }
  return attributes;
}

function seconds(ms: number): string {
  return String(Math.floor(ms / 1000));
}
