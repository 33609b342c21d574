/** A message on its way into a queue. */
export type NewQueueMessage = {
  readonly body: string;
  readonly attributes?: MessageAttributes;
  /** Hidden for so long; null or absent: as the queue says. A FIFO queue takes none but 0, which is the queue's. */
  readonly delayMs?: number | null;
  /** FIFO queues need one; a standard queue keeps it and gives it back. */
  readonly groupId?: string | null;
  readonly dedupId?: string | null;
  /** AWS X-Ray's, kept and given back. */
  readonly traceHeader?: string | null;
  /** W3C trace context of the call that brought it. */
  readonly traceparent?: string | null;
  /** Who sent it, as receivers are told: an access key, an API key's name, a rule. */
  readonly sender: string;
};

/** By name. */
export type MessageAttributes = Readonly<Record<string, MessageAttribute>>;

/** `type`: `String`, `Number` or `Binary`, perhaps with a suffix (`Number.int`). `value`: text as it came, of Binary base64. */
export type MessageAttribute = { readonly type: string; readonly value: string };

/** A message was accepted and is durable. */
export type SentMessage = {
  readonly kind: "sent";
  /** A UUID. */
  readonly id: string;
  /** Decimal digits, rising in each group; null on standard queues. */
  readonly sequence: string | null;
  /** It was sent before: this is the first one's id, and nothing was stored. */
  readonly isRepeated: boolean;
};

/** A message in the hands of somebody outside, until its visibility timeout is over. */
export type ReceivedMessage = {
  readonly id: string;
  /** Names this receive, for deleting and for changing its visibility. */
  readonly receipt: string;
  readonly body: string;
  readonly attributes: MessageAttributes;
  readonly sentMs: number;
  readonly firstReceiveMs: number;
  /** 1 at the first receive; goes on in a dead-letter queue. */
  readonly receiveCount: number;
  readonly sender: string;
  readonly groupId: string | null;
  readonly dedupId: string | null;
  /** Null on standard queues. */
  readonly sequence: string | null;
  readonly traceHeader: string | null;
  /** W3C trace context of the call, or of the event, that brought it. */
  readonly traceparent: string | null;
  /** The queue's name from which it came into this dead-letter queue; null: it was sent here. */
  readonly deadLetterSource: string | null;
};

/** Most messages of one receive, and entries of one batch. */
export const BATCH_MAX = 10;
/** UTF-8 bytes of bodies and attributes in one batch. */
export const BATCH_BYTES_MAX = 1024 * 1024;
/** Message attributes of one message. */
export const MESSAGE_ATTRIBUTES_MAX = 10;
/** Longest name of a message attribute, and longest type with its suffix. */
export const ATTRIBUTE_NAME_CHARS_MAX = 256;
/** Longest group or deduplication id. */
export const GROUP_ID_CHARS_MAX = 128;

/** What counts against the size limits: UTF-8 bytes of the body and of the names, types and values of the attributes. */
export function messageBytes({ body, attributes }: Pick<NewQueueMessage, "body" | "attributes">): number {
  let bytes = Buffer.byteLength(body);
  for (const [name, { type, value }] of Object.entries(attributes ?? {})) {
    bytes += Buffer.byteLength(name) + Buffer.byteLength(type);
    bytes += isBinary(type) ? Buffer.byteLength(value, "base64") : Buffer.byteLength(value);
  }
  return bytes;
}

export function isBinary(type: string): boolean {
  return type === "Binary" || type.startsWith("Binary.");
}
