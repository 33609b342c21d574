import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Exit } from "#cli/exit.ts";
import { runCli } from "#cli/run.ts";
import type { Screen, World } from "#cli/world.ts";
import type { Json } from "#domain/json.ts";
import { systemClock } from "#drivers/system/clock.ts";

/** What a command printed, and how it ended. */
export type Ran = { readonly exit: Exit; readonly out: string; readonly err: string };

export type WorldWishes = {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Makes both screens terminals of this width, without colours. */
  readonly columns?: number;
  readonly colours?: boolean;
  readonly stdin?: string;
  readonly confirm?: boolean | null;
  readonly signal?: AbortSignal;
  readonly nowMs?: () => number;
  /** Hears what is printed, as it is printed. */
  readonly onOut?: (text: string) => void;
};

/** Runs a command line in this process and keeps what it prints. */
export async function ran(argv: readonly string[], wishes: WorldWishes = {}): Promise<Ran> {
  const { world, printed } = madeWorld(wishes);
  const exit = await runCli(world, argv);
  return { exit, ...printed() };
}

export function madeWorld(wishes: WorldWishes = {}) {
  const texts = { out: "", err: "" };
  const { columns, colours = false, stdin = "", confirm = null } = wishes;
  const screen = (name: "out" | "err"): Screen => ({
    write: (text) => {
      texts[name] += text;
      if (name === "out") wishes.onOut?.(text);
    },
    columns: columns ?? Number.POSITIVE_INFINITY,
    isTty: columns !== undefined,
    colours,
  });
  const input = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from(stdin);
  };
  const clock = systemClock();
  const world: World = {
    env: wishes.env ?? {},
    cwd: wishes.cwd ?? "/nowhere",
    out: screen("out"),
    err: screen("err"),
    stdin: Object.assign(input(), { isTty: false }),
    clock: { ...clock, nowMs: wishes.nowMs ?? (() => clock.nowMs()) },
    signal: wishes.signal ?? new AbortController().signal,
    confirm: async () => confirm,
  };
  return { world, printed: () => ({ ...texts }) };
}

export type Asked = {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: Json;
  readonly headers: IncomingMessage["headers"];
};
type Reply = { readonly status?: number; readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> };
/** Answers a call, or writes to the response itself and returns nothing. */
export type Handler = (asked: Asked, response: ServerResponse) => Reply | undefined;

export type FakeServer = AsyncDisposable & {
  readonly url: string;
  readonly asked: readonly Asked[];
  readonly flags: readonly string[];
};

/** A server that answers as told: `"GET /messages"` or, with a trailing `*`, whatever begins so. Everything else is 404. */
export async function fakeServer(handlers: Readonly<Record<string, Handler>>): Promise<FakeServer> {
  const asked: Asked[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) chunks.push(chunk as Uint8Array);
    const url = new URL(request.url ?? "/", "http://fake");
    const text = Buffer.concat(chunks).toString("utf8");
    const call: Asked = {
      method: request.method ?? "",
      path: url.pathname,
      query: url.searchParams,
      body: text === "" ? null : (JSON.parse(text) as Json),
      headers: request.headers,
    };
    asked.push(call);
    const name = `${call.method} ${call.path}`;
    const found = Object.entries(handlers).find(([key]) =>
      key.endsWith("*") ? name.startsWith(key.slice(0, -1)) : name === key,
    );
    const reply = found === undefined ? UNKNOWN : found[1](call, response);
    if (reply === undefined) return;
    response.writeHead(reply.status ?? 200, { "content-type": "application/json", ...reply.headers });
    response.end(reply.body === undefined ? undefined : JSON.stringify(reply.body));
  };
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    asked,
    flags: ["--url", url, "--key", "tk_test_key"],
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const UNKNOWN: Reply = {
  status: 404,
  body: {
    type: "invalid_request_error",
    message: "There is no such thing.",
    code: "thing.unknown",
    hint: "Nothing has this id.",
  },
};
