/**
 * For tests of functions: calls a handler as the server does, with documents in memory and a time that stands still.
 *
 *     const { output, sends } = await invoke(welcome, eventOf("CustomerRegistered", { email: "ada@example.com" }));
 */
import type { Collection } from "./collection.ts";
import type { ListSubscription } from "./context.ts";
import type { DefinedFunction } from "./define.ts";
import type { BlobInput, EventInput, HttpInput, QueueMessage, ScheduleInput, StreamEvent } from "./inputs.ts";
import type { Json, JsonObject } from "./json.ts";
import { beginCall, blankOf, type CallReads, type Emitted, type LogLine, type ReadDocument } from "./run/run.ts";

/** What a handler finds around it. */
export type KitOptions = {
  /** Unix epoch milliseconds, or RFC 3339. Default: 2026-01-01. */
  readonly now?: number | string;
  readonly secrets?: Readonly<Record<string, string>>;
  readonly settings?: Readonly<Record<string, Json>>;
  /** Who is on which list. */
  readonly lists?: Readonly<Record<string, readonly Partial<ListSubscription>[]>>;
};

/** What came of a call that did not fail. */
export type Invoked<Output> = {
  readonly output: Output;
  readonly events: readonly RaisedInTest[];
  /** Messages as they were given to `send`. */
  readonly sends: readonly JsonObject[];
  readonly queued: readonly { readonly queue: string; readonly body: unknown; readonly delayMs: number | null }[];
  readonly logs: readonly LogLine[];
};

export type RaisedInTest = {
  readonly type: string;
  readonly source: string;
  readonly subject: string | null;
  readonly bus: string;
  readonly data: unknown;
};

/** A handler that failed: `message` is what it said, `at` its line. */
export class InvocationFailure extends Error {
  /** `file:line:column`; null when no line of the functions' own is to blame. */
  readonly at: string | null;
  readonly logs: readonly LogLine[];

  constructor(name: string, says: string, at: string | null, logs: readonly LogLine[]) {
    super(says);
    this.name = name;
    this.at = at;
    this.logs = logs;
  }
}

/**
 * Calls a handler once, in a world of its own.
 * @throws {InvocationFailure} when it throws, or emits or returns what cannot be.
 */
export function invoke<Input, Output>(
  fn: DefinedFunction<Input, Output>,
  input: Input,
  options: KitOptions = {},
): Promise<Invoked<Output>> {
  return new TestKit(options).invoke(fn, input);
}

/** A small world in which several calls follow each other: documents stay, and time passes when it is told. */
export class TestKit {
  #nowMs: number;
  readonly #options: KitOptions;
  readonly #documents = new Map<string, ReadDocument & { readonly collection: string }>();
  #calls = 0;

