import { invariant } from "#domain/invariant.ts";
import type { JsonObject } from "#domain/json.ts";
import type { Draft, DraftEffects } from "#engine/draft.ts";
import type { Listed } from "#queues/catalog.ts";
import { messageFault } from "#queues/check-message.ts";
import { unknown } from "#queues/definitions.ts";
import type { Done, DraftedOnce } from "#queues/desk.ts";
import { type QueueFault, queueFault } from "#queues/fault.ts";
import type { QueueHouse } from "#queues/house.ts";
import { BATCH_BYTES_MAX, BATCH_MAX, messageBytes, type NewQueueMessage, type SentMessage } from "#queues/message.ts";
import { messageJob, type Payload } from "#queues/payload.ts";
import { DEDUP_MS, isFifo, type Queue, QUEUES } from "#queues/queue.ts";
import type { OnceRecord } from "#ports/store.ts";

/** How often a send begins anew because another node changed the queue at the same moment. */
const TRIES_MAX = 16;
const UUID_BYTES = 16;

/** Puts messages into queues: each is a unit of its own, and those that come together share a commit. */
export class Sending {
  readonly #house: QueueHouse;

  constructor(house: QueueHouse) {
    this.#house = house;
  }

  async send(name: string, message: NewQueueMessage): Promise<SentMessage | QueueFault> {
    const listed = await this.#house.catalog.find(name);
    return listed === null ? unknown(name) : await this.#commit(listed, message);
  }

