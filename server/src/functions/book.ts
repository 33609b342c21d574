/**
 * Which functions there are, and which of them run.
 *
 *     (none) ──load──▶ fine ──its feeder starts──▶ running ──file gone──▶ stopped
 *                        └──cannot be──▶ faulty; the version before it, if one runs, goes on
 */
import type { TriggerKind } from "tidings";
import type { DocumentDesk } from "#documents/desk.ts";
import { errorText } from "#engine/error-text.ts";
import type { Engine } from "#engine/engine.ts";
import { sleep } from "#engine/sleep.ts";
import type { BookEntry } from "#functions/desk.ts";
import type { Feed, Feeder } from "#functions/feeder.ts";
import { START_AGAIN_MS } from "#functions/limits.ts";
import { samePlaces } from "#functions/same-place.ts";
import type { DeclaredFunction, FunctionHost, LoadedFunctions, LoadFault } from "#ports/function-host.ts";

export type BookHouse = {
  readonly engine: Engine;
  readonly host: FunctionHost;
  readonly documents: DocumentDesk;
  readonly feeders: readonly Feeder[];
  /** Told after each load of all functions that there are, also those that are faulty. */
  readonly loaded: (declared: readonly DeclaredFunction[], faulty: readonly string[]) => Promise<void>;
};

/** What a load came to, for whoever looks at a terminal. */
export type BookNews = {
  readonly running: readonly DeclaredFunction[];
  readonly faults: readonly LoadFault[];
};

type Running = { declared: DeclaredFunction; readonly feed: Feed };

export class FunctionBook {
  readonly #house: BookHouse;
  readonly #running = new Map<string, Running>();
  /** Fine, but their feeders could not start yet. */
  readonly #starting = new Map<string, { readonly declared: DeclaredFunction; readonly says: string }>();
  #faults: readonly LoadFault[] = [];
  #faulty = new Map<string, { readonly declared: DeclaredFunction; readonly fault: LoadFault }>();
  /** One load after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  readonly #listeners: ((news: BookNews) => void)[] = [];

  constructor(house: BookHouse) {
    this.#house = house;
  }

  /** Reads all functions anew; resolves when those that are fine run, or wait for a store that cannot answer now. */
  reload(): Promise<BookNews> {
    const turn = this.#turn.then(() => this.#reload());
    this.#turn = turn.catch(() => {});
    return turn;
  }

  /** Reads them anew whenever a file changes, until the engine stops. */
  watch(): void {
    const stop = this.#house.host.onChanged(() => void this.reload());
    this.#house.engine.signal.addEventListener("abort", stop, { once: true });
  }

  onNews(listener: (news: BookNews) => void): void {
    this.#listeners.push(listener);
  }

