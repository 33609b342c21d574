import type { JsonObject } from "#domain/json.ts";
import { type Changes, change, happened, NO_ORIGIN, noChanges, unchanged, write } from "#engine/change.ts";
import type { Engine } from "#engine/engine.ts";
import { attributesFault, differsIn, newAttributes, withChanges } from "#queues/attributes.ts";
import { queueOf } from "#queues/catalog.ts";
import type { CreateQueue, Done, ListQueues, TagChange } from "#queues/desk.ts";
import { type QueueFault, queueFault } from "#queues/fault.ts";
import { graveOf } from "#queues/graves.ts";
import {
  FIFO_SUFFIX,
  isFifo,
  PURGE_REST_MS,
  type Queue,
  type QueueAttributesAsk,
  type QueueBody,
  QUEUE_NAME_CHARS_MAX,
  QUEUES,
  TAGS_MAX,
} from "#queues/queue.ts";

const NAME = new RegExp(`^[A-Za-z0-9_-]{1,${QUEUE_NAME_CHARS_MAX}}$`);
const FIFO_NAME = new RegExp(`^[A-Za-z0-9_-]{1,${QUEUE_NAME_CHARS_MAX - FIFO_SUFFIX.length}}\\.fifo$`);
/** Enough that no two queues that ever had a name have the same. */
const GENERATION_BYTES = 6;
/** By this term a queue is found by its dead-letter queue. */
const DEAD_LETTERS_TO = "dead-letters-to";

