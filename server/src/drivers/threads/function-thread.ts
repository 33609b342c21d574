/**
 * One thread with one function.
 *
 *     starting ──ready──▶ open ──a call lingers, new code, idle──▶ closing ──last call ended──▶ gone
 *        └── unloadable ─────┴── out of memory, exit, no pong ──────────────────────────────▶ gone: calls are told
 */
import { Worker } from "node:worker_threads";
import type { CallReads } from "tidings/run";
import type { FromThread, ThreadData, ToThread } from "#drivers/threads/protocol.ts";
import { threadEnv } from "#drivers/threads/thread-env.ts";
import type { FunctionReads, Invocation, InvocationError, Invoked, LogLine } from "#ports/function-host.ts";

/** After its time, a call may still say what came of it for so long; a thread must show that it lives within as much. */
const GRACE_MS = 250;
/** How often a thread's memory is looked at while it has calls. */
const MEMORY_LOOK_MS = 100;
/** What lies outside the heap (buffers) may be as many times the heap's limit. */
const OUTSIDE_FACTOR = 4;
const MB = 1024 * 1024;

export type ThreadHouse = {
  /** Told what was logged outside of any call. */
  readonly logged: (line: LogLine) => void;
  /** Told when it has nothing to do any more, and when it is gone. */
  readonly rested: () => void;
};

type UnderWay = {
  readonly call: Invocation;
  readonly reads: FunctionReads;
  readonly resolve: (invoked: Invoked) => void;
  timer: NodeJS.Timeout | null;
  isLate: boolean;
};

export class FunctionThread {
  readonly #house: ThreadHouse;
  readonly #worker: Worker;
  readonly #memoryMb: number;
  readonly #calls = new Map<number, UnderWay>();
  #out: ToThread[] = [];
  #state: "starting" | "open" | "closing" | "gone" = "starting";
  #waiting: { readonly number: number; readonly call: Invocation }[] = [];
  #lastNumber = 0;
  #lastPong = 0;
  #watch: NodeJS.Timeout | null = null;

