import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Static, TObject, TSchema } from "typebox";
import { type Answer, refusal } from "#doors/http/answer.ts";
import { type BodyBudget, decodeText, readBody } from "#doors/http/body.ts";
import { type Check, compileCheck } from "#doors/http/check.ts";
import { replay } from "#doors/http/commit-answer.ts";
import type { HttpHouse } from "#doors/http/house.ts";
import { readOnce } from "#doors/http/idempotency.ts";
import { readJson } from "#doors/http/json-text.ts";
import type { Keyring } from "#doors/http/keyring.ts";
import { type Answering, hostProblem } from "#doors/http/noise.ts";
import { queryReader, type QueryRead } from "#doors/http/query.ts";
import type { Call, Caller, Once, Route, Scope } from "#doors/http/route.ts";
import { endCall, type Trace, traceCall } from "#doors/http/trace.ts";
import { REQUEST_BYTES_MAX } from "#domain/limits.ts";
import { type Counter, type Histogram } from "#ports/meter.ts";
import { StoreFault } from "#ports/store.ts";

/** What all routes of a door share. */
export type Doorway = {
  readonly house: HttpHouse;
  readonly keyring: Keyring;
  readonly budget: BodyBudget;
  /** Idempotency keys whose first call is under way here. */
  readonly running: Set<string>;
  readonly answering: Answering;
  /** Aborted when the door closes. */
  readonly closing: AbortSignal;
};

/**
 * Makes the function that answers one route's calls:
 *
 *     closing? ▸ host ▸ key ▸ path, query ▸ body ▸ JSON ▸ schema ▸ answered before? ▸ handle ▸ write
 *
 * Each step may answer instead of those behind it. It runs before fastify would read a body, so whoever may not come
 * in is told so without being listened to.
 */
export function server<Params extends TObject, Query extends TObject, Body extends TSchema>(
  route: Route<Params, Query, Body>,
  doorway: Doorway,
): (request: FastifyRequest, reply: FastifyReply) => void {
  const { house } = doorway;
  const steps = stepsOf(route, doorway);
  const seen = instruments(route, house);
  return (request, reply) => {
    reply.hijack();
    doorway.answering.set(request.raw.socket, reply.raw);
    const beganMs = house.clock.monotonicMs();
    const { trace, span } = traceCall(request.raw.headers["traceparent"], route, house);
    const finish = (answer: Answer): void => {
      write(reply.raw, answer, trace, doorway.closing.aborted);
      const status = answer.kind === "stream" ? 200 : answer.status;
      seen(status, house.clock.monotonicMs() - beganMs);
      endCall(span, status);
    };
    steps(request, reply.raw, trace).then(finish, (fault: unknown) => {
      finish(answerToFault(fault, `${route.method} ${route.path}`, trace, house));
    });
  };
}

function stepsOf<Params extends TObject, Query extends TObject, Body extends TSchema>(
  route: Route<Params, Query, Body>,
  doorway: Doorway,
): (request: FastifyRequest, response: ServerResponse, trace: Trace) => Promise<Answer> {
  const { house, keyring, closing } = doorway;
  const readQuery: (raw: Readonly<Record<string, unknown>>) => QueryRead = queryReader(route.query);
  const body = bodyReader(route, doorway.budget);
  return async (request, response, trace) => {
    if (closing.aborted) return STOPPING;
    const { raw } = request;
    const noHost = hostProblem(raw);
    if (noHost !== null) return noHost;
    let caller: Caller = ANYONE;
    if (route.scope !== "open") {
      const { authorization } = raw.headers;
      if (authorization === undefined) return NO_KEY;
      const found = keyring.identify(authorization);
      const known = found instanceof Promise ? await found : found;
      if (known === null) return BAD_KEY;
      if (!mayDo(known, route.scope)) return lacksScope(route.scope);
      caller = known;
    }
    // The router gives an object of strings, and fastify's parser one of strings and arrays of strings.
    const params = request.params as Readonly<Record<string, string>>;
    for (const name in params) if (params[name]?.includes("\0") === true) return BAD_PARAM;
    const query = readQuery(request.query as Readonly<Record<string, unknown>>);
    if (!query.ok) return refusal("request.invalid", query.says);
    const read = await body(raw);
    if ("answer" in read) return read.answer;
    const call: Call<Static<Params>, Static<Query>, Static<Body>> = {
      // The router matched the path that declares these names; queryReader and compileCheck follow these schemas.
      params: params as Static<Params>,
      query: query.query as Static<Query>,
      body: read.value as Static<Body>,
      text: read.text,
      bytes: read.bytes,
      headers: raw.headers,
      caller,
      traceparent: trace.traceparent,
      callId: trace.callId,
      once: null,
      signal: () => goneSignal(response, closing),
    };
    if (route.idempotent === undefined) return await route.handle(call);
    const once = readOnce(raw.headers, pathOf(raw), read.text, house.clock.nowMs(), (t) => house.secrets.digest(t));
    if (once.kind === "none") return await route.handle(call);
    if (once.kind === "bad") return refusal("request.invalid", once.says);
    return await onlyOnce(route, { ...call, once: once.once }, once.once, doorway);
  };
}

