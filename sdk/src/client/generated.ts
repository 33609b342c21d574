// Written by scripts/client.ts from /openapi.json; a test compares them. Do not edit.

export type Blob = {
  readonly name: string;
  readonly bytes: number;
  readonly content_type: string;
  /** Hex */
  readonly sha256: string;
  /** Unix epoch, milliseconds */
  readonly created: number;
  /** Unix epoch, milliseconds */
  readonly updated: number;
};

export type Blobs = {
  readonly results: readonly Blob[];
  readonly paging: Paging;
};

export type Bus = {
  readonly name: string;
  readonly description?: string | null;
  readonly tags: { readonly [name: string]: unknown };
  readonly arn: string;
};

export type BusBody = {
  readonly description?: string;
  readonly tags?: { readonly [name: string]: unknown };
};

export type Buses = {
  readonly paging: Paging;
  readonly items: readonly Bus[];
};

export type Document = {
  readonly id: string;
  readonly value: { readonly [name: string]: unknown };
  /** 1 at first, one more at each put */
  readonly version: number;
  /** Unix epoch, milliseconds */
  readonly created: number;
  /** Unix epoch, milliseconds */
  readonly updated: number;
};

export type DocumentCollections = {
  readonly results: readonly {
    readonly name: string;
    readonly indexes: readonly {
      readonly path: string;
      readonly built: boolean;
    }[];
  }[];
};

export type Documents = {
  readonly results: readonly Document[];
  readonly paging: Paging;
};

export type EventKept = {
  /** The event's id, its own or the one that it got */
  readonly id: string;
  /** It does not fit its schema, as this says, and waits for somebody's word */
  readonly quarantined?: string;
};

export type EventSchema = {
  /** The event type */
  readonly type: string;
  readonly source?: string | null;
  readonly state: "active" | "off";
  /** The newest version, from 1 */
  readonly latest: number;
  /** Unix epoch, milliseconds */
  readonly created: number;
  /** Unix epoch, milliseconds */
  readonly updated: number;
};

export type EventSchemas = {
  readonly paging: Paging;
  readonly results: readonly EventSchema[];
};

export type Function = {
  readonly name: string;
  /** Seen from where the server was started */
  readonly file: string;
  readonly line: number | null;
  readonly trigger: FunctionTrigger;
  readonly timeout_ms: number;
  /** Most calls at once on a node */
  readonly concurrency: number;
  readonly attempts: number;
  readonly memory_mb: number;
  readonly state: "running" | "faulty" | "stopped";
  /** Why it does not run */
  readonly fault: string | null;
  readonly calls: FunctionCalls;
  /** On the node that answers */
  readonly last_run: number | null;
  /** On the node that answers */
  readonly last_error: {
    /** Unix epoch, milliseconds */
    readonly at: number;
    readonly name: string;
    readonly message: string;
  } | null;
  /** Schedules */
  readonly next_run: number | null;
  /** What waits for it: messages, events or jobs; null where nothing waits */
  readonly waiting: number | null;
};

/** Calls on the node that answers, since it started */
export type FunctionCalls = {
  readonly done: number;
  readonly failed: number;
};

export type FunctionError = {
  /** Of the error that was thrown, or Timeout, OutOfMemory, Exit, LoadError, BadOutput */
  readonly name: string;
  readonly message: string;
  /** `file:line:column` of the function's own code */
  readonly at: string | null;
  readonly stack: string | null;
};

/** A file that could not be loaded, or that declares what cannot be */
export type FunctionFault = {
  /** Of the function that it would be */
  readonly name: string;
  /** Seen from where the server was started */
  readonly file: string;
  readonly line: number | null;
  readonly message: string;
};

export type FunctionInvocation = {
  readonly id: string;
  readonly function: string;
  /** The same at every try */
  readonly key: string;
  readonly attempt: number;
  /** Unix epoch, milliseconds */
  readonly started: number;
  readonly took_ms: number;
  /** innocent: it was not begun, or ended by another call, and is tried again */
  readonly outcome: "done" | "failed" | "innocent";
  readonly error: FunctionError | null;
  readonly logs: readonly FunctionLogLine[];
  readonly traceparent: string | null;
};

export type FunctionInvocations = {
  readonly paging: Paging;
  readonly results: readonly FunctionInvocation[];
};

export type FunctionInvokeBody = {
  /** What the handler is given; default: null */
  readonly input?: unknown;
};

