import { readFileSync } from "node:fs";
import { platform } from "node:process";
import { execFileSync } from "node:child_process";
import fc, { type Arbitrary } from "fast-check";
import { MailHost, read } from "../support/mail-host.ts";
import { Home, KEY, type Program } from "../support/program.ts";
import { until } from "../support/until.ts";
import { callsOf, type Plan } from "./calls.ts";
import { type Heard, judge } from "./judge.ts";
import { Knowledge } from "./knowledge.ts";
import { type Operation, readOperations } from "./operations.ts";
import { ANSWER_MS_MAX, callOf, curlOf, Line } from "./wire.ts";

export type Wishes = {
  readonly requests: number;
  readonly seed: number;
  readonly onProgress?: (done: number) => void;
  /** Told as soon as the program runs, for whoever has to stop early. */
  readonly onStart?: (program: Program) => void;
};

/** Whose mail is never taken for now, so that some messages die and become dead letters. */
const NEVER_NOW = "bob+1@example.net";

/** Calls under way at once. */
const IN_FLIGHT = 12;
/** How often memory is looked at in a run. */
const MEMORY_LOOKS = 20;
const SWEEPING = ["DELETE /mailbox"];
const SWEEPING_EVERY = 5;
/** What the program may take at most, whatever is sent to it; the same as for the other bad input. */
export const RSS_BYTES_MAX = 512 * 1024 * 1024;
const FAILURES_MAX = 20;
const SHRINKS_MAX = 60;

export type OperationReport = {
  readonly operation: string;
  readonly valid: number;
  /** Valid calls that were refused all the same, by code, with one of the sentences. */
  readonly refused: Readonly<Record<string, { readonly count: number; readonly says: string; readonly curl: string }>>;
  readonly broken: number;
  readonly statuses: Readonly<Record<number, number>>;
  readonly slowestMs: number;
};

export type Failure = {
  readonly operation: string;
  readonly flaws: readonly string[];
  readonly problem: string;
  /** The call that failed, smaller when a smaller one fails too. */
  readonly curl: string;
};

export type Report = {
  readonly seed: number;
  readonly requests: number;
  readonly seconds: number;
  readonly operations: readonly OperationReport[];
  /** Answers 503 with Retry-After: none is expected, as nothing is wrong with the disk. */
  readonly unavailable: number;
  /** Answers 429. */
  readonly overloaded: number;
  readonly failures: readonly Failure[];
  /** The program's memory in RAM, from the beginning to the end, at even distances. */
  readonly residentBytes: readonly number[];
};

/**
 * Starts the real program with a mail server of its own, sends generated calls, good and broken, to every operation
 * that it documents, and judges each answer.
 */
export async function fuzz(wishes: Wishes): Promise<Report> {
  await using mailHost = await MailHost.open();
  mailHost.onRecipient = (address) => (address === NEVER_NOW ? { code: 451, says: "4.3.0 not now" } : null);
  // Mails go out, webhooks are caught: the mailbox has something to show, and nobody else is called.
  await using home = new Home({ TIDINGS_SMTP_URL: mailHost.url, TIDINGS_WEBHOOKS: "catch" });
  const program = await home.start();
  wishes.onStart?.(program);
  const operations = readOperations(await program.get("/openapi.json"));
  await using line = new Line(program.url, IN_FLIGHT);
  const run = new Run(program, line, operations, wishes);
  const startMs = performance.now();
  await run.all();
  await run.aftermath(mailHost);
  return run.report((performance.now() - startMs) / 1000);
}

/** The same call for the same number, whatever happened before. */
function planOf(calls: Arbitrary<Plan>, seed: number, number: number): Plan {
  const [plan] = fc.sample(calls, { seed: seedOf(seed, number), numRuns: 1 });
  if (plan === undefined) throw new Error("broken invariant: one sample was asked for");
  return plan;
}

function seedOf(seed: number, number: number): number {
  // Knuth's multiplicative hash: neighbouring numbers have nothing in common.
  return (Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b)) | 0;
}

