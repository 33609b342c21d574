/** Collection of the queues: id = name, body = JSON of {@link QueueBody}. */
export const QUEUES = "queues";

/** A named queue, as SQS knows them: what is sent waits until somebody outside takes it and deletes it. */
export type Queue = {
  readonly name: string;
  readonly attributes: QueueAttributes;
  readonly tags: Readonly<Record<string, string>>;
  /**
   * Which of the queues of this name: a purge begins a new one, and so does whoever creates it again after it was deleted.
   * What lies in an older one can be received no more.
   */
  readonly generation: string;
  readonly createdMs: number;
  readonly modifiedMs: number;
  /** When it was last purged; null: never. */
  readonly purgedMs: number | null;
};

/** As it lies in the store. */
export type QueueBody = Omit<Queue, "name">;

export type QueueAttributes = {
  /** How long a received message stays hidden, unless the receiver says otherwise. */
  readonly visibilityMs: number;
  /** How long a message stays hidden after it was sent, unless the sender says otherwise. */
  readonly delayMs: number;
  /** UTF-8 bytes of body and message attributes. */
  readonly messageBytesMax: number;
  /** A message older than this is dropped. */
  readonly retentionMs: number;
  /** How long a receive waits, unless the receiver says otherwise. */
  readonly waitMs: number;
  /** Where a message goes that was received too often; null: nowhere, it stays. */
  readonly redrive: Redrive | null;
  /** Who may name this queue for their dead letters; null: all. */
  readonly redriveAllow: RedriveAllow | null;
  /** Null: a standard queue. */
  readonly fifo: FifoAttributes | null;
  /** Kept and shown, without an effect here: access policies, keys of encryption. By the name that the caller gave. */
  readonly kept: Readonly<Record<string, string>>;
};

export type Redrive = {
  /** Name of the queue that gets the dead letters. */
  readonly deadLetterQueue: string;
  /** How often a message may be received; when it would be received once more, it is moved. */
  readonly receiveMax: number;
};

export type RedriveAllow =
  | { readonly allow: "all" | "none" }
  /** Names of queues. */
  | { readonly allow: "by-queue"; readonly sources: readonly string[] };

export type FifoAttributes = {
  /** A message without a deduplication id gets the SHA-256 of its body as one. */
  readonly contentDedup: boolean;
  /** Within which messages a deduplication id counts. */
  readonly dedupScope: "queue" | "group";
  /** Kept and shown; we have no such limit. */
  readonly throughput: "queue" | "group";
};

/** What a caller gives: only what he names is compared, set or changed. `null` removes, where there may be nothing. */
export type QueueAttributesAsk = Partial<Omit<QueueAttributes, "fifo" | "kept">> & {
  readonly fifo?: Partial<FifoAttributes>;
  /** An empty text removes. */
  readonly kept?: Readonly<Record<string, string>>;
};

export type QueueCounts = {
  /** May be received now; those that wait behind others of their group are counted here. */
  readonly visible: number;
  readonly inFlight: number;
  readonly delayed: number;
  /** When the oldest visible one was put in; null: there is none. */
  readonly oldestVisibleMs: number | null;
};

/** Longest name, `.fifo` included. */
export const QUEUE_NAME_CHARS_MAX = 80;
/** How the name of a FIFO queue ends, and no other name. */
export const FIFO_SUFFIX = ".fifo";

const SECOND_MS = 1_000;
const DAY_MS = 24 * 60 * 60 * SECOND_MS;

/** What an attribute may be, all of them limits of SQS, so that whoever moves here or away meets no other ones. */
export const ATTRIBUTE_RANGES = {
  visibilityMs: { min: 0, max: 12 * 60 * 60 * SECOND_MS },
  delayMs: { min: 0, max: 900 * SECOND_MS },
  messageBytesMax: { min: 1024, max: 1024 * 1024 },
  retentionMs: { min: 60 * SECOND_MS, max: 14 * DAY_MS },
  waitMs: { min: 0, max: 20 * SECOND_MS },
} as const satisfies Partial<Record<keyof QueueAttributes, { readonly min: number; readonly max: number }>>;
/** Bounds of `Redrive.receiveMax`. */
export const RECEIVE_MAX_RANGE = { min: 1, max: 1_000 } as const;
/** Tags of one queue. */
export const TAGS_MAX = 50;
/** A queue that was just purged is not purged again so soon. */
export const PURGE_REST_MS = 60 * SECOND_MS;
/** Messages that may be in flight at once; a receive beyond it is refused (SQS: OverLimit). */
export const IN_FLIGHT_MAX = { standard: 120_000, fifo: 20_000 } as const;
/** How long a FIFO queue knows a deduplication id again. */
export const DEDUP_MS = 5 * 60 * SECOND_MS;

export const FIFO_DEFAULTS: FifoAttributes = { contentDedup: false, dedupScope: "queue", throughput: "queue" };

export const ATTRIBUTE_DEFAULTS: QueueAttributes = {
  visibilityMs: 30 * SECOND_MS,
  delayMs: 0,
  messageBytesMax: 1024 * 1024,
  retentionMs: 4 * DAY_MS,
  waitMs: 0,
  redrive: null,
  redriveAllow: null,
  fifo: null,
  kept: {},
};

/** The store's queue that holds the messages; what a stage names that works them. */
export function storeQueueOf({ name, generation }: Pick<Queue, "name" | "generation">): string {
  return `${STORE_QUEUE_PREFIX}${name}/${generation}`;
}

/** A store queue's name as figures show it, the same for ever: `queue:orders`. */
export function withoutGeneration(storeQueue: string): string {
  return storeQueue.slice(0, storeQueue.lastIndexOf("/"));
}

/** Every store queue that holds messages of a queue begins so. */
export const STORE_QUEUE_PREFIX = "queue:";

export function isFifo({ attributes }: Pick<Queue, "attributes">): boolean {
  return attributes.fifo !== null;
}
