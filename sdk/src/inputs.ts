/** One message of a queue. */
export type QueueMessage<Body> = {
  /** The message's own, as its sender was told; the same at every try. */
  readonly id: string;
  /** The body read as JSON, or the text when it is none. */
  readonly body: Body;
  readonly text: string;
  /** Message attributes by name; of binary ones base64. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly groupId: string | null;
  /** 1 at the first time. */
  readonly receiveCount: number;
  readonly sentMs: number;
};

/**
 * Which messages failed; the others are done. Nothing returned: all are done. What the handler emitted is committed with
 * those that are done. AWS' form, `batchItemFailures`, is understood as well.
 */
export type QueueOutput =
  | void
  | { readonly failed: readonly (string | { readonly id: string; readonly reason: string })[] }
  | { readonly batchItemFailures: readonly { readonly itemIdentifier: string }[] };

/** One event, as CloudEvents has it. */
export type EventInput<Data> = {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject: string | null;
  /** RFC 3339. */
  readonly time: string;
  readonly data: Data;
};

/** `position`: its place in the journal, which rises. */
export type StreamEvent<Data> = EventInput<Data> & { readonly position: number };

export type HttpInput<Body> = {
  readonly method: string;
  readonly path: string;
  /** Segments that the path names with a colon. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  /** By lower-case name; without `authorization` and `cookie` of calls that came with an API key. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body read as JSON when it is said to be JSON, else the text. */
  readonly body: Body;
  readonly text: string;
  /** The name of the API key of the call; null without one. */
  readonly caller: string | null;
};

/** An object without `status`, `headers` and `body` is not an answer: the compiler says so, and the caller is told 500. */
export type HttpOutput = {
  /** 200 to 599. Default: 200, or 204 without a body. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** A string is sent as it is (`text/plain` unless `headers` say otherwise), everything else as JSON. */
  readonly body?: unknown;
};

/** `scheduled`: RFC 3339, when it was to be; it may be late. */
export type ScheduleInput = { readonly scheduled: string; readonly scheduledMs: number };

export type BlobInput = {
  readonly name: string;
  readonly bytes: number;
  readonly contentType: string;
  /** SHA-256, hex. */
  readonly sha256: string;
  /** The file as it was when it was put. */
  readonly read: () => Promise<Uint8Array>;
  readonly text: () => Promise<string>;
};
