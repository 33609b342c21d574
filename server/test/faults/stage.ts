import type { Dice } from "#ports/dice.ts";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { allMessages, isIdle } from "../support/load.ts";
import type { Program } from "../support/program.ts";
import { until } from "../support/until.ts";
import { type Account, account, outcomesIn, type Trouble } from "./account.ts";
import { Cluster, type ClusterOptions } from "./cluster.ts";
import { CALL_MS_MAX, endsOf, SteadyLoad } from "./steady-load.ts";

/** One kind of failure, and how it is brought about. */
export type Scenario = {
  /** For `--only`. */
  readonly name: string;
  /** What is done, in a sentence or two for the page. */
  readonly says: string;
  /** Why it cannot be played on this machine; null when it can. */
  readonly cannot?: () => string | null;
  readonly cluster: ClusterOptions;
  /** The longest that any call may take in it; what waits for a node that stands still has no such bound of ours. */
  readonly callMsMax: number;
  run(stage: Stage): Promise<void>;
};

/** How long and how often; quick shows less. */
export type Pace = "quick" | "full";

export type Result = {
  readonly name: string;
  readonly says: string;
  readonly callMsMax: number;
  readonly seed: number;
  readonly faults: number;
  readonly accepted: number;
  readonly listSends: number;
  readonly mails: number;
  readonly lost: number;
  readonly twice: number;
  readonly explained: number;
  readonly firstCopyBeforeMsMax: number;
  readonly calls: { readonly refused: number; readonly broken: number; readonly slowestMs: number };
  readonly keysRepeated: number;
  /** From the end of each fault, the worst: the first 202, the first mail, and all mails that were due by then. */
  readonly first202Ms: number;
  readonly firstMailMs: number;
  readonly allThereMs: number;
  /** What the scenario itself has counted. */
  readonly notes: Readonly<Record<string, number | string>>;
  readonly seconds: number;
  /** Sentences; empty when all is well. */
  readonly problems: readonly string[];
};

/** Leases of the dead end after thirty seconds; a machine that does something else as well takes longer. */
const SETTLE_MS_MAX = 180_000;
const PROBLEMS_MAX = 20;

/** What a scenario has in its hands: the cluster under load, and a notebook. */
export class Stage {
  readonly cluster: Cluster;
  readonly load: SteadyLoad;
  readonly dice: Dice;
  readonly pace: Pace;
  readonly troubles: Trouble[] = [];
  readonly changes: Trouble[] = [];
  readonly notes: Record<string, number | string> = {};
  readonly problems: string[] = [];

  constructor(cluster: Cluster, dice: Dice, pace: Pace) {
    this.cluster = cluster;
    this.dice = dice;
    this.pace = pace;
    this.load = new SteadyLoad(dice, () => cluster.doors, pace);
  }

  /** Does something bad, whose time is noted; whatever it resolves with. It is over when `bad` resolves. */
  async trouble<T>(bad: () => Promise<T>): Promise<T> {
    const fromMs = performance.now();
    try {
      return await bad();
    } finally {
      this.troubles.push({ fromMs, untilMs: performance.now() });
    }
  }

  /** As `trouble`, for what excuses no mail that comes twice: a stop that was announced, a clock that is wrong. */
  async change(other: () => Promise<void>): Promise<void> {
    const fromMs = performance.now();
    await other();
    this.changes.push({ fromMs, untilMs: performance.now() });
  }

  /** Notes what is not as it must be. */
  expect(isSo: boolean, otherwise: string): void {
    if (!isSo) this.problems.push(otherwise);
  }

  /** A time between the two, by the dice. */
  between(minMs: number, maxMs: number): number {
    return minMs + this.dice.next() * (maxMs - minMs);
  }

  /** The sum of a counter over the nodes that run. */
  async metric(name: string): Promise<number> {
    let sum = 0;
    for (const node of this.cluster.all.values()) {
      const text = await node.call("GET", "/metrics").then(
        (response) => response.text(),
        () => "",
      );
      for (const line of text.split("\n"))
        if (line.startsWith(`${name} `) || line.startsWith(`${name}{`))
          sum += Number(line.slice(line.lastIndexOf(" ")));
    }
    return sum;
  }

  /** Ends the load and waits until nothing is left to do. */
  async settle(): Promise<void> {
    await within("every send is accepted", this.load.stop());
    const door = this.#door;
    await until("nothing is left to do", () => isIdle(door).catch(() => false), SETTLE_MS_MAX);
  }

  async account(): Promise<Account> {
    const door = this.#door;
    return account({
      accepted: this.load.accepted,
      lists: await endsOf(this.load.lists, door),
      members: this.load.members,
      messages: await allMessages(door),
      mails: this.cluster.mailHost.mails,
      outcomes: await outcomesIn(this.cluster.postgres.url),
      troubles: this.troubles,
    });
  }

