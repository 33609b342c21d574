import { bareAddress, hasControls, mailAddressProblem } from "#directory/address.ts";
import {
  type Changed,
  change,
  type Decision,
  happened,
  NO_ORIGIN,
  noChanges,
  type Origin,
  refused,
  unchanged,
  write,
} from "#engine/change.ts";
import { type SuppressionBody, suppressionId, SUPPRESSIONS } from "#directory/collections.ts";
import { isChannel } from "#domain/content.ts";
import type { Document, DocumentPut } from "#domain/document.ts";
import type { NewEvent } from "#domain/event.ts";
import { ADDRESS_CHARS_MAX } from "#domain/limits.ts";
import type { Engine } from "#engine/engine.ts";

/** Addresses in one call: a page of a provider's own suppression list. */
export const SUPPRESSIONS_PER_CALL_MAX = 1_000;
/** What was said when it was refused; a server's answer, not a novel. */
const DETAIL_CHARS_MAX = 500;

/** An address and the channel on which it must not be used. */
export type Place = { readonly channel: string; readonly address: string };

export type Suppression = Place & SuppressionBody;

export type NewSuppression = Place & {
  readonly reason: SuppressionBody["reason"];
  readonly detail: string;
  readonly messageId: string | null;
};

/** Addresses that must not be written to, whoever they belong to and whatever list they are on. */
export class Suppressions {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Adds addresses. One that is suppressed already keeps its first reason. Answers how many were new. */
  async add(entries: readonly NewSuppression[], origin: Origin = NO_ORIGIN): Promise<Changed<number>> {
    const fault = placesProblem(entries);
    if (fault !== null) return refused("request.invalid", fault);
    const byId = new Map(entries.map((entry) => [suppressionId(entry.channel, entry.address), entry]));
    return this.#change(byId.keys(), origin, (id, document, changes, nowMs) => {
      const entry = byId.get(id);
      if (document !== null || entry === undefined) return false;
      changes.expect.push(unchanged({ collection: SUPPRESSIONS, id }, null));
      const { put, event } = suppressionEffects(entry, nowMs, origin.traceparent);
      changes.puts.push(put);
      changes.events.push(event);
      return true;
    });
  }

  /** Allows addresses again, whatever the reason was. Answers how many had been suppressed. */
  async remove(places: readonly Place[], origin: Origin = NO_ORIGIN): Promise<Changed<number>> {
    const fault = placesProblem(places);
    if (fault !== null) return refused("request.invalid", fault);
    const ids = new Set(places.map(({ channel, address }) => suppressionId(channel, address)));
    return this.#change(ids, origin, (_id, document, changes, nowMs) => {
      if (document === null) return false;
      liftSuppression(changes, document, nowMs, origin);
      return true;
    });
  }

  /** `found[i]` belongs to `places[i]`; null: may be written to. */
  async check(places: readonly Place[]): Promise<readonly (Suppression | null)[]> {
    const documents = await this.#engine.parts.store.documents(
      places.map(({ channel, address }) => ({ collection: SUPPRESSIONS, id: suppressionId(channel, address) })),
    );
    return documents.map((document) => (document === null ? null : toSuppression(document)));
  }

  /** By channel and address, strictly behind `after`. */
  async list(ask: { readonly channel: string | null; readonly after: string | null; readonly limit: number }): Promise<{
    readonly suppressions: readonly Suppression[];
    readonly next: string | null;
  }> {
    const { channel, after, limit } = ask;
    const prefix = channel === null ? "" : `${channel}:`;
    const found = await this.#engine.parts.store.listDocuments({
      collection: SUPPRESSIONS,
      prefix,
      after,
      limit: limit + 1,
    });
    const page = found.slice(0, limit);
    return { suppressions: page.map(toSuppression), next: found.length > limit ? (page.at(-1)?.id ?? null) : null };
  }

  #change(
    ids: Iterable<string>,
    origin: Origin,
    step: (id: string, document: Document | null, changes: ReturnType<typeof noChanges>, nowMs: number) => boolean,
  ): Promise<Changed<number>> {
    const { store, clock } = this.#engine.parts;
    const keys = [...ids].map((id) => ({ collection: SUPPRESSIONS, id }));
    return change(
      this.#engine,
      async (): Promise<Decision<number>> => {
        const documents = await store.documents(keys);
        const changes = noChanges();
        const nowMs = clock.nowMs();
        const changed = keys.filter(({ id }, at) => step(id, documents[at] ?? null, changes, nowMs));
        return write(changes, changed.length);
      },
      origin,
    );
  }
}

/** What suppresses an address, for whoever commits it together with something else. An older reason stays. */
export function suppressionEffects(
  { channel, address, reason, detail, messageId }: NewSuppression,
  nowMs: number,
  traceparent: string | null,
): { readonly put: DocumentPut; readonly event: NewEvent } {
  const id = suppressionId(channel, address);
  const said = detail.slice(0, DETAIL_CHARS_MAX);
  const body = { reason, detail: said, sinceMs: nowMs, messageId } satisfies SuppressionBody;
  const origin = { once: null, traceparent };
  return {
    put: { collection: SUPPRESSIONS, id, body: JSON.stringify(body), when: "absent", nowMs },
    event: happened("suppression.added", id, { channel, reason, detail: said, messageId }, { nowMs, origin }),
  };
}

export function liftSuppression(
  changes: ReturnType<typeof noChanges>,
  document: Document,
  nowMs: number,
  origin: Origin,
): void {
  const key = { collection: SUPPRESSIONS, id: document.id };
  const { channel, reason } = toSuppression(document);
  changes.expect.push(unchanged(key, document));
  changes.deletes.push(key);
  changes.events.push(happened("suppression.removed", document.id, { channel, reason }, { nowMs, origin }));
}

export function toSuppression({ id, body }: Document): Suppression {
  const colon = id.indexOf(":");
  // Only `suppressionEffects` writes this collection.
  return { channel: id.slice(0, colon), address: id.slice(colon + 1), ...(JSON.parse(body) as SuppressionBody) };
}

function placesProblem(places: readonly Place[]): string | null {
  if (places.length > SUPPRESSIONS_PER_CALL_MAX) return `One call has at most ${SUPPRESSIONS_PER_CALL_MAX} addresses.`;
  for (const { channel, address } of places) {
    if (!isChannel(channel)) return `There is no channel '${channel.slice(0, 40)}'.`;
    const fault = channel === "email" ? mailAddressProblem(address) : addressProblem(address);
    if (fault !== null) return `An address ${fault}.`;
  }
  return null;
}

function addressProblem(address: string): string | null {
  if (hasControls(address) || !address.isWellFormed()) return "has no control characters";
  const { length } = bareAddress(address);
  return length > 0 && length <= ADDRESS_CHARS_MAX ? null : `has 1 to ${ADDRESS_CHARS_MAX} characters`;
}
