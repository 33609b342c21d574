import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import { type Answer, refusal, type TextAnswer } from "#doors/http/answer.ts";
import { decodeText, readBody } from "#doors/http/body.ts";
import { corsHeaders, preflightAnswer, preflightMethod } from "#doors/http/cors.ts";
import { readOnce } from "#doors/http/idempotency.ts";
import { readJson } from "#doors/http/json-text.ts";
import { hostProblem } from "#doors/http/noise.ts";
import type { Caller, Once } from "#doors/http/route.ts";
import {
  answerToFault,
  BAD_KEY,
  BAD_PARAM,
  compressedBody,
  type Doorway,
  goneSignal,
  instruments,
  isJsonType,
  lacksScope,
  mayDo,
  NO_KEY,
  pathOf,
  STOPPING,
  write,
} from "#doors/http/serve.ts";
import { endCall, type Trace, traceCall } from "#doors/http/trace.ts";
import { REQUEST_BYTES_MAX } from "#domain/limits.ts";
import { servesDoors } from "#domain/role.ts";
import type { OnceRecord } from "#ports/store.ts";
import type { HttpCalled, HttpRoute } from "#functions/feeders/http.ts";
import { repeatedAnswer } from "#functions/feeders/http.ts";
import type { HttpAnswer } from "#functions/http-output.ts";
import type { FoundRoute } from "#functions/http-routes.ts";

/** What a path of a function leads to. Its segments are decoded once. */
export type FunctionPlace = FoundRoute<HttpRoute> | { readonly kind: "bad" };

/** What a browser asks before a page of another origin may call a function; null when it does not ask, or there is none. */
export function preflight(doorway: Doorway, { method, url = "", headers }: IncomingMessage): TextAnswer | null {
  const asked = preflightMethod(method, headers);
  if (asked === null) return null;
  const found = findFunction(doorway, { method: asked, url });
  const cors = found.kind === "found" ? found.route.cors : undefined;
  return cors === undefined ? null : preflightAnswer(cors, asked, headers);
}

/** Looks for a function's path; asked only for what none of our own routes has. */
export function findFunction(
  { house }: Doorway,
  { method = "", url = "" }: Pick<IncomingMessage, "method" | "url">,
): FunctionPlace {
  const { functions } = house;
  if (functions === undefined || !servesDoors(house.nodes.self.role) || !url.startsWith("/")) return NONE;
  const path = url.split("?")[0] ?? "";
  const segments: string[] = [];
  for (const segment of path.slice(1).replace(/\/$/, "").split("/")) {
    const decoded = decodedOnce(segment);
    if (decoded === null) return { kind: "bad" };
    segments.push(decoded);
  }
  return functions.routes.find(method, segments);
}

const NONE: FunctionPlace = { kind: "none" };

function decodedOnce(segment: string): string | null {
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}

/**
 * Makes what answers calls of functions' paths:
 *
 *     closing? ▸ host ▸ key ▸ path, query ▸ body ▸ JSON ▸ answered before? ▸ call ▸ write
 *
 * As for our own routes, but for what the function declares: whether a key is needed, and what is taken for JSON.
 */
export function functionServer(
  doorway: Doorway,
): (found: FoundRoute<HttpRoute> & { readonly kind: "found" }, request: FastifyRequest, reply: FastifyReply) => void {
  const { house } = doorway;
  /** By what is declared: routes come and go, numbers stay. */
  const meters = new Map<string, ReturnType<typeof instruments>>();
  return ({ route, params }, { raw }, reply) => {
    reply.hijack();
    const response = reply.raw;
    doorway.answering.set(raw.socket, response);
    const beganMs = house.clock.monotonicMs();
    const place = { method: route.method, path: route.path };
    const name = `${place.method} ${place.path}`;
    const seen = meters.get(name) ?? instruments(place, house);
    meters.set(name, seen);
    const { trace, span } = traceCall(raw.headers["traceparent"], place, house);
    const told = corsHeaders(route.cors, raw.headers);
    const finish = (given: Answer): void => {
      // What the handler says itself goes before.
      const answer = given.kind === "stream" ? given : { ...given, headers: together(told, given.headers) };
      write(response, answer, trace, doorway.closing.aborted);
      const status = answer.kind === "stream" ? 200 : answer.status;
      seen(status, house.clock.monotonicMs() - beganMs);
      endCall(span, status);
    };
    serve({ route, params, raw, response, trace }, doorway).then(finish, (fault: unknown) => {
      finish(answerToFault(fault, name, trace, house));
    });
  };
}

