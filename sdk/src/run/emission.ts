import type { Context, PutOptions, QueueSendOptions, RaisedEvent } from "../context.ts";
import type { Collection } from "../collection.ts";
import type { Json, JsonObject } from "../json.ts";
import { EMITTED_BYTES_MAX, EMITTED_MAX, VALUE_BYTES_MAX } from "./limits.ts";

/** What a handler emitted, in its order. Texts are JSON. */
export type Emitted = {
  readonly events: readonly EmittedEvent[];
  readonly sends: readonly EmittedSend[];
  readonly queued: readonly EmittedQueueMessage[];
  readonly documents: readonly EmittedDocument[];
};

export type EmittedEvent = {
  /** Null: it gets one. */
  readonly id: string | null;
  readonly source: string;
  readonly type: string;
  readonly subject: string | null;
  /** Null: `default`. */
  readonly bus: string | null;
  readonly data: string;
};

/** `body`: `{ "message": … }`. */
export type EmittedSend = { readonly requestId: string; readonly body: string };

export type EmittedQueueMessage = {
  readonly queue: string;
  readonly body: string;
  readonly delayMs: number | null;
  readonly groupId: string | null;
  readonly dedupId: string | null;
  readonly attributes: Readonly<Record<string, string>>;
};

/** `body` null: deleted. `version` null: whatever is there. Of a document the last one counts. */
export type EmittedDocument = {
  readonly collection: string;
  readonly id: string;
  readonly body: string | null;
  readonly version: number | null;
};

/** Gathers what one call emits. What cannot be is thrown where it is emitted: at the handler's own line. */
export class Emission {
  readonly #events: EmittedEvent[] = [];
  readonly #sends: EmittedSend[] = [];
  readonly #queued: EmittedQueueMessage[] = [];
  readonly #documents = new Map<string, EmittedDocument>();
  readonly #source: string;
  readonly #idSeed: string;
  readonly #nowMs: () => number;
  #count = 0;
  #bytes = 0;
  #isOver = false;

  /** @param idSeed 20 hex digits, of which ids are made that the handler learns at once. */
  constructor(name: string, idSeed: string, nowMs: () => number) {
    this.#source = `/functions/${name}`;
    this.#idSeed = idSeed;
    this.#nowMs = nowMs;
  }

  /** What was gathered; whatever is emitted afterwards is refused. */
  take(): Emitted {
    this.#isOver = true;
    return {
      events: this.#events,
      sends: this.#sends,
      queued: this.#queued,
      documents: [...this.#documents.values()],
    };
  }

  /** Nothing is taken any more. */
  end(): void {
    this.#isOver = true;
  }

  readonly events: Context["events"] = { raise: (event) => this.#raise(event) };
  readonly queues: Context["queues"] = { send: (queue, body, options) => this.#queue(queue, body, options) };

  #raise(event: RaisedEvent): void {
    const where = "events.raise";
    if (!isObject(event)) throw new TypeError(`${where} takes an object with a type`);
    const data = textOf(where, "data", event.data ?? null);
    this.#add(where, data);
    this.#events.push({
      type: word(where, "type", event.type),
      source: event.source === undefined ? this.#source : word(where, "source", event.source),
      subject: event.subject === undefined ? null : word(where, "subject", event.subject),
      id: event.id === undefined ? null : word(where, "id", event.id),
      bus: event.bus === undefined ? null : word(where, "bus", event.bus),
      data,
    });
  }

