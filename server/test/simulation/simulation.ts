import { LISTS, PROFILES, SUBSCRIPTIONS, subscriptionId, SUPPRESSIONS, suppressionId } from "#directory/collections.ts";
import { soleMessageId } from "#domain/ids.ts";
import type { JsonObject } from "#domain/json.ts";
import type { SendMessage } from "#domain/notification.ts";
import type { Outcome } from "#domain/outcome.ts";
import type { MessageId, RequestId } from "#domain/ids.ts";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import type { Draft } from "#engine/draft.ts";
import type { Dice } from "#ports/dice.ts";
import { type GaugeSample, type Meter, silentMeter } from "#ports/meter.ts";
import type { Envelope } from "#ports/provider.ts";
import { type Store, StoreFault, type Unit } from "#ports/store.ts";
import { type Life, ScriptedProvider, World } from "../support/world.ts";
import { type Due, type Excuse, Ledger, titleOf, type Wish, wishOf } from "./ledger.ts";
import { slowStore } from "./slow-store.ts";

export const STEPS_DEFAULT = 120;
/** Lists of the pattern `news.*`, and how many users there are to be on them. */
const NEWS = ["news.a", "news.b", "news.c"];
const USERS = [...Array(24).keys()].map((n) => `m${n}`);
/** More than two pages of a fan-out; in one seed of `CROWD_EVERY`, because it takes its time. */
const CROWD = "crowd";
const CROWD_MAX = 1_020;
const CROWD_EVERY = 10;
/** A commit fails, or its answer is lost. */
const FAIL_CHANCE = 0.03;
const LOST_ANSWER_CHANCE = 0.02;
/** Longest answer of a provider: longer than a lease of 30 s. */
const STALL_MS_MAX = 50_000;
const FULL_MS_MAX = 15_000;
const TEN_MINUTES_MS = 10 * 60 * 1000;
const HOUR_MS = 60 * 60 * 1000;
const THREE_DAYS_MS = 72 * HOUR_MS;
/** Hours until everything must have come to rest. */
const REST_HOURS_MAX = 120;

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
  readonly violations: readonly string[];
  /** What happened, a line per step. */
  readonly trace: readonly string[];
};

/**
 * The whole engine and pipeline on virtual time, in one thread, from a seed: providers that fail, stall, answer late or
 * lie; commits that fail, are slow, or whose answer is lost; a full disk; a wall clock that jumps; a process that dies
 * between any two awaits. Meanwhile people come, leave, cancel, repeat themselves. The ledger checks the promises.
 *
 * Each step has dice of its own, so that leaving one out leaves the others as they were.
 */
export async function simulate(seed: number, wishes: Wishes = {}): Promise<Report> {
  return await new Simulation(seed, wishes).run();
}

class Simulation {
  readonly #seed: number;
  readonly #wishes: Wishes;
  /** What the machine and the providers do; what people do is decided by the dice of each step. */
  readonly #luck: Dice;
  readonly #ledger = new Ledger();
  readonly #world: World;
  readonly #trace: string[] = [];
  readonly #counts = { sends: 0, accepted: 0, crashes: 0, failedCommits: 0, lostAnswers: 0 };
  readonly #gauges = new Map<string, () => readonly GaugeSample[] | Promise<readonly GaugeSample[]>>();
  /** Where a person stands on a list, by `list/user`; unclear while nobody has told us. */
  readonly #members = new Map<string, "on" | "off" | "unclear">();
  readonly #fanOuts: FanOut[] = [];
  readonly #delayed: MessageId[] = [];
  /** The first answer to a key. */
  readonly #keyed = new Map<string, { readonly message: SendMessage; readonly due: Due; id: RequestId | null }>();
  #calm = true;
  #fullUntilMs = 0;
  #label = 0;

  constructor(seed: number, wishes: Wishes) {
    this.#seed = seed;
    this.#wishes = wishes;
    this.#luck = seededDice(seed);
    const clock = () => this.#world.clock;
    const house = {
      clock: { nowMs: () => clock().nowMs(), monotonicMs: () => clock().monotonicMs(), after: this.#after },
      dice: this.#luck,
      calm: () => this.#calm,
    };
    const providers = [
      new ScriptedProvider("smtp"),
      new ScriptedProvider("backup"),
      new ScriptedProvider("texts", ["sms"]),
    ];
    for (const provider of providers) provider.answer = (envelope) => this.#answer(provider.key, envelope);
    this.#world = new World({
      seed,
      providers,
      meter: this.#meter(),
      faults: { before: () => this.#fail(), after: (units) => this.#loseAnswer(units) },
      wrap: (store, life) => {
        const slow = slowStore(store, house, life);
        return wishes.plant?.(slow, life) ?? slow;
      },
    });
  }

