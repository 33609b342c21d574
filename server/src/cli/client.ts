import { Agent as PlainAgent, request as plainRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { Refusal } from "#cli/exit.ts";
import { text } from "#cli/json.ts";
import { type SseMessage, SseReader } from "#cli/sse.ts";
import { pause, type World } from "#cli/world.ts";
import { OperatorFault } from "#domain/faults.ts";
import { isJsonObject, type Json } from "#domain/json.ts";

/** A server that has not begun to answer by then is not going to. */
export const ANSWER_MS_MAX = 60_000;
/** A stream in which not even a heartbeat came for so long is broken, whatever TCP believes. */
export const STREAM_SILENCE_MS_MAX = 45_000;
/** Largest answer that is read: pages are far smaller, an attachment is 20 MB. */
export const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
/** Waits while the server says "later": the first, the longest, and how many before we give up (about ten minutes). */
export const LATER_MS_BASE = 500;
export const LATER_MS_MAX = 30_000;
export const LATER_TRIES_MAX = 25;

export type Target = {
  readonly url: string;
  readonly key: string | null;
  /** How we came to this address, for a complaint. */
  readonly from: string;
};

export type Call = {
  readonly query?: Readonly<Record<string, string | number | boolean | readonly string[] | null | undefined>>;
  readonly body?: unknown;
  /** JSON text that goes as it is, instead of `body`. */
  readonly text?: string;
  /** Bytes that go as they are, instead of `body`; `headers` say what they are. */
  readonly bytes?: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** How long nothing may come before it is given up. Default: a minute. */
  readonly patienceMs?: number;
};

export type Answer = {
  readonly status: number;
  readonly body: Json;
  readonly headers: IncomingMessage["headers"];
};

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/**
 * Speaks HTTP with one server over kept-alive connections.
 *
 * Every call throws `Refusal` for a status of 400 and above, and OperatorFault "server.unreachable" when nobody
 * answers. `node:http` instead of `fetch`: it loads in 10 ms instead of 60, which is most of a command's time.
 */
export class Client {
  readonly target: Target;
  readonly #agent: PlainAgent;
  readonly #base: URL;
  readonly #request: typeof plainRequest;

  private constructor(target: Target, agent: PlainAgent, request: typeof plainRequest) {
    this.target = target;
    this.#agent = agent;
    this.#request = request;
    this.#base = new URL(target.url.endsWith("/") ? target.url : `${target.url}/`);
  }

  static async open(target: Target): Promise<Client> {
    if (!target.url.startsWith("https:")) return new Client(target, new PlainAgent({ keepAlive: true }), plainRequest);
    const tls = await import("node:https");
    return new Client(target, new tls.Agent({ keepAlive: true }), tls.request);
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  /** `path` begins without a slash; its segments are encoded already (see `segment`). */
  async call(method: Method, path: string, call: Call = {}): Promise<Answer> {
    const response = await this.#ask(method, path, call, "application/json");
    const body = parse((await this.#whole(response)).toString("utf8"));
    const status = response.statusCode ?? 0;
    if (status >= 400) throw refusal(status, body, response.headers);
    return { status, body, headers: response.headers };
  }

  async get(path: string, query: Call["query"] = {}): Promise<Json> {
    return (await this.call("GET", path, { query })).body;
  }

  /** What lies at a path, byte by byte. */
  async bytes(path: string): Promise<Uint8Array> {
    const response = await this.#ask("GET", path, {}, "*/*");
    const bytes = await this.#whole(response);
    const status = response.statusCode ?? 0;
    if (status >= 400) throw refusal(status, parse(bytes.toString("utf8")), response.headers);
    return bytes;
  }

  /** Like `call`, but waits and repeats while the server says 429 or 503, as its Retry-After wishes. */
  async callPatiently(world: World, method: Method, path: string, call: Call): Promise<Answer> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.call(method, path, call);
      } catch (error) {
        const later = error instanceof Refusal && (error.status === 429 || error.status === 503);
        if (!later || attempt >= LATER_TRIES_MAX) throw error;
        const ownMs = Math.min(LATER_MS_MAX, LATER_MS_BASE * 2 ** (attempt - 1));
        if (!(await pause(world, Math.min(error.retryAfterMs ?? ownMs, LATER_MS_MAX)))) throw error;
      }
    }
  }

  /** The messages of an event stream until the server ends it, silence falls or `signal` is aborted. */
  async *stream(path: string, call: Call): AsyncGenerator<SseMessage> {
    const response = await this.#ask("GET", path, call, "text/event-stream");
    const status = response.statusCode ?? 0;
    if (status >= 400) throw refusal(status, parse((await this.#whole(response)).toString("utf8")), response.headers);
    const reader = new SseReader();
    const utf8 = new TextDecoder();
    response.socket.setTimeout(STREAM_SILENCE_MS_MAX);
    try {
      for await (const chunk of response) yield* reader.push(utf8.decode(chunk, { stream: true }));
    } catch (error) {
      if (call.signal?.aborted === true) return;
      throw this.#unreachable(error);
    }
  }

  #ask(method: Method, path: string, call: Call, accept: string): Promise<IncomingMessage> {
    const url = new URL(path, this.#base);
    for (const [name, value] of Object.entries(call.query ?? {})) {
      if (value === null || value === undefined || value === "") continue;
      const joined = typeof value === "object" ? value.join(",") : String(value);
      if (joined !== "") url.searchParams.set(name, joined);
    }
    const said = call.text ?? (call.body === undefined ? null : JSON.stringify(call.body));
    const body = call.bytes ?? (said === null ? null : Buffer.from(said));
    const options: RequestOptions = {
      method,
      agent: this.#agent,
      timeout: call.patienceMs ?? ANSWER_MS_MAX,
      ...(call.signal === undefined ? {} : { signal: call.signal }),
      headers: {
        accept,
        ...(body === null ? {} : { "content-type": "application/json", "content-length": String(body.length) }),
        ...(this.target.key === null ? {} : { authorization: `Bearer ${this.target.key}` }),
        ...call.headers,
      },
    };
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const request = this.#request(url, options, resolve);
    request.once("timeout", () => request.destroy(new Error("no answer in time")));
    request.on("error", (error) => reject(call.signal?.aborted === true ? error : this.#unreachable(error)));
    request.end(body ?? undefined);
    return promise;
  }

  async #whole(response: IncomingMessage): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    try {
      for await (const chunk of response) {
        // Without an encoding, node gives buffers.
        chunks.push(chunk as Buffer);
        bytes += (chunk as Buffer).length;
        if (bytes > ANSWER_BYTES_MAX) throw new Error(`its answer is larger than ${ANSWER_BYTES_MAX} bytes`);
      }
    } catch (error) {
      throw this.#unreachable(error);
    }
    return Buffer.concat(chunks);
  }

  #unreachable(cause: unknown): OperatorFault {
    const why = cause instanceof Error && cause.message !== "" ? cause.message : codeOf(cause);
    return new OperatorFault("server.unreachable", `${this.target.url} (${this.target.from}): ${why}`, { cause });
  }
}

/** One segment of a path: ids may hold anything. */
export function segment(id: string): string {
  return encodeURIComponent(id);
}

function parse(text: string): Json {
  if (text === "") return null;
  try {
    // JSON.parse gives what JSON can say.
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}

function refusal(status: number, body: Json, headers: IncomingMessage["headers"]): Refusal {
  const said = isJsonObject(body) ? body : {};
  const sentence = text(said, "message") || `the server answered ${status} without saying why`;
  return new Refusal(status, sentence, {
    code: text(said, "code") || null,
    hint: text(said, "hint") || null,
    retryAfterMs: retryAfterMs(headers),
  });
}

/** Our own header in ms, else seconds as RFC 9110 §10.2.3 has them. */
function retryAfterMs(headers: IncomingMessage["headers"]): number | null {
  const own = headers["retry-after-ms"];
  const ms = typeof own === "string" ? Number(own) : Number(headers["retry-after"] ?? Number.NaN) * 1000;
  return Number.isFinite(ms) && ms >= 0 ? ms : null;
}

function codeOf(error: unknown): string {
  // `connect` to a name with several addresses fails with an AggregateError whose message is empty.
  if (error instanceof AggregateError) return error.errors.map((one) => codeOf(one)).join(", ");
  if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
  return error instanceof Error && error.message !== "" ? error.message : "no answer";
}
