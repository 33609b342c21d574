import type { DeadJob, Job, JobEnd, JobRef, Lane, NewJob, ParkedJob } from "#domain/job.ts";
import type { Document, DocumentExpectation, DocumentKey, DocumentPut, DocumentQuery } from "#domain/document.ts";
import type { NewEvent, Position, RecordedEvent } from "#domain/event.ts";
import { type MessageId, newRequestId, type RequestId } from "#domain/ids.ts";
import type { MessagePatch, MessageRecord, MessageStatus, NewMessage } from "#domain/message.ts";

/**
 * What we ask of the place that keeps our state: to commit effects, to hand out jobs, and to answer reads. Everything
 * takes and gives batches. Nothing here knows SQL.
 *
 * Every method may reject with a `StoreFault` when the store cannot do it now (disk full, database away); the caller
 * may try again, nothing was half done. Times are Unix epoch ms of the clock that the driver was opened with.
 */
export interface Store extends AsyncDisposable {
  readonly can: {
    /** Several processes may open it at once; `wake` tells of the others' commits. */
    readonly manyNodes: boolean;
    /** What was committed survives the end of the process. */
    readonly durable: boolean;
    /** The positions of the journal have no gaps, but for what was trimmed. Elsewhere they only rise. */
    readonly gapless: boolean;
  };

  /**
   * Commits every unit whose conditions hold, all of them in one transaction and in the order given, durable when the
   * promise resolves. `verdicts[i]` belongs to `units[i]`. A unit sees the effects of those before it.
   */
  commit(units: readonly Unit[]): Promise<readonly Verdict[]>;

  /** Takes up to `limit` ready jobs per ask, lowest turn first, and holds them for `leaseMs`. */
  claim(asks: readonly ClaimAsk[], leaseMs: number): Promise<readonly Job[]>;
  /**
   * Holds jobs for `leaseMs` from now; a loan stays one. 0: the lease is over at once, and the attempt was counted. Returns
   * those that are no longer ours: stop working on them.
   */
  extend(jobs: readonly JobRef[], leaseMs: number): Promise<readonly JobRef[]>;
  /** Gives jobs back untouched, ready at once and without counting the attempt. */
  release(jobs: readonly JobRef[]): Promise<void>;
  /** Makes up to `limit` jobs ready whose time has come or whose lease is over; tells when the next one is due. */
  wakeDue(limit: number): Promise<{ readonly woken: number; readonly nextDueMs: number | null }>;
  /**
   * Parks up to `limit` living jobs, wherever they are; returns how many, 0 when none is left. For a backup that was
   * restored, before anybody works on it: whoever holds one of them has lost it.
   */
  park(limit: number): Promise<number>;
  /** Calls back when jobs may have become ready or events were appended by *another* process; if `can.manyNodes`. */
  onWake(listener: () => void): void;

  /** Events after a position, oldest first, only those whose commit is final: none can appear before them later. */
  readJournal(ask: JournalAsk): Promise<JournalPage>;
  /**
   * Oldest first. Our own events of one subject, e.g. a message's history. Foreign ones are left out: whoever may raise events
   * could otherwise write into the history of a message.
   */
  eventsOf(subject: string, limit: number): Promise<readonly RecordedEvent[]>;
  /**
   * `first` is the oldest kept (0 if none), `last` the newest ever given, kept or not; `events` says how many are kept
   * and `bytes` what they occupy, which both may be estimates. Cheap, however long the journal.
   */
  journalBounds(): Promise<JournalBounds>;
  /** How many events a reader that stands at a position has still to read, exactly, counting no further than `atMost`. */
  eventsBehind(position: Position, atMost: number): Promise<number>;
  /** Deletes up to `limit` of the oldest events that are at or before `upTo` and whose `timeMs` is before `olderThanMs`. */
  trimJournal(upTo: Position, olderThanMs: number, limit: number): Promise<number>;
  checkpoints(consumer: string | null): Promise<readonly Checkpoint[]>;

  /**
   * Forgets requests by age. Looks at up to `limit` of those accepted before `olderThanMs` (as their ids tell), oldest
   * first, behind `after`; null: from the oldest. One that a living job or a dead letter still concerns
   * (`jobKeysOf`) is left alone. Any other goes with all its messages and the names of its blobs, those that it owns and
   * whose ids begin with its own and a dash, so that the collector finds their bytes orphaned.
   *
   * At most `limit` messages go in one call. Of a request that has more, some are gone after it; the request itself goes
   * in the call that takes the last, so it is first among those behind `next`, where to go on. Null at the end.
   */
  trimRequests(ask: TrimAsk): Promise<{ readonly deleted: number; readonly next: RequestId | null }>;