/** `vary` may be said by both. */
function together(
  told: Readonly<Record<string, string>>,
  own: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const vary = [own["vary"], told["vary"]].filter((one) => one !== undefined);
  return { ...told, ...own, ...(vary.length > 1 ? { vary: vary.join(", ") } : {}) };
}

type Served = {
  readonly route: HttpRoute;
  readonly params: Readonly<Record<string, string>>;
  readonly raw: IncomingMessage;
  readonly response: ServerResponse;
  readonly trace: Trace;
};

async function serve(served: Served, doorway: Doorway): Promise<Answer> {
  const { route, params, raw } = served;
  if (doorway.closing.aborted) return STOPPING;
  const noHost = hostProblem(raw);
  if (noHost !== null) return noHost;
  const who = await callerOf(served, doorway);
  if ("answer" in who) return who.answer;
  const query = queryOf(raw.url ?? "");
  if (query === null || Object.values(params).some(hasNul)) return BAD_PARAM;
  const body = await bodyOf(raw, doorway);
  if ("answer" in body) return body.answer;
  const head = JSON.stringify({
    method: raw.method,
    path: pathOf(raw),
    params,
    query,
    headers: headersOf(raw.headers, who.caller !== null),
    text: body.text,
    caller: who.caller?.name ?? null,
  });
  const input = `${head.slice(0, -1)},"body":${body.json}}`;
  if (route.method !== "POST" && route.method !== "PATCH") return await call(served, input, null, who.caller, doorway);
  const said = `${raw.method} ${raw.url}\n${body.text}`;
  const { clock, secrets } = doorway.house;
  const once = readOnce(raw.headers, pathOf(raw), said, clock.nowMs(), (text) => secrets.digest(text));
  if (once.kind === "bad") return refusal("request.invalid", once.says);
  if (once.kind === "none") return await call(served, input, null, who.caller, doorway);
  return await onlyOnce(once.once, doorway, () => call(served, input, once.once, who.caller, doorway));
}

/**
 * Who calls; null without a key that we know. Also where none is needed a key is looked at, so that it does not reach the
 * handler as a header.
 */
async function callerOf(
  { route, raw }: Served,
  { keyring }: Doorway,
): Promise<{ readonly caller: Caller | null } | { readonly answer: Answer }> {
  const { authorization } = raw.headers;
  const known = authorization === undefined ? null : await keyring.identify(authorization);
  if (route.auth === "none") return { caller: known };
  if (authorization === undefined) return { answer: NO_KEY };
  if (known === null) return { answer: BAD_KEY };
  return mayDo(known, "send") ? { caller: known } : { answer: lacksScope("send") };
}

/** Each name once, as API gateways have it: what was given more often is joined by commas. Null: it holds U+0000. */
function queryOf(url: string): Readonly<Record<string, string>> | null {
  const mark = url.indexOf("?");
  if (mark === -1) return {};
  const query = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(url.slice(mark + 1))) {
    if (hasNul(name) || hasNul(value)) return null;
    const before = query.get(name);
    query.set(name, before === undefined ? value : `${before},${value}`);
  }
  return Object.fromEntries(query);
}

