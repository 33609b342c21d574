/** Runs in a thread of its own: loads one function and calls its handler, as often at once as it is told to. */
import { AsyncLocalStorage } from "node:async_hooks";
import { format } from "node:util";
import { parentPort, workerData } from "node:worker_threads";
import { type Call, type CallAsk, type CallReads, beginCall, blankOf, describeError, type LogLine } from "tidings/run";
import { definedIn } from "tidings/load";
import type { FromThread, ThreadData, ToThread } from "#drivers/threads/protocol.ts";
import { resolveTidings } from "#drivers/threads/resolve.ts";

type Running = { readonly call: Call; readonly stop: AbortController };

// `host.ts` starts it with these.
const { name, url, root, secrets, settings } = workerData as ThreadData;
const blank = blankOf(secrets);
const calls = new Map<number, Running>();
const reads = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
const within = new AsyncLocalStorage<Pick<Call, "log">>();
let lastRead = 0;
let out: FromThread[] = [];

/** What is said in one turn of the event loop goes together: a message between threads costs more than what is in it. */
function say(message: FromThread): void {
  out.push(message);
  if (out.length === 1) queueMicrotask(flush);
}

function flush(): void {
  const said = out;
  out = [];
  parentPort?.postMessage(said);
}

function readsOf(call: number): CallReads {
  const ask = <T>(what: keyof CallReads, ...rest: readonly unknown[]): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      lastRead += 1;
      // The other side answers what was asked.
      reads.set(lastRead, { resolve: resolve as (value: unknown) => void, reject });
      say({ kind: "read", read: lastRead, call, what, with: rest });
    });
  return {
    documents: (keys) => ask("documents", keys),
    query: (wanted) => ask("query", wanted),
    subscriptions: (list, after) => ask("subscriptions", list, after),
    blob: (id) => ask("blob", id),
  };
}

function begin(number: number, ask: CallAsk, defined: NonNullable<ReturnType<typeof definedIn>>): void {
  const stop = new AbortController();
  const world = {
    reads: readsOf(number),
    signal: stop.signal,
    secrets,
    settings,
    blank,
    root,
    nowMs: () => Date.now(),
  };
  const call = beginCall(defined, ask, world, (running, work) => within.run(running, work));
  calls.set(number, { call, stop });
  void call.ended.then((end) => {
    calls.delete(number);
    say({ kind: "ended", number, end });
  });
}

function hear(message: ToThread, defined: NonNullable<ReturnType<typeof definedIn>>): void {
  switch (message.kind) {
    case "call":
      return begin(message.number, message.ask, defined);
    case "abort": {
      const running = calls.get(message.number);
      const reason = message.why === "timeout" ? "The function's time is over." : "The server stops.";
      running?.stop.abort(new DOMException(reason, message.why === "timeout" ? "TimeoutError" : "AbortError"));
      return;
    }
    case "answer": {
      const asked = reads.get(message.read);
      reads.delete(message.read);
      if (message.error === null) asked?.resolve(message.value);
      else asked?.reject(new Error(message.error));
      return;
    }
    case "ping":
      return say({ kind: "pong", number: message.number });
  }
}

/** What handlers print belongs to the call that printed it. */
function catchConsole(): void {
  const levels = { debug: "debug", trace: "debug", log: "info", info: "info", warn: "warn", error: "error" } as const;
  for (const [method, level] of Object.entries(levels)) {
    // One of the six above.
    console[method as keyof typeof levels] = (...words: readonly unknown[]): void => print(level, format(...words));
  }
}

function print(level: LogLine["level"], text: string): void {
  const call = within.getStore();
  if (call !== undefined) call.log.add(level, text);
  else say({ kind: "log", line: { atMs: Date.now(), level, text: blank(text), fields: null } });
}

resolveTidings();
catchConsole();
try {
  const module: { readonly default?: unknown } = await import(url);
  const defined = definedIn(module.default);
  if (defined === null) throw new Error(`${name} is not a function any more.`);
  parentPort?.on("message", (messages: readonly ToThread[]) => {
    for (const message of messages) hear(message, defined);
  });
  say({ kind: "ready" });
} catch (thrown) {
  say({ kind: "unloadable", error: { ...describeError(thrown, root, blank), name: "LoadError" } });
}