  requests(ids: readonly RequestId[]): Promise<readonly (StoredRequest | null)[]>;
  messages(ids: readonly MessageId[]): Promise<readonly (MessageRecord | null)[]>;
  /**
   * Newest `enqueuedMs` first. Looks at a bounded number of rows: a page may be short, even empty, although there is a
   * next. A cursor that no page has given finds nothing.
   */
  listMessages(
    filter: MessageFilter,
    page: { readonly after: string | null; readonly limit: number },
  ): Promise<MessagePage>;
  /** Messages of a request by status: the balance of "was everybody told?". */
  countOutcomes(request: RequestId): Promise<OutcomeCounts>;

  documents(keys: readonly DocumentKey[]): Promise<readonly (Document | null)[]>;
  listDocuments(query: DocumentQuery): Promise<readonly Document[]>;

  once(keys: readonly string[]): Promise<readonly (OnceRecord | null)[]>;
  /** Living jobs by key: what is waiting, when it is due, whether somebody holds it. */
  jobs(keys: readonly string[]): Promise<readonly (JobState | null)[]>;
  /** Living jobs whose keys lie in a range, by code points. */
  jobsWithin(range: JobRange): Promise<JobSum>;
  /** What is parked, by queue and lane, with the first and last times. Walks all that is parked. */
  parked(): Promise<readonly ParkedSum[]>;
  /** Parked jobs behind a place, by queue, lane (transactional first) and key, in code point order. */
  parkedJobs(ask: ParkedAsk): Promise<readonly ParkedJob[]>;
  /** Dead letters by key, in code point order, after the key given. */
  deadJobs(ask: {
    readonly queue: string | null;
    readonly after: string | null;
    readonly limit: number;
  }): Promise<readonly DeadJob[]>;
  deadJob(key: string): Promise<DeadJob | null>;

  /** Depth and age of every queue and lane, as the metrics show them; or only of these queues. */
  depths(queues?: readonly string[]): Promise<readonly QueueDepth[]>;
  /**
   * Deletes up to `limit` living jobs of a queue, wherever they are, held ones too, that were enqueued before a time,
   * oldest first; returns how many. Whoever holds one of them has lost it. It looks at a bounded number of rows from the
   * front of the queue: where turns do not follow the time of enqueuing, a short answer may leave some that are old.
   */
  trimJobs(ask: { readonly queue: string; readonly olderThanMs: number; readonly limit: number }): Promise<number>;
  /** Of these blob ids, those that no commit has named. */
  unnamedBlobs(ids: readonly string[]): Promise<readonly string[]>;
  /** Forgets idempotency records that have expired, a bounded number at a time; returns how many. */
  sweep(limit: number): Promise<number>;
}

/** What commits together or not at all. */
export type Unit = Conditions & Effects;

export type Conditions = {
  /**
   * The job whose result this is. Refused (`fenced`) when someone else has claimed it since. A unit that repeats a step
   * of `keep` is answered as committed and does nothing (`repeatedStep`).
   */
  readonly job?: { readonly ref: JobRef; readonly end: JobEnd };
  /**
   * Only with `job`: jobs that end as done together with it. Refused (`fenced`) when one of them is somebody else's by now, or
   * is named twice (`endsTwice`): the second time it would have ended already.
   */
  readonly also?: readonly JobRef[];
  /** Removes this job if it exists and nobody holds it; otherwise refused (`held` or `gone`). Cancelling. */
  readonly take?: string;
  /** Lets this parked job go on: it is ready, or waits until it is due. Refused (`gone`) when it is not parked. */
  readonly unpark?: string;
  /** Refused (`repeated`) when a record with this key exists and has not expired. Idempotency. */
  readonly once?: OnceRecord;
  /** Refused (`stale`) when a document has changed since it was read. */
  readonly expect?: readonly DocumentExpectation[];
  /**
   * Revives or discards this dead letter; refused (`gone`) when it is not there, and (`held`) when it would be revived
   * beside a living job of its key. Revived it is as if enqueued now, at its old turn, with no attempts.
   */
  readonly dead?: { readonly key: string; readonly then: "revive" | "discard"; readonly payload?: string };
};