export type FunctionInvoked = {
  readonly id: string;
  /** innocent: it was not begun, or ended by another call, and is tried again */
  readonly outcome: "done" | "failed" | "innocent";
  /** What the handler returned; null for nothing */
  readonly output: unknown;
  readonly error: FunctionError | null;
  readonly logs: readonly FunctionLogLine[];
  readonly took_ms: number;
};

export type FunctionLogLine = {
  /** Unix epoch, milliseconds */
  readonly at: number;
  readonly level: "debug" | "info" | "warn" | "error";
  readonly text: string;
  readonly fields: { readonly [name: string]: unknown } | null;
};

export type FunctionTrigger = {
  readonly kind: "queue" | "event" | "stream" | "http" | "schedule" | "blob";
  /** In a few words: the queue, the pattern, the method and path, the time */
  readonly says: string;
  /** All of it */
  readonly spec: { readonly [name: string]: unknown };
};

export type Functions = {
  readonly results: readonly Function[];
  readonly faults: readonly FunctionFault[];
};

export type InboundAnswer = {
  readonly messageId: string;
};

export type InboundEvent = {
  /** What happened: the type of the event */
  readonly event: string;
  /** Unique for the caller: the id of the event */
  readonly messageId: string;
  readonly properties: { readonly [name: string]: unknown };
  readonly type: "track";
  readonly userId?: string | null;
};

export type Paging = {
  /** Whether another page follows */
  readonly more: boolean;
  readonly cursor?: string | null;
};

export type QuarantinedEvents = {
  readonly paging: Paging;
  readonly results: readonly {
    /** Names it in calls */
    readonly key: string;
    /** Why it waits */
    readonly says: string;
    /** Unix epoch, milliseconds */
    readonly since: number;
    readonly event: { readonly [name: string]: unknown };
  }[];
};

export type Queue = {
  readonly name: string;
  /** Unix epoch, milliseconds */
  readonly created: number;
  /** Unix epoch, milliseconds */
  readonly modified: number;
  /** Milliseconds; how long a received message stays hidden; at most 12 hours */
  readonly visibility_ms: number;
  /** Milliseconds; how long a sent message stays hidden; at most 15 minutes */
  readonly delay_ms: number;
  /** Milliseconds; older messages are dropped; a minute to 14 days */
  readonly retention_ms: number;
  /** Milliseconds; how long a receive waits unless it says otherwise; at most 20 seconds */
  readonly wait_ms: number;
  readonly message_bytes_max: number;
  readonly dead_letter: QueueDeadLetter | null;
  /** Null: a standard queue */
  readonly fifo: QueueFifo | null;
  readonly tags: { readonly [name: string]: unknown };
  readonly counts: QueueCounts;
  readonly tally: QueueTally;
};

export type QueueBody = {
  /** Milliseconds; how long a received message stays hidden; at most 12 hours */
  readonly visibility_ms?: number;
  /** Milliseconds; how long a sent message stays hidden; at most 15 minutes */
  readonly delay_ms?: number;
  /** Milliseconds; older messages are dropped; a minute to 14 days */
  readonly retention_ms?: number;
  /** Milliseconds; how long a receive waits unless it says otherwise; at most 20 seconds */
  readonly wait_ms?: number;
  readonly message_bytes_max?: number;
  readonly dead_letter?: QueueDeadLetter | null;
  readonly fifo?: {
    /** Equal bodies within five minutes are one message */
    readonly content_dedup?: boolean;
    readonly dedup_scope?: "queue" | "group";
  };
  readonly tags?: { readonly [name: string]: unknown };
};

export type QueueCounts = {
  readonly visible: number;
  /** Received and not deleted yet */
  readonly in_flight: number;
  readonly delayed: number;
  readonly oldest_visible: number | null;
};

export type QueueDeadLetter = {
  /** Gets what was received too often */
  readonly queue: string;
  /** How often a message may be received */
  readonly receive_max: number;
};

export type QueueFifo = {
  /** Equal bodies within five minutes are one message */
  readonly content_dedup: boolean;
  readonly dedup_scope: "queue" | "group";
};

export type QueueMessageBody = {
  readonly body: string;
  readonly attributes?: { readonly [name: string]: unknown } | null;
  readonly delay_ms?: number | null;
  readonly group_id?: string | null;
  readonly dedup_id?: string | null;
};

export type QueueMessageSent = {
  readonly id: string;
  /** FIFO queues */
  readonly sequence: string | null;
  /** It was sent before; nothing was stored */
  readonly repeated: boolean;
};

