import {
  CursorQuery,
  type FunctionFault as FaultView,
  FunctionInvocation,
  FunctionInvocations,
  type FunctionInvocation as InvocationView,
  FunctionInvokeBody,
  FunctionInvoked,
  Functions,
  type Functions as FunctionsView,
  FunctionView,
  Type,
} from "@tidings/contract";
import { json, overloaded, refusal, unknownThing } from "#doors/http/answer.ts";
import { BAD_CURSOR, decodeCursor, paging } from "#doors/http/cursor.ts";
import type { HttpHouse } from "#doors/http/house.ts";
import type { Routes } from "#doors/http/route.ts";
import { PAGE_LIMIT, PageLimit } from "#doors/http/routes/directory-view.ts";
import type { FunctionStatus, ListedFunctions } from "#functions/desk.ts";
import type { Invocation } from "#functions/invocation-log.ts";
import { triggerText } from "#functions/trigger-text.ts";
import type { InvocationError, LoadFault, LogLine } from "#ports/function-host.ts";

/** Invocations in one page; each may have 64 KiB of lines. */
const INVOCATIONS_PAGE_MAX = 100;

const OF_FUNCTION = Type.Object({ name: Type.String() });
const OF_INVOCATION = Type.Object({ name: Type.String(), id: Type.String() });
type House = Pick<HttpHouse, "functions">;

/** Users' own handlers: what is loaded, how it does, and calling one by hand. */
export function registerFunctions(routes: Routes, house: House): void {
  registerTheFunctions(routes, house);
  registerInvocations(routes, house);
  registerInvoke(routes, house);
}

function registerTheFunctions(routes: Routes, { functions }: House): void {
  routes.add({
    method: "GET",
    path: "/functions",
    tag: "functions",
    scope: "read",
    summary: "All functions, by name, and files that could not be loaded",
    answers: { 200: { says: "What this node has loaded", body: Functions } },
    handle: async () => json(200, functions === undefined ? NOTHING : listView(await functions.desk.list())),
  });

  routes.add({
    method: "GET",
    path: "/functions/:name",
    tag: "functions",
    scope: "read",
    summary: "One function, and how it does",
    params: OF_FUNCTION,
    answers: { 200: { says: "The function", body: FunctionView } },
    faults: ["thing.unknown"],
    handle: async ({ params }) => {
      const found = (await functions?.desk.describe(params.name)) ?? null;
      return found === null ? UNKNOWN : json(200, functionView(found));
    },
  });

  routes.add({
    method: "POST",
    path: "/functions/reload",
    tag: "functions",
    scope: "full",
    summary: "Read all functions anew",
    description: "On the node that answers. What cannot be loaded is told; what ran before under its name goes on.",
    answers: { 200: { says: "What is loaded now", body: Functions } },
    faults: ["thing.unknown"],
    handle: async () => (functions === undefined ? NO_FOLDER : json(200, listView(await functions.desk.reload()))),
  });
}

function registerInvocations(routes: Routes, { functions }: House): void {
  routes.add({
    method: "GET",
    path: "/functions/:name/invocations",
    tag: "functions",
    scope: "read",
    summary: "Calls that failed or logged something, newest first",
    description:
      "The newest thousand of seven days, of all nodes. Calls that were fine and said nothing are counted only.",
    params: OF_FUNCTION,
    query: Type.Object({
      failed: Type.Optional(Type.Boolean({ description: "Only those that failed" })),
      cursor: CursorQuery,
      limit: PageLimit(INVOCATIONS_PAGE_MAX),
    }),
    answers: { 200: { says: "A page", body: FunctionInvocations } },
    faults: ["thing.unknown"],
    handle: async ({ params, query }) => {
      const after = query.cursor === undefined ? null : decodeCursor(query.cursor);
      if (query.cursor !== undefined && after === null) return BAD_CURSOR;
      const ask = { after, limit: query.limit ?? PAGE_LIMIT, failedOnly: query.failed === true };
      const page = (await functions?.desk.invocations(params.name, ask)) ?? null;
      if (page === null) return UNKNOWN;
      return json(200, { paging: paging(page.next), results: page.invocations.map(invocationView) });
    },
  });

  routes.add({
    method: "GET",
    path: "/functions/:name/invocations/:id",
    tag: "functions",
    scope: "read",
    summary: "One call",
    params: OF_INVOCATION,
    answers: { 200: { says: "The call", body: FunctionInvocation } },
    faults: ["thing.unknown"],
    handle: async ({ params }) => {
      const found = (await functions?.desk.invocation(params.name, params.id)) ?? null;
      return found === null ? unknownThing("invocation") : json(200, invocationView(found));
    },
  });
}

