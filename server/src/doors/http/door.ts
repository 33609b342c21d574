import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { NO_CONTENT, refusal } from "#doors/http/answer.ts";
import type { HttpHouse } from "#doors/http/house.ts";
import { openKeyring } from "#doors/http/keyring.ts";
import {
  CLOSE_GRACE_MS,
  HEADERS_MS_MAX,
  KEEP_ALIVE_MS,
  PARAM_CHARS_MAX,
  PATIENCE_CHECK_MS,
  REQUEST_MS_MAX,
} from "#doors/http/limits.ts";
import { findFunction, type FunctionPlace, functionServer, preflight } from "#doors/http/function-call.ts";
import { ALLOWED, answerToConnect, hostProblem, noiseAnswerer } from "#doors/http/noise.ts";
import type { Routes } from "#doors/http/route.ts";
import { registerAll } from "#doors/http/routes/all.ts";
import { rawServer } from "#doors/http/raw.ts";
import { answerToFault, type Doorway, server, write } from "#doors/http/serve.ts";
import { type RouteDoc, writeOpenApi } from "#doors/http/openapi.ts";
import { traceOf } from "#doors/http/trace.ts";
import { OperatorFault } from "#domain/faults.ts";
import { servesDoors } from "#domain/role.ts";

export interface HttpDoor extends AsyncDisposable {
  /** Where it listens, without a slash at the end. */
  readonly url: string;
}

/**
 * Opens the one HTTP port. Disposing closes it: nobody new comes in, calls under way finish, streams end, and what is
 * left after `CLOSE_GRACE_MS` is cut.
 * @throws {OperatorFault} `port.taken`.
 */
export async function openHttpDoor(
  house: HttpHouse,
  listen: { readonly port: number; readonly host: string; readonly patience?: Patience },
): Promise<HttpDoor> {
  const { app, close } = await buildHttpApp(house, listen.patience);
  let url: string;
  try {
    url = await app.listen({ port: listen.port, host: listen.host });
  } catch (cause) {
    await close();
    if (cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE") {
      throw new OperatorFault("port.taken", `Port ${listen.port} of ${listen.host} is in use`, { cause });
    }
    throw cause;
  }
  return { url, [Symbol.asyncDispose]: close };
}

/** How long a call may take to arrive, and how often that is looked at. */
export type Patience = { readonly headMs: number; readonly requestMs: number; readonly checkMs: number };

const PATIENCE: Patience = { headMs: HEADERS_MS_MAX, requestMs: REQUEST_MS_MAX, checkMs: PATIENCE_CHECK_MS };

/** The door without its port, for `inject` in tests. */
export async function buildHttpApp(
  house: HttpHouse,
  patience = PATIENCE,
): Promise<{ readonly app: FastifyInstance; readonly close: () => Promise<void> }> {
  const closing = new AbortController();
  const doorway: Doorway = {
    house,
    keyring: openKeyring(house),
    budget: { bytes: 0 },
    running: new Set(),
    answering: new WeakMap(),
    closing: closing.signal,
  };
  const app = Fastify({
    logger: false,
    return503OnClosing: false,
    requestTimeout: patience.requestMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    routerOptions: { maxParamLength: PARAM_CHARS_MAX, ignoreTrailingSlash: true },
    http: {
      headersTimeout: patience.headMs,
      connectionsCheckingInterval: patience.checkMs,
      // A call without a host, or with two, is refused in our own form. Of other headers given twice, Node would take
      // the first in silence, where a proxy before us may have looked at the last.
      requireHostHeader: false,
      joinDuplicateHeaders: true,
    },
    schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
    clientErrorHandler: noiseAnswerer(doorway.answering),
    frameworkErrors: (_error, request, reply) => {
      reply.hijack();
      write(reply.raw, BAD_PATH, traceOf(request.raw.headers["traceparent"], house.dice), closing.signal.aborted);
    },
  });
  app.server.on("connect", answerToConnect);
  // RFC 9110 §10.1.1 leaves it to us whether an expectation that nobody knows is a reason to refuse.
  app.server.on("checkExpectation", (request, response) => app.server.emit("request", request, response));
  const docs: RouteDoc[] = [];
  const paths: Path[] = [];
  const routes: Routes = {
    add: (route) => {
      docs.push(route);
      paths.push(route);
      app.route({
        method: route.method,
        url: route.path,
        onRequest: beforeBody(server(route, doorway)),
        handler: unreached,
      });
    },
    raw: (route) => {
      for (const method of route.methods) {
        const onRequest = beforeBody(rawServer(route, method, doorway));
        for (const path of [route.path, `${route.path}/*`]) {
          paths.push({ method, path });
          app.route({ method, url: path, onRequest, handler: unreached });
        }
      }
    },
  };
  let openApi: string | null = null;
  registerAll(routes, house, () => (openApi ??= writeOpenApi(docs, house.settings)));
  const serveFunction = functionServer(doorway);
  // Not as fastify's handler of 404, which would read and judge the body first.
  app.addHook("onRequest", (request, reply, goOn) => {
    if (!request.is404) goOn();
    else {
      const found = findFunction(doorway, request.raw);
      if (found.kind === "found") serveFunction(found, request, reply);
      else nowhere(request, reply, { paths, found }, doorway);
    }
  });
  app.setErrorHandler((fault, request, reply) => {
    const trace = traceOf(request.raw.headers["traceparent"], house.dice);
    reply.hijack();
    write(reply.raw, answerToFault(fault, request.method, trace, house), trace, closing.signal.aborted);
  });
  await app.ready();
  return { app, close: () => closeDown(app, house, closing) };
}