export type QueueMove = {
  readonly id: string;
  readonly status: "running" | "cancelling" | "cancelled" | "completed" | "failed";
  readonly to: string | null;
  readonly per_second_max: number | null;
  readonly moved: number;
  /** What lay there when it began */
  readonly to_move: number;
  /** Unix epoch, milliseconds */
  readonly started: number;
  readonly ended: number | null;
  readonly failure: string | null;
};

export type QueueMoves = {
  readonly results: readonly QueueMove[];
};

export type QueueRedriveBody = {
  readonly to?: string | null;
  readonly per_second_max?: number | null;
};

/** Messages by what happened to them on the node that answers, since it started */
export type QueueTally = {
  readonly sent: number;
  readonly received: number;
  readonly deleted: number;
  /** Received too often, and moved */
  readonly dead_lettered: number;
  /** Older than `retention_ms` */
  readonly expired: number;
  /** Moved back by a redrive */
  readonly moved: number;
};

export type Queues = {
  readonly paging: Paging;
  readonly results: readonly Queue[];
};

export type Rule = {
  readonly bus: string;
  readonly name: string;
  readonly arn: string;
  readonly pattern?: { readonly [name: string]: unknown } | null;
  /** The pattern's text, only when its numbers do not survive a JSON parser */
  readonly patternText?: string;
  readonly schedule?: string | null;
  readonly enabled: boolean;
  readonly description?: string | null;
  readonly tags: { readonly [name: string]: unknown };
  readonly targets: readonly { readonly [name: string]: unknown }[];
  readonly managedBy?: string | null;
  readonly created: string;
  readonly modified: string;
};

export type RuleBody = {
  /** An event pattern, as an object or as its text */
  readonly pattern?: string | { readonly [name: string]: unknown };
  /** Kept and shown; nothing runs by it yet */
  readonly schedule?: string;
  readonly enabled?: boolean;
  readonly description?: string;
  readonly tags?: { readonly [name: string]: unknown };
  readonly targets?: readonly RuleTarget[];
};

export type RuleEnabled = {
  readonly enabled: boolean;
};

export type RulePut = {
  /** What there was before; `same`: nothing was written */
  readonly was: "absent" | "same" | "different";
  readonly rule: Rule;
};

export type RuleTarget = {
  /** Unique in its rule; absent: made of what it is */
  readonly id?: string;
  /** A body of `POST /send` with `<names>`, and `paths` that say what of the event they stand for */
  readonly send?: { readonly [name: string]: unknown };
  /** A queue's name */
  readonly queue?: string;
  /** Message group, for FIFO queues */
  readonly group?: string;
  /** An endpoint's id */
  readonly webhook?: string;
  /** Another bus, whose rules see the event too */
  readonly bus?: string;
  /** Any of these as an ARN */
  readonly arn?: string;
  /** What it is told instead of the event */
  readonly input?: unknown;
  /** The part of the event that it is told */
  readonly inputPath?: string;
  readonly transform?: {
    readonly paths?: { readonly [name: string]: unknown };
    readonly template: string;
  };
  readonly retry?: {
    readonly attempts?: number;
    readonly ageSeconds?: number;
  };
  /** The queue for what could not be delivered; absent: it becomes a dead letter here */
  readonly deadLetterQueue?: string;
};

export type RuleTest = {
  readonly matches: boolean;
  readonly why?: string | null;
};

export type RuleTestBody = {
  readonly pattern: string | { readonly [name: string]: unknown };
  /** A whole event, as rules see it */
  readonly event: string | { readonly [name: string]: unknown };
};

export type Rules = {
  readonly paging: Paging;
  readonly items: readonly Rule[];
};

export type SchemaCheck = {
  readonly type: string;
  readonly against?: number | null;
  readonly verdict: "breaking" | "compatible" | "unsure";
  readonly findings: readonly SchemaFinding[];
  /** Rules that read a field that goes away or changes */
  readonly readers: readonly SchemaReader[];
};

export type SchemaFinding = {
  readonly kind: "breaking" | "compatible" | "unsure";
  /** A JSON pointer into the data; `*` for each entry */
  readonly at: string;
  readonly says: string;
};

export type SchemaPolicies = {
  readonly results: readonly {
    /** `*`: all that have no policy of their own */
    readonly source: string;
    /** What becomes of an event that does not fit the schema of its type */
    readonly unfit: string;
    /** What becomes of an event whose type has no schema */
    readonly unknown: string;
  }[];
};

export type SchemaPolicyBody = {
  readonly unfit?: "ignore" | "quarantine" | "reject";
  readonly unknown?: "ignore" | "quarantine" | "reject";
};

