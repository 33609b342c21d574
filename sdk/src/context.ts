import type { Collection } from "./collection.ts";
import type { Json, JsonObject } from "./json.ts";

/**
 * What a handler may do. What it emits (events, sends, queue messages, documents) is gathered, and committed together with
 * the end of its job: all of it when the handler returns, nothing when it throws.
 */
export type Context = {
  readonly events: { readonly raise: (event: RaisedEvent) => void };
  /** The `message` of `POST /send`. @returns the request's id, under which it can be found once this is committed. */
  readonly send: (message: JsonObject) => string;
  readonly queues: { readonly send: (queue: string, body: unknown, options?: QueueSendOptions) => void };
  readonly documents: Documents;
  /** Walks the people on a list, by user id; nobody when there is no such list. */
  readonly lists: { readonly subscriptions: (list: string) => AsyncIterable<ListSubscription> };
  readonly log: Log;
  /** Aborted when time is over, or the server stops. */
  readonly signal: AbortSignal;
  /** From `functions.secrets` of `tidings.config.ts`. Never logged: in log lines their values are blanked. */
  readonly secrets: Readonly<Record<string, string>>;
  /** From `functions.settings` of `tidings.config.ts`. */
  readonly settings: Readonly<Record<string, Json>>;
  readonly invocation: InvocationInfo;
  /** Unix epoch milliseconds; virtual in tests. */
  readonly nowMs: () => number;
};

export type RaisedEvent = {
  readonly type: string;
  /** Default: the function's own, `/functions/NAME`. */
  readonly source?: string;
  readonly data?: unknown;
  readonly subject?: string;
  /** With `source` it is taken once. Default: a new one. */
  readonly id?: string;
  /** Default: `default`. */
  readonly bus?: string;
};

export type QueueSendOptions = {
  readonly delayMs?: number;
  readonly groupId?: string;
  readonly dedupId?: string;
  readonly attributes?: Readonly<Record<string, string>>;
};

export type InvocationInfo = {
  /** Of this try. */
  readonly id: string;
  readonly function: string;
  /** The same at every try: give it to services outside as an idempotency key. */
  readonly key: string;
  /** 1 at the first try. */
  readonly attempt: number;
  /** When the handler is ended. */
  readonly deadlineMs: number;
  /** W3C trace context; hand it on to services outside. */
  readonly traceparent: string | null;
};

export type ListSubscription = {
  readonly userId: string;
  readonly data: JsonObject;
  readonly profile: JsonObject;
};

export type Log = {
  readonly debug: (text: string, fields?: Readonly<Record<string, unknown>>) => void;
  readonly info: (text: string, fields?: Readonly<Record<string, unknown>>) => void;
  readonly warn: (text: string, fields?: Readonly<Record<string, unknown>>) => void;
  readonly error: (text: string, fields?: Readonly<Record<string, unknown>>) => void;
};

/** A stored JSON object. */
export type Stored<Value> = {
  readonly id: string;
  readonly value: Value;
  /** 1 at first, one more at each put. */
  readonly version: number;
  readonly updatedMs: number;
};

export type PutOptions = {
  /**
   * The version that it must have when this is committed; 0: it must not exist. Otherwise the handler is run anew. Default:
   * whatever is there is replaced.
   */
  readonly version?: number;
};

export type QueryOptions = {
  /** Fields that the collection declares as indexes, each with the value that it must have. One of them is enough. */
  readonly where?: Readonly<Record<string, string | number | boolean>>;
  /** Only ids that begin so. */
  readonly prefix?: string;
  /** The cursor of the page before. */
  readonly cursor?: string | null;
  /** 1 to 1,000. Default: 100. */
  readonly limit?: number;
};

/** `cursor`: where the next page begins; null at the end. */
export type DocumentsPage<Value> = { readonly documents: readonly Stored<Value>[]; readonly cursor: string | null };

/**
 * A small JSON store. A handler reads what it has itself put or deleted (except by `query`); others see it with the commit.
 */
export type Documents = {
  readonly get: <Value>(collection: Collection<Value>, id: string) => Promise<Stored<Value> | null>;
  readonly put: <Value>(collection: Collection<Value>, id: string, value: NoInfer<Value>, options?: PutOptions) => void;
  readonly delete: <Value>(collection: Collection<Value>, id: string, options?: PutOptions) => void;
  readonly query: <Value>(collection: Collection<Value>, options?: QueryOptions) => Promise<DocumentsPage<Value>>;
};
