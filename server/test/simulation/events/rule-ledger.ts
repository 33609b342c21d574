import { DEFAULT_BUS, OWN_BUS, parseArn } from "#domain/arn.ts";
import { type EventAttributes, OWN_SOURCE, type RecordedEvent } from "#domain/event.ts";
import type { MemoryStore } from "#drivers/memory/store.ts";
import {
  ARCHIVE_CHANGED,
  ARCHIVE_REMOVED,
  type ArchiveBody,
  ARCHIVED,
  type ArchivedEvent,
  archivePrefix,
  RULE_CHANGED,
  RULE_REMOVED,
} from "#rules/collections.ts";
import type { JournalBounds } from "#ports/store.ts";
import { RULES_CONSUMER } from "#rules/live.ts";
import type { Rule } from "#rules/rule.ts";
import { TARGET_QUEUE } from "#rules/target-job.ts";
import type { TargetCall } from "#rules/target-kind.ts";
import { type Label, labelIn, labelOf } from "./label.ts";
import type { Promises } from "./promises.ts";

const EVERYTHING = Number.MAX_SAFE_INTEGER;

/** What a target must be told. */
type Due = {
  readonly arn: string;
  readonly position: number;
  /** An event that is raised again after the journal has forgotten it is another one. */
  times: number;
};

/** How a delivery ended, as the outside saw it. */
type Told = {
  /** Messages in the queue that it is for. */
  queued: number;
  /** Ids under which a person was written to. */
  readonly sentAs: Set<string>;
  /** Calls of an endpoint that it took. */
  posted: number;
  /** Dead letters: in the target's queue, or kept in the store. */
  dead: number;
};

/**
 * What targets must have been told, as the journal alone says: every event by the rules that were put before it and
 * neither changed nor taken away since. It matches patterns by itself, slowly and simply.
 */
export class RuleLedger {
  readonly #promises: Promises;
  readonly #rules = new Map<string, Rule>();
  readonly #archives = new Map<string, ArchiveBody>();
  readonly #due = new Map<Label, Due>();
  readonly #told = new Map<Label, Told>();
  /** Ids of events that must be in an archive, by `archivePrefix`. */
  readonly #archived = new Map<string, Set<string>>();
  readonly #gone = new Set<string>();
  /** Ids that came again by a replay, by its name. */
  readonly #replayed = new Map<string, Set<string>>();
  readonly #cameAs = new Set<string>();
  readonly #replays = new Map<string, { readonly archive: string; readonly there: ReadonlySet<string> }>();
  /** Place in the journal and own time, by id; every producer of the simulation gives ids that no other one gives. */
  readonly #kept = new Map<string, Pick<RecordedEvent, "position" | "timeMs">>();
  /** The journal has forgotten what is before this place. */
  #oldest = 0;
  #olderThanMs = 0;
  /** How much was told, by kind. */
  readonly counts = { events: 0, queued: 0, sent: 0, posted: 0, dead: 0, archived: 0, replayed: 0 };
  /** What a call of an endpoint that was taken already is excused by. */
  readonly excused = new Set<Label>();

  constructor(promises: Promises) {
    this.#promises = promises;
  }

  /** The journal may have forgotten something; of what says that it is older than that, also what came last. */
  trimmed({ first, last }: Pick<JournalBounds, "first" | "last">, olderThanMs: number): void {
    this.#olderThanMs = Math.max(this.#olderThanMs, olderThanMs);
    this.#oldest = Math.max(this.#oldest, first === 0 ? last + 1 : first);
  }