  send(message: JsonObject): string {
    if (!isObject(message))
      throw new TypeError("send takes the message of POST /send, e.g. { to: { email }, content: { … } }");
    const text = textOf("send", "message", message);
    this.#add("send", text);
    const seconds = Math.floor(this.#nowMs() / 1_000)
      .toString(16)
      .padStart(8, "0");
    const requestId = `1-${seconds}-${this.#idSeed}${this.#sends.length.toString(16).padStart(4, "0")}`;
    this.#sends.push({ requestId, body: `{"message":${text}}` });
    return requestId;
  }

  #queue(queue: string, body: unknown, options: QueueSendOptions = {}): void {
    const where = "queues.send";
    const text = typeof body === "string" ? body : textOf(where, "body", body);
    this.#add(where, text);
    const { delayMs = null, groupId = null, dedupId = null, attributes = {} } = options;
    if (delayMs !== null && !(Number.isFinite(delayMs) && delayMs >= 0))
      throw new TypeError(`${where}: delayMs is a number of milliseconds, not ${show(delayMs)}`);
    for (const [name, value] of Object.entries(attributes)) word(where, `attributes.${name}`, value);
    this.#queued.push({
      queue: word(where, "the queue's name", queue),
      body: text,
      delayMs,
      groupId,
      dedupId,
      attributes,
    });
  }

  put(collection: Collection<never>, id: string, value: unknown, options: PutOptions = {}): void {
    const where = "documents.put";
    if (!isObject(value)) throw new TypeError(`${where}: a document is an object, not ${show(value)}`);
    this.#document(where, collection, id, textOf(where, "value", value), options);
  }

  delete(collection: Collection<never>, id: string, options: PutOptions = {}): void {
    this.#document("documents.delete", collection, id, null, options);
  }

  /** What this call has made of a document; undefined: nothing. */
  documentOf(collection: Collection<never>, id: string): EmittedDocument | undefined {
    return this.#documents.get(keyOf(collection.name, id));
  }

  #document(where: string, collection: Collection<never>, id: string, body: string | null, options: PutOptions): void {
    const name = word(where, "the collection's name", collection.name);
    this.#add(where, body ?? "");
    const { version: asked = null } = options;
    if (asked !== null && !(Number.isSafeInteger(asked) && asked >= 0))
      throw new TypeError(`${where}: version is a whole number, not ${show(asked)}`);
    const key = keyOf(name, word(where, "the id", id));
    const before = this.#documents.get(key);
    // What it had to be before is what it has to be still, whatever is put afterwards in this call.
    this.#documents.set(key, { collection: name, id, body, version: before === undefined ? asked : before.version });
  }

  #add(where: string, text: string): void {
    if (this.#isOver) throw new Error(`${where}: this call has ended, so nothing of it can be kept any more`);
    this.#count += 1;
    this.#bytes += text.length;
    if (this.#count > EMITTED_MAX) throw new RangeError(`${where}: a call emits at most ${EMITTED_MAX} things`);
    if (text.length > VALUE_BYTES_MAX)
      throw new RangeError(`${where}: ${text.length} characters of JSON; at most ${VALUE_BYTES_MAX}`);
    if (this.#bytes > EMITTED_BYTES_MAX)
      throw new RangeError(`${where}: a call emits at most ${EMITTED_BYTES_MAX} characters of JSON in all`);
  }
}

function keyOf(collection: string, id: string): string {
  return `${collection.length} ${collection}${id}`;
}

function isObject(value: unknown): value is Readonly<Record<string, Json>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function word(where: string, name: string, value: unknown): string {
  if (typeof value === "string" && value !== "") return value;
  throw new TypeError(`${where}: ${name} is a text that is not empty, not ${show(value)}`);
}

/** @throws {TypeError} when it is nothing that JSON can say. */
export function textOf(where: string, name: string, value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw new TypeError(
      `${where}: ${name} is no JSON: ${error instanceof Error ? error.message.split("\n")[0] : "?"}`,
      { cause: error },
    );
  }
  if (text === undefined) throw new TypeError(`${where}: ${name} is no JSON: ${typeof value}`);
  return text;
}

function show(value: unknown): string {
  return typeof value === "string"
    ? `"${value.slice(0, 40)}"`
    : typeof value === "object"
      ? value === null
        ? "null"
        : "an object"
      : `${typeof value}`;
}
