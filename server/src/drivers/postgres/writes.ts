import { bigints, doubles, texts } from "#drivers/postgres/arrays.ts";
import { type Ask, type Statement, statements, type Value } from "#drivers/postgres/connection.ts";
import { laneNumber } from "#domain/lane-number.ts";
import { type BornJob, type Ledger, type Numbered, stateOfBorn } from "#drivers/postgres/ledger.ts";
import type { KnownDocument, KnownJob, Looked } from "#drivers/postgres/looks.ts";
import { PatchStatements } from "#drivers/postgres/patches.ts";
import { toStored } from "#drivers/postgres/text.ts";
import { type WriteStatements, writeSql } from "#drivers/postgres/write-sql.ts";
import type { Term } from "#domain/document.ts";
import { type NewEvent, OWN_SOURCE } from "#domain/event.ts";
import type { JobEnd, JobRef } from "#domain/job.ts";
import { keyHash } from "#domain/partition.ts";

/** What a ledger has to write, and which of the answers names the loose jobs that were new. */
export type Writing = { readonly asks: readonly Ask[]; readonly looseAt: number | null };

/**
 * Turns what a ledger has decided into statements, each for all rows of a kind. Jobs that end come first, so that a holder
 * who has lost one is found out before anything else is done.
 */
export class Writes {
  readonly #sql: WriteStatements;
  readonly #patches: PatchStatements;

  constructor(schema: string) {
    this.#sql = statements(writeSql(schema));
    this.#patches = new PatchStatements(schema);
  }

  /** @param mayRepeat a request that is there already is left alone; otherwise it fails the transaction. */
  of(ledger: Ledger, looked: Looked, numbered: Numbered, mayRepeat: boolean): Writing {
    const asks: Ask[] = [];
    this.#endJobs(asks, ledger);
    this.#changeJobs(asks, ledger, looked);
    this.#bearMessages(asks, ledger, numbered, mayRepeat);
    const looseAt = this.#enqueue(asks, ledger);
    this.#patches.add(asks, ledger.patches, ledger.settledPatches.values());
    this.#documents(asks, ledger, looked);
    this.#records(asks, ledger);
    this.#events(asks, ledger.events, numbered);
    this.#archive(asks, ledger);
    return { asks, looseAt };
  }