  /** The next event of the journal. */
  hears(event: RecordedEvent): void {
    if (event.source === OWN_SOURCE) this.#change(event);
    else this.#foreign(event);
    const attributes = attributesOf(event);
    this.#replay(event, attributes);
    const bus = event.source === OWN_SOURCE ? OWN_BUS : (attributes.bus ?? DEFAULT_BUS);
    const id = attributes.showId ?? event.id;
    const buses = [bus];
    for (const [place, seenOn] of buses.entries()) {
      for (const archive of this.#archives.values())
        if (archive.bus === seenOn && attributes.replay === undefined && fits(archive.pattern, event)) {
          const prefix = archivePrefix(archive);
          this.#archived.set(prefix, (this.#archived.get(prefix) ?? new Set()).add(id));
          this.counts.archived += 1;
        }
      for (const rule of this.#rules.values()) {
        if (rule.bus !== seenOn || rule.state !== "ENABLED" || rule.pattern === null) continue;
        if (place === 0 && attributes.replayTo?.includes(rule.name) === false) continue;
        if (!fits(rule.pattern, event)) continue;
        for (const target of rule.targets) {
          const arn = parseArn(target.arn);
          if (arn?.kind === "bus") {
            if (!buses.includes(arn.name)) buses.push(arn.name);
            continue;
          }
          const label = labelOf(`${rule.bus}/${rule.name}`, target.id, id, attributes.replay ?? "");
          const before = this.#due.get(label)?.times ?? 0;
          this.#due.set(label, { arn: target.arn, position: event.position, times: before + 1 });
        }
      }
    }
  }

  #foreign({ id, position, timeMs }: RecordedEvent): void {
    const before = this.#kept.get(id);
    this.#promises.holds(
      before === undefined || before.position < this.#oldest || before.timeMs < this.#olderThanMs,
      () => `the event ${id} is in the journal twice, at ${before?.position} and ${position}`,
    );
    this.#kept.set(id, { position, timeMs });
    this.counts.events += 1;
  }

  #change({ type, data }: RecordedEvent): void {
    // Only the rule book and the archives write these.
    if (type === RULE_CHANGED || type === RULE_REMOVED) {
      const rule = JSON.parse(data) as Rule;
      if (type === RULE_CHANGED) this.#rules.set(`${rule.bus}/${rule.name}`, rule);
      else this.#rules.delete(`${rule.bus}/${rule.name}`);
    }
    if (type !== ARCHIVE_CHANGED && type !== ARCHIVE_REMOVED) return;
    const archive = JSON.parse(data) as ArchiveBody;
    const before = this.#archives.get(archive.name);
    if (type === ARCHIVE_CHANGED) this.#archives.set(archive.name, archive);
    else if (before !== undefined) {
      this.#archives.delete(archive.name);
      this.#gone.add(archivePrefix(before));
    }
  }

  #replay({ source, id }: RecordedEvent, { replay, showId }: EventAttributes): void {
    if (source === OWN_SOURCE || replay === undefined || showId === undefined) return;
    const { holds } = this.#promises;
    const seen = this.#replayed.get(replay) ?? new Set();
    // Its id says which of the archive's events it is.
    holds(!this.#cameAs.has(id), `${showId} came twice by the replay ${replay}`);
    this.#cameAs.add(id);
    this.#replayed.set(replay, seen.add(showId));
    const from = this.#replays.get(replay)?.archive;
    const wasKept = from !== undefined && this.#archived.get(from)?.has(showId) === true;
    holds(wasKept, () => `${showId} came by the replay ${replay}, and was never in the archive ${from}`);
    this.counts.replayed += 1;
  }

  /** A producer was told that it is durable. */
  accepted(id: string): void {
    this.#promises.holds(this.#kept.has(id), () => `the event ${id} was accepted and is not in the journal`);
  }

  /** Nothing may be kept of it. */
  refused(id: string): void {
    this.#promises.holds(!this.#kept.has(id), () => `the event ${id} was refused and is in the journal`);
  }

  /** Somebody is about to start a replay; `there`: ids of what the archive holds already. */
  replays(name: string, archive: ArchiveBody, there: ReadonlySet<string>): void {
    this.#replays.set(name, { archive: archivePrefix(archive), there });
  }

  /** It says that it is complete. */
  replayIsComplete(name: string): void {
    const { there = new Set<string>(), archive } = this.#replays.get(name) ?? {};
    if (archive !== undefined && this.#gone.has(archive)) return;
    const seen = this.#replayed.get(name);
    for (const id of there)
      this.#promises.holds(seen?.has(id) === true, () => `the replay ${name} is complete, and ${id} did not come`);
  }

  archive(name: string): ArchiveBody | null {
    return this.#archives.get(name) ?? null;
  }

  /* What the outside saw. */

  queued(label: Label): void {
    this.#of(label).queued += 1;
    this.counts.queued += 1;
  }

  sent(label: Label, messageId: string): void {
    this.#of(label).sentAs.add(messageId);
    this.counts.sent += 1;
  }

  /** An endpoint is called. */
  posting(label: Label): void {
    const { posted } = this.#of(label);
    const times = this.#due.get(label)?.times ?? 1;
    this.#promises.holds(posted < times || this.excused.has(label), () => `${label} was taken, and is posted again`);
  }

  /** It has taken it. */
  posted(label: Label): void {
    this.#of(label).posted += 1;
    this.counts.posted += 1;
  }

  dead(label: Label): void {
    this.#of(label).dead += 1;
    this.counts.dead += 1;
  }

  #of(label: Label): Told {
    let told = this.#told.get(label);
    if (told === undefined) this.#told.set(label, (told = { queued: 0, sentAs: new Set(), posted: 0, dead: 0 }));
    return told;
  }

  /** Nothing was told that the journal does not say. @param upTo the journal is known up to here. */
  noneBeyond(): void {
    for (const label of this.#told.keys())
      this.#promises.holds(this.#due.has(label), () => `${label} was told, and no rule at its place says so`);
  }

  /** At rest: everything was told. */
  async audit(store: MemoryStore): Promise<void> {
    const { holds } = this.#promises;
    for (const { payload } of await store.deadJobs({ queue: TARGET_QUEUE, after: null, limit: EVERYTHING })) {
      // Only the matcher writes these.
      const label = labelIn((JSON.parse(payload) as TargetCall).input);
      if (label !== null) this.dead(label);
    }
    const letters = await store.deadJobs({ queue: `consumer:${RULES_CONSUMER}`, after: null, limit: 1 });
    holds(letters.length === 0, () => `the matcher has given up ${letters[0]?.key}: ${letters[0]?.error}`);
    this.noneBeyond();
    for (const [label, due] of this.#due) this.#balance(label, due);
    await this.#archivesHold(store);
  }

  #balance(label: Label, { arn, position, times: due }: Due): void {
    const { holds } = this.#promises;
    const { queued = 0, sentAs, posted = 0, dead = 0 } = this.#told.get(label) ?? {};
    const kind = parseArn(arn)?.kind;
    // An endpoint is called once with what is the same to it.
    const isWebhook = kind === "webhook";
    const times = isWebhook ? due : queued + (sentAs?.size ?? 0) + dead;
    if (isWebhook) this.#postedOnce(label, arn, posted + dead);
    holds(times >= due, () => `${label} (${position}) was told ${arn} ${times} times of ${due}`);
    // A FIFO queue forgets ids after five minutes; the other ledger looks at those.
    const isFifo = arn.endsWith(".fifo");
    holds(
      times <= due || (isFifo && dead === 0),
      () => `${label} (${position}) was told ${arn} ${times} times, not ${due}`,
    );
    const fits = dead > 0 || isWebhook || (kind === "queue" && queued > 0) || (kind === "send" && sentAs !== undefined);
    holds(fits, () => `${label} was told somebody else than ${arn}`);
  }

  /** What comes again by a replay while it is still on its way is the same delivery, with the same `webhook-id`. */
  #postedOnce(label: Label, arn: string, times: number): void {
    const told = times > 0 ? label : sameTo(label, this.#told);
    this.#promises.holds(told !== null, () => `${label} was never told ${arn}`);
  }

  async #archivesHold(store: MemoryStore): Promise<void> {
    for (const [prefix, ids] of this.#archived) {
      if (this.#gone.has(prefix)) continue;
      const found = await archivedIds(store, prefix);
      for (const id of ids) this.#promises.holds(found.has(id), () => `${id} is not in the archive ${prefix}`);
      this.#promises.holds(found.size === ids.size, () => `${prefix} holds ${found.size} events, not ${ids.size}`);
    }
  }
}

