import { inlineHost } from "#drivers/inline/host.ts";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import type { Engine } from "#engine/engine.ts";
import type { Dice } from "#ports/dice.ts";
import type { FunctionHost } from "#ports/function-host.ts";
import type { Log } from "#ports/log.ts";
import { type Store, StoreFault } from "#ports/store.ts";
import { STORE_QUEUE_PREFIX } from "#queues/queue.ts";
import { type FunctionsOf, openFunctionsOn } from "../../support/functions-world.ts";
import { type Life, World } from "../../support/world.ts";
import { int } from "../chance.ts";
import { Counts, type Exercised } from "../coverage.ts";
import { Promises } from "../events/promises.ts";
import { Machine } from "../machine.ts";
import { altered, slowStore } from "../slow-store.ts";
import { Audit } from "./audit.ts";
import { LINE, type Message, NEXT, RECEIVE_MAX, type Sizes, simulated, WORK, WORK_DEAD } from "./house.ts";

export const FUNCTION_STEPS_DEFAULT = 100;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const FULL_MS_MAX = 15_000;
const DEAF_MS_MAX = 60_000;
const GRACE_MS_LONG = 120_000;
const GRACE_MS_SHORT = 2_000;
const MESSAGES_MAX = 8;
/** Longest time, in turns of the loop, between a call and the next thing that happens. */
const TURNS_MAX = 60;
const REST_MINUTES_MAX = 120;
const VIOLATIONS_MAX = 12;
const QUEUES_WANTED = [
  { name: WORK_DEAD, attributes: {} },
  { name: WORK, attributes: { redrive: { deadLetterQueue: WORK_DEAD, receiveMax: RECEIVE_MAX } } },
  { name: NEXT, attributes: {} },
  { name: LINE, attributes: { fifo: { contentDedup: false } } },
];

export type FunctionWishes = {
  readonly steps?: number;
  /** Only these of the steps, by number; for the search for a shorter failure. */
  readonly only?: readonly number[];
  /** Puts a planted bug between engine and store. */
  readonly plant?: (store: Store, life: Life) => Store;
};

/** What one seed came to. */
export type FunctionReport = {
  readonly seed: number;
  readonly steps: number;
  readonly messagesSent: number;
  readonly crashes: number;
  readonly failedCommits: number;
  readonly lostAnswers: number;
  readonly checks: number;
  readonly virtualDays: number;
  readonly exercised: Exercised;
  readonly violations: readonly string[];
  readonly trace: readonly string[];
};

/**
 * Users' functions on virtual time, in one thread, from a seed: messages come, handlers fail and are slow, functions are loaded
 * anew; commits fail or their answers are lost, leases run out, the process dies between any two awaits. At rest everything is
 * looked at: each message, event and time has had its effects once, or is a dead letter.
 */
export async function simulateFunctions(seed: number, wishes: FunctionWishes = {}): Promise<FunctionReport> {
  return await new FunctionSimulation(seed, wishes).run();
}

class FunctionSimulation {
  readonly #seed: number;
  readonly #wishes: FunctionWishes;
  readonly #counts = new Counts();
  readonly #promises = new Promises();
  readonly #machine: Machine;
  readonly #world: World;
  readonly #trace: string[] = [];
  #sizes: Sizes = { batchSize: 5, concurrency: 3 };
  #house: FunctionsOf | null = null;
  #crashes = 0;
  #numbers = 0;
  /** Numbers of messages that were sent with an answer; the others may be there. */
  readonly #sent = new Set<number>();
  #wasCut = false;
  #isPopulated = false;
  #begin: () => void = () => {};

  constructor(seed: number, wishes: FunctionWishes) {
    this.#seed = seed;
    this.#wishes = wishes;
    this.#machine = new Machine(seededDice(seed), this.#counts, () => this.#world.clock);
    this.#world = this.#build(seed, wishes);
  }

  #living(): FunctionsOf {
    if (this.#house === null) throw new Error("no process lives");
    return this.#house;
  }

  #build(seed: number, { plant }: FunctionWishes): World {
    const machine = this.#machine;
    return new World({
      seed,
      log: this.#log(),
      faults: { before: machine.before, after: machine.after },
      wrap: (store, life) => {
        const watched = altered(store, {
          commit: async (units) => {
            const verdicts = await store.commit(units);
            this.#counts.add("functions.stale", verdicts.filter(({ kind }) => kind === "stale").length);
            return verdicts;
          },
        });
        const slow = slowStore(watched, machine, life);
        return plant?.(slow, life) ?? slow;
      },
      join: (engine, pipeline) => {
        this.#house = openFunctionsOn(engine, pipeline, this.#host(engine));
      },
      started: (engine, life) => {
        this.#begin = () => void this.#start(this.#living(), life, engine.signal);
        // The first one waits for its queues.
        if (this.#isPopulated) this.#begin();
      },
    });
  }