export type SchemaReader = {
  /** A JSON pointer into the data */
  readonly field: string;
  /** pattern, path or words */
  readonly what: string;
  readonly bus: string;
  readonly rule: string;
  readonly target?: string | null;
  readonly reads: string;
};

export type SchemaStateBody = {
  /** off: nothing is judged by it */
  readonly state: "active" | "off";
};

export type Webhook = {
  readonly id: string;
  /** As a rule's target */
  readonly arn: string;
  readonly url: string;
  readonly description?: string | null;
  readonly enabled: boolean;
  readonly disabledBy?: ("410" | "hand") | null;
  readonly format: "standard" | "courier";
  readonly bus?: string | null;
  readonly pattern?: { readonly [name: string]: unknown } | null;
  readonly allowPrivate: boolean;
  readonly headerNames: readonly string[];
  readonly timeoutMs: number;
  readonly secrets: readonly {
    /** When it was made */
    readonly created: string;
    readonly until?: string | null;
  }[];
  /** When it was made */
  readonly created: string;
  /** When it was last changed */
  readonly modified: string;
};

export type WebhookBody = {
  /** Letters, digits, - and _; absent: one is made */
  readonly id?: string;
  readonly url: string;
  /** Whose events; absent: `tidings`, our own */
  readonly bus?: string;
  readonly description?: string | null;
  readonly pattern?: (string | { readonly [name: string]: unknown }) | null;
  /** Standard Webhooks, or Courier's event webhooks */
  readonly format?: "standard" | "courier";
  /** Let the URL lead to this machine and its network */
  readonly allowPrivate?: boolean;
  /** Sent with each call; their values are shown to nobody */
  readonly headers?: { readonly [name: string]: unknown };
  /** For a whole call */
  readonly timeoutMs?: number;
};

export type WebhookChange = {
  readonly url?: string;
  readonly description?: string | null;
  readonly pattern?: (string | { readonly [name: string]: unknown }) | null;
  /** Standard Webhooks, or Courier's event webhooks */
  readonly format?: "standard" | "courier";
  /** Let the URL lead to this machine and its network */
  readonly allowPrivate?: boolean;
  /** Sent with each call; their values are shown to nobody */
  readonly headers?: { readonly [name: string]: unknown };
  /** For a whole call */
  readonly timeoutMs?: number;
};

export type WebhookDeliveries = {
  readonly paging: Paging;
  readonly items: readonly WebhookDelivery[];
};

export type WebhookDelivery = {
  readonly id: string;
  /** `webhook-id`: the same for the same event, however often it is delivered */
  readonly messageId: string;
  readonly type: string;
  readonly state: "delivered" | "waiting" | "dead";
  /** When it began, the last time */
  readonly began: string;
  readonly next?: string | null;
  readonly error?: string | null;
  readonly tries: readonly {
    /** When it was called */
    readonly at: string;
    readonly status?: number | null;
    readonly tookMs: number;
    /** The beginning of the answer, or why there was none */
    readonly says: string;
  }[];
};

export type WebhookEnabled = {
  readonly enabled: boolean;
};

export type WebhookReplay = {
  readonly state: "running" | "done";
  /** Events of this time and later */
  readonly from: string;
  /** Events before this time */
  readonly to: string;
  readonly bus: string;
  /** Deliveries begun */
  readonly replayed: number;
  /** When it began */
  readonly started: string;
  readonly ended?: string | null;
};

export type WebhookReplayBody = {
  /** Events of this time (ISO 8601) and later */
  readonly from: string;
  /** Events before this time; absent: now */
  readonly to?: string;
  /** Which events; absent: those that it gets */
  readonly pattern?: string | { readonly [name: string]: unknown };
  /** Whose events; absent: those that it gets */
  readonly bus?: string;
};

export type WebhookRotate = {
  /** How long the old one signs, too */
  readonly keepOldSeconds?: number;
};

export type WebhookTest = {
  readonly delivered: boolean;
  readonly status?: number | null;
  /** The beginning of the answer, or why there was none */
  readonly says: string;
  readonly tookMs?: number | null;
};

export type WebhookWithSecret = {
  readonly id: string;
  /** As a rule's target */
  readonly arn: string;
  readonly url: string;
  readonly description?: string | null;
  readonly enabled: boolean;
  readonly disabledBy?: ("410" | "hand") | null;
  readonly format: "standard" | "courier";
  readonly bus?: string | null;
  readonly pattern?: { readonly [name: string]: unknown } | null;
  readonly allowPrivate: boolean;
  readonly headerNames: readonly string[];
  readonly timeoutMs: number;
  readonly secrets: readonly {
    /** When it was made */
    readonly created: string;
    readonly until?: string | null;
  }[];
  /** When it was made */
  readonly created: string;
  /** When it was last changed */
  readonly modified: string;
  /** `whsec_…`; told now and never again */
  readonly secret: string;
};

