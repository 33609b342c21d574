import { ErrorBody } from "@tidings/contract";
import type { TObject, TSchema } from "typebox";
import type { HttpSettings } from "#doors/http/house.ts";
import type { Scope, Tag } from "#doors/http/route.ts";
import { FAULTS, type FaultCode } from "#domain/problem.ts";

/** JSON that fits `body`, or any content `type`; `also` are other content types that the same status may come in. */
export type AnswerDoc = {
  readonly says: string;
  readonly body?: TSchema;
  readonly type?: string;
  readonly also?: readonly string[];
};

/** What a route tells of itself; every `Route` is one. */
export type RouteDoc = {
  readonly method: string;
  readonly path: string;
  readonly tag: Tag;
  readonly scope: Scope;
  readonly summary: string;
  readonly description?: string;
  readonly params?: TObject;
  readonly query?: TObject;
  readonly body?: TSchema;
  readonly example?: unknown;
  readonly rawBytesMax?: number;
  readonly rawTypes?: Readonly<Record<string, unknown>>;
  readonly answers: Readonly<Record<number, AnswerDoc>>;
  readonly faults?: readonly FaultCode[];
  readonly idempotent?: true | "at commit";
  readonly hidden?: boolean;
};

const TAGS: Readonly<Record<Tag, string>> = {
  send: "Say something to someone",
  messages: "One message to one recipient, from accepted to its one outcome",
  requests: "One accepted call, and what became of all its messages",
  profiles: "People: where and how they can be reached",
  lists: "Mailing lists and who is on them",
  suppressions: "Addresses that must not be written to",
  events: "What happened in your services: CloudEvents, plain JSON, Courier's inbound call",
  queues: "Messages that wait until somebody takes them: made and sent to here, received by SQS clients",
  rules: "Which events are given to whom: buses, rules and their targets",
  webhooks: "Endpoints that are called about what happens: made, tried, their deliveries looked at and made again",
  functions: "Your own handlers: what is loaded, what they logged, calling one by hand",
  documents: "A small JSON store: objects by collection and id, found by declared indexes",
  blobs: "Files by name; a put starts the functions that wait for it",
  schemas: "What events of a type look like, and what becomes of those that do not",
  mailbox: "What was caught instead of sent",
  keys: "API keys",
  admin: "For whoever runs it: why, the journal, queues, dead letters",
  service: "For machines: alive, ready, numbers, this document",
};

/** The OpenAPI 3.1 document, as JSON text, of the schemas that validate: what is checked is what is documented. */
export function writeOpenApi(
  routes: readonly RouteDoc[],
  settings: Pick<HttpSettings, "version" | "publicUrl">,
): string {
  const components = new Map<string, object>();
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    if (route.hidden === true) continue;
    const path = route.path.replaceAll(/:(\w+)/g, "{$1}");
    (paths[path] ??= {})[route.method.toLowerCase()] = operationOf(route, components);
  }
  const used = new Set(routes.filter(({ hidden }) => hidden !== true).map(({ tag }) => tag));
  return JSON.stringify({
    openapi: "3.1.1",
    info: {
      title: "Tidings",
      version: settings.version,
      description:
        "Notifications that reach people, and the answer to whether they did. Compatible with Courier's API.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: settings.publicUrl }],
    tags: Object.entries(TAGS)
      .filter(([name]) => used.has(name as Tag))
      .map(([name, description]) => ({ name, description })),
    paths,
    components: {
      schemas: Object.fromEntries([...components].toSorted(([a], [b]) => (a < b ? -1 : 1))),
      securitySchemes: {
        key: { type: "http", scheme: "bearer", description: "An API key; `tidings keys create` makes one" },
      },
    },
  });
}

type Components = Map<string, object>;

function operationOf(route: RouteDoc, components: Components): object {
  const { method, path, tag, scope, summary, description, answers } = route;
  const body = bodyOf(route, components);
  const parameters = [
    ...parametersOf("path", route.params, components),
    ...parametersOf("query", route.query, components),
    ...(route.idempotent === undefined ? [] : IDEMPOTENCY_HEADERS),
  ];
  const responses: Record<string, object> = {};
  for (const [status, answer] of Object.entries(answers)) responses[status] = answerOf(answer, components);
  for (const [status, codes] of refusalsOf(route)) responses[status] ??= refusalOf(codes, components);
  return {
    tags: [tag],
    operationId: operationId(method, path),
    summary,
    ...(description === undefined ? {} : { description }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === null ? {} : { requestBody: body }),
    responses,
    security: scope === "open" ? [] : [{ key: [] }],
    ...(scope === "open" ? {} : { "x-scope": scope }),
  };
}

