import type { QueueAttributes } from "#queues/queue.ts";

/**
 * Why a call about queues was not done; nothing was changed. Doors put it into their own words, and find here what they
 * need for that.
 */
export type QueueFault = { readonly kind: "fault" } & (
  | QueueRefusal
  | MessageRefusal
  | ReceiptRefusal
  | MoveRefusal
  /** A number that is not whole, or out of its range. */
  | {
      readonly code: "value.range";
      readonly name: RangedValue;
      readonly value: number;
      readonly min: number;
      readonly max: number;
    }
  | { readonly code: "overloaded"; readonly retryAfterMs: number }
  /** Others kept changing it at the same time. */
  | { readonly code: "conflict" }
);

export type QueueFaultCode = QueueFault["code"];

export type RangedValue = "max" | "visibilityMs" | "waitMs" | "delayMs" | "limit" | "messagesPerSecondMax";

export type QueueRefusal =
  | { readonly code: "queue.unknown"; readonly queue: string }
  /** `attribute` differs from what was asked. */
  | { readonly code: "queue.exists"; readonly queue: string; readonly attribute: string }
  | { readonly code: "queue.name"; readonly queue: string }
  /** A FIFO queue's name ends in `.fifo`, and no other one's. */
  | { readonly code: "queue.fifo_name"; readonly queue: string }
  | { readonly code: "attribute.range"; readonly attribute: keyof QueueAttributes; readonly value: number }
  /** Only FIFO queues have it. */
  | { readonly code: "attribute.fifo_only"; readonly attribute: string }
  /** The throughput limit per group needs the deduplication scope `group`. */
  | { readonly code: "attribute.throughput" }
  | { readonly code: "redrive.count"; readonly value: number }
  | { readonly code: "redrive.target_unknown"; readonly target: string }
  | { readonly code: "redrive.target_type"; readonly target: string; readonly isFifo: boolean }
  | { readonly code: "redrive.not_allowed"; readonly target: string; readonly queue: string }
  /** A queue is not its own dead-letter queue. */
  | { readonly code: "redrive.same_queue"; readonly queue: string }
  /** `by-queue` with no source, or with more than ten. */
  | { readonly code: "redrive.sources"; readonly sources: number }
  | { readonly code: "tags.too_many"; readonly tags: number }
  | { readonly code: "purge.recent"; readonly queue: string };

export type MessageRefusal =
  | { readonly code: "message.empty" }
  | { readonly code: "message.too_long"; readonly bytesMax: number }
  | { readonly code: "message.characters" }
  | { readonly code: "message.group_missing" }
  | { readonly code: "message.dedup_missing" }
  /** Only FIFO queues know deduplication ids. */
  | { readonly code: "message.dedup_unwanted"; readonly value: string }
  | { readonly code: "message.group_id" | "message.dedup_id"; readonly value: string }
  /** FIFO queues have no delay of single messages. */
  | { readonly code: "message.delay_on_fifo"; readonly delayMs: number }
  | { readonly code: "message.attributes_too_many"; readonly attributes: number }
  | {
      readonly code: "message.attribute";
      readonly attribute: string;
      readonly what:
        | "name"
        | "name-length"
        | "name-reserved"
        | "type"
        | "type-length"
        | "empty"
        | "characters"
        | "number"
        | "binary";
      /** Of its type, without the suffix. */
      readonly type: string;
    }
  | { readonly code: "batch.empty" }
  | { readonly code: "batch.too_many"; readonly entries: number }
  | { readonly code: "batch.too_long"; readonly bytes: number; readonly bytesMax: number };

export type ReceiptRefusal =
  | { readonly code: "receipt.invalid"; readonly receipt: string }
  /** FIFO: the visibility timeout of that receive is over. */
  | { readonly code: "receipt.expired"; readonly receipt: string }
  /** Deleted, or no longer hidden by this receive. */
  | { readonly code: "receipt.not_in_flight"; readonly receipt: string }
  | { readonly code: "in_flight.full"; readonly queue: string; readonly max: number };

export type MoveRefusal =
  | { readonly code: "move.not_dead_letters"; readonly queue: string }
  | { readonly code: "move.same_queue"; readonly queue: string }
  | { readonly code: "move.target_type"; readonly queue: string }
  | { readonly code: "move.running"; readonly queue: string }
  /** No such task, or it has ended. */
  | { readonly code: "move.unknown"; readonly id: string }
  | { readonly code: "move.ended"; readonly id: string };

/** The part of a fault that says what it is. */
export type QueueFaultOf<Fault = QueueFault> = Fault extends { readonly kind: "fault" } ? Omit<Fault, "kind"> : never;

export function queueFault<const Fault extends QueueFaultOf>(fault: Fault): { readonly kind: "fault" } & Fault {
  return { kind: "fault", ...fault };
}
