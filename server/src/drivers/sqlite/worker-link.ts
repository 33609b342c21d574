import { getCompileCacheDir } from "node:module";
import { Worker } from "node:worker_threads";
import type { Ask } from "#drivers/sqlite/ask.ts";
import type { Now } from "#drivers/sqlite/now.ts";
import {
  ANSWERED_STRIDE,
  type AnsweredMessage,
  type AskedMessage,
  CLOSE,
  readThrown,
  THROWN,
  writeArgs,
} from "#drivers/sqlite/protocol.ts";
import type { CoreData } from "#drivers/sqlite/worker.ts";
import { invariant } from "#domain/invariant.ts";
import { StoreFault } from "#ports/store.ts";

/** The part of the thread's heap where young objects live: units come and go, and a small one keeps memory flat. */
export const YOUNG_GENERATION_MB_MAX = 8;

/** A core in a thread of its own, and the way to ask it. */
export class WorkerLink<Core> implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #now: () => Now;
  readonly #pending = new Map<number, Pending>();
  #calls = 0;
  #asked: AskedMessage = [];
  #gone: Error | null = null;

  constructor(side: CoreData["side"], path: string, now: () => Now) {
    const data: CoreData = { side, path };
    const cache = getCompileCacheDir();
    this.#now = now;
    this.#worker = new Worker(new URL("./worker.ts", import.meta.url), {
      workerData: data,
      name: `sqlite ${side}`,
      // With the program's compile cache the thread need not load the type stripper, which takes 20 MB.
      env: cache === undefined ? {} : { NODE_COMPILE_CACHE: cache },
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB_MAX },
    });
    this.#worker.on("message", (answered: AnsweredMessage) => this.#settle(answered));
    this.#worker.on("error", (error: Error) => this.#lose(error));
    this.#worker.on("exit", () => this.#lose(new Error("the thread has ended")));
    // A store that nobody asks does not keep the program alive.
    this.#worker.unref();
  }

  readonly ask: Ask<Core> = (name, ...args) => {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    if (this.#gone !== null) reject(this.#gone);
    else this.#send(name, args, { resolve, reject });
    // The core's method of this name has given the answer; JSON keeps all that our types hold.
    return promise as ReturnType<Ask<Core>> as never;
  };

  /** Answers what was asked before, then closes the core and ends the thread. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#gone !== null) return;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#send(CLOSE, [], { resolve, reject });
    this.#gone = new StoreFault("store.failed", "The store is closed");
    try {
      await promise;
    } finally {
      await this.#worker.terminate();
    }
  }

  #send(name: string, args: readonly unknown[], pending: Pending): void {
    const call = ++this.#calls;
    if (this.#pending.size === 0) this.#worker.ref();
    this.#pending.set(call, pending);
    if (this.#asked.length === 0) queueMicrotask(() => this.#flush());
    const { wallMs, monotonicMs } = this.#now();
    this.#asked.push(call, name, wallMs, monotonicMs, writeArgs(name, args));
  }

  #flush(): void {
    const asked = this.#asked;
    this.#asked = [];
    this.#worker.postMessage(asked);
  }

  #settle(answered: AnsweredMessage): void {
    for (let at = 0; at < answered.length; at += ANSWERED_STRIDE) {
      const call = Number(answered[at]);
      const pending = this.#pending.get(call);
      invariant(pending !== undefined, "an answer belongs to a call");
      this.#pending.delete(call);
      const text = String(answered[at + 2]);
      if (answered[at + 1] === THROWN) pending.reject(readThrown(text));
      else pending.resolve(JSON.parse(text));
    }
    if (this.#pending.size === 0) this.#worker.unref();
  }

  /** The thread ended by itself, which only a bug or a lack of memory can do: the process follows it, and a new start
   * goes on with what was committed. Staying would mean to refuse everything for ever. */
  #lose(cause: Error): void {
    if (this.#gone === null) {
      queueMicrotask(() => {
        throw cause;
      });
    }
    this.#gone ??= new StoreFault("store.failed", "The thread that keeps the store has ended; start again", { cause });
    for (const { reject } of this.#pending.values()) reject(this.#gone);
    this.#pending.clear();
  }
}

type Pending = { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void };
