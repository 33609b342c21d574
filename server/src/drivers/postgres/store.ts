import type { Commits } from "#drivers/postgres/commit.ts";
import type { Jobs } from "#drivers/postgres/jobs.ts";
import type { Journal } from "#drivers/postgres/journal.ts";
import type { ReadCore } from "#drivers/postgres/read-core.ts";
import type { Records } from "#drivers/postgres/records.ts";
import type { Retention } from "#drivers/postgres/retention.ts";
import type { Wake } from "#drivers/postgres/wake.ts";
import type { DocumentKey, DocumentQuery } from "#domain/document.ts";
import type { Position } from "#domain/event.ts";
import type { MessageId, RequestId } from "#domain/ids.ts";
import type { JobRef } from "#domain/job.ts";
import type { ClaimAsk, JournalAsk, MessageFilter, ParkedAsk, Store, TrimAsk, Unit, JobRange } from "#ports/store.ts";

export type StoreParts = {
  readonly commits: Commits;
  readonly jobs: Jobs;
  readonly journal: Journal;
  readonly records: Records;
  readonly retention: Retention;
  readonly reads: ReadCore;
  readonly wake: Wake;
};

/** The port, answered by its parts. What makes work for others is told to them. */
export class PostgresStore implements Store {
  readonly can = { manyNodes: true, durable: true, gapless: false };
  readonly #parts: StoreParts;
  readonly #resources: AsyncDisposable;
  #closed: Promise<void> | null = null;

  constructor(parts: StoreParts, resources: AsyncDisposable) {
    this.#parts = parts;
    this.#resources = resources;
  }

  commit = (units: readonly Unit[]) => this.#parts.commits.commit(units);
  claim = (asks: readonly ClaimAsk[], leaseMs: number) => this.#parts.jobs.claim(asks, leaseMs);

  async extend(jobs: readonly JobRef[], leaseMs: number): Promise<readonly JobRef[]> {
    const lost = await this.#parts.jobs.extend(jobs, leaseMs);
    if (leaseMs === 0 && lost.length < jobs.length) this.#parts.wake.tell();
    return lost;
  }

  async release(jobs: readonly JobRef[]): Promise<void> {
    if ((await this.#parts.jobs.release(jobs)) > 0) this.#parts.wake.tell();
  }

  async wakeDue(limit: number): Promise<{ readonly woken: number; readonly nextDueMs: number | null }> {
    const due = await this.#parts.jobs.wakeDue(limit);
    if (due.woken > 0) this.#parts.wake.tell();
    return due;
  }

  park = (limit: number) => this.#parts.jobs.park(limit);

  async trimJobs(ask: { readonly queue: string; readonly olderThanMs: number; readonly limit: number }) {
    const trimmed = await this.#parts.jobs.trim(ask);
    // Whoever was behind them may be in front now.
    if (trimmed > 0) this.#parts.wake.tell();
    return trimmed;
  }

  trimJournal = (upTo: Position, olderThanMs: number, limit: number) =>
    this.#parts.journal.trim(upTo, olderThanMs, limit);
  trimRequests = (ask: TrimAsk) => this.#parts.retention.trim(ask);
  sweep = (limit: number) => this.#parts.records.sweep(limit);

  onWake(listener: () => void): void {
    this.#parts.wake.onWake(listener);
  }

  readJournal = (ask: JournalAsk) => this.#parts.reads.readJournal(ask);
  eventsOf = (subject: string, limit: number) => this.#parts.reads.eventsOf(subject, limit);
  journalBounds = () => this.#parts.reads.journalBounds();
  eventsBehind = (position: Position, atMost: number) => this.#parts.reads.eventsBehind(position, atMost);
  checkpoints = (consumer: string | null) => this.#parts.reads.checkpoints(consumer);
  requests = (ids: readonly RequestId[]) => this.#parts.reads.requests(ids);
  messages = (ids: readonly MessageId[]) => this.#parts.reads.messages(ids);
  listMessages = (filter: MessageFilter, page: { readonly after: string | null; readonly limit: number }) =>
    this.#parts.reads.listMessages(filter, page);
  countOutcomes = (request: RequestId) => this.#parts.reads.countOutcomes(request);
  documents = (keys: readonly DocumentKey[]) => this.#parts.reads.documents(keys);
  listDocuments = (query: DocumentQuery) => this.#parts.reads.listDocuments(query);
  once = (keys: readonly string[]) => this.#parts.reads.once(keys);
  jobs = (keys: readonly string[]) => this.#parts.reads.jobs(keys);
  jobsWithin = (range: JobRange) => this.#parts.reads.jobsWithin(range);
  parked = () => this.#parts.reads.parked();
  parkedJobs = (ask: ParkedAsk) => this.#parts.reads.parkedJobs(ask);
  deadJobs = (ask: { readonly queue: string | null; readonly after: string | null; readonly limit: number }) =>
    this.#parts.reads.deadJobs(ask);
  deadJob = (key: string) => this.#parts.reads.deadJob(key);
  depths = (queues?: readonly string[]) => this.#parts.reads.depths(queues);
  unnamedBlobs = (ids: readonly string[]) => this.#parts.reads.unnamedBlobs(ids);

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= Promise.resolve(this.#resources[Symbol.asyncDispose]());
    return this.#closed;
  }
}