  constructor(data: ThreadData, memoryMb: number, house: ThreadHouse) {
    this.#house = house;
    this.#memoryMb = memoryMb;
    this.#worker = new Worker(new URL("./thread.ts", import.meta.url), {
      workerData: data,
      env: threadEnv(process.env),
      name: data.name,
      resourceLimits: { maxOldGenerationSizeMb: memoryMb },
      stdout: true,
      stderr: true,
    });
    // What bypasses the console is of nobody's call.
    this.#worker.stdout.resume();
    this.#worker.stderr.resume();
    this.#worker.on("message", (messages: readonly FromThread[]) => {
      for (const message of messages) this.#hear(message);
    });
    this.#worker.on("error", (error) => this.#over(deathBy(error, memoryMb)));
    this.#worker.on("exit", (code) =>
      this.#over({ name: "Exit", says: `it ended its thread with process.exit(${code})`, ...NOWHERE }),
    );
  }

  /** Whether it takes calls. */
  get takes(): boolean {
    return this.#state === "starting" || this.#state === "open";
  }

  get isGone(): boolean {
    return this.#state === "gone";
  }

  get isIdle(): boolean {
    return this.#calls.size === 0;
  }

  call(call: Invocation, reads: FunctionReads, signal: AbortSignal): Promise<Invoked> {
    const number = (this.#lastNumber += 1);
    return new Promise((resolve) => {
      this.#calls.set(number, { call, reads, resolve, timer: null, isLate: false });
      const stop = (): void => this.#say({ kind: "abort", number, why: "stopping" });
      signal.addEventListener("abort", stop, { once: true });
      const underWay = this.#calls.get(number);
      if (underWay !== undefined) {
        const end = underWay.resolve;
        this.#calls.set(number, {
          ...underWay,
          resolve: (invoked) => (signal.removeEventListener("abort", stop), end(invoked)),
        });
      }
      if (this.#state === "starting") this.#waiting.push({ number, call });
      else this.#begin(number, call);
      this.#watch ??= setInterval(() => void this.#lookAtMemory(), MEMORY_LOOK_MS).unref();
    });
  }

  /** Takes no more calls, and is gone when those under way have ended. */
  close(): void {
    if (this.#state === "gone") return;
    this.#state = "closing";
    if (this.#calls.size === 0) this.#end();
  }

  /** Ends it now; what was under way is told that it is not to blame. */
  async terminate(): Promise<void> {
    this.#over({ name: "Stopped", says: "the server stopped", ...NOWHERE }, true);
    await this.#worker.terminate();
  }

  #begin(number: number, call: Invocation): void {
    const underWay = this.#calls.get(number);
    if (underWay === undefined) return;
    const { declared, id, key, attempt, input, idSeed, traceparent } = call;
    // The time of the first call begins when its function is loaded.
    const deadlineMs = Date.now() + declared.timeoutMs;
    underWay.timer = setTimeout(() => this.#late(number, underWay), declared.timeoutMs);
    this.#say({
      kind: "call",
      number,
      ask: { id, function: declared.name, key, attempt, input, idSeed, traceparent, deadlineMs },
    });
  }

  /** Time is over: it is told, has a moment to end, and then nobody waits for it any longer. */
  #late(number: number, underWay: UnderWay): void {
    underWay.isLate = true;
    this.#say({ kind: "abort", number, why: "timeout" });
    this.#say({ kind: "ping", number });
    underWay.timer = setTimeout(() => {
      if (!this.#calls.has(number)) return;
      const { timeoutMs } = underWay.call.declared;
      const lives = this.#lastPong >= number;
      const how = lives ? "" : ", and its thread did not answer: it loops";
      this.#answer(
        number,
        failed({ name: "Timeout", says: `it did not end within ${timeoutMs} ms${how}`, ...NOWHERE }),
      );
      // What lingers may do so for ever: no new call is to share its thread.
      if (lives) this.close();
      else
        this.#over(
          { name: "Timeout", says: "another call of the function looped, so that its thread was ended", ...NOWHERE },
          true,
        );
    }, GRACE_MS);
  }

  #hear(message: FromThread): void {
    switch (message.kind) {
      case "ready":
        if (this.#state === "starting") this.#state = "open";
        for (const { number, call } of this.#waiting) this.#begin(number, call);
        this.#waiting = [];
        return;
      case "unloadable":
        for (const number of this.#calls.keys()) this.#answer(number, failed(message.error));
        return this.#end();
      case "ended": {
        const { number, end } = message;
        const isLate = this.#calls.get(number)?.isLate === true;
        return this.#answer(number, isLate && end.kind === "failed" ? this.#timedOut(number, end) : end);
      }
      case "read":
        void this.#read(message);
        return;
      case "pong":
        this.#lastPong = Math.max(this.#lastPong, message.number);
        return;
      case "log":
        return this.#house.logged(message.line);
    }
  }

  /** A handler that heard the signal and gave up: where it did so is of use. */
  #timedOut(number: number, { error, logs }: Extract<Invoked, { kind: "failed" }>): Invoked {
    const timeoutMs = this.#calls.get(number)?.call.declared.timeoutMs ?? 0;
    return {
      kind: "failed",
      error: { ...error, name: "Timeout", says: `it did not end within ${timeoutMs} ms` },
      logs,
    };
  }

  #answer(number: number, invoked: Invoked): void {
    const underWay = this.#calls.get(number);
    if (underWay === undefined) return;
    this.#calls.delete(number);
    clearTimeout(underWay.timer ?? undefined);
    underWay.resolve(invoked);
    if (this.#calls.size > 0) return;
    clearInterval(this.#watch ?? undefined);
    this.#watch = null;
    if (this.#state === "closing") this.#end();
    else this.#house.rested();
  }

  async #read({ read, call, what, with: rest }: Extract<FromThread, { kind: "read" }>): Promise<void> {
    const reads = this.#calls.get(call)?.reads;
    if (reads === undefined) return;
    try {
      // The thread asks with what the port's method takes: both ends are ours.
      const ask = reads[what] as (...args: readonly unknown[]) => ReturnType<CallReads[typeof what]>;
      this.#say({ kind: "answer", read, value: await ask.apply(reads, [...rest]), error: null });
    } catch (thrown) {
      this.#say({
        kind: "answer",
        read,
        value: null,
        error: thrown instanceof Error ? thrown.message : String(thrown),
      });
    }
  }

  #say(message: ToThread): void {
    if (this.#state === "gone") return;
    this.#out.push(message);
    if (this.#out.length === 1) queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    const out = this.#out;
    this.#out = [];
    if (this.#state !== "gone") this.#worker.postMessage(out);
  }

  /** Buffers lie outside the heap, which has a limit of its own. */
  async #lookAtMemory(): Promise<void> {
    const statistics = await this.#worker.getHeapStatistics().catch(() => null);
    if (statistics === null || this.#state === "gone") return;
    if (statistics.external_memory <= OUTSIDE_FACTOR * this.#memoryMb * MB) return;
    this.#over({
      name: "OutOfMemory",
      says: `its buffers took more than ${OUTSIDE_FACTOR * this.#memoryMb} MB`,
      ...NOWHERE,
    });
  }

  /** The thread has ended, or is ended. Who was alone in it is to blame, unless nobody is. */
  #over(error: InvocationError, isNobodysFault = false): void {
    if (this.#state === "gone") return;
    const numbers = [...this.#calls.keys()];
    const isToBlame = numbers.length === 1 && !isNobodysFault;
    for (const number of numbers)
      this.#answer(number, isToBlame ? failed(error) : { kind: "innocent", error, logs: [] });
    this.#end();
  }

  #end(): void {
    if (this.#state === "gone") return;
    this.#state = "gone";
    clearInterval(this.#watch ?? undefined);
    void this.#worker.terminate();
    this.#house.rested();
  }
}

const NOWHERE = { at: null, stack: null } as const;

function failed(error: InvocationError): Invoked {
  return { kind: "failed", error, logs: [] };
}

function deathBy(thrown: unknown, memoryMb: number): InvocationError {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  if ("code" in error && error.code === "ERR_WORKER_OUT_OF_MEMORY")
    return { name: "OutOfMemory", says: `it took more than ${memoryMb} MB of memory`, ...NOWHERE };
  return { name: error.name, says: `an error that nothing caught ended its thread: ${error.message}`, ...NOWHERE };
}