function registerInvoke(routes: Routes, { functions }: House): void {
  routes.add({
    method: "POST",
    path: "/functions/:name/invoke",
    tag: "functions",
    scope: "full",
    summary: "Call a function by hand",
    description:
      "Whatever its trigger is, the handler is given `input` as it is. What it emits is committed before the answer; of a call that fails, only its log is kept.",
    params: OF_FUNCTION,
    body: FunctionInvokeBody,
    example: { input: { scheduled: "2026-11-22T06:00:00Z" } },
    answers: { 200: { says: "It was called: `outcome` says what came of it", body: FunctionInvoked } },
    faults: ["thing.unknown", "conflict.changed"],
    handle: async ({ params, body, callId, traceparent, signal }) => {
      if (functions === undefined) return UNKNOWN;
      const by = { id: callId, traceparent, signal: signal() };
      const invoked = await functions.desk.invoke(params.name, JSON.stringify(body.input ?? null), by);
      switch (invoked.kind) {
        case "unknown":
          return UNKNOWN;
        case "faulty":
          return refusal("conflict.changed", `The function does not run: ${invoked.says}`);
        case "overloaded":
          return overloaded(invoked.retryAfterMs);
        case "conflict":
          return refusal("conflict.changed", "Others kept changing the same documents; nothing of this call was kept.");
        case "ran": {
          const { id, outcome, output, error, logs, tookMs } = invoked;
          return json(200, {
            id,
            outcome,
            output: jsonOrNull(output),
            error: errorView(error),
            logs: logs.map(lineView),
            took_ms: tookMs,
          });
        }
      }
    },
  });
}

const UNKNOWN = unknownThing("function");
const NO_FOLDER = refusal("thing.unknown", "This server has no folder of functions.");
const NOTHING: FunctionsView = { results: [], faults: [] };

function listView({ functions, faults }: ListedFunctions): FunctionsView {
  return { results: functions.map(functionView), faults: faults.map(faultView) };
}

function functionView({ declared, state, fault, tally, nextRunMs, waiting }: FunctionStatus): FunctionView {
  const { name, file, line, on, timeoutMs, concurrency, attempts, memoryMb } = declared;
  const { kind, ...spec } = on;
  const { done, failed, lastRunMs, lastError } = tally;
  return {
    name,
    file,
    line,
    trigger: { kind, says: triggerText(on), spec },
    timeout_ms: timeoutMs,
    concurrency,
    attempts,
    memory_mb: memoryMb,
    state,
    fault,
    calls: { done, failed },
    last_run: lastRunMs,
    last_error: lastError === null ? null : { at: lastError.atMs, name: lastError.name, message: lastError.says },
    next_run: nextRunMs,
    waiting,
  };
}

function faultView({ name, file, line, says }: LoadFault): FaultView {
  return { name, file, line, message: says };
}

function invocationView({ startedMs, tookMs, error, logs, ...rest }: Invocation): InvocationView {
  return { ...rest, started: startedMs, took_ms: tookMs, error: errorView(error), logs: logs.map(lineView) };
}

function errorView(error: InvocationError | null): InvocationView["error"] {
  if (error === null) return null;
  const { name, says, at, stack } = error;
  return { name, message: says, at, stack };
}

function lineView({ atMs, level, text, fields }: LogLine): InvocationView["logs"][number] {
  return { at: atMs, level, text, fields: jsonObject(fields) };
}

/** The host has written it as JSON of an object. */
function jsonObject(text: string | null): Readonly<Record<string, unknown>> | null {
  return text === null ? null : (JSON.parse(text) as Readonly<Record<string, unknown>>);
}

function jsonOrNull(text: string | null): unknown {
  return text === null ? null : JSON.parse(text);
}