  constructor(options: KitOptions = {}) {
    this.#options = options;
    this.#nowMs = new Date(options.now ?? "2026-01-01T00:00:00Z").getTime();
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Lets so much time pass, e.g. `"2 days"` or milliseconds. */
  pass(time: number | `${number} ${"second" | "minute" | "hour" | "day"}${"s" | ""}`): void {
    if (typeof time === "number") this.#nowMs += time;
    else {
      const [count = "0", unit = ""] = time.split(" ");
      this.#nowMs += Number(count) * (UNIT_MS[unit.replace(/s$/, "")] ?? 0);
    }
  }

  /** Puts a document that a test begins with. */
  put<Value>({ name }: Collection<Value>, id: string, value: NoInfer<Value>): void {
    this.#put(name, id, JSON.stringify(value));
  }

  /** A document as it is now; null when there is none. */
  get<Value>({ name }: Collection<Value>, id: string): Value | null {
    const found = this.#documents.get(keyOf(name, id));
    // The collection's declaration says what its documents are.
    return found === undefined ? null : (JSON.parse(found.body) as Value);
  }

  /** All documents of a collection, by id. */
  all<Value>({ name }: Collection<Value>): readonly { readonly id: string; readonly value: Value }[] {
    return this.#in(name).map(({ id, body }) => ({ id, value: JSON.parse(body) as Value }));
  }

  /** Calls a handler; what it emitted is there afterwards, unless it failed. @throws {InvocationFailure} */
  async invoke<Input, Output>(fn: DefinedFunction<Input, Output>, input: Input): Promise<Invoked<Output>> {
    this.#calls += 1;
    const { secrets = {}, settings = {} } = this.#options;
    const id = `test-${this.#calls}`;
    const ask = {
      ...{ id, function: "test", key: id, attempt: 1, input: textOf(fn.on.spec.kind, input), traceparent: null },
      idSeed: this.#calls.toString(16).padStart(20, "0"),
      deadlineMs: this.#nowMs + (fn.timeoutMs ?? 30_000),
    };
    const signal = new AbortController().signal;
    const world = {
      ...{ reads: this.#reads(input), signal, secrets, settings, blank: blankOf(secrets), root: "/" },
      nowMs: () => this.#nowMs,
    };
    // Whatever its input is, the handler is called with what its trigger gives.
    const ended = await beginCall(fn as unknown as DefinedFunction, ask, world).ended;
    if (ended.kind === "failed") {
      const { name, says, at } = ended.error;
      throw new InvocationFailure(name, says, at, ended.logs);
    }
    this.#keep(ended.emitted);
    // The compiler has checked what it returns; JSON keeps it.
    const output = (ended.output === null ? undefined : JSON.parse(ended.output)) as Output;
    return { output, logs: ended.logs, ...shown(ended.emitted) };
  }

  #keep({ documents }: Emitted): void {
    for (const { collection, id, version } of documents) {
      const now = this.#documents.get(keyOf(collection, id))?.version ?? 0;
      if (version !== null && version !== now)
        throw new Error(
          `${collection}/${id} has version ${now}, not ${version}: the server would run the handler anew.`,
        );
    }
    for (const { collection, id, body } of documents) {
      if (body === null) this.#documents.delete(keyOf(collection, id));
      else this.#put(collection, id, body);
    }
  }

  #put(collection: string, id: string, body: string): void {
    const key = keyOf(collection, id);
    const version = (this.#documents.get(key)?.version ?? 0) + 1;
    this.#documents.set(key, { collection, id, body, version, updatedMs: this.#nowMs });
  }

  #in(collection: string): readonly ReadDocument[] {
    return [...this.#documents.values()]
      .filter((one) => one.collection === collection)
      .toSorted((one, other) => (one.id < other.id ? -1 : 1));
  }

  #reads(input: unknown): CallReads {
    return {
      documents: (keys) =>
        Promise.resolve(keys.map(({ collection, id }) => this.#documents.get(keyOf(collection, id)) ?? null)),
      query: ({ collection, where, prefix, after, limit }) => {
        const found = this.#in(collection)
          .filter(({ id }) => id.startsWith(prefix) && (after === null || id > after))
          .filter(({ body }) =>
            Object.entries(where).every(([path, value]) => valueAt(JSON.parse(body), path) === value),
          );
        const page = found.slice(0, limit);
        return Promise.resolve({ documents: page, next: found.length > limit ? (page.at(-1)?.id ?? null) : null });
      },
      subscriptions: (list) => {
        const people = this.#options.lists?.[list] ?? [];
        const subscriptions = people.map(({ userId = "somebody", data = {}, profile = {} }) => ({
          userId,
          data,
          profile,
        }));
        return Promise.resolve({ subscriptions, next: null });
      },
      // Only a file's input has one.
      blob: () => (input as BlobInput).read(),
    };
  }
}

const UNIT_MS: Readonly<Record<string, number>> = { second: 1_000, minute: 60_000, hour: 3_600_000, day: 86_400_000 };

/** A message of a queue. */
export function queueMessage<Body>(body: Body, changes: Partial<QueueMessage<Body>> = {}): QueueMessage<Body> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const usual = { id: "message-1", attributes: {}, groupId: null, receiveCount: 1, sentMs: 0 };
  return { ...usual, body, text, ...changes };
}

/** An event. */
export function eventOf<Data>(type: string, data: Data, changes: Partial<EventInput<Data>> = {}): EventInput<Data> {
  return { id: "event-1", source: "test", type, subject: null, time: "2026-01-01T00:00:00.000Z", data, ...changes };
}

/** Events of the journal, at places that rise. */
export function streamOf<Data>(...events: readonly EventInput<Data>[]): readonly StreamEvent<Data>[] {
  return events.map((event, at) => ({ ...event, position: at + 1 }));
}

/** A call of a path. */
export function httpCall<Body>(body: Body, changes: Partial<HttpInput<Body>> = {}): HttpInput<Body> {
  const usual = { method: "POST", path: "/", params: {}, query: {}, headers: {}, caller: "test" };
  return { ...usual, body, text: typeof body === "string" ? body : (JSON.stringify(body) ?? ""), ...changes };
}

/** A time of a schedule. @param time RFC 3339. */
export function scheduledAt(time: string): ScheduleInput {
  return { scheduled: time, scheduledMs: new Date(time).getTime() };
}

/** A file that was put. */
export function file(name: string, content: string | Uint8Array, contentType = "text/plain"): BlobInput {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const sha256 = "0".repeat(64);
  const text = (): Promise<string> => Promise.resolve(new TextDecoder().decode(bytes));
  return { name, bytes: bytes.length, contentType, sha256, read: () => Promise.resolve(bytes), text };
}

/** As the server hands it to a thread. */
function textOf(kind: string, input: unknown): string {
  if (kind === "queue") return JSON.stringify({ messages: input });
  return JSON.stringify(kind === "blob" ? { ...(input as object), blobId: "in-test" } : input);
}

function shown({ events, sends, queued }: Emitted): Pick<Invoked<never>, "events" | "sends" | "queued"> {
  return {
    events: events.map(({ type, source, subject, bus, data }) => ({
      ...{ type, source, subject, bus: bus ?? "default" },
      data: JSON.parse(data) as unknown,
    })),
    // `send` made them of an object.
    sends: sends.map(({ body }) => (JSON.parse(body) as { readonly message: JsonObject }).message),
    queued: queued.map(({ queue, body, delayMs }) => ({ queue, body: maybeJson(body), delayMs })),
  };
}

function maybeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function valueAt(value: unknown, path: string): unknown {
  let at: unknown = value;
  for (const name of path.split(".")) at = typeof at === "object" && at !== null ? Reflect.get(at, name) : undefined;
  return at;
}

function keyOf(collection: string, id: string): string {
  return `${collection.length} ${collection}${id}`;
}
