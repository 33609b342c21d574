import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { type Retention, type Round, tidy } from "#engine/upkeep.ts";
import { sweepQueues } from "#queues/broom.ts";
import { RULES_CONSUMER } from "#rules/live.ts";
import type { Dice } from "#ports/dice.ts";
import type { Log } from "#ports/log.ts";
import { type Store, StoreFault } from "#ports/store.ts";
import { WEBHOOK_QUEUE, type Delivery } from "#webhooks/delivery.ts";
import { type Life, World } from "../../support/world.ts";
import { int } from "../chance.ts";
import { Counts, type Exercised } from "../coverage.ts";
import { Machine } from "../machine.ts";
import { altered, slowStore } from "../slow-store.ts";
import { Witness } from "../witness.ts";
import { later, type Stage, type Steps } from "./actors.ts";
import { type House, openHouse } from "./house.ts";
import { labelIn } from "./label.ts";
import { Outside } from "./outside.ts";
import { Producers } from "./producers.ts";
import { Promises } from "./promises.ts";
import { QueueLedger } from "./queue-ledger.ts";
import { Receivers } from "./receivers.ts";
import { RuleLedger } from "./rule-ledger.ts";

export const EVENT_STEPS_DEFAULT = 150;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const FULL_MS_MAX = 15_000;
const DEAF_MS_MAX = 60_000;
const GRACE_MS_LONG = 120_000;
const GRACE_MS_SHORT = 2_000;
/** Until everything must have come to rest: a webhook's nine tries take three days. */
const REST_HOURS_MAX = 100;
/** Shorter than a lease, whose heartbeats come in between. */
const REST_STEP_MS = 20_000;
const VIOLATIONS_MAX = 12;
const EVERYTHING = Number.MAX_SAFE_INTEGER;
/** Short, so that the journal is trimmed while rules and replays read it. */
const RETENTION: Retention = {
  messagesAgeMaxMs: 300 * MINUTE_MS,
  journalAgeMaxMs: 4 * MINUTE_MS,
  journalEventsMax: 300,
  evenUnread: false,
};

export type EventWishes = {
  readonly steps?: number;
  /** Only these of the steps, by number; for the search for a shorter failure. */
  readonly only?: readonly number[];
  /** Puts a planted bug between engine and store. */
  readonly plant?: (store: Store, life: Life) => Store;
};