  readonly #after = (delayMs: number, run: () => void) => this.#world.clock.after(delayMs, run);

  async run(): Promise<Report> {
    const world = this.#world;
    await world.settle(world.engine.start());
    await this.#populate();
    this.#calm = false;
    const steps = this.#wishes.only ?? [...Array(this.#wishes.steps ?? STEPS_DEFAULT).keys()];
    for (const step of steps) {
      const said = await this.#step(seededDice(this.#seed * 1_000_003 + step));
      this.#trace.push(`${step} ${said}`);
      if (this.#ledger.violations.length > 0) break;
    }
    this.#calm = true;
    if (this.#ledger.violations.length === 0) await this.#rest();
    if (this.#ledger.violations.length === 0) await this.#ledger.audit(world.store);
    for (const [name, read] of this.#gauges) {
      const left = (await read()).reduce((sum, { value }) => sum + value, 0);
      if (left !== 0 && this.#ledger.violations.length === 0)
        this.#ledger.violations.push(`${name} is ${left} at rest`);
    }
    return this.#report(steps.length);
  }

  #report(steps: number): Report {
    const { violations, checks, calls, repeats, outcomes } = this.#ledger;
    const messages = Object.values(outcomes).reduce((sum, n) => sum + n, 0);
    return {
      seed: this.#seed,
      steps,
      ...this.#counts,
      messages,
      outcomes,
      providerCalls: calls,
      repeats,
      checks,
      violations,
      trace: this.#trace,
    };
  }

  /** The gauges of the process that lives; a new one registers its own in their place. */
  #meter(): Meter {
    return { ...silentMeter, gauge: (name, _help, read) => void this.#gauges.set(name, read) };
  }

  async #populate(): Promise<void> {
    const world = this.#world;
    const join = (list: string, user: string) => {
      this.#members.set(`${list}/${user}`, "on");
      return put(world, SUBSCRIPTIONS, subscriptionId(list, user), { preferences: null, data: null }, [["user", user]]);
    };
    const crowd = this.#seed % CROWD_EVERY === 0 ? [...Array(CROWD_MAX).keys()].map((n) => `c${n}`) : [];
    const lists = crowd.length > 0 ? [...NEWS, CROWD] : NEWS;
    const profiles = [...USERS, ...crowd].map((user, at) =>
      put(world, PROFILES, user, { email: `${user}@example.com`, phone_number: `+4930${at}` }),
    );
    await world.settle(
      world.engine.commit({
        puts: [
          ...lists.map((list) => put(world, LISTS, list, { name: list, preferences: null, deletedMs: null })),
          ...profiles,
          ...NEWS.flatMap((list, at) => USERS.filter((_, n) => (n + at) % 3 > 0).map((user) => join(list, user))),
          ...crowd.map((user) => join(CROWD, user)),
        ],
      }),
    );
  }

  async #step(dice: Dice): Promise<string> {
    const roll = dice.next() * 100;
    let edge = 0;
    for (const [weight, step] of this.#steps) if (roll < (edge += weight)) return await step(dice);
    return await this.#pass(dice);
  }

  readonly #steps: readonly (readonly [number, (dice: Dice) => Promise<string>])[] = [
    [24, (dice) => this.#sendToOne(dice)],
    [5, (dice) => this.#sendToSome(dice)],
    [6, (dice) => this.#sendToList(dice)],
    [5, (dice) => this.#repeat(dice)],
    [8, (dice) => this.#leave(dice)],
    [5, (dice) => this.#join(dice)],
    [2, (dice) => this.#suppress(dice)],
    [6, (dice) => this.#cancel(dice)],
    [2, (dice) => this.#redrive(dice)],
    [6, (dice) => this.#die(dice)],
    [2, (dice) => this.#jump(dice)],
    [1, (dice) => this.#fillDisk(dice)],
  ];

  /* What people do. Each is begun, and some turns later the next begins, whether or not the first was answered. */

  async #sendToOne(dice: Dice): Promise<string> {
    const wish = this.#wish(dice);
    const email = pick(dice, ADDRESSES);
    const both = dice.next() < 0.1;
    const to = both ? { user_id: pick(dice, USERS) } : { email };
    const who = new Set([both ? String(to["user_id"]) : email]);
    const due: Due = { recipients: "exactly", of: () => who };
    const message = messageOf(to, wish, both ? { routing: { method: "all", channels: ["email", "sms"] } } : {});
    await this.#send(message, due, dice, null, wish.delayMs > 0 && !both);
    return `send ${JSON.stringify(to)} ${titleOf(wish)}`;
  }

  async #sendToSome(dice: Dice): Promise<string> {
    const people = [...Array(2 + int(dice, 5)).keys()].map(() => pick(dice, ADDRESSES));
    const wish = this.#wish(dice);
    const who = new Set(people);
    await this.#send(
      messageOf(
        people.map((email) => ({ email })),
        wish,
      ),
      { recipients: "exactly", of: () => who },
      dice,
    );
    return `send to ${people.length} ${titleOf(wish)}`;
  }

  async #sendToList(dice: Dice): Promise<string> {
    const roll = dice.next();
    const crowd = this.#members.has(`${CROWD}/c0`) && this.#fanOuts.every(({ lists }) => !lists.includes(CROWD));
    const lists = crowd ? [CROWD] : roll < 0.5 ? NEWS : [pick(dice, NEWS)];
    const to = lists.length > 1 ? { list_pattern: "news.*" } : { list_id: lists[0] ?? "" };
    const on = [...this.#members].filter(([at, state]) => state === "on" && lists.some((l) => at.startsWith(`${l}/`)));
    const fanOut: FanOut = { lists, throughout: new Set(on.map(([at]) => at)), id: null };
    this.#fanOuts.push(fanOut);
    const of = () => new Set([...fanOut.throughout].map((at) => at.slice(at.indexOf("/") + 1)));
    const wish = { ...this.#wish(dice), delayMs: 0 };
    await this.#send(messageOf(to, wish), { recipients: "at least", of }, dice, null, false, fanOut);
    return `send ${JSON.stringify(to)} ${titleOf(wish)}`;
  }

  /** A call with a key, or the same again: it may have been answered, or be under way, or be lost. */
  async #repeat(dice: Dice): Promise<string> {
    const key = `key${int(dice, 4)}`;
    const known = this.#keyed.get(key);
    const who = new Set([pick(dice, ADDRESSES)]);
    const wish = { ...this.#wish(dice), delayMs: 0 };
    const first = known ?? {
      message: messageOf({ email: [...who][0] ?? "" }, wish, { metadata: { trace_id: key } }),
      due: { recipients: "exactly" as const, of: () => who },
      id: null,
    };
    this.#keyed.set(key, first);
    await this.#send(first.message, first.due, dice, key);
    return `send ${known === undefined ? "" : "again "}with ${key}`;
  }

  async #send(
    message: SendMessage,
    due: Due,
    dice: Dice,
    key: string | null = null,
    cancelable = false,
    fanOut: FanOut | null = null,
  ): Promise<void> {
    this.#counts.sends += 1;
    const { clock, pipeline } = this.#world;
    const once = key === null ? null : { key, fingerprint: "f", expiresMs: clock.nowMs() + THREE_DAYS_MS };
    const text = JSON.stringify({ message });
    const accepting = pipeline.accept.accept({ text, message, traceparent: null, share: "key", once });
    this.#later(accepting, (accepted) => {
      const violations = this.#ledger.violations;
      if (accepted.kind === "refused") violations.push(`a send was refused: ${accepted.problem.message}`);
      const id =
        accepted.kind === "accepted"
          ? accepted.requestId
          : accepted.kind === "repeated"
            ? (JSON.parse(accepted.record.body) as { requestId: RequestId }).requestId
            : null;
      if (id === null) return;
      const first = key === null ? undefined : this.#keyed.get(key);
      if (first?.id && first.id !== id) violations.push(`${key} was answered with ${first.id} and with ${id}`);
      if (first !== undefined) first.id = id;
      if (fanOut !== null) fanOut.id = id;
      if (accepted.kind === "accepted") this.#counts.accepted += 1;
      if (cancelable) this.#delayed.push(soleMessageId(id));
      this.#ledger.accepted(id, due);
    });
    await this.#world.quiet(int(dice, 40));
  }

  async #leave(dice: Dice): Promise<string> {
    const at = this.#memberToChange(dice, "on");
    if (at === null) return "nobody leaves";
    const [list = "", user = ""] = at.split("/");
    // Who is told apart from the lists that are done with: their messages were born already.
    for (const fanOut of this.#fanOuts) if (!(await this.#expanded(fanOut))) fanOut.throughout.delete(at);
    this.#change(at, { deletes: [{ collection: SUBSCRIPTIONS, id: subscriptionId(list, user) }] }, () => {
      this.#members.set(at, "off");
      this.#ledger.saidNo(at);
    });
    await this.#world.quiet(int(dice, 40));
    return `${user} leaves ${list}`;
  }

  async #join(dice: Dice): Promise<string> {
    const at = this.#memberToChange(dice, "off");
    if (at === null) return "nobody joins";
    const [list = "", user = ""] = at.split("/");
    this.#ledger.takesBackNo(at);
    const subscription = put(
      this.#world,
      SUBSCRIPTIONS,
      subscriptionId(list, user),
      { preferences: null, data: null },
      [["user", user]],
    );
    this.#change(at, { puts: [subscription] }, () => this.#members.set(at, "on"));
    await this.#world.quiet(int(dice, 40));
    return `${user} joins ${list}`;
  }

  /** Until it is answered nobody knows where this person stands; if the process dies, nobody ever will. */
  #change(at: string, draft: Draft, done: () => void): void {
    this.#members.set(at, "unclear");
    this.#later(this.#world.engine.commit(draft), done);
  }

  #memberToChange(dice: Dice, state: "on" | "off"): string | null {
    const able = [...this.#members].filter(([at, is]) => is === state && (!at.startsWith(CROWD) || dice.next() < 0.05));
    return able.length === 0 ? null : pick(dice, able)[0];
  }

  async #expanded({ id }: FanOut): Promise<boolean> {
    if (id === null) return false;
    const events = await this.#world.store.eventsOf(id, 10);
    return events.some(({ type }) => type === "request.expanded");
  }

  async #suppress(dice: Dice): Promise<string> {
    const email = pick(dice, ADDRESSES);
    const body = { reason: "unsubscribe", detail: "asked to", sinceMs: this.#world.clock.nowMs(), messageId: null };
    const suppression = put(this.#world, SUPPRESSIONS, suppressionId("email", email), body);
    this.#later(this.#world.engine.commit({ puts: [suppression] }), () => this.#ledger.saidNo(email));
    await this.#world.quiet(int(dice, 40));
    return `${email} wants nothing more`;
  }

  async #cancel(dice: Dice): Promise<string> {
    if (this.#delayed.length === 0) return "nothing to cancel";
    const id = pick(dice, this.#delayed);
    this.#later(this.#world.pipeline.desk.cancel(id), (canceled) => {
      if (canceled.kind !== "unknown" && canceled.record.status === "CANCELED") this.#ledger.canceled(id);
    });
    await this.#world.quiet(int(dice, 40));
    return `cancel ${id}`;
  }

  /** An operator tries again what was given up. */
  async #redrive(dice: Dice): Promise<string> {
    const dead = await this.#world.store.deadJobs({ queue: "message", after: null, limit: 50 });
    if (dead.length === 0) return "nothing to re-drive";
    const { key } = pick(dice, dead);
    this.#ledger.redriven(key);
    this.#later(this.#world.engine.settleDead(key, "revive"), () => {});
    await this.#world.quiet(int(dice, 40));
    return `re-drive ${key}`;
  }

  /** What was asked is answered some time, or never. A store that cannot is an answer, too. */
  #later<T>(asked: Promise<T>, answered: (answer: T) => void): void {
    asked.then(answered, (fault: unknown) => {
      if (!(fault instanceof StoreFault)) this.#ledger.violations.push(`a call was rejected with ${String(fault)}`);
    });
  }

  /* What befalls the machine. */

  async #pass(dice: Dice): Promise<string> {
    const ms = dice.next() < 0.1 ? int(dice, 120_000) + 1 : int(dice, 4_000) + 1;
    await this.#world.pass(ms, Math.min(1_000, Math.max(200, Math.ceil(ms / 20))));
    return `${ms} ms pass`;
  }

