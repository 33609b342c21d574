import type { Context, Documents, DocumentsPage, ListSubscription, QueryOptions, Stored } from "../context.ts";
import type { DefinedFunction } from "../define.ts";
import type { Json, JsonObject } from "../json.ts";
import { Emission, type Emitted, textOf } from "./emission.ts";
import { type CallError, describeError } from "./errors.ts";
import { OUTPUT_BYTES_MAX, PAGE_MAX, PAGE_USUAL } from "./limits.ts";
import { type Blank, CallLog, type LogLine } from "./logs.ts";

export type { Emitted, EmittedDocument, EmittedEvent, EmittedQueueMessage, EmittedSend } from "./emission.ts";
export { type CallError, describeError } from "./errors.ts";
export { type Blank, blankOf, type LogLine } from "./logs.ts";

/** What a call may read while it runs. */
export type CallReads = {
  documents(
    keys: readonly { readonly collection: string; readonly id: string }[],
  ): Promise<readonly (ReadDocument | null)[]>;
  query(ask: ReadQuery): Promise<{ readonly documents: readonly ReadDocument[]; readonly next: string | null }>;
  subscriptions(
    list: string,
    after: string | null,
  ): Promise<{ readonly subscriptions: readonly ListSubscription[]; readonly next: string | null }>;
  blob(id: string): Promise<Uint8Array>;
};

/** `body`: JSON text. */
export type ReadDocument = {
  readonly id: string;
  readonly body: string;
  readonly version: number;
  readonly updatedMs: number;
};

export type ReadQuery = {
  readonly collection: string;
  readonly where: JsonObject;
  readonly prefix: string;
  readonly after: string | null;
  readonly limit: number;
};

export type CallAsk = {
  readonly id: string;
  readonly function: string;
  readonly key: string;
  readonly attempt: number;
  /** JSON text of the handler's input. */
  readonly input: string;
  readonly idSeed: string;
  readonly traceparent: string | null;
  readonly deadlineMs: number;
};

export type CallWorld = {
  readonly reads: CallReads;
  readonly signal: AbortSignal;
  readonly secrets: Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, Json>>;
  readonly blank: Blank;
  /** Where file names in errors are seen from. */
  readonly root: string;
  readonly nowMs: () => number;
};

export type CallEnd =
  | {
      readonly kind: "returned";
      readonly output: string | null;
      readonly emitted: Emitted;
      readonly logs: readonly LogLine[];
    }
  | { readonly kind: "failed"; readonly error: CallError; readonly logs: readonly LogLine[] };

/** A call under way. */
export type Call = {
  readonly log: CallLog;
  /** Never rejects. */
  readonly ended: Promise<CallEnd>;
  /** Whatever it does from now on changes nothing. */
  abandon(): void;
};

/**
 * Calls a handler once, and gathers what it emits.
 * @param enter runs the call in a context of its own, e.g. one that tells whose console lines they are.
 */
export function beginCall(
  defined: DefinedFunction,
  ask: CallAsk,
  world: CallWorld,
  enter: (call: Pick<Call, "log">, work: () => Promise<CallEnd>) => Promise<CallEnd> = (_, work) => work(),
): Call {
  const log = new CallLog(world.nowMs, world.blank);
  const emission = new Emission(ask.function, ask.idSeed, world.nowMs);
  const ended = enter({ log }, () => run(defined, ask, world, emission, log));
  return { log, ended, abandon: () => emission.end() };
}

async function run(
  defined: DefinedFunction,
  ask: CallAsk,
  world: CallWorld,
  emission: Emission,
  { log, lines: logs }: CallLog,
): Promise<CallEnd> {
  try {
    const input = inputOf(ask.input, world.reads);
    const { id, function: name, key, attempt, deadlineMs, traceparent } = ask;
    const context: Context = {
      events: emission.events,
      send: (message) => emission.send(message),
      queues: emission.queues,
      documents: documentsOf(emission, world),
      lists: { subscriptions: (list) => subscriptionsOf(list, world.reads) },
      log,
      signal: world.signal,
      secrets: world.secrets,
      settings: world.settings,
      invocation: { id, function: name, key, attempt, deadlineMs, traceparent },
      nowMs: world.nowMs,
    };
    // The trigger decided what its input is, and the door has made it so.
    const called = defined as { handler(input: unknown, context: Context): unknown };
    const returned = await called.handler(input, context);
    const output = returned === undefined ? null : outputOf(returned);
    return { kind: "returned", output, emitted: emission.take(), logs };
  } catch (thrown) {
    emission.end();
    const error = thrown instanceof BadOutput ? { ...NOWHERE, name: "BadOutput", says: thrown.message } : null;
    return { kind: "failed", error: error ?? describeError(thrown, world.root, world.blank), logs };
  }
}

