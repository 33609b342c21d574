import type { JsonObject } from "./json.ts";
import type {
  BlobInput,
  EventInput,
  HttpInput,
  HttpOutput,
  QueueMessage,
  QueueOutput,
  ScheduleInput,
  StreamEvent,
} from "./inputs.ts";

/** What starts a function, as the server reads it: plain data. Times are in milliseconds. */
export type TriggerSpec =
  | { readonly kind: "queue"; readonly queue: string; readonly batchSize: number; readonly filter: JsonObject | null }
  | { readonly kind: "event"; readonly pattern: JsonObject; readonly bus: string }
  | {
      readonly kind: "stream";
      readonly batchSize: number;
      readonly parallelizationFactor: number;
      readonly bisectOnError: boolean;
      readonly maxAgeMs: number | null;
      readonly startFrom: "latest" | "earliest";
      readonly filter: JsonObject | null;
    }
  | {
      readonly kind: "http";
      readonly method: HttpMethod;
      readonly path: string;
      readonly auth: "key" | "none";
      /** Origins of pages whose scripts may call it; `*`: of all. Absent: only pages of the server's own origin. */
      readonly cors?: readonly string[];
    }
  | { readonly kind: "schedule"; readonly when: ScheduleWhen; readonly timeZone: string }
  | { readonly kind: "blob"; readonly prefix: string };

export type TriggerKind = TriggerSpec["kind"];
export type HttpMethod = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
export type ScheduleWhen =
  | { readonly kind: "cron"; readonly expression: string }
  | { readonly kind: "rate"; readonly everyMs: number };

declare const INPUT: unique symbol;
declare const OUTPUT: unique symbol;

/** A trigger, and by its types what the handler is given and may return. */
export type Trigger<Input, Output> = {
  readonly spec: TriggerSpec;
  /** Never there: they carry types. */
  readonly [INPUT]?: (input: Input) => void;
  readonly [OUTPUT]?: Output;
};

/** What a queue hands over is tried again as that queue's redrive policy says; without one, as often as `attempts` says. */
export type QueueOptions = {
  /** Most messages in one call of the handler; 1 to 1,000. Default: 10. */
  readonly batchSize?: number;
  /**
   * Only messages that match this event pattern, `{ "body": { … } }`; the others are removed unseen.
   */
  readonly filter?: JsonObject;
};

/**
 * Messages of a queue, several at once. What the handler emits becomes visible in the commit that removes the messages.
 *
 *     on: queue<Registration>("customer-registration", { batchSize: 10 })
 */
export function queue<Body = unknown>(
  name: string,
  options: QueueOptions = {},
): Trigger<readonly QueueMessage<Body>[], QueueOutput> {
  return { spec: { kind: "queue", queue: name, batchSize: options.batchSize ?? 10, filter: options.filter ?? null } };
}

/**
 * Each event that matches a pattern in EventBridge's language, one at a time.
 *
 *     on: event<{ customerId: string }>({ source: ["shop"], "detail-type": ["CustomerValidated"] })
 */
export function event<Data = unknown>(
  pattern: JsonObject,
  options: { readonly bus?: string } = {},
): Trigger<EventInput<Data>, unknown> {
  return { spec: { kind: "event", pattern, bus: options.bus ?? "default" } };
}

export type StreamOptions = {
  /** Most events in one call; 1 to 10,000. Default: 100. */
  readonly batchSize?: number;
  /** How many calls work side by side; events with one subject stay in order. 1 to 64. Default: 1. */
  readonly parallelizationFactor?: number;
  /** Whether a batch that fails is halved to find the event that fails. Default: true. */
  readonly bisectOnError?: boolean;
  /** An event that fails and is older is not tried again. Default: age does not matter. */
  readonly maxAgeMs?: number;
  /** Where it begins when it is new. Default: "latest". */
  readonly startFrom?: "latest" | "earliest";
  /** Only events that match this pattern. Default: all that came from outside. */
  readonly filter?: JsonObject;
};

/** The journal, in order, from a checkpoint of its own that moves in the commit that holds what the handler emitted. */
export function stream<Data = unknown>(options: StreamOptions = {}): Trigger<readonly StreamEvent<Data>[], unknown> {
  return {
    spec: {
      kind: "stream",
      batchSize: options.batchSize ?? 100,
      parallelizationFactor: options.parallelizationFactor ?? 1,
      bisectOnError: options.bisectOnError ?? true,
      maxAgeMs: options.maxAgeMs ?? null,
      startFrom: options.startFrom ?? "latest",
      filter: options.filter ?? null,
    },
  };
}

export type HttpOptions = {
  /** `none`: anybody who reaches the port may call it. Default: an API key that may send. */
  readonly auth?: "key" | "none";
  /**
   * Pages of which other origins may call it by script (CORS): `["https://shop.example"]`, or `"*"` for all. No cookies go
   * along. Default: none.
   */
  readonly cors?: "*" | readonly string[];
};

/**
 * Calls of a path of its own on the one port, such as `/api/customers/:id`. The caller is answered when what the handler
 * emitted is durable.
 */
export function http<Body = unknown>(
  method: HttpMethod,
  path: string,
  options: HttpOptions = {},
): Trigger<HttpInput<Body>, HttpOutput> {
  const { auth = "key", cors } = options;
  const origins = cors === "*" ? ["*"] : cors;
  return { spec: { kind: "http", method, path, auth, ...(origins === undefined ? {} : { cors: origins }) } };
}

/**
 * A time: a cron expression of five fields, or a rate such as `rate(5 minutes)`.
 *
 *     on: schedule("0 8 * * MON-FRI", "Europe/Berlin")
 *
 * @param timeZone of IANA; for cron only.
 */
export function schedule(when: string, timeZone = "UTC"): Trigger<ScheduleInput, unknown> {
  return { spec: { kind: "schedule", when: readWhen(when), timeZone } };
}

/** Each file that is put under a name with this prefix by `PUT /blobs/NAME`. */
export function blob(prefix = ""): Trigger<BlobInput, unknown> {
  return { spec: { kind: "blob", prefix } };
}

const RATE = /^rate\((\d{1,6}) (second|minute|hour|day)s?\)$/;
const CRON = /^cron\((.*)\)$/;
const UNIT_MS = { second: 1_000, minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;

function readWhen(when: string): ScheduleWhen {
  const [, count, unit] = RATE.exec(when) ?? [];
  if (count !== undefined && (unit === "second" || unit === "minute" || unit === "hour" || unit === "day"))
    return { kind: "rate", everyMs: Number(count) * UNIT_MS[unit] };
  return { kind: "cron", expression: (CRON.exec(when)?.[1] ?? when).trim() };
}