/** The queues themselves: made, changed and removed, each in one commit with the event that says so. */
export class Definitions {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  create(ask: CreateQueue, trace: string | null): Promise<Done<{ readonly queue: Queue; readonly isNew: boolean }>> {
    const { name, fifo, tags } = ask;
    const attributes = newAttributes(fifo, ask.attributes);
    const fault = nameFault(name, fifo) ?? attributesFault(ask.attributes, attributes) ?? tagsFault(tags);
    if (fault !== null) return Promise.resolve(fault);
    return this.#change(name, trace, async (step) => {
      if (step.queue !== null) {
        const attribute = differsIn(step.queue.attributes, ask.attributes);
        if (attribute !== null) return queueFault({ code: "queue.exists", queue: name, attribute });
        return { kind: "done", queue: step.queue, isNew: false };
      }
      const made = { createdMs: step.nowMs, modifiedMs: step.nowMs, purgedMs: null };
      const queue = { name, attributes, tags, generation: this.#newGeneration(), ...made };
      const refused = await this.#redriveFault(queue, step.changes);
      if (refused !== null) return refused;
      step.put(queue, "queue.created", { attributes: attributes });
      return { kind: "done", queue, isNew: true };
    });
  }

  change(name: string, ask: QueueAttributesAsk, trace: string | null): Promise<Done<{ readonly queue: Queue }>> {
    return this.#change(name, trace, async ({ queue: before, changes, nowMs, put }) => {
      if (before === null) return unknown(name);
      const attributes = withChanges(before.attributes, ask);
      const queue = { ...before, attributes, modifiedMs: nowMs };
      const fault = attributesFault(ask, attributes);
      const refused = fault ?? (ask.redrive === undefined ? null : await this.#redriveFault(queue, changes));
      if (refused !== null) return refused;
      if (differsIn(before.attributes, ask) === null) return { kind: "done", queue: before };
      put(queue, "queue.changed", { attributes: attributes });
      return { kind: "done", queue };
    });
  }

  tag(name: string, { set, remove }: TagChange, trace: string | null): Promise<Done<{ readonly queue: Queue }>> {
    return this.#change(name, trace, async ({ queue: before, put }) => {
      if (before === null) return unknown(name);
      const all = { ...before.tags, ...set };
      const tags = Object.fromEntries(Object.entries(all).filter(([key]) => !remove.includes(key)));
      const queue = { ...before, tags };
      const fault = tagsFault(tags);
      if (fault !== null) return fault;
      put(queue, "queue.changed", { tags });
      return { kind: "done", queue };
    });
  }

  remove(name: string, trace: string | null): Promise<Done> {
    return this.#change(name, trace, async ({ queue, changes, nowMs, happens }) => {
      if (queue === null) return unknown(name);
      changes.deletes.push({ collection: QUEUES, id: name });
      changes.puts.push(graveOf(queue, nowMs));
      happens("queue.deleted", {});
      return { kind: "done" };
    });
  }

  purge(name: string, trace: string | null): Promise<Done> {
    return this.#change(name, trace, async ({ queue, changes, nowMs, put }) => {
      if (queue === null) return unknown(name);
      if (nowMs - (queue.purgedMs ?? Number.NEGATIVE_INFINITY) < PURGE_REST_MS) {
        return queueFault({ code: "purge.recent", queue: name });
      }
      changes.puts.push(graveOf(queue, nowMs));
      put({ ...queue, generation: this.#newGeneration(), purgedMs: nowMs }, "queue.purged", {});
      return { kind: "done" };
    });
  }

  list({ prefix, after, limit }: ListQueues): Promise<QueuePage> {
    return this.#page({ prefix, after, limit });
  }

  /** Queues that send their dead letters to this one. */
  sourcesOf(name: string, { after, limit }: Omit<ListQueues, "prefix">): Promise<QueuePage> {
    return this.#page({ term: [DEAD_LETTERS_TO, name], after, limit });
  }

  async #page(ask: {
    readonly prefix?: string;
    readonly term?: readonly [string, string];
    readonly after: string | null;
    readonly limit: number;
  }): Promise<QueuePage> {
    const { store } = this.#engine.parts;
    const found = await store.listDocuments({ collection: QUEUES, ...ask, limit: ask.limit + 1 });
    const queues = found.slice(0, ask.limit).map(queueOf);
    return { queues, next: found.length > ask.limit ? (queues.at(-1)?.name ?? null) : null };
  }

  /** Decides and commits; a fault commits nothing. */
  async #change<Value extends object>(
    name: string,
    trace: string | null,
    decide: (step: Step) => Promise<Done<Value>>,
  ): Promise<Done<Value>> {
    const { store, clock } = this.#engine.parts;
    const key = { collection: QUEUES, id: name };
    const changed = await change<Done<Value>>(this.#engine, async () => {
      const [document = null] = await store.documents([key]);
      const changes = noChanges();
      const nowMs = clock.nowMs();
      const happens = (type: string, data: JsonObject): void => {
        const origin = { ...NO_ORIGIN, traceparent: trace };
        changes.events.push(happened(type, `queue:${name}`, data, { nowMs, origin }));
      };
      const put = ({ name: id, ...body }: Queue, type: string, data: JsonObject): void => {
        changes.puts.push(queuePut(id, body, nowMs));
        happens(type, data);
      };
      changes.expect.push(unchanged(key, document));
      const queue = document === null ? null : queueOf(document);
      const outcome = await decide({ queue, changes, nowMs, happens, put });
      return outcome.kind === "fault" ? { kind: "elsewhere", value: outcome } : write(changes, outcome);
    });
    switch (changed.kind) {
      case "done":
        return changed.value;
      case "overloaded":
        return queueFault({ code: "overloaded", retryAfterMs: changed.retryAfterMs });
      case "refused":
        return queueFault({ code: "conflict" });
      case "repeated":
        throw new Error("broken invariant: a change without a key was repeated");
    }
  }

  /** Whether the queue that is named for dead letters takes them; it must still be so at the commit. */
  async #redriveFault(queue: Queue, { expect }: Changes): Promise<QueueFault | null> {
    const target = queue.attributes.redrive?.deadLetterQueue ?? null;
    if (target === null) return null;
    if (target === queue.name) return queueFault({ code: "redrive.same_queue", queue: target });
    const key = { collection: QUEUES, id: target };
    const [document = null] = await this.#engine.parts.store.documents([key]);
    if (document === null) return queueFault({ code: "redrive.target_unknown", target });
    const found = queueOf(document);
    const { redriveAllow } = found.attributes;
    if (isFifo(found) !== isFifo(queue)) {
      return queueFault({ code: "redrive.target_type", target, isFifo: isFifo(queue) });
    }
    const mayNot =
      redriveAllow?.allow === "none" ||
      (redriveAllow?.allow === "by-queue" && !redriveAllow.sources.includes(queue.name));
    if (mayNot) return queueFault({ code: "redrive.not_allowed", target, queue: queue.name });
    expect.push(unchanged(key, document));
    return null;
  }

  #newGeneration(): string {
    return this.#engine.parts.dice.hex(GENERATION_BYTES);
  }
}

export type QueuePage = { readonly queues: readonly Queue[]; readonly next: string | null };

/** What one decision about a queue has at hand. */
type Step = {
  /** As it is now; null: there is none. */
  readonly queue: Queue | null;
  readonly changes: Changes;
  readonly nowMs: number;
  readonly happens: (type: string, data: JsonObject) => void;
  /** Keeps the queue as given, and says so. */
  readonly put: (queue: Queue, type: string, data: JsonObject) => void;
};

export function unknown(queue: string): QueueFault {
  return queueFault({ code: "queue.unknown", queue });
}

function queuePut(id: string, body: QueueBody, nowMs: number) {
  const target = body.attributes.redrive?.deadLetterQueue;
  const terms = target === undefined ? [] : [[DEAD_LETTERS_TO, target] as const];
  return { collection: QUEUES, id, body: JSON.stringify(body), terms, when: "always", nowMs } as const;
}

function nameFault(name: string, fifo: boolean): QueueFault | null {
  if (name.endsWith(FIFO_SUFFIX) !== fifo) return queueFault({ code: "queue.fifo_name", queue: name });
  return (fifo ? FIFO_NAME : NAME).test(name) ? null : queueFault({ code: "queue.name", queue: name });
}

function tagsFault(given: Readonly<Record<string, string>>): QueueFault | null {
  const tags = Object.keys(given).length;
  return tags > TAGS_MAX ? queueFault({ code: "tags.too_many", tags }) : null;
}
