import { type FSWatcher, watch } from "node:fs";
import { sep } from "node:path";
import { loadFunctions } from "#drivers/threads/load.ts";
import { FunctionThread, type ThreadHouse } from "#drivers/threads/function-thread.ts";
import type { Log } from "#ports/log.ts";
import type {
  DeclaredFunction,
  FunctionHost,
  FunctionReads,
  Invocation,
  Invoked,
  LoadedFunctions,
} from "#ports/function-host.ts";
import type { FunctionsPlace } from "#ports/functions-place.ts";

/** A thread that had no call for so long is ended: a function costs memory only while it is used. */
const IDLE_MS = 60_000;
/** Functions whose threads wait for a call at the same time, each with some 10 MB; the one that waits longest makes room. */
const IDLE_FUNCTIONS_MAX = 16;
/** Editors write a file in several steps. */
const SETTLE_MS = 100;

export type ThreadHostOptions = { readonly place: FunctionsPlace; readonly log: Log };

/** Functions of a folder, each in a thread of its own that begins with the first call. */
export function openThreadHost(options: ThreadHostOptions): FunctionHost {
  return new ThreadHost(options);
}

/** One function's threads of one load: one for all calls, one for those that must be alone. */
type Threads = {
  together: FunctionThread | null;
  alone: FunctionThread | null;
  aloneTurn: Promise<unknown>;
  idle: NodeJS.Timeout | null;
  /** Its file cannot be loaded any more: its thread is all that there is of it. */
  isKept: boolean;
};

class ThreadHost implements FunctionHost {
  readonly #place: FunctionsPlace;
  readonly #log: Log;
  readonly #urls = new Map<number, ReadonlyMap<string, string>>();
  readonly #threads = new Map<string, Threads>();
  readonly #closing = new Set<FunctionThread>();
  /** The one that has waited longest first. */
  readonly #idle = new Set<Threads>();
  #generation = 0;
  #current = 0;
  #isClosed = false;
  readonly #watches = new Set<() => void>();
  readonly #looks = new Set<() => void>();
  #folders: ReadonlySet<string> = new Set();

  constructor({ place, log }: ThreadHostOptions) {
    this.#place = place;
    this.#log = log;
  }

  async load(): Promise<LoadedFunctions> {
    const { urls, folders, ...loaded } = await loadFunctions(this.#place);
    this.#folders = folders;
    for (const look of this.#looks) look();
    const generation = (this.#generation += 1);
    this.#urls.set(generation, urls);
    return { generation, ...loaded };
  }

  use({ generation }: LoadedFunctions, keep: ReadonlySet<string> = new Set()): void {
    this.#current = generation;
    for (const older of this.#urls.keys()) if (older < generation) this.#urls.delete(older);
    for (const [name, threads] of this.#threads) {
      threads.isKept = keep.has(name) && threads.together?.takes === true;
      if (threads.isKept) continue;
      this.#closeAll(threads);
      this.#threads.delete(name);
    }
  }

  async invoke(call: Invocation, reads: FunctionReads, signal: AbortSignal): Promise<Invoked> {
    const threads = this.#threadsOf(call.declared.name);
    this.#idle.delete(threads);
    if (!call.alone) {
      if (threads.together?.takes !== true) threads.together = this.#start(call.declared, threads);
      return await threads.together.call(call, reads, signal);
    }
    // One after the other: whatever happens in the thread is the fault of the one in it.
    const turn = threads.aloneTurn.then(async () => {
      if (threads.alone?.takes !== true) threads.alone = this.#start(call.declared, threads);
      return await threads.alone.call(call, reads, signal);
    });
    threads.aloneTurn = turn;
    return await turn;
  }

  onChanged(listener: () => void): () => void {
    let timer: NodeJS.Timeout | undefined;
    const told = (): void => {
      clearTimeout(timer);
      timer = setTimeout(listener, SETTLE_MS);
    };
    const watchers = new Map<string, FSWatcher>();
    const look = (): void => {
      // What functions import from beside their folder belongs to them as well.
      for (const folder of [this.#place.folder, ...this.#folders]) {
        if (!watchers.has(folder)) this.#watch(folder, watchers, told);
      }
    };
    look();
    this.#looks.add(look);
    const stop = (): void => {
      this.#looks.delete(look);
      for (const watcher of watchers.values()) watcher.close();
    };
    const end = (): void => {
      clearTimeout(timer);
      stop();
      this.#watches.delete(end);
    };
    this.#watches.add(end);
    return end;
  }

  #watch(folder: string, watchers: Map<string, FSWatcher>, told: () => void): void {
    if (!isBelow(folder, this.#place.root)) return;
    try {
      const watcher = watch(folder, { recursive: folder === this.#place.folder }, told);
      // A folder that goes away has nothing to tell.
      watcher.on("error", () => {});
      watchers.set(folder, watcher);
    } catch (error) {
      const says = error instanceof Error ? error.message : String(error);
      this.#log.warn("A folder of functions cannot be watched; changes in it are not seen", { folder, error: says });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    for (const end of [...this.#watches]) end();
    const threads = [...this.#threads.values()].flatMap(({ together, alone, idle }) => {
      clearTimeout(idle ?? undefined);
      return [together, alone].filter((thread) => thread !== null);
    });
    await Promise.all([...threads, ...this.#closing].map((thread) => thread.terminate()));
  }

  #threadsOf(name: string): Threads {
    const known = this.#threads.get(name);
    if (known !== undefined) return known;
    const threads: Threads = { together: null, alone: null, aloneTurn: Promise.resolve(), idle: null, isKept: false };
    this.#threads.set(name, threads);
    return threads;
  }

  #start({ name, memoryMb }: DeclaredFunction, threads: Threads): FunctionThread {
    const { root, secrets, settings } = this.#place;
    const url = this.#urls.get(this.#current)?.get(name) ?? "";
    const house: ThreadHouse = {
      logged: ({ level, text }) => this.#log[level === "debug" ? "info" : level](text, { function: name }),
      rested: () => this.#rest(threads),
    };
    if (this.#isClosed) throw new Error("broken invariant: nothing is called in a host that is closed");
    return new FunctionThread({ kind: "run", name, url, root, secrets, settings }, memoryMb, house);
  }

  /** Ends the threads of a function that is not called for a while. */
  #rest(threads: Threads): void {
    clearTimeout(threads.idle ?? undefined);
    threads.idle = setTimeout(() => this.#letRest(threads), IDLE_MS).unref();
    this.#idle.delete(threads);
    // One that has just ended waits for nothing.
    if ([threads.together, threads.alone].every((thread) => thread === null || thread.isGone)) return;
    this.#idle.add(threads);
    const [longest] = this.#idle;
    if (longest !== undefined && this.#idle.size > IDLE_FUNCTIONS_MAX) this.#letRest(longest);
  }

  #letRest(threads: Threads): void {
    this.#idle.delete(threads);
    if (threads.isKept) return;
    if (threads.together?.isIdle === true) threads.together.close();
    if (threads.alone?.isIdle === true) threads.alone.close();
  }

  #closeAll({ together, alone, idle }: Threads): void {
    clearTimeout(idle ?? undefined);
    for (const thread of this.#closing) if (thread.isGone) this.#closing.delete(thread);
    for (const thread of [together, alone]) {
      if (thread === null) continue;
      this.#closing.add(thread);
      thread.close();
    }
  }
}

function isBelow(folder: string, root: string): boolean {
  return folder === root || folder.startsWith(root.endsWith(sep) ? root : root + sep);
}