  /** Some turns of the loop from now, wherever everybody stands then; sometimes after some time. */
  async #die(dice: Dice): Promise<string> {
    const [ms, turns] = [dice.next() < 0.5 ? 0 : int(dice, 2_000), int(dice, 60)];
    this.#world.clock.advance(ms);
    await this.#world.quiet(turns);
    this.#calm = true;
    this.#counts.crashes += 1;
    await this.#world.restart((store) => this.#ledger.died(store, this.#world.clock));
    this.#calm = false;
    return `dies after ${ms} ms and ${turns} turns`;
  }

  async #jump(dice: Dice): Promise<string> {
    const ms = dice.next() < 0.5 ? -int(dice, TEN_MINUTES_MS) : int(dice, 2 * HOUR_MS);
    this.#world.clock.jumpWall(ms);
    return `the wall clock jumps by ${ms} ms`;
  }

  async #fillDisk(dice: Dice): Promise<string> {
    const ms = int(dice, FULL_MS_MAX);
    this.#fullUntilMs = this.#world.clock.monotonicMs() + ms;
    return `the disk is full for ${ms} ms`;
  }

  #fail(): void {
    if (this.#calm) return;
    const full = this.#world.clock.monotonicMs() < this.#fullUntilMs;
    if (!full && this.#luck.next() >= FAIL_CHANCE) return;
    this.#counts.failedCommits += 1;
    throw new StoreFault(full ? "store.full" : "store.failed", "the disk says no");
  }

  /**
   * But not to a commit by which a worker keeps its job: tried again it would tell of the same events twice, which is
   * known (docs/simulation.md).
   */
  #loseAnswer(units: readonly Unit[]): void {
    if (units.some(({ job }) => job?.end.kind === "keep")) return;
    if (this.#calm || this.#luck.next() >= LOST_ANSWER_CHANCE) return;
    this.#counts.lostAnswers += 1;
    throw new StoreFault("store.failed", "the answer was lost");
  }

  async #answer(key: string, envelope: Envelope): Promise<Outcome> {
    const { clock } = this.#world;
    const call = this.#ledger.call(key, envelope, clock);
    const [what, stall] = this.#calm ? [1, 1] : [this.#luck.next(), this.#luck.next()];
    const most = stall < 0.03 ? STALL_MS_MAX : stall < 0.3 ? 3_000 : 0;
    if (most > 0) await new Promise<void>((resolve) => clock.after(Math.ceil(this.#luck.next() * most), resolve));
    const [, outcome, sent] = OUTCOMES.find(([below]) => what < below) ?? SENT;
    this.#ledger.answered(call, outcome, sent, wishOf(JSON.stringify(envelope.content))?.unknown ?? "retry", clock);
    return outcome;
  }

  /** Calm: until nothing is left to do, or far longer than that should take. */
  async #rest(): Promise<void> {
    const world = this.#world;
    for (let hour = 0; hour < REST_HOURS_MAX * 6; hour += 1) {
      await world.pass(TEN_MINUTES_MS, 20_000);
      const depths = await world.store.depths();
      if (depths.every(({ waiting, ready, held }) => waiting + ready + held === 0)) return;
    }
  }

  #wish(dice: Dice): Wish {
    this.#label += 1;
    return {
      label: `n${this.#label}`,
      unknown: dice.next() < 0.2 ? "hold" : "retry",
      patienceMs: dice.next() < 0.15 ? TEN_MINUTES_MS : THREE_DAYS_MS,
      delayMs: dice.next() < 0.3 ? 1 + int(dice, HOUR_MS / 2) : 0,
    };
  }
}