export type Effects = {
  readonly requests?: readonly StoredRequest[];
  /** A message that exists already is left alone, and so are its `job` and `events`: nobody is written to twice. */
  readonly messages?: readonly MessageBirth[];
  /** A status that may not replace the present one (`supersedes`) is left out, and its reason and error with it. */
  readonly patches?: readonly MessagePatch[];
  readonly jobs?: readonly EnqueuedJob[];
  /** A foreign event (`id` not null) whose source and id the journal holds already is not appended again. */
  readonly events?: readonly NewEvent[];
  readonly puts?: readonly DocumentPut[];
  readonly deletes?: readonly DocumentKey[];
  /** Deletes every document of a collection whose id begins so, before `deletes` and `puts`. */
  readonly clear?: readonly { readonly collection: string; readonly prefix: string }[];
  readonly checkpoints?: readonly Checkpoint[];
  readonly blobs?: readonly { readonly id: string; readonly bytes: number; readonly owner: string }[];
  /** Blob ids that nothing names any longer, so that the collector takes their bytes; before `blobs`. */
  readonly unnamed?: readonly string[];
  /** The request and all its messages; what is archived already keeps its time. */
  /** Dead letters that were never jobs, e.g. an event that a consumer could not handle. */
  readonly buried?: readonly DeadJob[];
  readonly archive?: readonly { readonly request: RequestId; readonly atMs: number }[];
};

export type MessageBirth = {
  readonly message: NewMessage;
  readonly job: EnqueuedJob | null;
  readonly events: readonly NewEvent[];
};

/** `heldForMs`: born in this process' hands, with attempt 1 and fence 1, so that it needs no claim. Null: not. */
export type EnqueuedJob = NewJob & { readonly heldForMs: number | null };

export type Verdict =
  | {
      readonly kind: "committed";
      /** Keys of the unit's jobs that were not enqueued because their message or a living job of that key existed. */
      readonly skipped: readonly string[];
    }
  | { readonly kind: "fenced" }
  | { readonly kind: "held" }
  | { readonly kind: "gone" }
  | { readonly kind: "repeated"; readonly record: OnceRecord }
  | { readonly kind: "stale"; readonly key: DocumentKey };

/** The first answer to a call with an idempotency key. */
export type OnceRecord = {
  /** Scope and key: path and header. */
  readonly key: string;
  /** Digest of what was asked, to tell a replay from a mistake. */
  readonly fingerprint: string;
  readonly status: number;
  readonly body: string;
  readonly expiresMs: number;
};

export type StoredRequest = {
  readonly id: RequestId;
  /** The accepted call as JSON text; what was too large is a reference to a blob. */
  readonly body: string;
  readonly acceptedMs: number;
  readonly lane: Lane;
  readonly traceparent: string | null;
  readonly archivedMs: number | null;
};

export type ClaimAsk = {
  readonly queue: string;
  readonly lane: Lane;
  readonly limit: number;
  /**
   * Lends the jobs to somebody outside for so long, instead of the lease of the call. A loan outlives the process: a
   * durable store that comes back knows it still. With the first of a group come those behind it, in order, up to the
   * limit; without a loan only the first. 0: they stay ready, but the attempt is counted.
   */
  readonly lendMs?: number;
};

export type JournalAsk = {
  readonly after: Position;
  readonly limit: number;
  /** Only events whose key falls into this partition: `partitionOf(key, of) === index`. */
  readonly partition?: { readonly index: number; readonly of: number };
  /** Only foreign events, and of our own those whose type is listed. Passing over the others is cheap. */
  readonly foreignAnd?: readonly string[];
};

/**
 * For drivers: the verdict on a unit by which its holder repeats a step of a job whose last step was `stepsDone`, because
 * the answer was lost; null when it is to be done. Who holds the jobs that were born then is not known any more, so they
 * are called skipped and wait for the end of their leases.
 */
export function repeatedStep({ job, jobs, messages }: Unit, stepsDone: number): Verdict | null {
  if (job?.end.kind !== "keep" || job.end.step > stepsDone) return null;
  const born = [...(messages ?? []).map((birth) => birth.job), ...(jobs ?? [])];
  return { kind: "committed", skipped: born.flatMap((one) => (one === null ? [] : [one.key])) };
}

/** For drivers: whether a unit names a job more than once among those that it ends. */
export function endsTwice({ job, also }: Conditions): boolean {
  if (also === undefined) return false;
  const keys = new Set(also.map(({ key }) => key));
  return keys.size < also.length || (job !== undefined && keys.has(job.ref.key));
}

