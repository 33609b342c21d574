import { blob, map, structure, text, truth } from "#doors/aws/shape.ts";

/** One value of a message attribute; which of the two it has is told by its type. */
export const ATTRIBUTE_VALUE = structure({ StringValue: text, BinaryValue: blob, DataType: text });

export const MESSAGE_ATTRIBUTES = map("MessageAttribute", "Name", "Value", ATTRIBUTE_VALUE);

/** Of queues and of received messages. */
export const ATTRIBUTES = map("Attribute", "Name", "Value", text);

export const TAGS = map("Tag", "Key", "Value", text);

/** What every action that names one queue takes. */
export const QUEUE_URL = { QueueUrl: text };

export const BATCH_ERROR = { Id: text, Code: text, Message: text, SenderFault: truth };