  #endJobs(asks: Ask[], { ended, nowMs }: Ledger): void {
    const of = <Kind extends JobEnd["kind"]>(kind: Kind) =>
      ended
        // The end's kind is what was asked for.
        .filter(
          (one): one is { ref: JobRef; end: Extract<JobEnd, { kind: Kind }> } & typeof one => one.end.kind === kind,
        )
        .sort((a, b) => (a.ref.key < b.ref.key ? -1 : 1));
    const [done, kept, again] = [of("done"), of("keep"), of("again")];
    const refs = (ends: readonly { readonly ref: JobRef }[]): Value[] => [
      texts(ends.map(({ ref }) => ref.key)),
      bigints(ends.map(({ ref }) => ref.fence)),
      ends.length,
    ];
    if (done.length > 0) asks.push([this.#sql.done, refs(done)]);
    if (kept.length > 0) {
      const columns = [texts(kept.map(({ end }) => end.payload)), bigints(kept.map(({ end }) => end.step))];
      asks.push([this.#sql.keep, [...refs(kept), ...columns]]);
    }
    if (again.length > 0) {
      const ends = again.map(({ end }) => end);
      asks.push([
        this.#sql.again,
        [
          ...refs(again),
          bigints(ends.map(({ dueMs }) => (dueMs <= nowMs ? 1 : 0))),
          doubles(ends.map(({ dueMs }) => dueMs)),
          doubles(ends.map(({ turn }) => turn)),
          texts(ends.map(({ payload }) => payload)),
          texts(ends.map(({ error }) => error)),
          bigints(ends.map(({ attempts }) => (attempts === "count" ? 1 : 0))),
        ],
      ]);
    }
  }

  /** Of the jobs that were looked at: what is different now. */
  #changeJobs(asks: Ask[], { changedJobs, dead }: Ledger, { jobs, storedJobs }: Looked): void {
    const [gone, changed, born]: [string[], KnownJob[], KnownJob[]] = [[], [], []];
    for (const key of changedJobs) {
      const job = jobs.get(key) ?? null;
      if (storedJobs.has(key) && job?.isStored !== true) gone.push(key);
      if (job !== null) (job.isStored ? changed : born).push(job);
    }
    if (gone.length > 0) asks.push([this.#sql.removeJobs, [texts(gone)]]);
    if (changed.length > 0) asks.push([this.#sql.changeJobs, jobColumns(changed)]);
    if (born.length > 0) asks.push([this.#sql.putJobs, jobColumns(born)]);
    const discarded = [...dead].flatMap(([key, letter]) => (letter === null ? [key] : []));
    const buried = [...dead.values()].filter((letter) => letter !== null);
    if (discarded.length > 0) asks.push([this.#sql.discard, [texts(discarded)]]);
    if (buried.length > 0) {
      asks.push([
        this.#sql.bury,
        [
          texts(buried.map(({ key }) => key)),
          texts(buried.map(({ queue }) => queue)),
          bigints(buried.map(({ lane }) => laneNumber(lane))),
          doubles(buried.map(({ turn }) => turn)),
          texts(buried.map(({ payload }) => payload)),
          texts(buried.map(({ traceparent }) => traceparent)),
          bigints(buried.map(({ attempt }) => attempt)),
          texts(buried.map(({ error }) => error)),
          bigints(buried.map(({ enqueuedMs }) => enqueuedMs)),
          bigints(buried.map(({ deadMs }) => deadMs)),
          texts(buried.map(({ group }) => group)),
        ],
      ]);
    }
  }

  #bearMessages(asks: Ask[], { births, requests }: Ledger, numbered: Numbered, mayRepeat: boolean): void {
    const accepted = [...requests.values()];
    if (accepted.length > 0) {
      asks.push([
        mayRepeat ? this.#sql.repeatRequests : this.#sql.requests,
        [
          texts(accepted.map(({ id }) => id)),
          texts(accepted.map(({ body }) => body)),
          bigints(accepted.map(({ acceptedMs }) => acceptedMs)),
          bigints(accepted.map(({ lane }) => laneNumber(lane))),
          texts(accepted.map(({ traceparent }) => traceparent)),
          bigints(accepted.map(({ archivedMs }) => archivedMs)),
        ],
      ]);
    }
    if (births.length === 0) return;
    asks.push([
      this.#sql.messages,
      [
        texts(births.map(({ id }) => id)),
        texts(births.map(({ requestId }) => requestId)),
        bigints(births.map(({ toIndex }) => toIndex)),
        texts(births.map(({ recipient }) => recipient)),
        texts(births.map(({ userId }) => userId)),
        texts(births.map(({ listId }) => listId)),
        texts(births.map(({ event }) => event)),
        texts(births.map(({ notification }) => notification)),
        texts(births.map(({ traceId }) => traceId)),
        texts(births.map(({ tags }) => (tags.length === 0 ? null : JSON.stringify(tags)))),
        texts(births.map(({ status }) => status)),
        bigints(births.map(({ enqueuedMs }) => enqueuedMs)),
        numbered.messages,
      ],
    ]);
    numbered.messages += births.length;
  }

  #enqueue(asks: Ask[], ledger: Ledger): number | null {
    const { bornJobs, looseJobs } = ledger;
    const add = (what: Statement, jobs: readonly BornJob[]): void => {
      asks.push([what, [...newJobColumns(jobs, ledger), ledger.nowMs, bigints(jobs.map(({ place }) => place))]]);
    };
    if (bornJobs.length > 0) add(this.#sql.bornJobs, bornJobs);
    if (looseJobs.length === 0) return null;
    add(this.#sql.looseJobs, looseJobs);
    return asks.length - 1;
  }

  #documents(asks: Ask[], { changedDocuments }: Ledger, { documents, storedDocuments }: Looked): void {
    const [gone, changed, born]: [KnownDocument[], KnownDocument[], KnownDocument[]] = [[], [], []];
    const [dropped, added]: [TermRow[], TermRow[]] = [[], []];
    for (const name of changedDocuments) {
      const [was, is] = [storedDocuments.get(name) ?? null, documents.get(name) ?? null];
      if (is === null && was !== null) gone.push(was);
      if (is !== null) (was === null ? born : changed).push(is);
      if (was?.terms === is?.terms) continue;
      if (was !== null) dropped.push(...termsOf(was));
      if (is !== null) added.push(...termsOf(is));
    }
    const names = (of: readonly KnownDocument[]): Value[] => [
      texts(of.map(({ collection }) => collection)),
      texts(of.map(({ id }) => id)),
    ];
    const whole = (of: readonly KnownDocument[]): Value[] => [
      ...names(of),
      texts(of.map(({ body }) => body)),
      bigints(of.map(({ version }) => version)),
      bigints(of.map(({ createdMs }) => createdMs)),
      bigints(of.map(({ updatedMs }) => updatedMs)),
      texts(of.map(({ terms }) => terms)),
    ];
    const terms = (of: readonly TermRow[]): Value[] => [0, 1, 2, 3].map((at) => texts(of.map((row) => row[at] ?? "")));
    if (gone.length > 0) asks.push([this.#sql.dropDocuments, names(gone)]);
    if (changed.length > 0) asks.push([this.#sql.changeDocuments, whole(changed)]);
    if (born.length > 0) asks.push([this.#sql.documents, whole(born)]);
    if (dropped.length > 0) asks.push([this.#sql.dropTerms, terms(dropped)]);
    if (added.length > 0) asks.push([this.#sql.terms, terms(added)]);
  }

  #records(asks: Ask[], { once, checkpoints, blobs, unnamed, nowMs }: Ledger): void {
    // Of one key the last is kept: those before it had expired when it came.
    const records = [...new Map(once.map((record) => [record.key, record])).values()];
    if (records.length > 0) {
      asks.push([
        this.#sql.once,
        [
          texts(records.map(({ key }) => key)),
          texts(records.map(({ fingerprint }) => fingerprint)),
          bigints(records.map(({ status }) => status)),
          texts(records.map(({ body }) => body)),
          bigints(records.map(({ expiresMs }) => expiresMs)),
          nowMs,
          records.length,
        ],
      ]);
    }
    if (checkpoints.size > 0) {
      const all = [...checkpoints.values()].sort((a, b) => (a.consumer < b.consumer ? -1 : a.partition - b.partition));
      asks.push([
        this.#sql.checkpoints,
        [
          texts(all.map(({ consumer }) => consumer)),
          bigints(all.map(({ partition }) => partition)),
          bigints(all.map(({ position }) => position)),
          bigints(all.map(({ updatedMs }) => updatedMs)),
        ],
      ]);
    }
    if (unnamed.size > 0) asks.push([this.#sql.unnamed, [texts([...unnamed].sort())]]);
    if (blobs.size > 0) {
      const all = [...blobs.values()];
      asks.push([
        this.#sql.blobs,
        [texts(all.map(({ id }) => id)), bigints(all.map(({ bytes }) => bytes)), texts(all.map(({ owner }) => owner))],
      ]);
    }
  }

  /** Foreign events may be there already, and are written by a statement that minds; their places stay theirs. */
  #events(asks: Ask[], events: readonly NewEvent[], numbered: Numbered): void {
    const [own, foreign]: [Placed[], Placed[]] = [[], []];
    for (const event of events) (event.id == null ? own : foreign).push({ event, place: ++numbered.events });
    const columns = (of: readonly Placed[]): Value[] => [
      bigints(of.map(({ place }) => place)),
      texts(of.map(({ event }) => event.type)),
      texts(of.map(({ event }) => event.subject)),
      bigints(of.map(({ event }) => event.timeMs)),
      texts(of.map(({ event }) => event.data)),
      texts(of.map(({ event }) => event.traceparent)),
      texts(of.map(({ event: { key, subject } }) => (key == null || key === subject ? null : key))),
      bigints(of.map(({ event: { key, subject } }) => keyHash(key ?? subject))),
      texts(of.map(({ event }) => event.attributes ?? null)),
    ];
    if (own.length > 0)
      asks.push([this.#sql.events, [...columns(own), texts(own.map(({ event }) => event.source ?? null))]]);
    if (foreign.length > 0) {
      const names = [
        texts(foreign.map(({ event }) => event.source ?? OWN_SOURCE)),
        texts(foreign.map(({ event }) => event.id ?? "")),
      ];
      asks.push([this.#sql.foreignEvents, [...columns(foreign), ...names]]);
    }
  }

  #archive(asks: Ask[], { archived }: Ledger): void {
    for (const { request, atMs } of archived) {
      asks.push(
        [this.#sql.archiveRequest, [toStored(request), atMs]],
        [this.#sql.archiveMessages, [toStored(request), atMs]],
      );
    }
  }
}

type Placed = { readonly event: NewEvent; readonly place: number };
type TermRow = readonly [collection: string, name: string, value: string, id: string];

function termsOf({ collection, id, terms }: KnownDocument): TermRow[] {
  if (terms === null) return [];
  // We wrote this text in `Ledger`.
  return (JSON.parse(terms) as Term[]).map(([name, value]) => [collection, name, value, id]);
}

function jobColumns(jobs: readonly KnownJob[]): Value[] {
  return [
    texts(jobs.map(({ key }) => key)),
    texts(jobs.map(({ queue }) => queue)),
    bigints(jobs.map(({ lane }) => lane)),
    doubles(jobs.map(({ turn }) => turn)),
    bigints(jobs.map(({ state }) => state)),
    doubles(jobs.map(({ dueMs }) => dueMs)),
    doubles(jobs.map(({ leaseUntilMs }) => leaseUntilMs)),
    texts(jobs.map(({ payload }) => payload)),
    texts(jobs.map(({ traceparent }) => traceparent)),
    bigints(jobs.map(({ attempt }) => attempt)),
    bigints(jobs.map(({ fence }) => fence)),
    bigints(jobs.map(({ step }) => step)),
    bigints(jobs.map(({ enqueuedMs }) => enqueuedMs)),
    texts(jobs.map(({ error }) => error)),
    texts(jobs.map(({ group }) => group)),
    bigints(jobs.map(({ place }) => place)),
  ];
}

function newJobColumns(jobs: readonly BornJob[], { nowMs, leaseNowMs }: Ledger): Value[] {
  return [
    texts(jobs.map(({ key }) => key)),
    texts(jobs.map(({ queue }) => queue)),
    bigints(jobs.map(({ lane }) => laneNumber(lane))),
    doubles(jobs.map(({ turn }) => turn)),
    bigints(jobs.map((job) => stateOfBorn(job, nowMs))),
    doubles(jobs.map(({ dueMs }) => dueMs)),
    doubles(jobs.map(({ heldForMs }) => (heldForMs === null ? null : leaseNowMs + heldForMs))),
    texts(jobs.map(({ payload }) => payload)),
    texts(jobs.map(({ traceparent }) => traceparent)),
    texts(jobs.map(({ group }) => group ?? null)),
  ];
}