function answerOf({ says, body, type, also = [] }: AnswerDoc, components: Components): object {
  const plain = [...(type === undefined ? [] : [type]), ...also].map((each) => [each, {}] as const);
  const content = {
    ...(body === undefined ? {} : { "application/json": { schema: lift(body, components) } }),
    ...Object.fromEntries(plain),
  };
  return Object.keys(content).length === 0 ? { description: says } : { description: says, content };
}

/** `GET /messages/:message_id/history` → `getMessagesHistory`, `getMessagesByMessageId` where the last part is open. */
function operationId(method: string, path: string): string {
  const parts = path.split("/").filter((part) => part !== "");
  const words = parts
    .filter((part, at) => !part.startsWith(":") || at === parts.length - 1)
    .map((part) => (part.startsWith(":") ? `by-${part.slice(1)}` : part));
  return [method.toLowerCase(), ...words.flatMap((word) => word.split(/[^a-zA-Z0-9]+/))]
    .filter((word) => word !== "")
    .map((word, at) => (at === 0 ? word : word.slice(0, 1).toUpperCase() + word.slice(1)))
    .join("");
}

function bodyOf({ body, example, rawBytesMax, rawTypes }: RouteDoc, components: Components): object | null {
  if (rawTypes !== undefined) {
    const content = Object.entries(rawTypes).map(([type, shown]) => [type, { schema: {}, example: shown }] as const);
    return { required: true, content: Object.fromEntries(content) };
  }
  if (rawBytesMax !== undefined) {
    return { required: true, content: { "*/*": { schema: { type: "string", format: "binary" } } } };
  }
  if (body === undefined) return null;
  const shown = example === undefined ? {} : { example };
  return { required: true, content: { "application/json": { schema: lift(body, components), ...shown } } };
}

function parametersOf(place: "path" | "query", schema: TObject | undefined, components: Components): readonly object[] {
  return Object.entries(schema?.properties ?? {}).map(([name, property]) => {
    const { description, ...rest } = lift(property, components) as { readonly description?: string };
    const array = "type" in rest && rest.type === "array";
    return {
      name,
      in: place,
      required: place === "path" || schema?.required?.includes(name) === true,
      ...(description === undefined ? {} : { description }),
      schema: rest,
      ...(array ? { style: "form", explode: false } : {}),
    };
  });
}

const IDEMPOTENCY_HEADERS = [
  {
    name: "Idempotency-Key",
    in: "header",
    required: false,
    description: "A call repeated with the same key gets the first answer and does nothing",
    schema: { type: "string", maxLength: 256 },
  },
  {
    name: "x-idempotency-expiration",
    in: "header",
    required: false,
    description: "Until when the key is remembered: epoch seconds or milliseconds, or ISO 8601; default 25 hours",
    schema: { type: "string" },
  },
];

/** What may go wrong, by status: what the route says, and what its key, body and store bring along. */
function refusalsOf(route: RouteDoc): ReadonlyMap<string, readonly FaultCode[]> {
  const codes: FaultCode[] = [...(route.faults ?? [])];
  const reads = route.body !== undefined || route.rawBytesMax !== undefined;
  if (route.query !== undefined || route.params !== undefined || reads) codes.push("request.invalid");
  if (route.body !== undefined) codes.push("request.malformed", "request.unsupported_type");
  if (reads) codes.push("request.too_large");
  if (route.scope !== "open") codes.push("auth.missing", "auth.invalid", "auth.scope");
  if (route.idempotent !== undefined) codes.push("idempotency.running", "idempotency.mismatch");
  if (route.method !== "GET") codes.push("overloaded");
  if (route.tag !== "service") codes.push("store.unavailable");
  codes.push("internal");
  const byStatus = new Map<string, FaultCode[]>();
  for (const code of new Set(codes)) {
    const status = String(FAULTS[code].status);
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return new Map([...byStatus].toSorted(([a], [b]) => Number(a) - Number(b)));
}

function refusalOf(codes: readonly FaultCode[], components: Components): object {
  return {
    description: codes.map((code) => `\`${code}\`: ${FAULTS[code].hint}`).join("\n\n"),
    content: { "application/json": { schema: lift(ErrorBody, components) } },
  };
}

/** Puts schemas that have a title among the components, once, and refers to them. */
function lift(schema: object, components: Components): object {
  const copied = Object.fromEntries(
    Object.entries(schema).map(([name, value]) => [name, liftValue(value, components)]),
  );
  const title = "title" in schema && typeof schema.title === "string" ? schema.title : null;
  if (title === null) return copied;
  components.set(title, copied);
  return { $ref: `#/components/schemas/${title}` };
}

function liftValue(value: unknown, components: Components): unknown {
  if (Array.isArray(value)) return value.map((item) => liftValue(item, components));
  return typeof value === "object" && value !== null ? lift(value, components) : value;
}
