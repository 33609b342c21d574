import { IDEMPOTENT, type Operations } from "./generated.ts";

export type * from "./generated.ts";

/** Data by event type, such as `EventTypes` of `tidings schemas types`; without it, every type has any data. */
export type AnyEvents = { readonly [type: string]: unknown };

export type ClientOptions = {
  /** Default: the environment's TIDINGS_URL, else http://127.0.0.1:3300. */
  readonly url?: string;
  /** An API key. Default: TIDINGS_API_KEY. */
  readonly key?: string;
  /** How often a call is made again that the server could not take, or that did not arrive. Default: 3. */
  readonly retries?: number;
  /** A try is given up after so long. Default: 30,000. */
  readonly timeoutMs?: number;
};

/** What a call is given: parts of the path, the query, the body, each if the operation has it. */
export type CallInput<Name extends keyof Operations> = Part<"params", Operations[Name]["params"]> &
  Part<"query", Operations[Name]["query"]> &
  Part<"body", Operations[Name]["body"]> & {
    readonly signal?: AbortSignal;
    /** By which the server knows the call again. Default for operations that take one: a new one. */
    readonly idempotencyKey?: string;
    readonly headers?: Readonly<Record<string, string>>;
  };

/** Left out where there is nothing, or everything may be left out. */
type Part<Name extends string, Value> = [Value] extends [undefined]
  ? { readonly [key in Name]?: undefined }
  : {} extends Value
    ? { readonly [key in Name]?: Value }
    : { readonly [key in Name]: Value };

/** The server said no. `code`, `hint`: docs/faults.md. */
export class TidingsError extends Error {
  override readonly name = "TidingsError";
  readonly status: number;
  readonly code: string | null;
  readonly hint: string | null;
  readonly requestId: string | null;

  constructor(status: number, body: unknown, requestId: string | null) {
    const said = typeof body === "object" && body !== null ? body : {};
    const text = (member: string): string | null => {
      const value: unknown = Reflect.get(said, member);
      return typeof value === "string" ? value : null;
    };
    super(text("message") ?? `The server answered ${status}.`);
    this.status = status;
    this.code = text("code");
    this.hint = text("hint");
    this.requestId = requestId;
  }
}

const RETRIED = new Set([429, 502, 503, 504]);
const WAIT_MS_BASE = 200;
const WAIT_MS_MAX = 10_000;

/**
 * A client for what Courier's has not: events, rules, queues, documents, files, webhooks, functions, schemas.
 *
 *     const tidings = new Tidings<EventTypes>({ key });
 *     await tidings.events.raise("order.placed", { total: 19.9 }, { source: "/shop" });
 *     await tidings.call("GET /queues/{name}", { params: { name: "orders" } });
 */
export class Tidings<Events extends object = AnyEvents> {
  readonly #url: string;
  readonly #key: string;
  readonly #retries: number;
  readonly #timeoutMs: number;

  constructor({ url, key, retries = 3, timeoutMs = 30_000 }: ClientOptions = {}) {
    const env = globalThis.process?.env ?? {};
    this.#url = (url ?? env["TIDINGS_URL"] ?? "http://127.0.0.1:3300").replace(/\/$/, "");
    this.#key = key ?? env["TIDINGS_API_KEY"] ?? "";
    this.#retries = retries;
    this.#timeoutMs = timeoutMs;
  }

  /** Any operation of `/openapi.json` that the groups have. @throws {TidingsError} when the server says no. */
  async call<Name extends keyof Operations>(name: Name, input: CallInput<Name>): Promise<Operations[Name]["answer"]> {
    const [method = "", template = ""] = name.split(" ");
    const key = input.idempotencyKey ?? (IDEMPOTENT.has(name) ? globalThis.crypto.randomUUID() : undefined);
    const url = this.#url + pathOf(template, input.params ?? {}) + queryOf(input.query ?? {});
    const headers: Record<string, string> = { authorization: `Bearer ${this.#key}`, ...input.headers };
    if (key !== undefined) headers["idempotency-key"] = key;
    const { body } = input;
    if (body !== undefined && !isRaw(body)) headers["content-type"] ??= "application/json";
    const request: RequestInit = { method, headers };
    if (body !== undefined) request.body = isRaw(body) ? body : JSON.stringify(body);
    const mayRepeat = method !== "POST" || key !== undefined;
    // Our own server answers what it documents.
    return (await this.#send(url, request, { mayRepeat, signal: input.signal })) as Operations[Name]["answer"];
  }

  readonly events = {
    /** Raises an event; resolves when it is on disk. */
    raise: <Type extends keyof Events & string>(
      type: Type,
      data: Events[Type],
      options: { readonly source?: string; readonly id?: string; readonly subject?: string } = {},
    ): Promise<unknown> => {
      // Twice under one id is one event: so it may be sent again when an answer was lost.
      const { source = "/", id = globalThis.crypto.randomUUID(), subject } = options;
      const query = new URLSearchParams({ source, id, ...(subject === undefined ? {} : { subject }) }).toString();
      const headers = { authorization: `Bearer ${this.#key}`, "content-type": "application/json" };
      const url = `${this.#url}/events/${encodeURIComponent(type)}?${query}`;
      const request = { method: "POST", headers, body: JSON.stringify(data) };
      return this.#send(url, request, { mayRepeat: true, signal: undefined });
    },
  };

  async #send(
    url: string,
    request: RequestInit,
    { mayRepeat, signal }: { readonly mayRepeat: boolean; readonly signal: AbortSignal | undefined },
  ): Promise<unknown> {
    for (let attempt = 0; ; attempt += 1) {
      const isLast = !mayRepeat || attempt >= this.#retries;
      let waitMs = Math.min(WAIT_MS_MAX, WAIT_MS_BASE * 2 ** attempt);
      try {
        const timeout = AbortSignal.timeout(this.#timeoutMs);
        const both = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
        const response = await fetch(url, { ...request, signal: both });
        if (response.ok) return await read(response);
        if (isLast || !RETRIED.has(response.status)) throw await refusal(response);
        const after = Number(
          response.headers.get("retry-after-ms") ?? Number(response.headers.get("retry-after")) * 1_000,
        );
        if (after > 0) waitMs = Math.min(WAIT_MS_MAX, after);
        await response.body?.cancel();
      } catch (fault) {
        if (isLast || fault instanceof TidingsError || signal?.aborted === true) throw fault;
      }
      await rest(waitMs, signal);
    }
  }
}

async function read(response: Response): Promise<unknown> {
  if (response.status === 204) return undefined;
  const type = response.headers.get("content-type") ?? "";
  if (/\bjson\b/.test(type)) return await response.json();
  return type.startsWith("text/") ? await response.text() : new Uint8Array(await response.arrayBuffer());
}

async function refusal(response: Response): Promise<TidingsError> {
  const body: unknown = await response.json().catch(() => null);
  return new TidingsError(response.status, body, response.headers.get("x-request-id"));
}

function pathOf(template: string, params: object): string {
  return template.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(Reflect.get(params, name))));
}

function queryOf(query: object): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) search.append(name, String(one));
  }
  const text = search.toString();
  return text === "" ? "" : `?${text}`;
}

/** Bytes and texts go as they are. */
function isRaw(body: unknown): body is string | Uint8Array<ArrayBuffer> {
  return typeof body === "string" || body instanceof Uint8Array;
}

function rest(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason instanceof Error ? signal.reason : new Error("aborted"));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