  get #door() {
    const door = this.cluster.doors.at(-1);
    if (door === undefined) throw new Error("no node serves doors");
    return door;
  }
}

/** How many messages a node has handed to the mail server with success. */
export async function sentBy(node: Program): Promise<number> {
  const text = await (await node.call("GET", "/metrics")).text();
  return Number(/^tidings_tries_total\{.*outcome="sent"\} (\d+)$/m.exec(text)?.[1] ?? 0);
}

/** Plays one scenario from the beginning to the audit. Whatever happens is in the result. */
export async function play(scenario: Scenario, seed: number, pace: Pace): Promise<Result> {
  const startMs = performance.now();
  const { name, says, callMsMax } = scenario;
  await using cluster = await Cluster.open(scenario.cluster);
  const stage = new Stage(cluster, seededDice(seed), pace);
  let found: Account = { lost: [], wrong: [], unexplained: [], explained: [] };
  try {
    await stage.load.start();
    await scenario.run(stage);
    await stage.settle();
    found = await stage.account();
  } catch (error) {
    stage.problems.push(`it did not come to its end: ${String(error)}`);
  }
  for (const words of cluster.gaveUp) stage.problems.push(`a node ended by itself: ${words}`);
  const { load, troubles, changes } = stage;
  const mails = cluster.mailHost.mails.map(({ atMs, to }) => ({ atMs, to }));
  const slowestMs = Math.max(0, ...load.calls.map(({ startMs: fromMs, endMs }) => endMs - fromMs));
  stage.expect(slowestMs <= callMsMax, `a call took ${Math.round(slowestMs)} ms, more than ${callMsMax} ms`);
  stage.expect(load.accepted.size > 0, "nothing was accepted: the audit looked at nothing");
  const problems = [...found.lost, ...found.wrong, ...found.unexplained, ...load.problems, ...stage.problems];
  const ends = [...troubles, ...changes].map(({ untilMs }) => untilMs);
  const acceptedMs = load.calls.flatMap(({ answer, endMs }) => (answer === 202 ? [endMs] : []));
  return {
    name,
    says,
    callMsMax,
    seed,
    faults: ends.length,
    accepted: load.accepted.size + load.lists.length,
    listSends: load.lists.length,
    mails: mails.length,
    lost: found.lost.length,
    twice: found.explained.length + found.unexplained.length,
    explained: found.explained.length,
    firstCopyBeforeMsMax: Math.round(Math.max(0, ...found.explained.map(({ beforeMs }) => beforeMs))),
    calls: {
      refused: load.calls.filter(({ answer }) => answer === 503).length,
      broken: load.calls.filter(({ answer }) => typeof answer === "string").length,
      slowestMs: Math.round(slowestMs),
    },
    keysRepeated: load.counts.repeated + load.counts.afterLostAnswer,
    first202Ms: worstWait(ends, acceptedMs),
    firstMailMs: worstWait(
      ends,
      mails.map(({ atMs }) => atMs),
    ),
    allThereMs: worstRest(ends, load, mails),
    notes: stage.notes,
    seconds: Math.round((performance.now() - startMs) / 1000),
    problems: problems.slice(0, PROBLEMS_MAX),
  };
}

/** The longest time from an end to the first of `atMs` behind it, ms. */
function worstWait(ends: readonly number[], atMs: readonly number[]): number {
  const waits = ends.map((end) => Math.min(...atMs.filter((at) => at >= end).map((at) => at - end)));
  return Math.round(Math.max(0, ...waits.filter(Number.isFinite)));
}

/** The longest time from an end until everything had come that was accepted and due before it, ms. */
function worstRest(
  ends: readonly number[],
  { accepted }: SteadyLoad,
  mails: readonly { readonly atMs: number; readonly to: string }[],
): number {
  const firstMs = new Map<string, number>();
  for (const { to, atMs } of mails) if (!firstMs.has(to)) firstMs.set(to, atMs);
  let worst = 0;
  for (const end of ends)
    for (const { to, byMs } of accepted.values()) {
      const cameMs = firstMs.get(to);
      if (byMs < end && cameMs !== undefined) worst = Math.max(worst, cameMs - end);
    }
  return Math.round(worst);
}

async function within(what: string, done: Promise<void>): Promise<void> {
  const limitMs = SETTLE_MS_MAX + CALL_MS_MAX;
  const timer = Promise.withResolvers<never>();
  const timeout = setTimeout(() => timer.reject(new Error(`in ${limitMs} ms it did not happen that ${what}`)), limitMs);
  try {
    await Promise.race([done, timer.promise]);
  } finally {
    clearTimeout(timeout);
  }
}
