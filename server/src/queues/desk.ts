import type { DocumentExpectation } from "#domain/document.ts";
import type { DraftEffects } from "#engine/draft.ts";
import type { DeadMessage } from "#queues/dead-letter.ts";
import type { QueueFault } from "#queues/fault.ts";
import type { NewQueueMessage, ReceivedMessage, SentMessage } from "#queues/message.ts";
import type { Move, MoveAsk } from "#queues/move.ts";
import type { Queue, QueueAttributesAsk, QueueCounts } from "#queues/queue.ts";
import type { Happening } from "#queues/tallies.ts";

/**
 * Everything that can be done with queues; the semantics are those of SQS, the words are ours. Whoever asks for a queue
 * names it; there are no URLs here. Times and sizes are ms and bytes. What was refused changed nothing.
 *
 * Every method may reject with a `StoreFault` when the store cannot do it now; nothing was done. `traceparent`: of the call
 * that asked, for the event in the journal.
 */
export interface QueueDesk {
  /** Idempotent: what exists is `done` if every attribute that is given here has that value there (tags are not compared). */
  create(
    ask: CreateQueue,
    traceparent?: string | null,
  ): Promise<Done<{ readonly queue: Queue; readonly isNew: boolean }>>;
  get(name: string): Promise<Done<{ readonly queue: Queue }>>;
  /** By name, in code point order, behind `after`. `next`: where the next page begins; null at the end. */
  list(ask: ListQueues): Promise<{ readonly queues: readonly Queue[]; readonly next: string | null }>;
  /** Sets what is named and leaves the rest. */
  change(
    name: string,
    attributes: QueueAttributesAsk,
    traceparent?: string | null,
  ): Promise<Done<{ readonly queue: Queue }>>;
  /** Adds or overwrites tags, and removes those whose key is named; absent ones are fine. */
  tag(name: string, tags: TagChange, traceparent?: string | null): Promise<Done<{ readonly queue: Queue }>>;
  /** Gone at once, with its messages. */
  remove(name: string, traceparent?: string | null): Promise<Done>;
  /** Empties it at once: also what is hidden and delayed, and a FIFO queue's memory of deduplication ids. */
  purge(name: string, traceparent?: string | null): Promise<Done>;
  /** Queues that send their dead letters here. */
  deadLetterSources(
    name: string,
    ask: Omit<ListQueues, "prefix">,
  ): Promise<Done<{ readonly queues: readonly Queue[]; readonly next: string | null }>>;
  /** At most about a second old. */
  counts(name: string): Promise<Done<{ readonly counts: QueueCounts }>>;
  /** What happened to messages of a queue in this process, since it started. */
  tally(name: string): Readonly<Record<Happening, number>>;

  /** Resolves when it is durable. */
  send(name: string, message: NewQueueMessage): Promise<SentMessage | QueueFault>;
  /** `sent[i]` belongs to `messages[i]`; those that are accepted keep their order. A fault of its own: none was looked at. */
  sendBatch(
    name: string,
    messages: readonly NewQueueMessage[],
  ): Promise<Done<{ readonly sent: readonly (SentMessage | QueueFault)[] }>>;
  /**
   * Takes up to `max` messages and hides them. Waits, when there are none, until there is at least one. When `signal`
   * aborts, the caller has gone: nothing is taken for him, and the answer is empty.
   */
  receive(name: string, ask: ReceiveAsk): Promise<Done<{ readonly messages: readonly ReceivedMessage[] }>>;
  delete(name: string, receipt: string): Promise<Done>;
  /** `results[i]` belongs to `receipts[i]`. */
  deleteBatch(name: string, receipts: readonly string[]): Promise<Done<{ readonly results: readonly Done[] }>>;
  /** Hidden for so long from now; 0: visible at once. */
  changeVisibility(name: string, receipt: string, visibilityMs: number): Promise<Done>;
  changeVisibilityBatch(
    name: string,
    changes: readonly VisibilityChange[],
  ): Promise<Done<{ readonly results: readonly Done[] }>>;

  /** Begins to move all that lies in a dead-letter queue: where each came from, or into one queue. One at a time. */
  startMove(ask: MoveAsk, traceparent?: string | null): Promise<Done<{ readonly move: Move }>>;
  /** Newest first. Fault `queue.unknown` when there is no such source. */
  listMoves(source: string, limit: number): Promise<Done<{ readonly moves: readonly Move[] }>>;
  /** What is moved already stays where it is. Fault `move.unknown`, or `move.ended`. */
  cancelMove(id: string, traceparent?: string | null): Promise<Done<{ readonly move: Move }>>;

  /**
   * A message to be committed together with something else, exactly once, by whoever decides it: a rule's matcher. `id`:
   * of the message, a UUID, the same when the same step is decided again. Looks nothing up, so it takes standard queues
   * only that this node has in its cache (`known`); null: use `send`.
   */
  draftMessage(
    name: string,
    message: NewQueueMessage,
    id: string,
  ): { readonly kind: "draft"; readonly effects: DraftEffects } | QueueFault | null;
  /**
   * The same for a queue of any kind, to be committed with the end of the one job that stands for the message: it ends once, so
   * its deduplication id is not remembered, however late the job is done. For messages whose id is nobody else's.
   */
  draftOnce(name: string, message: NewQueueMessage, id: string): Promise<DraftedOnce | QueueFault>;
  /**
   * What to commit together with the end of a message's job that failed too often, by who works the queue's jobs in this
   * process: it goes to the dead-letter queue. Null: that queue is not there.
   */
  deadLetter(message: DeadMessage): Promise<DraftEffects | null>;
  /** The queue as this node knows it, without asking the store; null: it is not known here, which says nothing. */
  known(name: string): Queue | null;
}

export type Done<Value extends object = object> = ({ readonly kind: "done" } & Value) | QueueFault;

/** `expect`: what the effects rest on where other nodes may change the queue. */
export type DraftedOnce = {
  readonly kind: "draft";
  readonly effects: DraftEffects;
  readonly expect: readonly DocumentExpectation[];
};

export type CreateQueue = {
  readonly name: string;
  readonly fifo: boolean;
  readonly attributes: QueueAttributesAsk;
  readonly tags: Readonly<Record<string, string>>;
};

/** `after`: a name, that of the last one of the page before; null: from the first. */
export type ListQueues = { readonly prefix: string; readonly after: string | null; readonly limit: number };

export type TagChange = { readonly set: Readonly<Record<string, string>>; readonly remove: readonly string[] };

export type ReceiveAsk = {
  /** 1 to `BATCH_MAX`. */
  readonly max: number;
  /** Null: as the queue says. */
  readonly visibilityMs: number | null;
  /** Null: as the queue says. */
  readonly waitMs: number | null;
  readonly signal: AbortSignal;
};

export type VisibilityChange = { readonly receipt: string; readonly visibilityMs: number };