/** Ids of the events that lie in an archive now. */
export async function archivedIds(store: MemoryStore, prefix: string): Promise<ReadonlySet<string>> {
  const found = await store.listDocuments({ collection: ARCHIVED, prefix, limit: EVERYTHING });
  // Only the matcher writes there.
  return new Set(found.map(({ body }) => (JSON.parse(body) as ArchivedEvent).id));
}

/** Another delivery of the same event by the same rule that was told; null: none was. */
function sameTo(label: Label, told: ReadonlyMap<Label, Told>): Label | null {
  const same = label.slice(0, label.lastIndexOf("|") + 1);
  for (const [one, { posted, dead }] of told) if (posted + dead > 0 && one.startsWith(same)) return one;
  return null;
}

/** Patterns of the simulation: kinds by name, numbers above one, sources by how they begin, types. */
type Pattern = {
  readonly "source"?: readonly { readonly prefix: string }[];
  readonly "detail-type"?: readonly string[];
  readonly "detail"?: {
    readonly kind?: readonly string[];
    readonly n?: readonly { readonly numeric: readonly [">", number] }[];
  };
};

function fits(text: string | null, event: RecordedEvent): boolean {
  if (text === null) return true;
  const pattern = JSON.parse(text) as Pattern;
  const detail = JSON.parse(event.data) as { readonly kind?: string; readonly n?: number };
  const { source, detail: wanted } = pattern;
  if (source !== undefined && !source.some(({ prefix }) => event.source.startsWith(prefix))) return false;
  if (pattern["detail-type"]?.includes(event.type) === false) return false;
  if (wanted?.kind !== undefined && (detail.kind === undefined || !wanted.kind.includes(detail.kind))) return false;
  const { n } = detail;
  return wanted?.n === undefined || (n !== undefined && wanted.n.some(({ numeric }) => n > numeric[1]));
}

function attributesOf({ attributes }: RecordedEvent): EventAttributes {
  // Only the event desk and replays write them.
  return attributes === null ? {} : (JSON.parse(attributes) as EventAttributes);
}