export type Webhooks = {
  readonly paging: Paging;
  readonly items: readonly Webhook[];
};

export type WholeEventSchema = {
  /** The event type */
  readonly type: string;
  readonly source?: string | null;
  readonly state: "active" | "off";
  /** The newest version, from 1 */
  readonly latest: number;
  /** Unix epoch, milliseconds */
  readonly created: number;
  /** Unix epoch, milliseconds */
  readonly updated: number;
  readonly schema: { readonly [name: string]: unknown };
};

/** With the last replay of a time */
export type WholeWebhook = {
  readonly id: string;
  /** As a rule's target */
  readonly arn: string;
  readonly url: string;
  readonly description?: string | null;
  readonly enabled: boolean;
  readonly disabledBy?: ("410" | "hand") | null;
  readonly format: "standard" | "courier";
  readonly bus?: string | null;
  readonly pattern?: { readonly [name: string]: unknown } | null;
  readonly allowPrivate: boolean;
  readonly headerNames: readonly string[];
  readonly timeoutMs: number;
  readonly secrets: readonly {
    /** When it was made */
    readonly created: string;
    readonly until?: string | null;
  }[];
  /** When it was made */
  readonly created: string;
  /** When it was last changed */
  readonly modified: string;
  readonly replay?: WebhookReplay | null;
};

/** With what was posted; null: it was never called */
export type WholeWebhookDelivery = {
  readonly id: string;
  /** `webhook-id`: the same for the same event, however often it is delivered */
  readonly messageId: string;
  readonly type: string;
  readonly state: "delivered" | "waiting" | "dead";
  /** When it began, the last time */
  readonly began: string;
  readonly next?: string | null;
  readonly error?: string | null;
  readonly tries: readonly {
    /** When it was called */
    readonly at: string;
    readonly status?: number | null;
    readonly tookMs: number;
    /** The beginning of the answer, or why there was none */
    readonly says: string;
  }[];
  readonly payload?: { readonly [name: string]: unknown } | null;
};