/** Fastify's way of letting a hook take a call over: it is never told to go on. */
function beforeBody(serve: (request: FastifyRequest, reply: FastifyReply) => void) {
  return (request: FastifyRequest, reply: FastifyReply, _goOn: () => void): void => serve(request, reply);
}

function unreached(): never {
  throw new Error("broken invariant: every call is answered by its onRequest hook");
}

/** Our routes check and write by themselves; naming no compiler would make Fastify load Ajv, some 10 MB. */
function noSchemas(): never {
  throw new Error("broken invariant: no route gives Fastify a schema");
}

const BAD_PATH = refusal("request.invalid", "The path is not valid: percent-encoding must be UTF-8, segments short.");

/** What was looked for in vain: our own paths, and those of functions. */
type Nowhere = { readonly paths: readonly Path[]; readonly found: Exclude<FunctionPlace, { readonly kind: "found" }> };

/** A path or method that does not exist: 404, 405 with what would, or what OPTIONS asks for. */
function nowhere(request: FastifyRequest, reply: FastifyReply, { paths, found }: Nowhere, doorway: Doorway): void {
  reply.hijack();
  const trace = traceOf(request.raw.headers["traceparent"], doorway.house.dice);
  // `OPTIONS *` asks the server as a whole (RFC 9112 §3.2.4).
  const theirs = found.kind === "method" ? allowOf(found.methods) : null;
  const allow =
    request.url === "*" && request.method === "OPTIONS" ? ALLOWED : (methodsOf(request.url, paths) ?? theirs);
  const answer =
    hostProblem(request.raw) ??
    (found.kind === "bad" ? BAD_PATH : null) ??
    preflight(doorway, request.raw) ??
    (request.method === "OPTIONS" && allow !== null
      ? { ...NO_CONTENT, headers: { allow } }
      : allow === null
        ? refusal("route.unknown", servesDoors(doorway.house.nodes.self.role) ? NOTHING_HERE : ONLY_WORKS)
        : refusal("route.method", `This path answers ${allow}.`, { allow }));
  write(reply.raw, answer, trace, doorway.closing.aborted);
}

const NOTHING_HERE = "There is nothing at this path.";
const ONLY_WORKS =
  "This node works the queues (role worker) and answers /health, /ready and /metrics only; call a node with the role api or all.";

/** A method and its path, which may end in `/*` for everything below. */
type Path = { readonly method: string; readonly path: string };

/** Which methods a path answers, as the header `Allow` says it; null when there is no such path. */
function methodsOf(url: string, paths: readonly Path[]): string | null {
  const segments = (url.split("?")[0] ?? "").replace(/\/$/, "").split("/");
  const methods = new Set<string>();
  for (const { method, path } of paths) {
    const pattern = path.replace(/\/$/, "").split("/");
    const tail = pattern.at(-1) === "*" ? pattern.splice(-1).length : 0;
    const fits =
      (pattern.length === segments.length || (tail > 0 && segments.length > pattern.length)) &&
      pattern.every((part, at) => (part.startsWith(":") ? segments[at] !== "" : part === segments[at]));
    if (fits) methods.add(method);
  }
  return methods.size === 0 ? null : allowOf(methods);
}

function allowOf(given: Iterable<string>): string {
  const methods = new Set(given);
  if (methods.has("GET")) methods.add("HEAD");
  return [...methods, "OPTIONS"].join(", ");
}

async function closeDown(
  app: FastifyInstance,
  { clock }: Pick<HttpHouse, "clock">,
  closing: AbortController,
): Promise<void> {
  if (closing.signal.aborted) return;
  closing.abort();
  const cut = clock.after(CLOSE_GRACE_MS, () => app.server.closeAllConnections());
  try {
    await app.close();
  } finally {
    cut.cancel();
  }
}