export type TrimAsk = { readonly olderThanMs: number; readonly after: RequestId | null; readonly limit: number };

/** Keys of the jobs that work on a request: two whole ones, and all that begin so. */
export function jobKeysOf(request: RequestId): {
  readonly fanOut: string;
  readonly sole: string;
  readonly members: string;
} {
  return { fanOut: `expand:${request}`, sole: request, members: `${request}:` };
}

/**
 * The lowest id that a request accepted in this millisecond can have: whoever has a lower one is older. For drivers, because
 * the order of ids is the order of time and needs no index of its own.
 */
export function lowestRequestId(atMs: number): RequestId {
  return newRequestId(Math.min(Math.max(atMs, 0), ID_SECONDS_MAX * 1_000), "0".repeat(24));
}

/** Eight hex digits of seconds: the year 2106. */
const ID_SECONDS_MAX = 0xffff_ffff;

export type JournalPage = {
  readonly events: readonly RecordedEvent[];
  /**
   * Everything up to here has been looked at: the next page begins after it. A page of a partition may be empty although
   * this has moved; at the end of the journal it does not move.
   */
  readonly upTo: Position;
};

export type JournalBounds = {
  readonly first: Position;
  readonly last: Position;
  readonly events: number;
  readonly bytes: number;
};

export type Checkpoint = {
  readonly consumer: string;
  readonly partition: number;
  /** Everything up to here is done. */
  readonly position: Position;
  readonly updatedMs: number;
};

export type JobState = {
  readonly key: string;
  readonly queue: string;
  readonly lane: Lane;
  /** What stands behind the first of its group is called ready, due or not. */
  readonly state: "waiting" | "ready" | "held" | "parked";
  readonly dueMs: number;
  readonly attempt: number;
  readonly payload: string;
  readonly error: string | null;
};

export type QueueDepth = {
  readonly queue: string;
  readonly lane: Lane;
  readonly waiting: number;
  /** Those that wait behind the first of their group are counted here. */
  readonly ready: number;
  readonly held: number;
  readonly parked: number;
  readonly dead: number;
  /** When the oldest of those that count as ready was enqueued; null if there is none. */
  readonly oldestReadyMs: number | null;
};

/** From a key on, itself included, and before another one; counting stops at `atMost`. */
export type JobRange = { readonly from: string; readonly before: string; readonly atMost: number };

/** Of the jobs that were counted. */
export type JobSum = {
  readonly jobs: number;
  /** Null when there is none. */
  readonly firstKey: string | null;
  /** When the oldest of them was enqueued; null when there is none. */
  readonly oldestMs: number | null;
};

export type ParkedAsk = { readonly after: ParkedPlace | null; readonly limit: number };
/** No job has the key `""`: with it, a place is before all of its queue and lane. */
export type ParkedPlace = { readonly queue: string; readonly lane: Lane; readonly key: string };

export type ParkedSum = {
  readonly queue: string;
  readonly lane: Lane;
  readonly jobs: number;
  readonly firstEnqueuedMs: number;
  readonly lastEnqueuedMs: number;
  readonly firstDueMs: number;
  readonly lastDueMs: number;
};

export type MessagePage = {
  readonly messages: readonly MessageRecord[];
  /** Where the next page begins; null at the end. */
  readonly next: string | null;
};

export type OutcomeCounts = Readonly<Partial<Record<MessageStatus, number>>>;

/** AND between fields, OR inside an array (courier-api.md §4.5). */
export type MessageFilter = {
  /** True: archived ones too. Otherwise they are left out. */
  readonly archived?: boolean;
  /** Lower bound, itself included. */
  readonly enqueuedAfterMs?: number;
  readonly event?: string;
  readonly list?: string;
  readonly messageId?: string;
  readonly notification?: string;
  readonly providers?: readonly string[];
  readonly recipient?: string;
  readonly statuses?: readonly string[];
  readonly tags?: readonly string[];
  /** `metadata.trace_id`, or the id of the request. */
  readonly traceId?: string;
};

/** The store cannot do this now. Nothing was half done, and the caller may try again. */
export class StoreFault extends Error {
  readonly code: "store.full" | "store.busy" | "store.failed";

  constructor(code: StoreFault["code"], detail: string, options?: ErrorOptions) {
    super(`${detail} [${code}]`, options);
    this.name = "StoreFault";
    this.code = code;
  }
}
