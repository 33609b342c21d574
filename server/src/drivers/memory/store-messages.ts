import type { MessageId, RequestId } from "#domain/ids.ts";
import {
  type MessagePatch,
  type MessageRecord,
  type MessageStatus,
  type NewMessage,
  supersedes,
} from "#domain/message.ts";
import type { MessageFilter, MessagePage } from "#ports/store.ts";

export class MemoryMessages {
  readonly #byId = new Map<MessageId, Kept>();
  #seq = 0;

  insert(message: NewMessage): boolean {
    if (this.#byId.has(message.id)) return false;
    this.#byId.set(message.id, { seq: ++this.#seq, record: { ...message, ...UNTOLD } });
    return true;
  }

  patch({ id, status, reason, error, ...rest }: MessagePatch): void {
    const kept = this.#byId.get(id);
    if (kept === undefined) return;
    const applies = status === undefined || supersedes(status, kept.record.status);
    const outcome = applies
      ? {
          ...(status === undefined ? {} : { status }),
          ...(reason === undefined ? {} : { reason }),
          ...(error === undefined ? {} : { error }),
        }
      : {};
    kept.record = { ...kept.record, ...outcome, ...rest };
  }

  archive(request: RequestId, atMs: number): void {
    for (const kept of this.#byId.values()) {
      if (kept.record.requestId === request)
        kept.record = { ...kept.record, archivedMs: kept.record.archivedMs ?? atMs };
    }
  }

  /** Deletes up to `limit` messages of a request; tells how many, and whether it has more. */
  drop(request: RequestId, limit: number): { dropped: number; hasMore: boolean } {
    const of = [...this.#byId.values()].filter(({ record }) => record.requestId === request);
    for (const { record } of of.slice(0, limit)) this.#byId.delete(record.id);
    return { dropped: Math.min(of.length, limit), hasMore: of.length > limit };
  }

  get(id: MessageId): MessageRecord | null {
    return this.#byId.get(id)?.record ?? null;
  }

  list(filter: MessageFilter, { after, limit }: { after: string | null; limit: number }): MessagePage {
    const start = after === null ? NEWEST : readPlace(after);
    if (start === null || limit < 1) return { messages: [], next: null };
    const found = [...this.#byId.values()]
      .filter(({ record, seq }) => isOlder({ enqueuedMs: record.enqueuedMs, seq }, start) && matches(record, filter))
      .sort((a, b) => b.record.enqueuedMs - a.record.enqueuedMs || b.seq - a.seq);
    const page = found.slice(0, limit);
    const last = page.at(-1);
    const next = found.length > limit && last !== undefined ? `${last.record.enqueuedMs}.${last.seq}` : null;
    return { messages: page.map(({ record }) => record), next };
  }

  countOutcomes(request: RequestId): Partial<Record<MessageStatus, number>> {
    const counts: Partial<Record<MessageStatus, number>> = {};
    for (const { record } of this.#byId.values()) {
      if (record.requestId === request) counts[record.status] = (counts[record.status] ?? 0) + 1;
    }
    return counts;
  }
}

type Kept = { readonly seq: number; record: MessageRecord };

const UNTOLD = {
  reason: null,
  error: null,
  channel: null,
  provider: null,
  sentMs: null,
  deliveredMs: null,
  openedMs: null,
  clickedMs: null,
  canceledMs: null,
  archivedMs: null,
} as const;

type Place = { readonly enqueuedMs: number; readonly seq: number };
const NEWEST: Place = { enqueuedMs: Number.POSITIVE_INFINITY, seq: 0 };

function readPlace(text: string): Place | null {
  const match = /^(-?\d{1,16})\.(\d{1,16})$/.exec(text);
  return match === null ? null : { enqueuedMs: Number(match[1]), seq: Number(match[2]) };
}

function isOlder(a: Place, b: Place): boolean {
  return a.enqueuedMs < b.enqueuedMs || (a.enqueuedMs === b.enqueuedMs && a.seq < b.seq);
}

function matches(message: MessageRecord, filter: MessageFilter): boolean {
  const is = (value: string | null, wanted: string | undefined): boolean => wanted === undefined || value === wanted;
  const isIn = (value: string | null, wanted: readonly string[] | undefined): boolean =>
    wanted === undefined || (value !== null && wanted.includes(value));
  return (
    (filter.archived === true || message.archivedMs === null) &&
    (filter.enqueuedAfterMs === undefined || message.enqueuedMs >= filter.enqueuedAfterMs) &&
    is(message.event, filter.event) &&
    is(message.listId, filter.list) &&
    is(message.id, filter.messageId) &&
    is(message.notification, filter.notification) &&
    is(message.recipient, filter.recipient) &&
    isIn(message.provider, filter.providers) &&
    isIn(message.status, filter.statuses) &&
    (filter.tags === undefined || filter.tags.some((tag) => message.tags.includes(tag))) &&
    (filter.traceId === undefined || message.traceId === filter.traceId || message.requestId === filter.traceId)
  );
}
