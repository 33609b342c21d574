import type { Document } from "#domain/document.ts";
import { happened, NO_ORIGIN, noChanges, unchanged, write } from "#engine/change.ts";
import type { Engine } from "#engine/engine.ts";
import {
  ARCHIVE_CHANGED,
  ARCHIVE_COUNTS,
  ARCHIVE_REMOVED,
  ARCHIVE_TRASH,
  type ArchiveBody,
  type ArchiveCount,
  archivePrefix,
  ARCHIVES,
  BUSES,
} from "#rules/collections.ts";
import { bodyOf } from "#rules/buses.ts";
import type { Archive, ArchiveDesk, ArchiveWish, By, Done, Page, PageAsk, RuleFault } from "#rules/desk.ts";
import { changeOr, fault, Refusal } from "#rules/fault.ts";
import { ARCHIVES_MAX } from "#rules/limits.ts";
import { archiveNameFlaw, descriptionFlaw } from "#rules/names.ts";
import { pageOf } from "#rules/page.ts";
import { patternFault } from "#rules/pattern-fault.ts";

/** Archives as documents; the matcher copies into them, and `archive-keeping.ts` takes out what is too old. */
export class Archives implements ArchiveDesk {
  readonly #engine: Engine;
  readonly #ready: () => Promise<void>;

  constructor(engine: Engine, ready: () => Promise<void>) {
    this.#engine = engine;
    this.#ready = ready;
  }