async function onlyOnce<Params extends TObject, Query extends TObject, Body extends TSchema>(
  route: Route<Params, Query, Body>,
  call: Call<Static<Params>, Static<Query>, Static<Body>>,
  once: Once,
  { house, running }: Doorway,
): Promise<Answer> {
  if (running.has(once.key)) return refusal("idempotency.running", "The first call with this key is still under way.");
  running.add(once.key);
  try {
    if (route.idempotent === true) {
      const [record] = await house.store.once([once.key]);
      if (record != null && record.expiresMs > house.clock.nowMs()) return replay(once, record);
    }
    return await route.handle(call);
  } finally {
    running.delete(once.key);
  }
}

type Read =
  | { readonly value: unknown; readonly text: string; readonly bytes: Uint8Array }
  | { readonly answer: Answer };

const NO_BYTES = new Uint8Array(0);
const NOTHING: Read = { value: undefined, text: "", bytes: NO_BYTES };

function bodyReader(
  route: { readonly body?: TSchema; readonly rawBytesMax?: number },
  budget: BodyBudget,
): (request: IncomingMessage) => Read | Promise<Read> {
  const { body, rawBytesMax } = route;
  if (rawBytesMax !== undefined) {
    return async (request) => {
      const read = await readBody(request, rawBytesMax, budget);
      return read.ok ? { value: undefined, text: "", bytes: read.bytes } : read;
    };
  }
  if (body === undefined) return () => NOTHING;
  const check = compileCheck(body);
  return async (request) => {
    const foreign = foreignType(request.headers);
    if (foreign !== null) return { answer: foreign };
    const read = await readBody(request, REQUEST_BYTES_MAX, budget);
    return read.ok ? readText(read.bytes, check) : read;
  };
}

function readText(bytes: Buffer, check: Check): Read {
  const decoded = decodeText(bytes);
  if (decoded === null) return { answer: refusal("request.malformed", "The body is not valid UTF-8.") };
  // No body is an empty object, also to whoever keeps the text.
  const text = decoded === "" ? "{}" : decoded;
  const json = readJson(text);
  if (!json.ok) return { answer: refusal("request.malformed", json.says) };
  const says = check(json.value);
  return says === null ? { value: json.value, text, bytes: NO_BYTES } : { answer: refusal("request.invalid", says) };
}

/** `application/json`, or any `+json` (RFC 6839), in UTF-8; said to be nothing is taken for JSON. */
const JSON_MEDIA = /^application\/(?:[\w.-]+\+)?json\s*(?:;\s*charset="?utf-?8"?\s*)?;?$/i;

function foreignType(headers: IncomingHttpHeaders): Answer | null {
  const compressed = compressedBody(headers);
  if (compressed !== null) return compressed;
  const { "content-type": type } = headers;
  if (type === undefined || isJsonType(type)) return null;
  return refusal("request.unsupported_type", "This path takes application/json in UTF-8.");
}

export function isJsonType(type: string): boolean {
  return type === "application/json" || JSON_MEDIA.test(type);
}

/** The refusal of a body that would have to be unpacked first. */
export function compressedBody({
  "content-encoding": encoding,
  "transfer-encoding": transfer,
}: IncomingHttpHeaders): Answer | null {
  if (transfer !== undefined && transfer.toLowerCase() !== "chunked") {
    return refusal("request.unsupported_type", "Compressed bodies are not accepted; Transfer-Encoding may be chunked.");
  }
  if (encoding !== undefined && encoding !== "identity") {
    return refusal("request.unsupported_type", "Compressed bodies are not accepted; leave out Content-Encoding.");
  }
  return null;
}