/** What one seed came to. */
export type EventReport = {
  readonly seed: number;
  readonly steps: number;
  readonly eventsAccepted: number;
  readonly told: Readonly<Record<string, number>>;
  readonly messagesSent: number;
  readonly messagesReceived: number;
  readonly fates: Readonly<Record<string, number>>;
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
 * Events, rules, queues and webhooks on virtual time, in one thread, from a seed: events flow while rules change; clients
 * send, receive, delete and forget; commits fail, are slow, or their answers are lost; the process dies between any two
 * awaits. Two ledgers compare it with what the journal says and with what was promised.
 */
export async function simulateEvents(seed: number, wishes: EventWishes = {}): Promise<EventReport> {
  return await new EventSimulation(seed, wishes).run();
}

class EventSimulation {
  readonly #seed: number;
  readonly #wishes: EventWishes;
  readonly #counts = new Counts();
  readonly #promises = new Promises();
  readonly #machine: Machine;
  readonly #queues: QueueLedger;
  readonly #rules: RuleLedger;
  readonly #outside: Outside;
  readonly #witness: Witness;
  readonly #producers: Producers;
  readonly #receivers: Receivers;
  readonly #world: World;
  readonly #stage: Stage;
  readonly #trace: string[] = [];
  /** By process; the one that lives is the last. */
  #house: House | null = null;
  #crashes = 0;
  #upkeep: Round | "busy" | null = null;
  #wasCut = false;

  constructor(seed: number, wishes: EventWishes) {
    this.#seed = seed;
    this.#wishes = wishes;
    const clock = () => this.#world.clock;
    this.#machine = new Machine(seededDice(seed), this.#counts, clock);
    this.#rules = new RuleLedger(this.#promises);
    this.#queues = new QueueLedger(this.#promises, clock, (message, isMoved) => {
      this.#receivers.born(message);
      const label = isMoved ? null : labelIn(message.body);
      if (label === null) return;
      if (message.queue === "dead") this.#rules.dead(label);
      else this.#rules.queued(label);
    });
    this.#outside = new Outside(this.#machine, this.#rules);
    this.#witness = new Witness((event) => this.#rules.hears(event));
    this.#stage = {
      world: () => this.#world,
      house: () => this.#living(),
      counts: this.#counts,
      promises: this.#promises,
      rules: this.#rules,
      queues: this.#queues,
      look: () => this.#witness.look(this.#world.store),
    };
    this.#producers = new Producers(this.#stage);
    this.#receivers = new Receivers(this.#stage);
    this.#world = this.#build(seed, wishes);
  }

  #living(): House {
    if (this.#house === null) throw new Error("no process lives");
    return this.#house;
  }

  #build(seed: number, { plant }: EventWishes): World {
    const machine = this.#machine;
    return new World({
      seed,
      providers: [this.#outside.mail],
      log: this.#log(),
      faults: {
        before: machine.before,
        after: (units, verdicts) => {
          this.#queues.note(units, verdicts);
          machine.after(units);
        },
      },
      wrap: (store, life) => {
        const watched = altered(this.#queues.watch(store), {
          trimJournal: async (upTo, olderThanMs, limit) => {
            await this.#witness.look(store);
            const trimming = store.trimJournal(upTo, olderThanMs, limit);
            // Whether or not its answer is lost, it may have been done.
            const [trimmed] = await Promise.allSettled([trimming, this.#lookAtBounds(store, olderThanMs)]);
            if (trimmed.status === "rejected") throw trimmed.reason;
            this.#counts.add("retention.events", trimmed.value);
            return trimmed.value;
          },
        });
        const slow = slowStore(watched, machine, life);
        return plant?.(slow, life) ?? slow;
      },
      join: (engine, pipeline, life) => {
        this.#house = openHouse(
          engine,
          pipeline,
          this.#outside.caller(() => life),
        );
      },
      started: (engine, life) => void this.#start(this.#living(), life, engine.signal),
    });
  }

  /** A new process begins to match; the store may not answer at first. */
  async #start(house: House, life: Life, signal: AbortSignal): Promise<void> {
    while (!life.over && !signal.aborted) {
      try {
        return await house.start();
      } catch (fault) {
        if (!(fault instanceof StoreFault)) this.#promises.holds(false, `the rules do not start: ${String(fault)}`);
        await this.#machine.wait(1_000);
      }
    }
  }

  async run(): Promise<EventReport> {
    const world = this.#world;
    const { violations } = this.#promises;
    this.#machine.calm = true;
    await world.start();
    await this.#receivers.populate();
    await this.#producers.populate();
    this.#machine.calm = false;
    const steps = this.#wishes.only ?? [...Array(this.#wishes.steps ?? EVENT_STEPS_DEFAULT).keys()];
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

  #report(steps: number): EventReport {
    const { violations, checks } = this.#promises;
    return {
      seed: this.#seed,
      steps,
      eventsAccepted: this.#producers.accepted,
      told: this.#rules.counts,
      messagesSent: this.#receivers.sent,
      messagesReceived: this.#receivers.received,
      fates: this.#queues.fates,
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
        const isOurs = /^Stage|bug/.test(sentence) && !String(fields?.["error"]).includes("[store.");
        this.#promises.holds(!isOurs, `logged: ${sentence} ${JSON.stringify(fields)}`);
      },
    };
  }

  /** Until the store answers. */
  async #lookAtBounds(store: Store, olderThanMs: number): Promise<void> {
    for (;;) {
      try {
        return this.#rules.trimmed(await store.journalBounds(), olderThanMs);
      } catch (fault) {
        if (!(fault instanceof StoreFault)) throw fault;
      }
    }
  }

  async #step(dice: Dice): Promise<string> {
    const roll = dice.next() * 117;
    let edge = 0;
    for (const [weight, step] of [...this.#producers.steps, ...this.#receivers.steps, ...this.#steps])
      if (roll < (edge += weight)) return await step(dice);
    return await this.#pass(dice);
  }

  readonly #steps: Steps = [
    [5, (dice) => this.#die(dice)],
    [2, (dice) => this.#stop(dice)],
    [2, async (dice) => this.#jump(dice)],
    [1, async (dice) => this.#fillDisk(dice)],
    [1, async (dice) => this.#deafen(dice)],
    [3, (dice) => this.#tidyUp(dice)],
  ];

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
    this.#upkeep = null;
    this.#outside.died();
    // No two processes live in the same millisecond, also while the wall clock waits for the other one.
    this.#world.clock.advance(2);
    await this.#world.restart(async (store) => {
      await this.#witness.look(store);
      this.#rules.trimmed(await store.journalBounds(), 0);
      await this.#queues.died(store);
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
    const ms = dice.next() < 0.3 ? int(dice, 10_000) : 25_000 + int(dice, DEAF_MS_MAX - 25_000);
    return this.#machine.deafen(ms) ? `heartbeats find nobody for ${ms} ms` : "heartbeats go on";
  }

  /** A round of upkeep, and of the broom, beside everything else. */
  async #tidyUp(dice: Dice): Promise<string> {
    const { engine, blobs } = this.#world;
    later(this.#stage, sweepQueues(engine), () => {});
    if (this.#upkeep === "busy") return "the queues are swept";
    const last = this.#upkeep ?? undefined;
    this.#upkeep = "busy";
    const idle = (next: Round | null): void => {
      if (engine === this.#world.engine) this.#upkeep = next;
    };
    const round = tidy(engine, blobs, RETENTION, last);
    later(this.#stage, round, idle);
    round.catch(() => idle(last ?? null));
    await this.#world.quiet(int(dice, 40));
    return "upkeep begins";
  }

  /* How it ends. */

  /** Calm: until nothing is left to do, or far longer than that should take. */
  async #rest(): Promise<void> {
    const world = this.#world;
    await world.pass(2 * MINUTE_MS, 2_000);
    await this.#receivers.drain();
    for (let round = 0; round < REST_HOURS_MAX * 4; round += 1) {
      await world.pass(15 * MINUTE_MS, REST_STEP_MS);
      await this.#receivers.drain();
      if (this.#promises.violations.length > 0) return;
      if ((await this.#isIdle()) && (await this.#matcherIsDone())) break;
    }
    await world.pass(15 * MINUTE_MS, REST_STEP_MS);
    await this.#receivers.drain();
  }

  /** Only the matcher's partition is in hand. */
  async #isIdle(): Promise<boolean> {
    const all = await this.#world.store.depths();
    const depths = all.filter(({ queue }) => !this.#queues.isReplaced(queue));
    const waiting = depths.reduce((sum, depth) => sum + depth.waiting + depth.ready, 0);
    const held = depths.reduce((sum, depth) => sum + depth.held, 0);
    return waiting === 0 && held === 1;
  }

  async #matcherIsDone(): Promise<boolean> {
    const { store } = this.#world;
    const [at] = await store.checkpoints(RULES_CONSUMER);
    return (await store.eventsBehind(at?.position ?? 0, EVERYTHING)) === 0;
  }

  async #audit(): Promise<void> {
    const { store } = this.#world;
    const { holds } = this.#promises;
    holds(await this.#isIdle(), `jobs are left at rest: ${JSON.stringify(await store.depths())}`);
    holds(await this.#matcherIsDone(), "the matcher has events still to read at rest");
    await this.#witness.look(store);
    await this.#queues.look(store);
    await this.#queues.balances(store);
    holds(this.#queues.living === 0, () => `${this.#queues.living} messages are left in drained queues`);
    await this.#receivers.counts();
    await this.#producers.audit();
    for (const { payload } of await store.deadJobs({ queue: WEBHOOK_QUEUE, after: null, limit: EVERYTHING })) {
      // Only the webhooks' target writes these.
      const label = labelIn((JSON.parse(payload) as Delivery).event.data);
      if (label !== null) this.#rules.dead(label);
    }
    await this.#rules.audit(store);
    this.#note();
  }

  #note(): void {
    const { counts } = this.#rules;
    this.#counts.add("told.queued", counts.queued);
    this.#counts.add("told.sent", counts.sent);
    this.#counts.add("told.posted", counts.posted);
    this.#counts.add("told.dead", counts.dead);
    this.#counts.add("told.replayed", counts.replayed);
    const { fates } = this.#queues;
    this.#counts.add("fate.deleted", fates.deleted);
    this.#counts.add("fate.moved", fates.moved);
    this.#counts.add("fate.expired", fates.expired);
    this.#counts.add("fate.purged", fates.purged);
    this.#counts.isOver = true;
  }

  /** After a stop nobody holds anything or waits for anything. */
  async #stopAtLast(): Promise<void> {
    const world = this.#world;
    await world.stop(GRACE_MS_LONG);
    const depths = await world.store.depths();
    const held = depths.reduce((sum, depth) => sum + depth.held, 0);
    this.#promises.holds(held === 0, `jobs are held after a stop: ${JSON.stringify(depths)}`);
    const nextMs = world.clock.nextInMs();
    this.#promises.holds(nextMs === null, `somebody still waits for ${nextMs} ms after a stop`);
  }
}