  async sendBatch(
    name: string,
    messages: readonly NewQueueMessage[],
  ): Promise<Done<{ readonly sent: readonly (SentMessage | QueueFault)[] }>> {
    const listed = await this.#house.catalog.find(name);
    if (listed === null) return unknown(name);
    const fault = batchFault(listed.queue, messages);
    if (fault !== null) return fault;
    // Submitted in one breath, so that nothing comes between them and their order is that of the call.
    return { kind: "done", sent: await Promise.all(messages.map((message) => this.#commit(listed, message))) };
  }

  /** Effects that put a message into a standard queue that this node knows. */
  draft(
    name: string,
    message: NewQueueMessage,
    id: string,
  ): { readonly kind: "draft"; readonly effects: DraftEffects } | QueueFault | null {
    const { catalog, counts, tallies } = this.#house;
    const queue = catalog.known(name);
    if (queue === null || isFifo(queue)) return null;
    const fault = messageFault(queue, message);
    if (fault !== null) return fault;
    counts.touch(queue);
    tallies.add(name, "sent", 1);
    return { kind: "draft", effects: { jobs: [this.#job(queue, message, id).job] } };
  }

  /** Effects that put a message into a queue of any kind, in the unit that ends the one job that stands for it. */
  async draftOnce(name: string, message: NewQueueMessage, id: string): Promise<DraftedOnce | QueueFault> {
    const { engine, catalog, counts, tallies } = this.#house;
    const listed = await catalog.find(name);
    if (listed === null) return unknown(name);
    const { queue, version } = listed;
    const own = isFifo(queue) ? { ...message, dedupId: message.dedupId ?? id } : message;
    const fault = messageFault(queue, own);
    if (fault !== null) return fault;
    counts.touch(queue);
    tallies.add(name, "sent", 1);
    // Another node may have emptied or removed it a moment ago.
    const expect = engine.parts.store.can.manyNodes ? [{ collection: QUEUES, id: name, version }] : [];
    return { kind: "draft", effects: { jobs: [this.#job(queue, own, id).job] }, expect };
  }

  async #commit(listed: Listed, message: NewQueueMessage): Promise<SentMessage | QueueFault> {
    const { engine, catalog, counts, tallies } = this.#house;
    const { name } = listed.queue;
    const id = uuid(engine.parts.dice.hex(UUID_BYTES));
    let known: Listed | null = listed;
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      if (known === null) return unknown(name);
      const { queue } = known;
      const fault = messageFault(queue, message);
      if (fault !== null) return fault;
      const { job, sequence } = this.#job(queue, message, id);
      const dedup = this.#dedupRecord(queue, message, { id, sequence });
      const draft: Draft = {
        jobs: [job],
        ...(dedup === null ? {} : { once: dedup }),
        // Another node may have emptied or removed it a moment ago.
        ...(engine.parts.store.can.manyNodes
          ? { expect: [{ collection: QUEUES, id: name, version: known.version }] }
          : {}),
      };
      const verdict = await engine.submit(draft);
      switch (verdict.kind) {
        case "committed":
          invariant(verdict.skipped.length === 0, "no message has another one's id");
          counts.touch(queue);
          tallies.add(name, "sent", 1);
          return { kind: "sent", id, sequence: isFifo(queue) ? sequence : null, isRepeated: false };
        case "repeated":
          return { kind: "sent", ...firstSent(verdict.record), isRepeated: true };
        case "overloaded":
          return queueFault({ code: "overloaded", retryAfterMs: verdict.retryAfterMs });
        case "stale":
          known = await catalog.read(name);
          continue;
        default:
          throw new Error(`broken invariant: a send without a job in hand was answered with ${verdict.kind}`);
      }
    }
    return queueFault({ code: "conflict" });
  }

  #job(queue: Queue, message: NewQueueMessage, id: string) {
    const { engine, sequence } = this.#house;
    const nowMs = engine.parts.clock.nowMs();
    const { attributes } = queue;
    const delayMs = (isFifo(queue) ? null : message.delayMs) ?? attributes.delayMs;
    const turn = sequence.next(nowMs);
    const dedup = this.#dedupId(queue, message);
    const payload: Payload = {
      body: message.body,
      ...(Object.keys(message.attributes ?? {}).length === 0 ? {} : { attributes: message.attributes ?? {} }),
      sentMs: nowMs,
      sender: message.sender,
      ...(message.groupId == null ? {} : { group: message.groupId }),
      ...(dedup === null ? {} : { dedup }),
      ...(message.traceHeader == null ? {} : { trace: message.traceHeader }),
    };
    const dueMs = delayMs === 0 ? 0 : nowMs + delayMs;
    const job = messageJob(queue, { id, payload, turn, dueMs }, message.traceparent ?? null);
    return { job: { job, hand: null }, sequence: String(turn) };
  }

  /** By which a FIFO queue knows a message again. */
  #dedupId({ attributes: { fifo } }: Queue, { body, dedupId = null }: NewQueueMessage): string | null {
    if (dedupId !== null || fifo?.contentDedup !== true) return dedupId;
    return Buffer.from(this.#house.secrets.digest(body), "base64url").toString("hex");
  }

  #dedupRecord(queue: Queue, message: NewQueueMessage, first: First): OnceRecord | null {
    const { fifo } = queue.attributes;
    const dedup = this.#dedupId(queue, message);
    if (fifo === null || dedup === null) return null;
    const group = fifo.dedupScope === "group" ? (message.groupId ?? "") : "";
    return {
      key: `queue-dedup:${queue.generation}:${JSON.stringify([group, dedup])}`,
      fingerprint: "",
      status: 0,
      body: JSON.stringify(first satisfies JsonObject),
      expiresMs: this.#house.engine.parts.clock.nowMs() + DEDUP_MS,
    };
  }
}

type First = { readonly id: string; readonly sequence: string };

function firstSent({ body }: OnceRecord): First {
  // Written by `#dedupRecord` alone.
  return JSON.parse(body) as First;
}

function batchFault(queue: Queue, messages: readonly NewQueueMessage[]): QueueFault | null {
  const size = batchSizeFault(messages.length);
  if (size !== null) return size;
  const bytes = messages.reduce((sum, message) => sum + messageBytes(message), 0);
  if (bytes > BATCH_BYTES_MAX) return queueFault({ code: "batch.too_long", bytes, bytesMax: BATCH_BYTES_MAX });
  // A batch without them is none that a FIFO queue could keep in order: it is refused as a whole.
  for (const message of messages) {
    const fault = messageFault(queue, message);
    if (fault?.code === "message.group_missing" || fault?.code === "message.dedup_missing") return fault;
  }
  return null;
}

export function batchSizeFault(entries: number): QueueFault | null {
  if (entries === 0) return queueFault({ code: "batch.empty" });
  return entries > BATCH_MAX ? queueFault({ code: "batch.too_many", entries }) : null;
}

/** A random UUID (RFC 9562 §5.4) of 32 hex digits of chance. */
export function uuid(hex: string): string {
  const variant = "89ab"[Number.parseInt(hex[16] ?? "0", 16) & 3];
  const parts = [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `${variant}${hex.slice(17, 20)}`];
  return `${parts.join("-")}-${hex.slice(20, 32)}`;
}