  #host({ parts: { clock } }: Engine): FunctionHost {
    const inline = (): FunctionHost => inlineHost({ functions: simulated(this.#machine, this.#sizes), clock });
    return {
      load: () => inline().load(),
      use: () => {},
      invoke: (call, reads, signal) => inline().invoke(call, reads, signal),
      onChanged: () => () => {},
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }

  /** A new process begins; the store may not answer at first. */
  async #start(house: FunctionsOf, life: Life, signal: AbortSignal): Promise<void> {
    while (!life.over && !signal.aborted) {
      try {
        return await house.start();
      } catch (fault) {
        if (!(fault instanceof StoreFault)) this.#promises.holds(false, `functions do not start: ${String(fault)}`);
        await this.#machine.wait(1_000);
      }
    }
  }

  async run(): Promise<FunctionReport> {
    const world = this.#world;
    const { violations } = this.#promises;
    this.#machine.calm = true;
    await world.start();
    await this.#populate();
    this.#machine.calm = false;
    const steps = this.#wishes.only ?? [...Array(this.#wishes.steps ?? FUNCTION_STEPS_DEFAULT).keys()];
    for (const step of steps) {
      const said = await this.#step(seededDice(this.#seed * 1_000_003 + step));
      this.#trace.push(`${step} ${said}`);
      if (violations.length > 0) break;
    }
    this.#machine.calm = true;
    if (violations.length === 0) await this.#rest();
    if (violations.length === 0) await this.#audit();
    if (violations.length === 0) await this.#stopAtLast();
    return this.#report(steps.length);
  }

  async #populate(): Promise<void> {
    for (const { name, attributes } of QUEUES_WANTED) {
      const ask = { name, fifo: name === LINE, attributes, tags: {} };
      const { kind } = await this.#world.settle(this.#living().queues.create(ask));
      this.#promises.holds(kind === "done", `the queue ${name} is ${kind}`);
    }
    this.#isPopulated = true;
    this.#begin();
    // Until everything runs, and hears each event.
    await this.#world.pass(3_000);
  }

  #report(steps: number): FunctionReport {
    const { violations, checks } = this.#promises;
    return {
      seed: this.#seed,
      steps,
      messagesSent: this.#sent.size,
      crashes: this.#crashes,
      failedCommits: this.#machine.failedCommits,
      lostAnswers: this.#machine.lostAnswers,
      checks,
      virtualDays: this.#machine.nowMs / DAY_MS,
      exercised: this.#counts.of,
      violations: violations.slice(0, VIOLATIONS_MAX),
      trace: this.#trace,
    };
  }