const ANYONE: Caller = { id: "anyone", name: "anyone", scopes: [] };
export const STOPPING = refusal("stopping", "The server is shutting down.");
const CHALLENGE = { "www-authenticate": 'Bearer realm="tidings"' };
export const NO_KEY = refusal("auth.missing", "This path needs an API key.", CHALLENGE);
export const BAD_KEY = refusal("auth.invalid", "This API key is not known here.", CHALLENGE);
export const BAD_PARAM = refusal("request.invalid", "The path may not contain the character U+0000.");

export function mayDo(caller: Caller, scope: Scope): boolean {
  return caller.scopes.includes("full") || caller.scopes.includes(scope);
}

export function lacksScope(scope: Scope): Answer {
  return refusal("auth.scope", `This key lacks the scope "${scope}".`);
}

export function pathOf(request: IncomingMessage): string {
  const url = request.url ?? "/";
  const mark = url.indexOf("?");
  return mark === -1 ? url : url.slice(0, mark);
}

/** Aborted when the caller has gone or the door closes. */
export function goneSignal(response: ServerResponse, closing: AbortSignal): AbortSignal {
  const gone = new AbortController();
  // A connection that closes behind a whole answer says nothing of the caller.
  response.once("close", () => {
    if (!response.writableFinished) gone.abort();
  });
  return AbortSignal.any([gone.signal, closing]);
}

/** What the caller is told when something was thrown. Details of ours go to the log, never to the caller. */
export function answerToFault(fault: unknown, where: string, trace: Trace, house: Pick<HttpHouse, "log">): Answer {
  logFault(fault, where, trace, house);
  if (fault instanceof StoreFault) {
    // An answer of the database may have been lost behind its commit.
    const kept =
      fault.code === "store.failed"
        ? "it may not have been kept. Repeat it, with the same Idempotency-Key so that it is not done twice."
        : "nothing of this call was kept.";
    return refusal("store.unavailable", `The store cannot do this now (${fault.code}); ${kept}`);
  }
  return refusal("internal", `Something went wrong on our side; the log tells more under ${trace.callId}.`);
}

/** For whoever is on call; tells what a fault is to the caller of any door. */
export function logFault(
  fault: unknown,
  where: string,
  { callId }: Trace,
  { log }: Pick<HttpHouse, "log">,
): "store.unavailable" | "internal" {
  if (fault instanceof StoreFault) {
    log.warn("The store could not do what a call asked for", { code: fault.code, route: where, call: callId });
    return "store.unavailable";
  }
  log.error("A call failed by a fault of ours", {
    route: where,
    call: callId,
    error: fault instanceof Error ? (fault.stack ?? fault.message).slice(0, ERROR_CHARS_MAX) : typeof fault,
  });
  return "internal";
}

/** A stack's top is enough to find the line. */
const ERROR_CHARS_MAX = 2_000;

/** Writes an answer to the socket in one go. */
export function write(
  response: ServerResponse,
  answer: Answer,
  { traceparent, callId }: Trace,
  closing: boolean,
): void {
  if (response.destroyed) return;
  if (answer.kind === "stream") {
    if (response.req.method === "HEAD") {
      response.writeHead(200).end();
      return;
    }
    response.setHeader("traceparent", traceparent);
    response.setHeader("x-request-id", callId);
    answer.open(response);
    return;
  }
  const head = ["x-request-id", callId, "traceparent", traceparent];
  if (answer.body !== null) {
    head.push("content-type", answer.type, "content-length", String(Buffer.byteLength(answer.body)));
  }
  if (closing) head.push("connection", "close");
  const { headers } = answer;
  if (headers !== undefined) for (const name in headers) head.push(name, headers[name] ?? "");
  response.writeHead(answer.status, head);
  response.end(answer.body ?? undefined);
}

/** Seconds; a commit takes one or two milliseconds, a page of messages some tens. */
const DURATION_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/** Counts and times the calls of one route. */
export function instruments(
  { method, path }: { readonly method: string; readonly path: string },
  { meter }: Pick<HttpHouse, "meter">,
): (status: number, tookMs: number) => void {
  const labels = { method, route: path };
  const durations: Histogram = meter.histogram(
    "tidings_http_request_seconds",
    "From the head of a call to its answer.",
    labels,
    DURATION_BUCKETS,
  );
  const counters = new Map<number, Counter>();
  return (status, tookMs) => {
    let counter = counters.get(status);
    if (counter === undefined) {
      counter = meter.counter("tidings_http_requests_total", "Calls answered.", { ...labels, status: String(status) });
      counters.set(status, counter);
    }
    counter.add(1);
    durations.observe(tookMs / 1000);
  };
}
