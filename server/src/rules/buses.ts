import { DEFAULT_BUS, OWN_BUS } from "#domain/arn.ts";
import type { Document, DocumentPut } from "#domain/document.ts";
import { happened, NO_ORIGIN, noChanges, unchanged, write } from "#engine/change.ts";
import type { Engine } from "#engine/engine.ts";
import { BUSES, type BusBody, isGivenBus, rulePrefix, RULES } from "#rules/collections.ts";
import type { Bus, BusDesk, By, Done, Page, PageAsk, Tags } from "#rules/desk.ts";
import { changeOr, denied, fault } from "#rules/fault.ts";
import { BUSES_MAX } from "#rules/limits.ts";
import { busNameFlaw, descriptionFlaw, tagsFlaw } from "#rules/names.ts";
import { pageOf } from "#rules/page.ts";

export class Buses implements BusDesk {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  async create(
    { name, description, tags }: { readonly name: string; readonly description: string | null; readonly tags: Tags },
    by?: By,
  ): Promise<Done<Bus>> {
    const says = busNameFlaw(name) ?? descriptionFlaw(description) ?? tagsFlaw(tags);
    if (says !== null) return fault("invalid", says);
    return changeOr<Bus>(this.#engine, by, async () => {
      const { store, clock } = this.#engine.parts;
      const document = await this.read(name);
      if (document !== null || isGivenBus(name)) return denied("exists", `Event bus ${name} already exists.`);
      const others = await store.listDocuments({ collection: BUSES, limit: BUSES_MAX });
      if (others.length >= BUSES_MAX) return denied("limit", TOO_MANY);
      const nowMs = clock.nowMs();
      const body: BusBody = { description, tags, createdMs: nowMs, modifiedMs: nowMs, isClosing: false };
      const changes = noChanges();
      changes.expect.push(unchanged({ collection: BUSES, id: name }, null));
      changes.puts.push(busPut(name, body, nowMs));
      const origin = by?.origin ?? NO_ORIGIN;
      changes.events.push(happened("bus.created", `bus:${name}`, { name, description, tags }, { nowMs, origin }));
      return write(changes, busOf(name, body));
    });
  }

  async describe(name: string): Promise<Done<Bus>> {
    const body = bodyOf(name, await this.read(name));
    return body === null ? unknownBus(name) : { kind: "done", value: busOf(name, body) };
  }

  async list(ask: PageAsk): Promise<Page<Bus>> {
    const { store } = this.#engine.parts;
    const documents = await store.listDocuments({
      collection: BUSES,
      prefix: ask.prefix ?? "",
      after: ask.after,
      limit: ask.limit + 1,
    });
    const bodies = new Map(documents.map((document): [string, Bus] => [document.id, read(document)]));
    for (const name of [DEFAULT_BUS, OWN_BUS]) {
      const isAsked = name.startsWith(ask.prefix ?? "") && (ask.after === null || name > ask.after);
      if (isAsked && !bodies.has(name)) bodies.set(name, busOf(name, NOTHING_KNOWN));
    }
    // Names are ASCII, so this is the order of the store.
    const buses = [...bodies.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
    return pageOf(buses, ask.limit, ({ name }) => name);
  }

  /**
   * In two steps: closing it makes every rule stale that is being put on it now, so that those that are there then can be
   * counted on. A rule that is put between the steps opens it again, and makes the second one stale.
   */
  async remove(name: string, by?: By): Promise<Done<null>> {
    if (isGivenBus(name)) return fault("invalid", `Cannot delete event bus ${name}.`);
    const { store, clock } = this.#engine.parts;
    const key = { collection: BUSES, id: name };
    const closed = await changeOr<null>(this.#engine, undefined, async () => {
      const document = await this.read(name);
      const body = bodyOf(name, document);
      if (body === null) return denied("unknown", `Event bus ${name} does not exist.`);
      const changes = noChanges();
      changes.expect.push(unchanged(key, document));
      changes.puts.push(busPut(name, { ...body, isClosing: true }, clock.nowMs()));
      return write(changes, null);
    });
    if (closed.kind !== "done") return closed;
    return changeOr<null>(this.#engine, by, async () => {
      const document = await this.read(name);
      const body = bodyOf(name, document);
      if (body === null) return denied("unknown", `Event bus ${name} does not exist.`);
      const rules = await store.listDocuments({ collection: RULES, prefix: rulePrefix(name), limit: 1 });
      if (rules.length > 0 || !body.isClosing) {
        return denied("invalid", `Cannot delete event bus ${name} since it has rules.`);
      }
      const nowMs = clock.nowMs();
      const changes = noChanges();
      changes.expect.push(unchanged(key, document));
      changes.deletes.push(key);
      const origin = by?.origin ?? NO_ORIGIN;
      changes.events.push(happened("bus.deleted", `bus:${name}`, { name }, { nowMs, origin }));
      return write(changes, null);
    });
  }

  /** Replaces the tags. */
  async tag(name: string, next: (tags: Tags) => Tags, by?: By): Promise<Done<null>> {
    return changeOr<null>(this.#engine, by, async () => {
      const document = await this.read(name);
      const body = bodyOf(name, document);
      if (body === null) return denied("unknown", `Event bus ${name} does not exist.`);
      const tags = next(body.tags);
      const says = tagsFlaw(tags);
      if (says !== null) return denied("invalid", says);
      const nowMs = this.#engine.parts.clock.nowMs();
      const changes = noChanges();
      changes.expect.push(unchanged({ collection: BUSES, id: name }, document));
      changes.puts.push(busPut(name, { ...body, tags, modifiedMs: nowMs }, nowMs));
      return write(changes, null);
    });
  }

  async read(name: string): Promise<Document | null> {
    const [document = null] = await this.#engine.parts.store.documents([{ collection: BUSES, id: name }]);
    return document;
  }
}

/** What is known of a bus; null when there is none. */
export function bodyOf(name: string, document: Document | null): BusBody | null {
  if (document === null) return isGivenBus(name) ? NOTHING_KNOWN : null;
  // Only this file and the rule book write here.
  return JSON.parse(document.body) as BusBody;
}

export function busPut(name: string, body: BusBody, nowMs: number): DocumentPut {
  return { collection: BUSES, id: name, body: JSON.stringify(body), when: "always", nowMs };
}

export function unknownBus(name: string) {
  return fault("unknown", `Event bus ${name} does not exist.`);
}

const NOTHING_KNOWN: BusBody = { description: null, tags: {}, createdMs: 0, modifiedMs: 0, isClosing: false };
const TOO_MANY = `The requested resource exceeds the maximum number allowed: ${BUSES_MAX} event buses.`;

function read(document: Document): Bus {
  return busOf(document.id, JSON.parse(document.body) as BusBody);
}

function busOf(name: string, { description, tags, createdMs, modifiedMs }: BusBody): Bus {
  return { name, description, tags, createdMs, modifiedMs };
}