type FanOut = {
  readonly lists: readonly string[];
  /** `list/user` of those who were on it all the time. */
  readonly throughout: Set<string>;
  id: RequestId | null;
};

const ADDRESSES = [...Array(40).keys()].map((n) => `p${n}@example.com`);

type Answer = readonly [below: number, outcome: Outcome, sent: boolean];
const SENT: Answer = [1, { kind: "sent", reference: {} }, true];
/** What a provider says, and whether the words went out, by rising chance; the rest is sent. */
const OUTCOMES: readonly Answer[] = [
  [0.05, { kind: "retry", reason: "later" }, false],
  [0.1, { kind: "retry", reason: "down", whole: true }, false],
  [0.11, { kind: "retry", reason: "I have not got it", whole: false }, true],
  [0.14, { kind: "unknown", reason: "silence after DATA" }, true],
  [0.16, { kind: "unknown", reason: "silence after DATA" }, false],
  [0.19, { kind: "refused", reason: "554 no" }, false],
  [0.195, { kind: "refused", reason: "550 5.1.1 no such user", bounce: "hard" }, false],
  [0.205, { kind: "policy", reason: "421 slow down", pauseMs: 60_000 }, false],
];

function messageOf(to: JsonObject | readonly JsonObject[], wish: Wish, more: JsonObject = {}): SendMessage {
  const timeout = { message: wish.patienceMs, unknown: wish.unknown };
  const delay = wish.delayMs > 0 ? { delay: { duration: wish.delayMs } } : {};
  return { to, content: { title: titleOf(wish), body: "It is {{day}}." }, timeout, ...delay, ...more };
}

function put(
  { clock }: World,
  collection: string,
  id: string,
  body: JsonObject,
  terms: readonly (readonly [string, string])[] = [],
) {
  return { collection, id, body: JSON.stringify(body), terms, when: "always", nowMs: clock.nowMs() } as const;
}

function int(dice: Dice, below: number): number {
  return Math.floor(dice.next() * below);
}

function pick<T>(dice: Dice, from: readonly T[]): T {
  const found = from[int(dice, from.length)];
  if (found === undefined) throw new Error("nothing to pick from");
  return found;
}