const NOWHERE = { at: null, stack: null } as const;

class BadOutput extends Error {}

function outputOf(returned: unknown): string {
  let text: string;
  try {
    text = textOf("the handler", "what it returned", returned);
  } catch (error) {
    throw new BadOutput(error instanceof Error ? error.message : String(error), { cause: error });
  }
  if (text.length > OUTPUT_BYTES_MAX)
    throw new BadOutput(`the handler returned ${text.length} characters of JSON; at most ${OUTPUT_BYTES_MAX}`);
  return text;
}

/**
 * A blob's input has its file behind it, and messages of a queue have their bodies read: `{ "blobId": …, … }`,
 * `{ "messages": [{ "text": … }] }`. Every other input is what it says.
 */
function inputOf(text: string, reads: CallReads): unknown {
  const input: unknown = JSON.parse(text);
  if (typeof input !== "object" || input === null) return input;
  if ("messages" in input && Array.isArray(input.messages)) return input.messages.map(withBody);
  if (!("blobId" in input)) return input;
  const { blobId, ...rest } = input;
  const read = (): Promise<Uint8Array> => reads.blob(String(blobId));
  return { ...rest, read, text: async () => new TextDecoder().decode(await read()) };
}

function withBody(message: unknown): unknown {
  // The server makes messages with a text.
  const { text } = message as { readonly text: string };
  let body: unknown = text;
  try {
    body = JSON.parse(text);
  } catch {
    // It is no JSON: the text is its body.
  }
  return { ...(message as object), body };
}

function documentsOf(emission: Emission, { reads, nowMs }: CallWorld): Documents {
  return {
    async get<Value>(collection: { readonly name: string }, id: string): Promise<Stored<Value> | null> {
      const own = emission.documentOf({ name: collection.name, indexes: [] }, id);
      const [stored = null] = await reads.documents([{ collection: collection.name, id }]);
      if (own === undefined) return stored === null ? null : toStored<Value>(stored);
      const version = (stored?.version ?? 0) + 1;
      return own.body === null ? null : toStored<Value>({ id, body: own.body, version, updatedMs: nowMs() });
    },
    put: ({ name }, id, value, options) => emission.put({ name, indexes: [] }, id, value, options),
    delete: ({ name }, id, options) => emission.delete({ name, indexes: [] }, id, options),
    async query<Value>(
      { name }: { readonly name: string },
      { where = {}, prefix = "", cursor = null, limit = PAGE_USUAL }: QueryOptions = {},
    ): Promise<DocumentsPage<Value>> {
      if (!(Number.isInteger(limit) && limit >= 1 && limit <= PAGE_MAX))
        throw new RangeError(`documents.query: limit is a whole number from 1 to ${PAGE_MAX}`);
      const page = await reads.query({ collection: name, where, prefix, after: cursor, limit });
      return { documents: page.documents.map((one) => toStored<Value>(one)), cursor: page.next };
    },
  };
}

function toStored<Value>({ id, body, version, updatedMs }: ReadDocument): Stored<Value> {
  // The collection's declaration says what its documents are.
  return { id, value: JSON.parse(body) as Value, version, updatedMs };
}

async function* subscriptionsOf(list: string, reads: CallReads): AsyncGenerator<ListSubscription> {
  for (let after: string | null = null; ; ) {
    const page: Awaited<ReturnType<CallReads["subscriptions"]>> = await reads.subscriptions(list, after);
    yield* page.subscriptions;
    if (page.next === null) return;
    after = page.next;
  }
}