/** By method and path: what is given, and what is answered. */
export type Operations = {
  /** Take CloudEvents 1.0, one or a batch, in binary, structured or batch mode. */
  readonly "POST /events": {
    readonly params: {};
    readonly query: { readonly bus?: string };
    readonly body: unknown;
    readonly answer: EventKept;
  };
  /** Take one event of this type, its data being the body: for a shell and curl. */
  readonly "POST /events/{type}": {
    readonly params: { readonly type: string };
    readonly query: {
      readonly source?: string;
      readonly id?: string;
      readonly subject?: string;
      readonly time?: string;
      readonly bus?: string;
    };
    readonly body: unknown;
    readonly answer: EventKept;
  };
  /** Take a track event as Courier has it. */
  readonly "POST /inbound/courier": {
    readonly params: {};
    readonly query: {};
    readonly body: InboundEvent;
    readonly answer: InboundAnswer;
  };
  /** Events that did not fit their schema and wait for somebody's word. */
  readonly "GET /schemas/quarantine": {
    readonly params: {};
    readonly query: { readonly cursor?: string; readonly limit?: number; readonly type?: string };
    readonly body: undefined;
    readonly answer: QuarantinedEvents;
  };
  /** Accept an event now, as it is. */
  readonly "POST /schemas/quarantine/{key}/release": {
    readonly params: { readonly key: string };
    readonly query: {};
    readonly body: undefined;
    readonly answer: EventKept;
  };
  /** Drop an event for good. */
  readonly "DELETE /schemas/quarantine/{key}": {
    readonly params: { readonly key: string };
    readonly query: {};
    readonly body: undefined;
    readonly answer: undefined;
  };
  /** What becomes of events that do not fit, by source. */
  readonly "GET /schemas/policies": {
    readonly params: {};
    readonly query: {};
    readonly body: undefined;
    readonly answer: SchemaPolicies;
  };
  /** Say what becomes of a source's events that do not fit, or whose type has no schema. */
  readonly "PUT /schemas/policies/{source}": {
    readonly params: { readonly source: string };
    readonly query: {};
    readonly body: SchemaPolicyBody;
    readonly answer: undefined;
  };
  /** Let a source have the policy of `*` again. */
  readonly "DELETE /schemas/policies/{source}": {
    readonly params: { readonly source: string };
    readonly query: {};
    readonly body: undefined;
    readonly answer: undefined;
  };
  /** TypeScript types of all events that have a schema. */
  readonly "GET /schemas/types.d.ts": {
    readonly params: {};
    readonly query: {};
    readonly body: undefined;
    readonly answer: Uint8Array | string;
  };
  /** The events that come in, as an AsyncAPI 3.0 document. */
  readonly "GET /asyncapi.json": {
    readonly params: {};
    readonly query: {};
    readonly body: undefined;
    readonly answer: unknown;
  };
  /** All event types that have a schema. */
  readonly "GET /schemas": {
    readonly params: {};
    readonly query: {};
    readonly body: undefined;
    readonly answer: EventSchemas;
  };
  /** The newest version of an event type's schema. */
  readonly "GET /schemas/{type}": {
    readonly params: { readonly type: string };
    readonly query: { readonly source?: string };
    readonly body: undefined;
    readonly answer: WholeEventSchema;
  };
  /** Add a version to an event type's schema; the body is a JSON Schema 2020-12. */
  readonly "PUT /schemas/{type}": {
    readonly params: { readonly type: string };
    readonly query: { readonly source?: string };
    readonly body: { readonly [name: string]: unknown };
    readonly answer: EventSchema;
  };
  /** Remove a schema with all its versions. */
  readonly "DELETE /schemas/{type}": {
    readonly params: { readonly type: string };
    readonly query: { readonly source?: string };
    readonly body: undefined;
    readonly answer: undefined;
  };
  /** A version of a schema, as it was put: what a `dataschema` may name. */
  readonly "GET /schemas/{type}/versions/{version}": {
    readonly params: { readonly type: string; readonly version: string };
    readonly query: { readonly source?: string };
    readonly body: undefined;
    readonly answer: unknown;
  };
  /** Switch a schema off, or on again. */
  readonly "PUT /schemas/{type}/state": {
    readonly params: { readonly type: string };
    readonly query: { readonly source?: string };
    readonly body: SchemaStateBody;
    readonly answer: EventSchema;
  };
  /** Compare a schema with the newest version: can those who read the old still read the new?. */
  readonly "POST /schemas/{type}/check": {
    readonly params: { readonly type: string };
    readonly query: { readonly source?: string };
    readonly body: { readonly [name: string]: unknown };
    readonly answer: SchemaCheck;
  };
  /** All queues, by name. */
  readonly "GET /queues": {
    readonly params: {};
    readonly query: { readonly prefix?: string; readonly cursor?: string; readonly limit?: number };
    readonly body: undefined;
    readonly answer: Queues;
  };
  /** One queue, and how much lies in it. */
  readonly "GET /queues/{name}": {
    readonly params: { readonly name: string };
    readonly query: {};
    readonly body: undefined;
    readonly answer: Queue;
  };
  /** Make a queue, or change it. */
  readonly "PUT /queues/{name}": {
    readonly params: { readonly name: string };
    readonly query: {};
    readonly body: QueueBody;
    readonly answer: Queue;
  };
  /** Delete a queue with all that lies in it. */
  readonly "DELETE /queues/{name}": {
    readonly params: { readonly name: string };
    readonly query: {};
    readonly body: undefined;
    readonly answer: undefined;
  };
  /** Empty a queue. */
  readonly "POST /queues/{name}/purge": {
    readonly params: { readonly name: string };
    readonly query: {};
    readonly body: undefined;
    readonly answer: undefined;
  };
  /** Put a message into a queue. */
  readonly "POST /queues/{name}/messages": {
    readonly params: { readonly name: string };
    readonly query: {};
    readonly body: QueueMessageBody;
    readonly answer: QueueMessageSent;
  };
  /** Move what lies in a dead-letter queue back to where it came from. */
  readonly "POST /queues/{name}/redrive": {
    readonly params: { readonly name: string };
    readonly query: {};
    readonly body: QueueRedriveBody;
    readonly answer: QueueMove;
  };
  /** How moves out of a dead-letter queue go, newest first. */
  readonly "GET /queues/{name}/redrive": {
    readonly params: { readonly name: string };
    readonly query: {};
    readonly body: undefined;
    readonly answer: QueueMoves;
  };
  /** Stop the move out of a dead-letter queue; what is moved stays moved. */
  readonly "DELETE /queues/{name}/redrive": {
    readonly params: { readonly name: string };
    readonly query: {};
    readonly body: undefined;
    readonly answer: QueueMove;
  };
  /** All event buses. */
  readonly "GET /buses": {
    readonly params: {};
    readonly query: { readonly cursor?: string; readonly limit?: number };
    readonly body: undefined;
    readonly answer: Buses;
  };
  /** Make an event bus; one that exists stays as it is. */
  readonly "PUT /buses/{bus}": {
    readonly params: { readonly bus: string };
    readonly query: {};
    readonly body: BusBody;
    readonly answer: Bus;
  };
  /** Delete an event bus that has no rules. */
  readonly "DELETE /buses/{bus}": {
    readonly params: { readonly bus: string };
    readonly query: {};
    readonly body: undefined;
    readonly answer: undefined;
  };
  /** Rules of all buses, or of one. */
  readonly "GET /rules": {
    readonly params: {};
    readonly query: {
      readonly cursor?: string;
      readonly limit?: number;
      readonly bus?: string;
      readonly prefix?: string;
    };
    readonly body: undefined;
    readonly answer: Rules;
  };
  /** One rule. */
  readonly "GET /rules/{bus}/{name}": {
    readonly params: { readonly bus: string; readonly name: string };
    readonly query: {};
    readonly body: undefined;
    readonly answer: Rule;
  };
  /** Make or replace a rule with all its targets. */
  readonly "PUT /rules/{bus}/{name}": {
    readonly params: { readonly bus: string; readonly name: string };
    readonly query: { readonly try?: boolean };
    readonly body: RuleBody;
    readonly answer: RulePut;
  };
  /** Delete a rule with its targets. */
  readonly "DELETE /rules/{bus}/{name}": {
    readonly params: { readonly bus: string; readonly name: string };
    readonly query: {};
    readonly body: undefined;
    readonly answer: undefined;
  };
  /** Enable or disable a rule. */
  readonly "PUT /rules/{bus}/{name}/enabled": {
    readonly params: { readonly bus: string; readonly name: string };
    readonly query: {};
    readonly body: RuleEnabled;
    readonly answer: Rule;
  };
  /** Tell whether a pattern matches an event, and if not, why. */
  readonly "POST /rules/test": {
    readonly params: {};
    readonly query: {};
    readonly body: RuleTestBody;
    readonly answer: RuleTest;
  };
  /** All webhooks. */
  readonly "GET /webhooks": {
    readonly params: {};
    readonly query: { readonly cursor?: string; readonly limit?: number };
    readonly body: undefined;
    readonly answer: Webhooks;
  };
  /** Make a webhook, and the rule that gives it its events. */
  readonly "POST /webhooks": {
    readonly params: {};
    readonly query: {};
    readonly body: WebhookBody;
    readonly answer: WebhookWithSecret;
  };
  /** One webhook. */
  readonly "GET /webhooks/{id}": {
    readonly params: { readonly id: string };
    readonly query: {};
    readonly body: undefined;
    readonly answer: WholeWebhook;
  };
  /** Change a webhook; what is left out stays. */
  readonly "PATCH /webhooks/{id}": {
    readonly params: { readonly id: string };
    readonly query: {};
    readonly body: WebhookChange;
    readonly answer: Webhook;
  };
  /** Delete a webhook with its rule. */
  readonly "DELETE /webhooks/{id}": {
    readonly params: { readonly id: string };
    readonly query: {};
    readonly body: undefined;
    readonly answer: undefined;
  };
  /** Make a new secret; the old one signs, too, for a time. */
  readonly "POST /webhooks/{id}/rotate": {
    readonly params: { readonly id: string };
    readonly query: {};
    readonly body: WebhookRotate;
    readonly answer: WebhookWithSecret;
  };
  /** Enable or disable a webhook. */
  readonly "PUT /webhooks/{id}/enabled": {
    readonly params: { readonly id: string };
    readonly query: {};
    readonly body: WebhookEnabled;
    readonly answer: Webhook;
  };
  /** Send a sample event now, and tell what came back. */
  readonly "POST /webhooks/{id}/test": {
    readonly params: { readonly id: string };
    readonly query: {};
    readonly body: undefined;
    readonly answer: WebhookTest;
  };
  /** Deliveries of a webhook with their tries, newest first. */
  readonly "GET /webhooks/{id}/deliveries": {
    readonly params: { readonly id: string };
    readonly query: { readonly cursor?: string; readonly limit?: number };
    readonly body: undefined;
    readonly answer: WebhookDeliveries;
  };
  /** One delivery, and what was posted. */
  readonly "GET /webhooks/{id}/deliveries/{delivery}": {
    readonly params: { readonly id: string; readonly delivery: string };
    readonly query: {};
    readonly body: undefined;
    readonly answer: WholeWebhookDelivery;
  };
  /** Deliver it again now, under the same `webhook-id`. */
  readonly "POST /webhooks/{id}/deliveries/{delivery}/replay": {
    readonly params: { readonly id: string; readonly delivery: string };
    readonly query: {};
    readonly body: undefined;
    readonly answer: undefined;
  };
  /** Deliver the events of a time again. */
  readonly "POST /webhooks/{id}/replay": {
    readonly params: { readonly id: string };
    readonly query: {};
    readonly body: WebhookReplayBody;
    readonly answer: WebhookReplay;
  };
  /** All functions, by name, and files that could not be loaded. */
  readonly "GET /functions": {
    readonly params: {};
    readonly query: {};
    readonly body: undefined;
    readonly answer: Functions;
  };
  /** One function, and how it does. */
  readonly "GET /functions/{name}": {
    readonly params: { readonly name: string };
    readonly query: {};
    readonly body: undefined;
    readonly answer: Function;
  };
  /** Read all functions anew. */
  readonly "POST /functions/reload": {
    readonly params: {};
    readonly query: {};
    readonly body: undefined;
    readonly answer: Functions;
  };
  /** Calls that failed or logged something, newest first. */
  readonly "GET /functions/{name}/invocations": {
    readonly params: { readonly name: string };
    readonly query: { readonly failed?: boolean; readonly cursor?: string; readonly limit?: number };
    readonly body: undefined;
    readonly answer: FunctionInvocations;
  };
  /** One call. */
  readonly "GET /functions/{name}/invocations/{id}": {
    readonly params: { readonly name: string; readonly id: string };
    readonly query: {};
    readonly body: undefined;
    readonly answer: FunctionInvocation;
  };
  /** Call a function by hand. */
  readonly "POST /functions/{name}/invoke": {
    readonly params: { readonly name: string };
    readonly query: {};
    readonly body: FunctionInvokeBody;
    readonly answer: FunctionInvoked;
  };
  /** Collections that are declared, with their indexes. */
  readonly "GET /documents": {
    readonly params: {};
    readonly query: {};
    readonly body: undefined;
    readonly answer: DocumentCollections;
  };
  /** Documents of a collection by id, or those that an index finds. */
  readonly "GET /documents/{collection}": {
    readonly params: { readonly collection: string };
    readonly query: {
      readonly where?: readonly string[];
      readonly prefix?: string;
      readonly cursor?: string;
      readonly limit?: number;
    };
    readonly body: undefined;
    readonly answer: Documents;
  };
  /** One document. */
  readonly "GET /documents/{collection}/{id}": {
    readonly params: { readonly collection: string; readonly id: string };
    readonly query: {};
    readonly body: undefined;
    readonly answer: Document;
  };
  /** Put a document whole. */
  readonly "PUT /documents/{collection}/{id}": {
    readonly params: { readonly collection: string; readonly id: string };
    readonly query: { readonly version?: number };
    readonly body: { readonly [name: string]: unknown };
    readonly answer: Document;
  };
  /** Delete a document. */
  readonly "DELETE /documents/{collection}/{id}": {
    readonly params: { readonly collection: string; readonly id: string };
    readonly query: { readonly version?: number };
    readonly body: undefined;
    readonly answer: undefined;
  };
  /** Files by name. */
  readonly "GET /blobs": {
    readonly params: {};
    readonly query: { readonly prefix?: string; readonly cursor?: string; readonly limit?: number };
    readonly body: undefined;
    readonly answer: Blobs;
  };
  /** Keep a file under a name, and start the functions that wait for it. */
  readonly "PUT /blobs/{name}": {
    readonly params: { readonly name: string };
    readonly query: {};
    readonly body: Uint8Array | string;
    readonly answer: Blob;
  };
  /** A file. */
  readonly "GET /blobs/{name}": {
    readonly params: { readonly name: string };
    readonly query: {};
    readonly body: undefined;
    readonly answer: Uint8Array | string;
  };
  /** Delete a file. */
  readonly "DELETE /blobs/{name}": {
    readonly params: { readonly name: string };
    readonly query: {};
    readonly body: undefined;
    readonly answer: undefined;
  };
};

/** Operations that may be repeated under an Idempotency-Key. */
export const IDEMPOTENT: ReadonlySet<string> = new Set([]);