  async create(wish: ArchiveWish & { readonly name: string; readonly bus: string }, by?: By): Promise<Done<Archive>> {
    const { name, bus } = wish;
    const says = archiveNameFlaw(name);
    if (says !== null) return fault("invalid", says);
    const refused = wishFault(wish);
    if (refused !== null) return refused;
    await this.#ready();
    return this.#change(name, by, async (before, nowMs) => {
      if (before !== null) return fault("exists", `Archive ${name} already exists.`);
      const { store, dice } = this.#engine.parts;
      const [document = null] = await store.documents([{ collection: BUSES, id: bus }]);
      if (bodyOf(bus, document) === null) return fault("unknown", `Event bus ${bus} does not exist.`);
      const others = await store.listDocuments({ collection: ARCHIVES, limit: ARCHIVES_MAX });
      if (others.length >= ARCHIVES_MAX) return fault("limit", TOO_MANY);
      const { description, pattern, retentionDays } = wish;
      return { name, generation: dice.hex(6), bus, description, pattern, retentionDays, createdMs: nowMs };
    });
  }

  async update(name: string, wish: Partial<ArchiveWish>, by?: By): Promise<Done<Archive>> {
    const refused = wishFault(wish);
    if (refused !== null) return refused;
    return this.#change(name, by, (before) => (before === null ? unknownArchive(name) : { ...before, ...wish }));
  }

  async describe(name: string): Promise<Done<Archive>> {
    const document = await this.#read(name);
    if (document === null) return unknownArchive(name);
    const [archive] = await this.#counted([archiveOf(document)]);
    return archive === undefined ? unknownArchive(name) : { kind: "done", value: archive };
  }

  async list(bus: string | null, { prefix, after, limit }: PageAsk): Promise<Page<Archive>> {
    const { store } = this.#engine.parts;
    // There are at most `ARCHIVES_MAX`.
    const query = { collection: ARCHIVES, prefix: prefix ?? "", after, limit: ARCHIVES_MAX };
    const bodies = (await store.listDocuments(query)).map(archiveOf).filter((one) => bus === null || one.bus === bus);
    const { items, next } = pageOf(bodies, limit, ({ name }) => name);
    return { items: await this.#counted(items), next };
  }

  async remove(name: string, by?: By): Promise<Done<null>> {
    return changeOr<null>(this.#engine, by, async () => {
      const document = await this.#read(name);
      if (document === null) return { kind: "elsewhere", value: new Refusal(unknownArchive(name)) };
      const nowMs = this.#engine.parts.clock.nowMs();
      const changes = noChanges();
      const key = { collection: ARCHIVES, id: name };
      const archive = archiveOf(document);
      const { generation } = archive;
      changes.expect.push(unchanged(key, document));
      changes.deletes.push(key);
      const body = JSON.stringify({ name, generation });
      changes.puts.push({ collection: ARCHIVE_TRASH, id: `${name}/${generation}`, body, when: "always", nowMs });
      const origin = by?.origin ?? NO_ORIGIN;
      changes.events.push(happened(ARCHIVE_REMOVED, `archive:${name}`, { name, generation }, { nowMs, origin }));
      return write(changes, null);
    });
  }

  async #change(
    name: string,
    by: By | undefined,
    next: (before: ArchiveBody | null, nowMs: number) => ArchiveBody | RuleFault | Promise<ArchiveBody | RuleFault>,
  ): Promise<Done<Archive>> {
    const done = await changeOr<ArchiveBody>(this.#engine, by, async () => {
      const document = await this.#read(name);
      const nowMs = this.#engine.parts.clock.nowMs();
      const after = await next(document === null ? null : archiveOf(document), nowMs);
      if ("kind" in after) return { kind: "elsewhere", value: new Refusal(after) };
      const changes = noChanges();
      const key = { collection: ARCHIVES, id: name };
      changes.expect.push(unchanged(key, document));
      changes.puts.push({ ...key, body: JSON.stringify(after), when: "always", nowMs });
      const origin = by?.origin ?? NO_ORIGIN;
      changes.events.push(happened(ARCHIVE_CHANGED, `archive:${name}`, after, { nowMs, origin }));
      return write(changes, after);
    });
    if (done.kind !== "done") return done;
    const [archive] = await this.#counted([done.value]);
    return archive === undefined ? unknownArchive(name) : { kind: "done", value: archive };
  }

  /** What went in less what went out. */
  async #counted(bodies: readonly ArchiveBody[]): Promise<readonly Archive[]> {
    const keys = bodies.flatMap((one) => countIds(one).map((id) => ({ collection: ARCHIVE_COUNTS, id })));
    const counts = (await this.#engine.parts.store.documents(keys)).map(countOf);
    return bodies.map(({ generation: _, ...archive }, index) => {
      const [into = NO_COUNT, out = NO_COUNT] = counts.slice(2 * index);
      return { ...archive, events: into.events - out.events, bytes: into.bytes - out.bytes };
    });
  }

  async #read(name: string): Promise<Document | null> {
    const [document = null] = await this.#engine.parts.store.documents([{ collection: ARCHIVES, id: name }]);
    return document;
  }
}

export function archiveOf(document: Document): ArchiveBody {
  // Only this file writes here.
  return JSON.parse(document.body) as ArchiveBody;
}

export function unknownArchive(name: string): RuleFault {
  return fault("unknown", `Archive ${name} does not exist.`);
}

/** Documents that count what went in, and what went out. */
export function countIds(archive: Pick<ArchiveBody, "name" | "generation">): readonly [string, string] {
  return [`${archivePrefix(archive)}in`, `${archivePrefix(archive)}out`];
}

export function countOf(document: Document | null): ArchiveCount {
  return document === null ? NO_COUNT : (JSON.parse(document.body) as ArchiveCount);
}

const NO_COUNT: ArchiveCount = { events: 0, bytes: 0 };
const TOO_MANY = `The requested resource exceeds the maximum number allowed: ${ARCHIVES_MAX} archives.`;

function wishFault({ description, pattern, retentionDays }: Partial<ArchiveWish>): RuleFault | null {
  const says = descriptionFlaw(description ?? null);
  if (says !== null) return fault("invalid", says);
  if (retentionDays !== undefined && !(Number.isInteger(retentionDays) && retentionDays >= 0)) {
    return fault("invalid", "Parameter RetentionDays is not valid. Reason: it is a whole number of days, 0 for ever.");
  }
  return pattern === undefined || pattern === null ? null : patternFault(pattern);
}