  /** Stops all of them, for a server that closes. */
  async stop(): Promise<void> {
    await this.#turn;
    this.#starting.clear();
    await Promise.all([...this.#running.values()].map(({ feed }) => feed.stop()));
    this.#running.clear();
  }

  /** Whether there is a function of this name, running or not. */
  has(name: string): boolean {
    return this.#running.has(name) || this.#faulty.has(name) || this.#faults.some((fault) => fault.name === name);
  }

  get faults(): readonly LoadFault[] {
    return this.#faults;
  }

  get entries(): readonly BookEntry[] {
    const running = [...this.#running.values()].map(({ declared }): BookEntry => {
      const fault = this.#faults.find(({ name }) => name === declared.name);
      return {
        declared,
        state: "running",
        fault: fault === undefined ? null : `${faultLine(fault)} The version before it runs.`,
      };
    });
    const faulty = [...this.#faulty.values()]
      .filter(({ declared }) => !this.#running.has(declared.name))
      .map(({ declared, fault }): BookEntry => ({ declared, state: "faulty", fault: faultLine(fault) }));
    const starting = [...this.#starting.values()].map(
      ({ declared, says }): BookEntry => ({ declared, state: "stopped", fault: says }),
    );
    return [...running, ...faulty, ...starting];
  }

  async #reload(): Promise<BookNews> {
    const { host, engine, documents } = this.#house;
    const loaded = await host.load();
    const { fine, faulty } = this.#judge(loaded);
    this.#faulty = faulty;
    this.#faults = [...loaded.faults, ...[...faulty.values()].map(({ fault }) => fault)];
    const kept = new Set([...this.#faults.map(({ name }) => name)].filter((name) => this.#running.has(name)));
    await this.#patiently("Collections of documents cannot be declared", () => documents.declare(loaded.collections));
    host.use(loaded, kept);
    const wanted = new Map(fine.map((declared) => [declared.name, declared]));
    await this.#stopOthers(wanted, kept);
    this.#starting.clear();
    await Promise.all(fine.map((declared) => this.#begin(declared)));
    await this.#patiently("Rules of functions cannot be tidied", () =>
      this.#house.loaded(
        [...fine, ...[...this.#running.values()].map(({ declared }) => declared)],
        this.#faults.map(({ name }) => name),
      ),
    );
    for (const fault of this.#faults)
      engine.parts.log.error(`A function cannot be loaded. ${faultLine(fault)}`, { function: fault.name });
    const news = { running: [...this.#running.values()].map(({ declared }) => declared), faults: this.#faults };
    for (const listener of this.#listeners) listener(news);
    return news;
  }

  #judge({ functions, faults }: LoadedFunctions) {
    const fine: DeclaredFunction[] = [];
    const faulty = new Map<string, { readonly declared: DeclaredFunction; readonly fault: LoadFault }>();
    const running = [...this.#running.values()].map(({ declared }) => declared);
    const twice = samePlaces(functions, running, faults);
    for (const declared of functions) {
      const { name, file, line } = declared;
      const says = twice.get(name) ?? this.#feeder(declared.on.kind).faultOf(declared);
      if (says === null) fine.push(declared);
      else faulty.set(name, { declared, fault: { name, file, line, says } });
    }
    return { fine, faulty };
  }

  async #stopOthers(wanted: ReadonlyMap<string, DeclaredFunction>, kept: ReadonlySet<string>): Promise<void> {
    const gone = [...this.#running.values()].filter(({ declared }) => {
      if (kept.has(declared.name)) return false;
      const next = wanted.get(declared.name);
      return next === undefined || !isSameFeed(declared, next);
    });
    for (const { declared } of gone) this.#running.delete(declared.name);
    await Promise.all(gone.map(({ feed }) => feed.stop()));
  }

  async #begin(declared: DeclaredFunction): Promise<void> {
    const running = this.#running.get(declared.name);
    if (running !== undefined) {
      running.feed.update(declared);
      running.declared = declared;
      return;
    }
    const failed = await this.#tryStart(declared);
    if (failed !== null) void this.#startLater(declared);
  }

  /** @returns why not; null when it runs. */
  async #tryStart(declared: DeclaredFunction): Promise<string | null> {
    const { log } = this.#house.engine.parts;
    try {
      const feed = await this.#feeder(declared.on.kind).start(declared);
      this.#running.set(declared.name, { declared, feed });
      this.#starting.delete(declared.name);
      return null;
    } catch (thrown) {
      const says = errorText(thrown);
      if (this.#starting.get(declared.name)?.says !== says) {
        log.error("A function cannot be started; trying again", { function: declared.name, error: says });
      }
      this.#starting.set(declared.name, { declared, says });
      return says;
    }
  }

  /** Until it runs, another load says otherwise, or we stop. */
  async #startLater(declared: DeclaredFunction): Promise<void> {
    const { clock } = this.#house.engine.parts;
    const { signal } = this.#house.engine;
    for (;;) {
      await sleep(clock, START_AGAIN_MS, signal);
      // In turn with the loads: what is being started must not be started, or taken away, beside that.
      const turn = this.#turn.then(async () => {
        if (signal.aborted || this.#starting.get(declared.name)?.declared !== declared) return null;
        return await this.#tryStart(declared);
      });
      this.#turn = turn;
      if ((await turn) === null) return;
    }
  }

  /** What is of use, but nothing that the others should wait for. */
  async #patiently(sentence: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (thrown) {
      this.#house.engine.parts.log.error(sentence, { error: errorText(thrown) });
    }
  }

  #feeder(kind: TriggerKind): Feeder {
    const feeder = this.#house.feeders.find((one) => one.kind === kind);
    if (feeder === undefined) throw new Error(`broken invariant: nothing feeds functions of ${kind}`);
    return feeder;
  }
}

/** Whether a feed can go on with what is declared now: paths and times move by themselves. */
function isSameFeed({ on: before }: DeclaredFunction, { on: after }: DeclaredFunction): boolean {
  if (before.kind !== after.kind) return false;
  return before.kind === "http" || before.kind === "schedule" || JSON.stringify(before) === JSON.stringify(after);
}

function faultLine({ file, line, says }: LoadFault): string {
  return `${file}${line === null ? "" : `:${line}`}: ${says}${/[.!?]$/.test(says) ? "" : "."}`;
}