class Run {
  readonly #program: Program;
  readonly #line: Line;
  readonly #operations: readonly Operation[];
  readonly #wishes: Wishes;
  readonly #calls: readonly Arbitrary<Plan>[];
  readonly #knowledge = new Knowledge();
  readonly #tallies: readonly Tally[];
  readonly #failures: Failure[] = [];
  readonly #seen = new Set<string>();
  #unavailable = 0;
  #overloaded = 0;
  readonly #residentBytes: number[] = [];

  constructor(program: Program, line: Line, operations: readonly Operation[], wishes: Wishes) {
    this.#program = program;
    this.#line = line;
    this.#operations = operations;
    this.#wishes = wishes;
    this.#calls = operations.map(callsOf);
    this.#tallies = operations.map(({ name }) => new Tally(name));
  }

  async all(): Promise<void> {
    const { requests } = this.#wishes;
    const lookEvery = Math.ceil(requests / MEMORY_LOOKS);
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < requests && this.#failures.length < FAILURES_MAX) {
        const number = next;
        next += 1;
        if (number % lookEvery === 0) {
          this.#residentBytes.push(residentBytes(this.#program.pid));
          this.#wishes.onProgress?.(number);
        }
        await this.#one(number);
      }
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  }

  async #one(number: number): Promise<void> {
    const at = this.#turnOf(number);
    const [calls, tally] = [this.#calls[at], this.#tallies[at]];
    if (calls === undefined || tally === undefined) return;
    const plan = planOf(calls, this.#wishes.seed, number);
    const tried = await this.#attempt(plan);
    if (tried.heard?.status === 503) this.#unavailable += 1;
    if (tried.heard?.status === 429) this.#overloaded += 1;
    tally.add(plan, tried);
    if (tried.problem !== null) await this.#fail(plan, tried, calls, seedOf(this.#wishes.seed, number));
  }

  /** Operations in turn; what would leave the others nothing to find has a turn less often. */
  #turnOf(number: number): number {
    const { length } = this.#operations;
    const round = Math.floor(number / length);
    const at = number % length;
    const sweeping = SWEEPING.includes(this.#operations[at]?.name ?? "");
    return sweeping && round % SWEEPING_EVERY !== 0 ? (at + round) % length : at;
  }

  async #attempt(plan: Plan): Promise<Tried> {
    const call = callOf(plan, this.#knowledge, KEY);
    const curl = (): string => curlOf(this.#program.url, call);
    const startMs = performance.now();
    try {
      const heard = await this.#line.say(call);
      const problem = judge(plan, heard, this.#operations);
      if (heard.status < 300) this.#knowledge.learn(plan.operation, heard.body);
      return { heard, problem, curl, tookMs: performance.now() - startMs };
    } catch (error) {
      const tookMs = performance.now() - startMs;
      const says = error instanceof Error ? error.message : String(error);
      const problem = tookMs >= ANSWER_MS_MAX ? `no answer within ${ANSWER_MS_MAX} ms` : `no answer: ${says}`;
      return { heard: null, problem, curl, tookMs };
    }
  }

  /** Notes a failure, once for each kind, in the smallest call that still fails. */
  async #fail(plan: Plan, tried: Tried, calls: Arbitrary<Plan>, seed: number): Promise<void> {
    const problem = tried.problem ?? "";
    const kind = `${plan.operation.name} ${problem.slice(0, 40)}`;
    if (this.#seen.has(kind)) return;
    this.#seen.add(kind);
    let smallest = { plan, tried };
    let tries = 0;
    await fc.check(
      fc.asyncProperty(calls, async (smaller) => {
        if (tries++ > SHRINKS_MAX) return true;
        const again = await this.#attempt(smaller);
        const same = again.problem?.slice(0, 12) === problem.slice(0, 12);
        if (same) smallest = { plan: smaller, tried: again };
        return !same;
      }),
      { seed, numRuns: 1 },
    );
    this.#failures.push({
      operation: plan.operation.name,
      flaws: smallest.plan.flaws,
      problem: smallest.tried.problem ?? problem,
      curl: smallest.tried.curl().slice(0, 4_000),
    });
  }

  /** It is alive, it complains of nothing, and a good send still arrives. */
  async aftermath(mailHost: MailHost): Promise<void> {
    const problem = (says: string): void => {
      this.#failures.push({ operation: "afterwards", flaws: [], problem: says, curl: "" });
    };
    const program = this.#program;
    try {
      if ((await program.call("GET", "/ready")).status !== 200) problem("it is not ready");
      const email = `afterwards-${this.#wishes.seed}@example.com`;
      await program.send({ to: { email }, content: { title: "Still there", body: "Yes." } });
      const mail = await until("a good send arrives", () => mailHost.to(email)[0] ?? null);
      if ((await read(mail)).subject !== "Still there") problem("a good send arrived as something else");
    } catch (error) {
      problem(error instanceof Error ? error.message : String(error));
    }
    for (const line of program.err
      .split("\n")
      .filter((one) => one.includes('"level":50'))
      .slice(0, 5)) {
      problem(`it complained: ${line.slice(0, 1_000)}`);
    }
  }

  report(seconds: number): Report {
    this.#residentBytes.push(residentBytes(this.#program.pid));
    const peakBytes = Math.max(...this.#residentBytes);
    if (peakBytes > RSS_BYTES_MAX) {
      const problem = `it took ${Math.round(peakBytes / 1e6)} MB of memory`;
      this.#failures.push({ operation: "afterwards", flaws: [], problem, curl: "" });
    }
    return {
      seed: this.#wishes.seed,
      requests: this.#tallies.reduce((sum, { count }) => sum + count, 0),
      seconds,
      operations: this.#tallies.map((tally) => tally.report()),
      unavailable: this.#unavailable,
      overloaded: this.#overloaded,
      failures: this.#failures,
      residentBytes: this.#residentBytes,
    };
  }
}

type Tried = {
  readonly heard: Heard | null;
  readonly problem: string | null;
  readonly curl: () => string;
  readonly tookMs: number;
};

class Tally {
  readonly #operation: string;
  readonly #refused: Record<string, { count: number; says: string; curl: string }> = {};
  readonly #statuses: Record<number, number> = {};
  #valid = 0;
  #broken = 0;
  #slowestMs = 0;

  constructor(operation: string) {
    this.#operation = operation;
  }

  get count(): number {
    return this.#valid + this.#broken;
  }

  add({ flaws }: Plan, { heard, tookMs, curl }: Tried): void {
    const isValid = flaws.length === 0;
    if (isValid) this.#valid += 1;
    else this.#broken += 1;
    this.#slowestMs = Math.max(this.#slowestMs, tookMs);
    if (heard === null) return;
    this.#statuses[heard.status] = (this.#statuses[heard.status] ?? 0) + 1;
    if (isValid && heard.status >= 400 && !EXPECTED.has(heard.status)) this.#refuse(heard, curl);
  }

  #refuse({ status, body }: Heard, curl: () => string): void {
    const { code = String(status), message = body } = jsonOf(body);
    const before = this.#refused[code];
    if (before === undefined)
      this.#refused[code] = { count: 1, says: message.slice(0, 300), curl: curl().slice(0, 2_000) };
    else before.count += 1;
  }

  report(): OperationReport {
    return {
      operation: this.#operation,
      valid: this.#valid,
      refused: this.#refused,
      broken: this.#broken,
      statuses: this.#statuses,
      slowestMs: Math.round(this.#slowestMs),
    };
  }
}

/** What a valid call may hear: it is not there (any more), somebody was faster, another body, too much at once. */
const EXPECTED: ReadonlySet<number> = new Set([404, 409, 422, 429, 503]);

function jsonOf(text: string): { readonly code?: string; readonly message?: string } {
  try {
    return JSON.parse(text) as { readonly code?: string; readonly message?: string };
  } catch {
    return {};
  }
}

/** Memory that a process has in RAM. */
function residentBytes(pid: number): number {
  if (platform === "linux") {
    const [, kib = "0"] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return Number(kib) * 1024;
  }
  return Number(execFileSync("ps", ["-o", "rss=", "-p", String(pid)], { encoding: "utf8" })) * 1024;
}
