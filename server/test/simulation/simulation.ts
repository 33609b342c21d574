import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { type Retention, type Round, tidy } from "#engine/upkeep.ts";
import type { BlobStore } from "#ports/blob-store.ts";
import type { Dice } from "#ports/dice.ts";
import type { Log } from "#ports/log.ts";
import { type GaugeSample, type Meter, silentMeter } from "#ports/meter.ts";
import { type Store, StoreFault } from "#ports/store.ts";
import { type Life, World } from "../support/world.ts";
import { Carriers } from "./carriers.ts";
import { int, pick } from "./chance.ts";
import { Counts, type Exercised } from "./coverage.ts";
import { allMessages, Keeper, noneDangles, retentionOf } from "./keeper.ts";
import { type Excuse, Ledger } from "./ledger.ts";
import { Machine } from "./machine.ts";
import { People } from "./people.ts";
import { Readers } from "./readers.ts";
import { slowBlobs } from "./slow-blobs.ts";
import { slowStore } from "./slow-store.ts";

export const STEPS_DEFAULT = 150;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** Longest troubles. Heartbeats may fail for longer than a lease of 30 s. */
const FULL_MS_MAX = 15_000;
const DEAF_MS_MAX = 60_000;
const OUTAGE_MS_MAX = 90_000;
/** How long after the network is back an old call may still be answered. */
const LATE_MS = 10_000;
/** A stop with ample patience lets every call end; another one cuts them off. */
const GRACE_MS_LONG = 120_000;
const GRACE_MS_SHORT = 2_000;
/** In every other seed doors refuse new sends when so much is waiting. */
const OVERLOAD_EVERY = 2;
const OVERLOAD_JOBS = 25;
/** Hours until everything must have come to rest. */
const REST_HOURS_MAX = 120;
/** A process is told of the last commits, and consumers of the last events, within this. */
const SETTLE_MS = MINUTE_MS;
/** When upkeep looks again at a blob that nobody has named. */
const SECOND_LOOK_MS = 11 * MINUTE_MS;
const ORPHAN_AGE_MS = 61 * MINUTE_MS;
/** One event in a hundred is poison: after two rounds there is hardly ever one left, after four never. */
const DISCARDS_MAX = 4;
/** Violations that are told; the first one counts, and the others often follow from it. */
const VIOLATIONS_MAX = 12;

export type Wishes = {
  readonly steps?: number;
  /** Only these of the steps, by number; for the search for a shorter failure. */
  readonly only?: readonly number[];
  /** Puts a planted bug between engine and store. */
  readonly plant?: (store: Store, life: Life) => Store;
};

/** What one seed came to. */
export type Report = {
  readonly seed: number;
  readonly steps: number;
  readonly sends: number;
  readonly accepted: number;
  readonly messages: number;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly crashes: number;
  readonly failedCommits: number;
  readonly lostAnswers: number;
  readonly providerCalls: number;
  readonly repeats: Readonly<Record<Excuse, number>>;
  readonly checks: number;
  /** Time that passed in it, jumps of the wall clock left out. */
  readonly virtualDays: number;
  readonly exercised: Exercised;
  readonly violations: readonly string[];
  /** What happened, a line per step. */
  readonly trace: readonly string[];
};

/**
 * The whole engine and pipeline on virtual time, in one thread, from a seed: providers that fail, stall, answer late or
 * lie; commits that fail, are slow, or whose answer is lost; a full disk; a wall clock that jumps; heartbeats that find
 * nobody; a process that stops, or dies between any two awaits. Meanwhile people come, leave, cancel, repeat themselves,
 * consumers read the journal, and upkeep forgets what is old. The ledger checks the promises.
 */
export async function simulate(seed: number, wishes: Wishes = {}): Promise<Report> {
  return await new Simulation(seed, wishes).run();
}

class Simulation {
  readonly #seed: number;
  readonly #wishes: Wishes;
  readonly #counts = new Counts();
  /** What the machine and the providers do; what people do is decided by the dice of each step. */
  readonly #machine: Machine;
  readonly #ledger: Ledger;
  readonly #retention: Retention;
  readonly #keeper: Keeper;
  readonly #carriers: Carriers;
  readonly #readers: Readers;
  readonly #people: People;
  readonly #world: World;
  readonly #trace: string[] = [];
  readonly #gauges = new Map<string, () => readonly GaugeSample[] | Promise<readonly GaugeSample[]>>();
  #crashes = 0;
  /** What the process that lives reaches large things by. */
  #blobs: BlobStore | null = null;
  /** Where the next round of upkeep begins; `busy` while one is under way. */
  #upkeep: Round | "busy" | null = null;
  #wasCut = false;

