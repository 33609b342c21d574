import { compareCodePoints } from "#drivers/memory/code-points.ts";
import { type NewEvent, OWN_SOURCE, type Position, type RecordedEvent } from "#domain/event.ts";
import { partitionOf } from "#domain/partition.ts";
import type { Checkpoint, JournalAsk, JournalBounds, JournalPage } from "#ports/store.ts";

/** What an event counts beside its text in the estimate of the journal's size. */
const EVENT_BYTES_OVERHEAD = 90;

export class MemoryJournal {
  #events: RecordedEvent[] = [];
  #last: Position = 0;
  readonly #bySubject = new Map<string, RecordedEvent[]>();
  readonly #foreign = new Set<string>();
  readonly #checkpoints = new Map<string, Checkpoint>();

  append({ type, subject, timeMs, data, traceparent, key, source, id, attributes }: NewEvent): void {
    const from = source ?? OWN_SOURCE;
    if (id !== null && id !== undefined) {
      const name = foreignName(from, id);
      if (this.#foreign.has(name)) return;
      this.#foreign.add(name);
    }
    const position = ++this.#last;
    const event: RecordedEvent = {
      position,
      id: id ?? `evt_${position}`,
      source: from,
      type,
      subject,
      timeMs,
      data,
      traceparent,
      key: key ?? subject,
      attributes: attributes ?? null,
    };
    this.#events.push(event);
    const history = this.#bySubject.get(subject);
    if (history === undefined) this.#bySubject.set(subject, [event]);
    else history.push(event);
  }

  page({ after, limit, partition, foreignAnd }: JournalAsk): JournalPage {
    const { index, of } = partition ?? { index: 0, of: 1 };
    const events: RecordedEvent[] = [];
    for (let at = this.#indexBehind(after); at < this.#events.length && events.length < limit; at += 1) {
      const event = this.#events[at];
      if (event === undefined || partitionOf(event.key, of) !== index) continue;
      if (foreignAnd !== undefined && event.source === OWN_SOURCE && !foreignAnd.includes(event.type)) continue;
      events.push(event);
    }
    const last = events.at(-1);
    return { events, upTo: last !== undefined && events.length >= limit ? last.position : Math.max(after, this.#last) };
  }

  of(subject: string, limit: number): readonly RecordedEvent[] {
    return (this.#bySubject.get(subject) ?? []).filter(({ source }) => source === OWN_SOURCE).slice(0, limit);
  }

  bounds(): JournalBounds {
    let bytes = 0;
    for (const event of this.#events) {
      bytes += 2 * event.subject.length + event.type.length + event.data.length + EVENT_BYTES_OVERHEAD;
    }
    return { first: this.#events[0]?.position ?? 0, last: this.#last, events: this.#events.length, bytes };
  }

  behind(position: Position, atMost: number): number {
    return Math.min(this.#events.length - this.#indexBehind(position), atMost);
  }

  trim(upTo: Position, olderThanMs: number, limit: number): number {
    const trimmed = new Set<RecordedEvent>();
    for (const event of this.#events) {
      if (event.position > upTo || trimmed.size >= limit) break;
      if (event.timeMs < olderThanMs) trimmed.add(event);
    }
    this.#events = this.#events.filter((event) => !trimmed.has(event));
    for (const event of trimmed) {
      this.#foreign.delete(foreignName(event.source, event.id));
      const left = (this.#bySubject.get(event.subject) ?? []).filter((other) => other !== event);
      if (left.length > 0) this.#bySubject.set(event.subject, left);
      else this.#bySubject.delete(event.subject);
    }
    return trimmed.size;
  }

  putCheckpoint(checkpoint: Checkpoint): void {
    this.#checkpoints.set(`${checkpoint.partition}/${checkpoint.consumer}`, checkpoint);
  }

  checkpoints(consumer: string | null): Checkpoint[] {
    return [...this.#checkpoints.values()]
      .filter((checkpoint) => consumer === null || checkpoint.consumer === consumer)
      .sort((a, b) => compareCodePoints(a.consumer, b.consumer) || a.partition - b.partition);
  }

  /** Index of the first event behind a position: positions rise, so by halves. */
  #indexBehind(after: Position): number {
    let [low, high] = [0, this.#events.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#events[middle]?.position ?? 0) > after) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

function foreignName(source: string, id: string): string {
  return JSON.stringify([source, id]);
}