/** Names are lower-case already. What proves who calls is not for the handler when it was a key of ours. */
function headersOf(headers: IncomingHttpHeaders, withKey: boolean): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => {
      if (value === undefined || (withKey && (name === "authorization" || name === "cookie"))) return [];
      return [[name, typeof value === "string" ? value : value.join(", ")]];
    }),
  );
}

type BodyText = { readonly text: string; readonly json: string } | { readonly answer: Answer };

/** `json`: what the handler is given as `body`, as JSON text. */
async function bodyOf(raw: IncomingMessage, { budget }: Doorway): Promise<BodyText> {
  if (raw.method === "GET" || raw.method === "HEAD") return { text: "", json: "null" };
  const compressed = compressedBody(raw.headers);
  if (compressed !== null) return { answer: compressed };
  const read = await readBody(raw, REQUEST_BYTES_MAX, budget);
  if (!read.ok) return read;
  const text = decodeText(read.bytes);
  if (text === null) return { answer: refusal("request.malformed", "The body is not valid UTF-8.") };
  if (!isJsonType(raw.headers["content-type"] ?? "")) return { text, json: JSON.stringify(text) };
  if (text === "") return { text, json: "null" };
  const json = readJson(text);
  return json.ok ? { text, json: text } : { answer: refusal("request.malformed", json.says) };
}

async function onlyOnce(once: Once, { house, running }: Doorway, run: () => Promise<Answer>): Promise<Answer> {
  if (running.has(once.key)) return refusal("idempotency.running", "The first call with this key is still under way.");
  running.add(once.key);
  try {
    const [record] = await house.store.once([once.key]);
    if (record != null && record.expiresMs > house.clock.nowMs()) return repeated(once, record);
    return await run();
  } finally {
    running.delete(once.key);
  }
}

function repeated(once: Once, record: OnceRecord): TextAnswer {
  const answer = repeatedAnswer(record, once.fingerprint);
  if (answer !== null) return textOf(answer);
  return refusal("idempotency.mismatch", "This Idempotency-Key was used before with another call of this path.");
}

async function call(
  { route, response, trace }: Served,
  input: string,
  once: Once | null,
  caller: Caller | null,
  { closing }: Doorway,
): Promise<Answer> {
  const called = await route.call({
    input,
    id: trace.callId,
    traceparent: trace.traceparent,
    once,
    signal: goneSignal(response, closing),
  });
  return answerTo(called, once, caller, trace);
}

function answerTo(called: HttpCalled, once: Once | null, caller: Caller | null, { callId }: Trace): Answer {
  switch (called.kind) {
    case "answered":
      return textOf(called.answer);
    case "repeated":
      if (once === null) throw new Error("broken invariant: only a call with an Idempotency-Key can be repeated");
      return repeated(once, called.record);
    case "failed":
      return refusal("function.failed", sentence("The function failed", called.error, caller, callId));
    case "late":
      return refusal("function.late", sentence("The function did not end in time", called.error, caller, callId));
    case "busy":
      return refusal("function.busy", "The function cannot take this call now; nothing of it was kept.", {
        "retry-after": String(Math.max(1, Math.ceil(called.retryAfterMs / 1_000))),
      });
    case "conflict":
      return refusal("conflict.changed", "Others kept changing the same documents; nothing of this call was kept.");
  }
}

/** What went wrong inside is for those who have a key. */
function sentence(
  what: string,
  { name, says }: { readonly name: string; readonly says: string },
  caller: Caller | null,
  callId: string,
): string {
  return caller === null
    ? `${what}; its log tells more under ${callId}.`
    : `${what} (call ${callId}): ${name}: ${says}`;
}

function textOf({ status, type, headers, body }: HttpAnswer): TextAnswer {
  // Of an answer that could have a body it is said that it has none.
  const empty = body === null && status !== 204 && status !== 304 ? { "content-length": "0" } : {};
  return { kind: "text", status, type, body, headers: { ...headers, ...empty } };
}

function hasNul(text: string): boolean {
  return text.includes("\0");
}
