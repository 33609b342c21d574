import { copyFileSync, existsSync, linkSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { allMessages, isIdle } from "../support/load.ts";
import { MailHost } from "../support/mail-host.ts";
import { Home, type Program } from "../support/program.ts";
import { until } from "../support/until.ts";
import { audit, type Findings, type Kill } from "./audit.ts";
import { Kill9Load } from "./kill9-load.ts";

/*
 * npm run kill9 -- [--kills 200] [--seed N] [--json]
 * The real program under load, killed again and again; then everything it said 202 to must be there. Exit 1 if not.
 */

const USAGE = "npm run kill9 -- [--kills N] [--seed N] [--json]";
const KILLS_DEFAULT = 200;
/** Of how long a program lives once it is ready. */
const LIFE_MS_MIN = 50;
const LIFE_MS_MAX = 1_500;
/** One start in so many is killed before it is ready, within this time. */
const EARLY_EVERY = 5;
const EARLY_MS_MAX = 600;
/** Enough that something is always under way; few enough that the recorder does not become the load. */
const IN_FLIGHT = 4;
const LIST_EVERY = 10;
const LIST_SIZE = 200;
/** Messages that one life can have touched, and more. */
const RECENT_MAX = 20_000;
const DRAIN_MS_MAX = 120_000;
/** A start and a life take two seconds; on a machine that does something else as well, some more. */
const KILL_MS_MAX = 15_000;

async function main(options: Options | null): Promise<0 | 1 | 2 | 130> {
  if (options === null) {
    process.stderr.write(`${USAGE}\n`);
    return 2;
  }
  const { kills, seed, json } = options;
  const stop = new AbortController();
  const give = (): void => stop.abort(new Error("interrupted"));
  process.once("SIGINT", give).once("SIGTERM", give);
  const limitMs = kills * KILL_MS_MAX + DRAIN_MS_MAX;
  const timer = setTimeout(() => stop.abort(new Error(`it took longer than ${limitMs / 1000} s`)), limitMs);
  const mailHost = await MailHost.open();
  const home = new Home({ TIDINGS_SMTP_URL: `${mailHost.url}?pool=10` });
  const run = new Run(home, mailHost, seed, (line) => {
    if (!json) process.stdout.write(`${line}\n`);
  });
  const stopped = Promise.withResolvers<never>();
  stop.signal.addEventListener("abort", () => stopped.reject(stop.signal.reason));
  try {
    await Promise.race([run.all(kills), stopped.promise]);
  } catch (error) {
    run.faults.push(String(error));
  }
  clearTimeout(timer);
  await home.killAll();
  await mailHost.down();
  const table = run.table();
  if (json) process.stdout.write(`${JSON.stringify(table)}\n`);
  else for (const [name, value] of Object.entries(table)) process.stdout.write(`${name.padEnd(26)} ${value}\n`);
  if (run.faults.length > 0) {
    process.stderr.write(`${run.faults.slice(0, 20).join("\n")}\nthe data folder is kept: ${home.dataDir}\n`);
    return stop.signal.aborted ? 130 : 1;
  }
  await home[Symbol.asyncDispose]();
  return 0;
}

class Run {
  readonly faults: string[] = [];
  readonly #home: Home;
  readonly #mailHost: MailHost;
  readonly #seed: number;
  readonly #tell: (line: string) => void;
  readonly #startMs = performance.now();
  readonly #dice;
  readonly #load;
  readonly #kills: Kill[] = [];
  readonly #readyMs: number[] = [];
  readonly #lists: string[] = [];
  #listsUnanswered = 0;
  #findings: Findings = { lost: [], wrong: [], unexplained: [], duplicates: [] };

  constructor(home: Home, mailHost: MailHost, seed: number, tell: (line: string) => void) {
    this.#home = home;
    this.#mailHost = mailHost;
    this.#seed = seed;
    this.#tell = tell;
    this.#dice = seededDice(seed);
    this.#load = new Kill9Load(seededDice(seed + 1));
  }

  async all(kills: number): Promise<void> {
    for (let kill = 1; kill <= kills; kill += 1) {
      const [accepted, mails] = [this.#load.accepted.size, this.#mailHost.mails.length];
      await (kill % EARLY_EVERY === 0 ? this.#killEarly() : this.#killUnderLoad(kill));
      this.#look(mails);
      this.#tell(`kill ${kill}/${kills}: ${this.#load.accepted.size - accepted} accepted`);
    }
    await this.#audit(await this.#start());
  }

  async #start(): Promise<Program> {
    const fromMs = performance.now();
    const program = await this.#home.start();
    this.#readyMs.push(performance.now() - fromMs);
    return program;
  }

  async #killUnderLoad(kill: number): Promise<void> {
    const program = await this.#start();
    if (kill === 1) {
      const rows = Array.from({ length: LIST_SIZE }, (_, at) => ({ user_id: `u${at}`, email: member(at) }));
      const { status } = await program.call("POST", "/lists/some/import", { rows });
      if (status !== 200) throw new Error(`the import answered ${status}`);
    }
    const load = this.#load.run(program, IN_FLIGHT);
    const list = kill % LIST_EVERY === 1 ? this.#sendToList(program) : null;
    await wait(LIFE_MS_MIN + this.#dice.next() * (LIFE_MS_MAX - LIFE_MS_MIN));
    await this.#kill(program.kill());
    await Promise.all([load, list]);
  }

  async #sendToList(program: Program): Promise<void> {
    try {
      this.#lists.push(await program.send({ to: { list_id: "some" }, content: { title: "All", body: "Hello" } }));
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      this.#listsUnanswered += 1;
    }
  }

  /** Kills it while it starts: it may be opening the file, recovering the log, or just be ready. */
  async #killEarly(): Promise<void> {
    const started = this.#home.start().catch(() => null); // it is killed before it can say that it is ready
    await wait(this.#dice.next() * EARLY_MS_MAX);
    await this.#kill(this.#home.killAll());
    await started;
  }

  #atMs = 0;

  async #kill(dead: Promise<unknown>): Promise<void> {
    this.#atMs = performance.now();
    await dead;
  }

  /**
   * Reads in the dead program's file which of the mails that came in this life have their outcome in it. It reads a copy
   * of the log beside another name of the file, so that the next start finds all as it was left.
   */
  #look(from: number): void {
    const folder = mkdtempSync(join(this.#home.dataDir, "look-"));
    try {
      const [path, copy] = [join(this.#home.dataDir, "tidings.db"), join(folder, "tidings.db")];
      linkSync(path, copy);
      // Killed between the end of one log and the first page of the next, it has none.
      if (existsSync(`${path}-wal`)) copyFileSync(`${path}-wal`, `${copy}-wal`);
      else writeFileSync(`${copy}-wal`, "");
      const db = new DatabaseSync(copy, { readOnly: true });
      const rows = db
        .prepare("SELECT id FROM messages WHERE status = 'SENT' ORDER BY seq DESC LIMIT ?")
        .all(RECENT_MAX);
      db.close();
      const sent = new Set(rows.map(({ id }) => `<${String(id)}@`));
      const arrived = this.#mailHost.mails.slice(from).map(({ messageId }) => messageId);
      const kept = arrived.filter((id) => sent.has(id.slice(0, id.indexOf("@") + 1)));
      this.#kills.push({ atMs: this.#atMs, kept: new Set(kept) });
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  async #audit(program: Program): Promise<void> {
    await this.#load.repeat(program);
    await until("the program has nothing left to do", () => isIdle(program), DRAIN_MS_MAX);
    type Balance = { readonly complete: boolean; readonly outcomes: { readonly SENT?: number } };
    const lists = [];
    for (const id of this.#lists) {
      const { complete, outcomes } = await program.get<Balance>(`/requests/${id}`);
      lists.push({ id, complete, sent: outcomes.SENT ?? 0, size: LIST_SIZE });
    }
    this.#findings = audit({
      accepted: this.#load.accepted,
      lists,
      listsUnanswered: this.#listsUnanswered,
      members: Array.from({ length: LIST_SIZE }, (_, at) => member(at)),
      messages: await allMessages(program),
      mails: this.#mailHost.mails,
      kills: this.#kills,
    });
    const { lost, wrong, unexplained } = this.#findings;
    this.faults.push(...lost, ...wrong, ...unexplained, ...this.#load.faults);
    if (this.#findings.duplicates.length > 0 && !this.#kills.some(({ kept }) => kept.size > 0))
      this.faults.push("no outcome was ever found in the file: the audit of repeats looked at nothing");
  }

  table() {
    const { lost, wrong, unexplained, duplicates } = this.#findings;
    const perKill = this.#kills.map((_, at) => duplicates.filter(({ kill }) => kill === at).length);
    return {
      seed: this.#seed,
      kills: this.#kills.length,
      accepted: this.#load.accepted.size,
      ...this.#load.counts,
      listSends: this.#lists.length,
      listSize: LIST_SIZE,
      mails: this.#mailHost.mails.length,
      lost: lost.length,
      wrong: wrong.length,
      duplicates: duplicates.length,
      unexplained: unexplained.length,
      duplicatesPerKillMedian: median(perKill),
      duplicatesPerKillMax: Math.max(0, ...perKill),
      firstCopyBeforeKillMsMax: Math.round(Math.max(0, ...duplicates.map(({ gapMs }) => gapMs))),
      readyMsMedian: Math.round(median(this.#readyMs)),
      readyMsMax: Math.round(Math.max(0, ...this.#readyMs)),
      seconds: Math.round((performance.now() - this.#startMs) / 1000),
      passed: this.faults.length === 0,
    };
  }
}

function member(at: number): string {
  return `u${at}@example.com`;
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}

type Options = { readonly kills: number; readonly seed: number; readonly json: boolean };

/** Null when it is not understood. */
function read(): Options | null {
  try {
    const { values } = parseArgs({
      options: { kills: { type: "string" }, seed: { type: "string" }, json: { type: "boolean", default: false } },
    });
    const [kills, seed] = [Number(values.kills ?? KILLS_DEFAULT), Number(values.seed ?? 1)];
    return Number.isSafeInteger(kills) && kills > 0 && Number.isSafeInteger(seed)
      ? { kills, seed, json: values.json }
      : null;
  } catch {
    return null;
  }
}

process.exitCode = await main(read());
