import type { DraftEffects } from "#engine/draft.ts";
import type { FunctionsHouse } from "#functions/house.ts";
import type { HandlerEffects } from "#functions/invoker.ts";
import { messageRefused } from "#functions/message-refused.ts";
import { messageLater } from "#functions/queue-messages.ts";
import type { RequestId } from "#domain/ids.ts";
import type { Emitted, EmittedQueueMessage } from "#ports/function-host.ts";
import { messageFault } from "#queues/check-message.ts";
import type { NewQueueMessage } from "#queues/message.ts";
import type { Queue } from "#queues/queue.ts";
import { uuidOf } from "#rules/call-id.ts";
import { Gathered } from "#rules/gathered.ts";

/** Of which call something comes. */
export type Origin = {
  readonly function: string;
  /** Of the try: what is emitted at another one is something else, since nothing of this one was kept. */
  readonly callId: string;
  readonly traceparent: string | null;
};

export type Posted =
  | { readonly kind: "effects"; readonly effects: HandlerEffects }
  /** A sentence for who wrote the handler. */
  | { readonly kind: "refused"; readonly says: string };

type Part = { readonly effects: DraftEffects } | { readonly says: string };

/**
 * Turns what a handler emitted into effects that are committed with the end of its job, by the same checks that the doors
 * make. One thing that cannot be refuses all of it.
 */
export class Outbox {
  readonly #house: FunctionsHouse;

  constructor(house: FunctionsHouse) {
    this.#house = house;
  }

  async post(emitted: Emitted, origin: Origin): Promise<Posted> {
    const { events, sends, queued, documents } = emitted;
    if (events.length + sends.length + queued.length + documents.length === 0) return NOTHING;
    const gathered = new Gathered();
    const parts: (() => Promise<Part>)[] = [
      ...events.map((event) => () => this.#event(event, origin)),
      ...sends.map((send) => () => this.#send(send, origin)),
      ...queued.map((message, at) => () => this.#message(message, at, origin)),
    ];
    for (const part of parts) {
      const one = await part();
      if ("says" in one) return { kind: "refused", says: one.says };
      gathered.add(one.effects);
    }
    const changes = this.#house.documents.changesOf(documents, this.#house.engine.parts.clock.nowMs());
    if (changes.kind === "refused") return changes;
    gathered.add({ puts: changes.puts, deletes: changes.deletes });
    const { effects } = gathered;
    return { kind: "effects", effects: changes.expect.length === 0 ? effects : { ...effects, expect: changes.expect } };
  }

  async #event({ id, source, type, subject, bus, data }: Emitted["events"][number], origin: Origin): Promise<Part> {
    const { clock } = this.#house.engine.parts;
    const attributes = bus === null ? {} : { bus };
    const event = { id, source, type, timeMs: clock.nowMs(), data, subject, traceparent: null, attributes };
    const drafted = await this.#house.events.draft(event, origin);
    return drafted.kind === "ready" ? { effects: drafted.draft } : { says: `events.raise("${type}"): ${drafted.says}` };
  }

  async #send({ requestId, body }: Emitted["sends"][number], { function: name, traceparent }: Origin): Promise<Part> {
    const read = this.#house.readSend(body);
    if (read.kind === "invalid") return { says: `send: ${read.says}` };
    const call = { text: read.text, message: read.message, traceparent, share: `function:${name}` };
    // Made by the handler's thread, in the form of a request's id.
    const drafted = await this.#house.send.draft(call, requestId as RequestId);
    return drafted.kind === "draft" ? drafted : { says: `send: ${drafted.problem.message}` };
  }

  async #message(emitted: EmittedQueueMessage, at: number, origin: Origin): Promise<Part> {
    const { queues, secrets } = this.#house;
    const { queue: name, body, delayMs, groupId, dedupId, attributes } = emitted;
    const message: NewQueueMessage = {
      ...{ body, delayMs, groupId, dedupId, traceparent: origin.traceparent, sender: `function:${origin.function}` },
      attributes: Object.fromEntries(
        Object.entries(attributes).map(([key, value]) => [key, { type: "String", value }]),
      ),
    };
    const queue = queues.known(name) ?? (await this.#queueOf(name));
    if (queue === null)
      return { says: `queues.send: there is no queue ${name}; create it, or let a function declare it.` };
    const id = uuidOf(`function:${origin.callId}/${at}`, secrets);
    const { fifo } = queue.attributes;
    const draft = fifo === null ? queues.draftMessage(name, message, id) : null;
    if (draft?.kind === "draft") return { effects: draft.effects };
    // As from every sender: a queue may know messages by what they say.
    const later = { ...message, dedupId: dedupId ?? (fifo?.contentDedup === true ? this.#contentId(body) : null) };
    // Refused now, while the handler can still be told. What has no such id is kept once by its job.
    const fault = draft ?? messageFault(queue, fifo === null ? later : { ...later, dedupId: later.dedupId ?? id });
    if (fault !== null) return { says: `queues.send("${name}"): ${messageRefused(fault)}` };
    return { effects: { jobs: [{ job: messageLater(name, later, id), hand: null }] } };
  }

  /** SHA-256 of the body in hex, as the queues make it. */
  #contentId(body: string): string {
    return Buffer.from(this.#house.secrets.digest(body), "base64url").toString("hex");
  }

  async #queueOf(name: string): Promise<Queue | null> {
    const found = await this.#house.queues.get(name);
    return found.kind === "done" ? found.queue : null;
  }
}

const NOTHING: Posted = { kind: "effects", effects: {} };