  constructor(seed: number, wishes: Wishes) {
    this.#seed = seed;
    this.#wishes = wishes;
    const clock = () => this.#world.clock;
    this.#machine = new Machine(seededDice(seed), this.#counts, clock);
    this.#ledger = new Ledger((fromMs, toMs) => this.#machine.mayHaveLapsed(fromMs, toMs));
    this.#retention = retentionOf(seed);
    this.#keeper = new Keeper(this.#ledger, this.#counts, this.#retention, clock);
    this.#readers = new Readers(seed, this.#machine, this.#ledger, () => this.#world.store);
    const hasBlob = async (id: string) => (await this.#world.blobs.get(id)) !== null;
    this.#carriers = new Carriers(this.#machine, this.#ledger, clock, hasBlob);
    this.#people = new People({
      seed,
      world: () => this.#world,
      ledger: this.#ledger,
      counts: this.#counts,
      readers: this.#readers,
    });
    this.#world = this.#build(seed, wishes);
  }

  #build(seed: number, { plant }: Wishes): World {
    const machine = this.#machine;
    const ledger = this.#ledger;
    return new World({
      seed,
      providers: this.#carriers.all,
      meter: this.#meter(),
      log: this.#log(),
      faults: { before: machine.before, after: machine.after },
      wrap: (store, life) => {
        const slow = slowStore(this.#keeper.watch(store), machine, life, (id) => ledger.suppressed(id));
        return plant?.(slow, life) ?? slow;
      },
      wrapBlobs: (blobs, life) => {
        this.#blobs = slowBlobs(blobs, machine, life, (ids) => this.#removes(ids));
        return this.#blobs;
      },
      started: (engine, life) => this.#readers.start(engine, life),
      ...(seed % OVERLOAD_EVERY === 0 ? { jobsMax: OVERLOAD_JOBS } : {}),
    });
  }

  async run(): Promise<Report> {
    const world = this.#world;
    const { violations } = this.#ledger;
    await world.start();
    await this.#people.populate();
    this.#machine.calm = false;
    const steps = this.#wishes.only ?? [...Array(this.#wishes.steps ?? STEPS_DEFAULT).keys()];
    for (const step of steps) {
      const said = await this.#step(seededDice(this.#seed * 1_000_003 + step));
      this.#trace.push(`${step} ${said}`);
      if (violations.length > 0) break;
    }
    this.#machine.calm = true;
    if (violations.length === 0) await this.#rest();
    if (violations.length === 0) await this.#audit();
    if (violations.length === 0) await this.#forgetAll();
    if (violations.length === 0) await this.#stopAtLast();
    return this.#report(steps.length);
  }

  #report(steps: number): Report {
    const { violations, checks, calls, repeats, outcomes } = this.#ledger;
    return {
      seed: this.#seed,
      steps,
      sends: this.#people.sends,
      accepted: this.#people.accepted,
      crashes: this.#crashes,
      failedCommits: this.#machine.failedCommits,
      lostAnswers: this.#machine.lostAnswers,
      messages: Object.values(outcomes).reduce((sum, n) => sum + n, 0),
      outcomes,
      providerCalls: calls,
      repeats,
      checks,
      virtualDays: this.#machine.nowMs / DAY_MS,
      exercised: this.#counts.of,
      violations: violations.slice(0, VIOLATIONS_MAX),
      trace: this.#trace,
    };
  }

  /** The gauges of the process that lives; a new one registers its own in their place. */
  #meter(): Meter {
    return { ...silentMeter, gauge: (name, _help, read) => void this.#gauges.set(name, read) };
  }

  /** What is logged as a mistake of ours is a violation, however well it was survived. */
  #log(): Log {
    return {
      info() {},
      warn: (sentence) => {
        if (sentence.startsWith("Jobs were still in hand")) this.#wasCut = true;
      },
      error: (sentence, fields) => {
        const isOurs = /^Stage|bug/.test(sentence) && !String(fields?.["error"]).includes("[store.");
        this.#ledger.holds(!isOurs, `logged: ${sentence} ${JSON.stringify(fields)}`);
      },
    };
  }

  async #step(dice: Dice): Promise<string> {
    const roll = dice.next() * 100;
    let edge = 0;
    for (const [weight, step] of [...this.#people.steps, ...this.#steps])
      if (roll < (edge += weight)) return await step(dice);
    return await this.#pass(dice);
  }

  readonly #steps: readonly (readonly [number, (dice: Dice) => Promise<string>])[] = [
    [5, (dice) => this.#die(dice)],
    [2, (dice) => this.#stop(dice)],
    [2, async (dice) => this.#jump(dice)],
    [1, async (dice) => this.#fillDisk(dice)],
    [3, async (dice) => this.#deafen(dice)],
    [2, async (dice) => this.#failProvider(dice)],
    [4, (dice) => this.#tidyUp(dice)],
  ];

  /* What befalls the machine. */

  async #pass(dice: Dice): Promise<string> {
    const ms = dice.next() < 0.15 ? int(dice, 120_000) + 1 : int(dice, 4_000) + 1;
    await this.#world.pass(ms, Math.min(1_000, Math.max(200, Math.ceil(ms / 20))));
    return `${ms} ms pass`;
  }

  /** Some turns of the loop from now, wherever everybody stands then; sometimes after some time. */
  async #die(dice: Dice): Promise<string> {
    const [ms, turns] = [dice.next() < 0.5 ? 0 : int(dice, 2_000), int(dice, 60)];
    this.#world.clock.advance(ms);
    await this.#world.quiet(turns);
    this.#crashes += 1;
    await this.#restart(() => {});
    return `dies after ${ms} ms and ${turns} turns`;
  }

  /** As at a SIGTERM: what is under way may end, if it does so in time. */
  async #stop(dice: Dice): Promise<string> {
    const graceMs = dice.next() < 0.5 ? GRACE_MS_LONG : int(dice, GRACE_MS_SHORT);
    this.#wasCut = false;
    try {
      await this.#world.stop(graceMs);
    } catch (fault) {
      this.#ledger.holds(fault instanceof StoreFault, `a stop failed with ${String(fault)}`);
      this.#wasCut = true;
    }
    const wasCut = this.#wasCut;
    this.#counts.add(wasCut ? "process.stoppedCut" : "process.stoppedDrained");
    await this.#restart((calls) =>
      this.#ledger.holds(wasCut || calls === 0, `it stopped in peace, and nothing is known of ${calls} calls`),
    );
    return `stops within ${graceMs} ms${wasCut ? ", cut off" : ""}`;
  }

  /** @param judge is told how many calls were in the window. */
  async #restart(judge: (calls: number) => void): Promise<void> {
    this.#machine.calm = true;
    this.#upkeep = null;
    this.#carriers.reborn();
    await this.#world.restart(async (store) => {
      await this.#keeper.died(store);
      judge(await this.#ledger.died(store, this.#world.clock));
      await this.#readers.passed(store);
      await noneDangles(store, this.#world.blobs, this.#ledger);
    });
    this.#machine.calm = false;
  }

  #jump(dice: Dice): string {
    const ms = dice.next() < 0.5 ? -int(dice, 10 * MINUTE_MS) : int(dice, 2 * HOUR_MS);
    this.#counts.add(ms < 0 ? "clock.back" : "clock.ahead");
    this.#world.clock.jumpWall(ms);
    return `the wall clock jumps by ${ms} ms`;
  }

  #fillDisk(dice: Dice): string {
    const ms = int(dice, FULL_MS_MAX);
    this.#machine.fillDisk(ms);
    return `the disk is full for ${ms} ms`;
  }

  #deafen(dice: Dice): string {
    // Short ones cost a beat or two, long ones the lease.
    const ms = dice.next() < 0.3 ? int(dice, 10_000) : 25_000 + int(dice, DEAF_MS_MAX - 25_000);
    const networkIsGone = dice.next() < 0.6;
    if (!this.#machine.deafen(ms)) return "heartbeats go on";
    // Then calls do not come back either, until some time later.
    if (networkIsGone) this.#carriers.fails("smtp", "silent", ms + LATE_MS);
    return `${networkIsGone ? "the network is gone" : "heartbeats find nobody"} for ${ms} ms`;
  }

  #failProvider(dice: Dice): string {
    const { key } = pick(dice, this.#carriers.all);
    const ms = int(dice, OUTAGE_MS_MAX);
    const kind = dice.next() < 0.5 ? "down" : "silent";
    this.#carriers.fails(key, kind, ms);
    return `${key} is ${kind} for ${ms} ms`;
  }

  /** A round of upkeep, beside everything else. */
  async #tidyUp(dice: Dice): Promise<string> {
    const { engine } = this.#world;
    if (this.#upkeep === "busy") return "upkeep goes on";
    const last = this.#upkeep ?? undefined;
    this.#upkeep = "busy";
    const idle = (next: Round | null): void => {
      if (engine === this.#world.engine) this.#upkeep = next;
    };
    const round = tidy(engine, this.#blobsNow, this.#retention, last);
    this.#people.later(round, idle);
    round.catch(() => idle(last ?? null));
    await this.#world.quiet(int(dice, 40));
    return "upkeep begins";
  }

  async #tidyNow(): Promise<void> {
    const last = this.#upkeep === null || this.#upkeep === "busy" ? undefined : this.#upkeep;
    this.#upkeep = await this.#world.settle(tidy(this.#world.engine, this.#blobsNow, this.#retention, last));
  }

  get #blobsNow(): BlobStore {
    return this.#blobs ?? this.#world.blobs;
  }

  /** Somebody deletes blobs: nothing may name them. */
  async #removes(ids: readonly string[]): Promise<void> {
    const unnamed = new Set(await this.#world.store.unnamedBlobs(ids));
    for (const id of ids) this.#ledger.holds(unnamed.has(id), `the blob ${id} is deleted, and a request names it`);
    this.#counts.add("retention.orphans", ids.length);
  }

  /* How it ends. */

  /** Calm: until nothing is left to do, or far longer than that should take. */
  async #rest(): Promise<void> {
    const world = this.#world;
    for (let round = 0; round < REST_HOURS_MAX * 6; round += 1) {
      await world.pass(10 * MINUTE_MS, 20_000);
      if ((await this.#isIdle()) && (await this.#readers.lag(world.store)) === 0) break;
      if (round % 6 === 5) await this.#tidyNow();
    }
    // Long enough for the collector to look twice at what nobody has named.
    for (let round = 0; round < 2; round += 1) {
      world.clock.jumpWall(ORPHAN_AGE_MS);
      await this.#tidyNow();
      await world.pass(SECOND_LOOK_MS, 20_000);
    }
    await this.#tidyNow();
    await world.pass(SETTLE_MS, 5_000);
  }

  /** Only the partitions of consumers are in hand, as long as their process lives. */
  async #isIdle(): Promise<boolean> {
    const depths = await this.#world.store.depths();
    const [waiting, held] = [sum(depths.map((d) => d.waiting + d.ready)), sum(depths.map(({ held: n }) => n))];
    return waiting === 0 && held === this.#readers.partitions;
  }

  async #audit(): Promise<void> {
    const { store, blobs } = this.#world;
    await this.#ledger.audit(store);
    await this.#readers.audit(store);
    await noneDangles(store, blobs, this.#ledger);
    this.#ledger.holds(await this.#isIdle(), `jobs are left at rest: ${JSON.stringify(await store.depths())}`);
    await this.#gaugesAre({ tidings_jobs_in_hand: this.#readers.partitions });
    this.#counts.add("lease.lapsed", this.#ledger.lapses);
    this.#counts.isOver = true;
  }

  /** When all that was kept is old, and nobody wants it any more, nothing is left of it. */
  async #forgetAll(): Promise<void> {
    const world = this.#world;
    const { engine, store } = world;
    world.clock.jumpWall(7 * DAY_MS);
    // Discarding is an event, too, and perhaps poison: again until nothing dies any more.
    for (let round = 0; round < DISCARDS_MAX; round += 1) {
      for (const { key } of await store.deadJobs({ queue: null, after: null, limit: 100_000 }))
        await world.settle(engine.settleDead(key, "discard"));
      await world.pass(SETTLE_MS, 5_000);
    }
    world.clock.jumpWall(DAY_MS);
    await this.#tidyNow();
    await world.pass(SECOND_LOOK_MS, 5_000);
    await this.#tidyNow();
    const { events } = await store.journalBounds();
    const left = {
      messages: (await allMessages(store)).length,
      requests: (await store.requests(this.#ledger.acceptedIds())).filter((request) => request !== null).length,
      events,
      keys: await store.sweep(1),
      blobs: (await world.blobs.list(Number.MAX_SAFE_INTEGER, 1_000, null)).length,
      dead: (await store.deadJobs({ queue: null, after: null, limit: 1 })).length,
    };
    for (const [what, n] of Object.entries(left)) this.#ledger.holds(n === 0, `${n} ${what} are left of what is old`);
  }

  /** After a stop nobody holds anything or waits for anything. */
  async #stopAtLast(): Promise<void> {
    const world = this.#world;
    await world.stop(GRACE_MS_LONG);
    await this.#gaugesAre({});
    const depths = await world.store.depths();
    this.#ledger.holds(
      sum(depths.map(({ held }) => held)) === 0,
      `jobs are held after a stop: ${JSON.stringify(depths)}`,
    );
    const nextMs = world.clock.nextInMs();
    this.#ledger.holds(nextMs === null, `somebody still waits for ${nextMs} ms after a stop`);
  }

  async #gaugesAre(wanted: Readonly<Record<string, number>>): Promise<void> {
    for (const [name, read] of this.#gauges) {
      const value = sum((await read()).map((sample) => sample.value));
      this.#ledger.holds(value === (wanted[name] ?? 0), `${name} is ${value} at rest`);
    }
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0);
}
