import type { NewEvent } from "#domain/event.ts";
import type { JobEnd, Lane } from "#domain/job.ts";
import type { MessageId, RequestId } from "#domain/ids.ts";
import type { MessagePatch, MessageStatus, NewMessage } from "#domain/message.ts";
import type { EnqueuedJob, MessageBirth, StoredRequest, Unit } from "#ports/store.ts";

/**
 * Units on their way to the thread that commits them: one flat array of texts and numbers, which is cloned without being
 * looked at. JSON would escape every body and every event's data once more, and build dictionaries at the other end
 * (measured: a tenth of what an accept costs). What most sends do not have goes as JSON, all of it together.
 */
export type Packed = (string | number | null)[];

export function packUnits(units: readonly Unit[]): Packed {
  const out: Packed = [];
  for (const unit of units) packUnit(unit, out);
  return out;
}

/** The same units again. @param packed written by `packUnits`, of the same program */
export function unpackUnits(packed: Packed): Unit[] {
  const units: Unit[] = [];
  const reader = new Reader(packed);
  while (!reader.atEnd) units.push(reader.unit());
  return units;
}

const NONE: readonly never[] = [];

function packUnit(unit: Unit, out: Packed): void {
  const { job, requests = NONE, messages = NONE, patches = NONE, events = NONE, ...rest } = unit;
  let rare: Record<string, unknown> | null = null;
  for (const [name, value] of Object.entries(rest)) {
    if (value === undefined || (Array.isArray(value) && value.length === 0)) continue;
    (rare ??= {})[name] = value;
  }
  out.push(rare === null ? null : JSON.stringify(rare));
  if (job === undefined) out.push(null);
  else out.push(job.ref.key, job.ref.fence, job.end.kind === "done" ? null : JSON.stringify(job.end));
  out.push(requests.length);
  for (const { id, body, acceptedMs, lane, traceparent, archivedMs } of requests) {
    out.push(id, body, acceptedMs, lane, traceparent, archivedMs);
  }
  out.push(messages.length);
  for (const birth of messages) packBirth(birth, out);
  out.push(patches.length === 0 ? null : JSON.stringify(patches));
  packEvents(events, out);
}

function packBirth({ message, job, events }: MessageBirth, out: Packed): void {
  const { id, requestId, toIndex, recipient, userId, listId, event, notification, traceId, tags } = message;
  out.push(id, requestId, toIndex, recipient, userId, listId, event, notification, traceId);
  out.push(tags.length === 0 ? null : JSON.stringify(tags), message.status, message.enqueuedMs);
  if (job === null) out.push(null);
  else {
    const { key, queue, lane, turn, dueMs, payload, traceparent, heldForMs, group = null } = job;
    out.push(key, queue, lane, turn, dueMs, payload, traceparent, heldForMs, group);
  }
  packEvents(events, out);
}

function packEvents(events: readonly NewEvent[], out: Packed): void {
  out.push(events.length);
  for (const event of events) {
    const { type, subject, timeMs, data, traceparent, key = null, source = null, id = null, attributes = null } = event;
    out.push(type, subject, timeMs, data, traceparent, key, source, id, attributes);
  }
}

/** Takes out in the order in which was put in, and trusts it: both ends are this file. */
class Reader {
  readonly #packed: Packed;
  #at = 0;

  constructor(packed: Packed) {
    this.#packed = packed;
  }

  get atEnd(): boolean {
    return this.#at >= this.#packed.length;
  }

  unit(): Unit {
    const rare = this.#text();
    const key = this.#text();
    const job = key === null ? undefined : { ref: { key, fence: this.#number() }, end: this.#end() };
    const requests = this.#many(() => this.#request());
    const messages = this.#many(() => this.#birth());
    const patches = this.#json<readonly MessagePatch[]>() ?? NONE;
    const events = this.#many(() => this.#event());
    const unit = { requests, messages, patches, events };
    return Object.assign(job === undefined ? unit : { job, ...unit }, rare === null ? null : JSON.parse(rare));
  }

  #end(): JobEnd {
    return this.#json<JobEnd>() ?? { kind: "done" };
  }

  #request(): StoredRequest {
    return {
      id: this.#next<RequestId>(),
      body: this.#next<string>(),
      acceptedMs: this.#number(),
      lane: this.#next<Lane>(),
      traceparent: this.#text(),
      archivedMs: this.#next<number | null>(),
    };
  }

  #birth(): MessageBirth {
    const message = this.#message();
    const key = this.#text();
    return { message, job: key === null ? null : this.#job(key), events: this.#many(() => this.#event()) };
  }

  #message(): NewMessage {
    return {
      id: this.#next<MessageId>(),
      requestId: this.#next<RequestId>(),
      toIndex: this.#number(),
      recipient: this.#next<string>(),
      userId: this.#text(),
      listId: this.#text(),
      event: this.#next<string>(),
      notification: this.#next<string>(),
      traceId: this.#text(),
      tags: this.#json<readonly string[]>() ?? NONE,
      status: this.#next<MessageStatus>(),
      enqueuedMs: this.#number(),
    };
  }

  #job(key: string): EnqueuedJob {
    return {
      key,
      queue: this.#next<string>(),
      lane: this.#next<Lane>(),
      turn: this.#number(),
      dueMs: this.#number(),
      payload: this.#next<string>(),
      traceparent: this.#text(),
      heldForMs: this.#next<number | null>(),
      group: this.#text(),
    };
  }

  #event(): NewEvent {
    return {
      type: this.#next<string>(),
      subject: this.#next<string>(),
      timeMs: this.#number(),
      data: this.#next<string>(),
      traceparent: this.#text(),
      key: this.#text(),
      source: this.#text(),
      id: this.#text(),
      attributes: this.#text(),
    };
  }

  #many<T>(read: () => T): T[] {
    const items: T[] = [];
    for (let left = this.#number(); left > 0; left -= 1) items.push(read());
    return items;
  }

  #json<T>(): T | null {
    const text = this.#text();
    return text === null ? null : (JSON.parse(text) as T);
  }

  #text(): string | null {
    return this.#next<string | null>();
  }

  #number(): number {
    return this.#next<number>();
  }

  /** `packUnits` put it there, in this place. */
  #next<T extends string | number | null>(): T {
    return this.#packed[this.#at++] as T;
  }
}
