import type { Ask } from "#drivers/sqlite/ask.ts";
import type { ReadCore } from "#drivers/sqlite/read-core.ts";
import type { WriteCore } from "#drivers/sqlite/write-core.ts";
import type { DocumentKey, DocumentQuery } from "#domain/document.ts";
import type { Position } from "#domain/event.ts";
import type { MessageId, RequestId } from "#domain/ids.ts";
import type { JobRef } from "#domain/job.ts";
import type { ClaimAsk, JournalAsk, MessageFilter, ParkedAsk, Store, TrimAsk, Unit, JobRange } from "#ports/store.ts";

/**
 * The port, answered by a core that writes, one that reads what is soon read, and one (perhaps the same) for questions
 * that may look at very many rows.
 */
export class SqliteStore implements Store {
  readonly can = { manyNodes: false, durable: true, gapless: true };
  readonly #write: Ask<WriteCore>;
  readonly #read: Ask<ReadCore>;
  readonly #scan: Ask<ReadCore>;
  readonly #parts: AsyncDisposable;
  #closed: Promise<void> | null = null;

  constructor(write: Ask<WriteCore>, read: Ask<ReadCore>, scan: Ask<ReadCore>, parts: AsyncDisposable) {
    this.#write = write;
    this.#read = read;
    this.#scan = scan;
    this.#parts = parts;
  }

  commit = (units: readonly Unit[]) => this.#write("commit", units);
  claim = (asks: readonly ClaimAsk[], leaseMs: number) => this.#write("claim", asks, leaseMs);
  extend = (jobs: readonly JobRef[], leaseMs: number) => this.#write("extend", jobs, leaseMs);
  release = (jobs: readonly JobRef[]) => this.#write("release", jobs);
  wakeDue = (limit: number) => this.#write("wakeDue", limit);
  park = (limit: number) => this.#write("park", limit);
  trimJobs = (ask: { readonly queue: string; readonly olderThanMs: number; readonly limit: number }) =>
    this.#write("trimJobs", ask);
  trimJournal = (upTo: Position, olderThanMs: number, limit: number) =>
    this.#write("trimJournal", upTo, olderThanMs, limit);
  trimRequests = (ask: TrimAsk) => this.#write("trimRequests", ask);
  sweep = (limit: number) => this.#write("sweep", limit);

  /** There is no other process. */
  onWake(): void {}

  readJournal = (ask: JournalAsk) => this.#read("readJournal", ask);
  eventsOf = (subject: string, limit: number) => this.#read("eventsOf", subject, limit);
  journalBounds = () => this.#read("journalBounds");
  eventsBehind = (position: Position, atMost: number) => this.#read("eventsBehind", position, atMost);
  checkpoints = (consumer: string | null) => this.#read("checkpoints", consumer);
  requests = (ids: readonly RequestId[]) => this.#read("requests", ids);
  messages = (ids: readonly MessageId[]) => this.#read("messages", ids);
  listMessages = (filter: MessageFilter, page: { readonly after: string | null; readonly limit: number }) =>
    this.#scan("listMessages", filter, page);
  countOutcomes = (request: RequestId) => this.#scan("countOutcomes", request);
  documents = (keys: readonly DocumentKey[]) => this.#read("documents", keys);
  listDocuments = (query: DocumentQuery) => this.#read("listDocuments", query);
  once = (keys: readonly string[]) => this.#read("once", keys);
  jobs = (keys: readonly string[]) => this.#read("jobs", keys);
  jobsWithin = (range: JobRange) => this.#scan("jobsWithin", range);
  parked = () => this.#scan("parked");
  parkedJobs = (ask: ParkedAsk) => this.#read("parkedJobs", ask);
  deadJobs = (ask: { readonly queue: string | null; readonly after: string | null; readonly limit: number }) =>
    this.#read("deadJobs", ask);
  deadJob = (key: string) => this.#read("deadJob", key);
  depths = (queues?: readonly string[]) =>
    queues === undefined ? this.#scan("depths") : this.#scan("depthsOf", queues);
  unnamedBlobs = (ids: readonly string[]) => this.#read("unnamedBlobs", ids);

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= Promise.resolve(this.#parts[Symbol.asyncDispose]());
    return this.#closed;
  }
}