  /** What is logged as a mistake of ours is a violation, however well it was survived. */
  #log(): Log {
    return {
      info() {},
      warn: (sentence) => {
        if (sentence.startsWith("Jobs were still in hand")) this.#wasCut = true;
      },
      error: (sentence, fields) => {
        const isOurs = /^Stage|bug|cannot be loaded|cannot be started/.test(sentence);
        const isStores = String(fields?.["error"]).includes("[store.");
        this.#promises.holds(!isOurs || isStores, `logged: ${sentence} ${JSON.stringify(fields)}`);
      },
    };
  }

  async #step(dice: Dice): Promise<string> {
    const roll = dice.next() * 100;
    if (roll < 35) return await this.#send(dice);
    if (roll < 42) return await this.#die(dice);
    if (roll < 45) return await this.#stop(dice);
    if (roll < 48) return this.#jump(dice);
    if (roll < 50) return this.#fillDisk(dice);
    if (roll < 52) return this.#deafen(dice);
    if (roll < 57) return await this.#reload(dice);
    return await this.#pass(dice);
  }

  async #send(dice: Dice): Promise<string> {
    const numbers = [...Array(1 + int(dice, MESSAGES_MAX)).keys()].map(() => (this.#numbers += 1));
    for (const n of numbers) {
      const message = { body: JSON.stringify({ n } satisfies Message), sender: "simulation" };
      this.#living()
        .queues.send(WORK, message)
        .then(({ kind }) => {
          if (kind !== "sent") return;
          this.#sent.add(n);
          this.#counts.add("functions.sent");
        })
        .catch((fault: unknown) => {
          if (!(fault instanceof StoreFault)) this.#promises.holds(false, `a send failed with ${String(fault)}`);
        });
    }
    await this.#world.quiet(int(dice, TURNS_MAX));
    return `messages ${numbers[0]} to ${numbers.at(-1)}`;
  }

  async #pass(dice: Dice): Promise<string> {
    const ms = dice.next() < 0.15 ? int(dice, 120_000) + 1 : int(dice, 4_000) + 1;
    await this.#world.pass(ms, Math.min(1_000, Math.max(200, Math.ceil(ms / 20))));
    return `${ms} ms pass`;
  }

  /** Some turns of the loop from now, wherever everybody stands then; sometimes after some time. */
  async #die(dice: Dice): Promise<string> {
    const [ms, turns] = [dice.next() < 0.5 ? 0 : int(dice, 2_000), int(dice, 120)];
    this.#world.clock.advance(ms);
    await this.#world.quiet(turns);
    this.#crashes += 1;
    await this.#restart();
    return `dies after ${ms} ms and ${turns} turns`;
  }

  /** As at a SIGTERM: what is under way may end, if it does so in time. */
  async #stop(dice: Dice): Promise<string> {
    const graceMs = dice.next() < 0.5 ? GRACE_MS_LONG : int(dice, GRACE_MS_SHORT);
    this.#wasCut = false;
    try {
      await this.#world.stop(graceMs);
    } catch (fault) {
      this.#promises.holds(fault instanceof StoreFault, `a stop failed with ${String(fault)}`);
      this.#wasCut = true;
    }
    this.#counts.add(this.#wasCut ? "process.stoppedCut" : "process.stoppedDrained");
    await this.#restart();
    return `stops within ${graceMs} ms${this.#wasCut ? ", cut off" : ""}`;
  }

  async #restart(): Promise<void> {
    this.#machine.calm = true;
    // No two processes live in the same millisecond, also while the wall clock waits for the other one.
    this.#world.clock.advance(2);
    await this.#world.restart();
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
    const ms = dice.next() < 0.3 ? int(dice, 10_000) : 25_000 + int(dice, DEAF_MS_MAX - 25_000);
    return this.#machine.deafen(ms) ? `heartbeats find nobody for ${ms} ms` : "heartbeats go on";
  }

  /** Options and batches change, so that feeds go on or are started anew with calls under way. */
  async #reload(dice: Dice): Promise<string> {
    this.#sizes = { batchSize: 1 + int(dice, 6), concurrency: 1 + int(dice, 4) };
    const { book } = this.#living().functions;
    const { promises } = { promises: this.#promises };
    book.reload().catch((fault: unknown) => promises.holds(false, `a reload failed with ${String(fault)}`));
    this.#counts.add("functions.reloaded");
    await this.#world.quiet(int(dice, TURNS_MAX));
    return `functions are loaded anew: ${JSON.stringify(this.#sizes)}`;
  }

  /* How it ends. */

  /** Calm: until nothing is left to do, or far longer than that should take. */
  async #rest(): Promise<void> {
    for (let minute = 0; minute < REST_MINUTES_MAX; minute += 1) {
      await this.#world.pass(MINUTE_MS, 2_000);
      if (this.#promises.violations.length > 0) return;
      if (minute > 5 && (await this.#isIdle())) break;
    }
  }

  /** Only readers of the journal are in hand, and only the next time of the schedule waits. */
  async #isIdle(): Promise<boolean> {
    const { store } = this.#world;
    const depths = await store.depths();
    const busy = depths.filter(({ queue, waiting, ready, held }) => {
      if (queue.startsWith("consumer:")) return false;
      if (queue.startsWith("schedule:")) return ready + held > 0;
      if (queue.startsWith(`${STORE_QUEUE_PREFIX}${NEXT}/`) || queue.startsWith(`${STORE_QUEUE_PREFIX}${WORK_DEAD}/`))
        return false;
      return waiting + ready + held > 0;
    });
    if (busy.length > 0) return false;
    const places = await store.checkpoints(null);
    const slowest = Math.min(...places.map(({ position }) => position));
    return (await store.eventsBehind(slowest, 1)) === 0;
  }

  async #audit(): Promise<void> {
    const { store } = this.#world;
    this.#promises.holds(await this.#isIdle(), `jobs are left at rest: ${JSON.stringify(await store.depths())}`);
    const audit = new Audit(this.#promises, this.#living().queues, (asked) => this.#world.settle(asked));
    await audit.look(store, this.#sent, this.#numbers);
    this.#counts.add("functions.dead", audit.dead);
    this.#counts.add("functions.wrote", audit.mails);
    this.#counts.isOver = true;
  }

  /** After a stop nobody holds anything or waits for anything. */
  async #stopAtLast(): Promise<void> {
    const world = this.#world;
    await world.stop(GRACE_MS_LONG);
    const depths = await world.store.depths();
    const held = depths.filter(({ queue }) => !queue.includes(NEXT) && !queue.includes(WORK_DEAD));
    this.#promises.holds(
      held.every((depth) => depth.held === 0),
      `jobs are held after a stop: ${JSON.stringify(depths)}`,
    );
  }
}
