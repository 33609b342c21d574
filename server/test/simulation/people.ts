import { LISTS, PROFILES, SUBSCRIPTIONS, subscriptionId, SUPPRESSIONS, suppressionId } from "#directory/collections.ts";
import { type MessageId, type RequestId, soleMessageId } from "#domain/ids.ts";
import type { JsonObject } from "#domain/json.ts";
import type { SendMessage } from "#domain/notification.ts";
import type { Draft } from "#engine/draft.ts";
import type { Accepted } from "#pipeline/accept.ts";
import type { Dice } from "#ports/dice.ts";
import { StoreFault } from "#ports/store.ts";
import type { World } from "../support/world.ts";
import { int, pick } from "./chance.ts";
import type { Counts } from "./coverage.ts";
import { type Due, type Ledger, titleOf, type Wish } from "./ledger.ts";
import type { Readers } from "./readers.ts";

/** Lists of the pattern `news.*`, and how many users there are to be on them. */
const NEWS = ["news.a", "news.b", "news.c"];
const USERS = [...Array(24).keys()].map((n) => `m${n}`);
const ADDRESSES = [...Array(40).keys()].map((n) => `p${n}@example.com`);
/** More than two pages of a fan-out; in one seed of `CROWD_EVERY`, because it takes its time. */
const CROWD = "crowd";
const CROWD_MAX = 1_020;
const CROWD_EVERY = 10;
/** More than ten persons are no conversation any more, and go in the bulk lane. */
const ARRAY_MAX = 16;
const TRANSACTIONAL_MAX = 10;
/** A field that does not fit into the row, and a file. */
const LARGE = "x".repeat(66 * 1024);
const FILE = { filename: "bill.pdf", contentType: "application/pdf", data: "JVBERi0xLjcK" };
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const PATIENCE_MS = 72 * HOUR_MS;
/** How long a key is remembered, usually and at least. */
const KEY_MS = 72 * HOUR_MS;
const KEY_MS_MIN = 2 * MINUTE_MS;
/** Longest time, in turns of the loop, between a call and the next thing that happens. */
const TURNS_MAX = 40;

export type PeopleHouse = {
  readonly seed: number;
  readonly world: () => World;
  readonly ledger: Ledger;
  readonly counts: Counts;
  readonly readers: Readers;
};

/** How a send differs from the plainest one. */
type Sending = {
  readonly message: SendMessage;
  readonly due: Due;
  readonly label: string;
  readonly once?: { readonly key: string; readonly lifeMs: number };
  readonly accepted?: (id: RequestId) => void;
};

type FanOut = {
  readonly lists: readonly string[];
  /** `list/user` of those who were on it all the time. */
  readonly throughout: Set<string>;
  id: RequestId | null;
};

type Keyed = { readonly message: SendMessage; readonly due: Due; readonly label: string; id: RequestId | null };

/**
 * What people do. Each call is begun, and some turns later the next thing happens, whether or not the call was answered.
 * Each step has dice of its own, so that leaving one out leaves the others as they were.
 */
export class People {
  readonly #house: PeopleHouse;
  /** Where a person stands on a list, by `list/user`; unclear while nobody has told us. */
  readonly #members = new Map<string, "on" | "off" | "unclear">();
  readonly #fanOuts: FanOut[] = [];
  readonly #delayed: MessageId[] = [];
  readonly #cancels = new Map<MessageId, number>();
  /** Who was written to last, several at a time. */
  #written: readonly string[] = [];
  /** What can be sent again: to whom, and the words' label. */
  readonly #known: { readonly id: MessageId; readonly due: Due; readonly label: string }[] = [];
  /** The first answer to a key. */
  readonly #keyed = new Map<string, Keyed>();
  #label = 0;
  sends = 0;
  accepted = 0;

  constructor(house: PeopleHouse) {
    this.#house = house;
  }

  readonly steps: readonly (readonly [weight: number, step: (dice: Dice) => Promise<string>])[] = [
    [20, (dice) => this.#sendToOne(dice)],
    [5, (dice) => this.#sendToSome(dice)],
    [6, (dice) => this.#sendToList(dice)],
    [2, (dice) => this.#sendLarge(dice)],
    [5, (dice) => this.#repeat(dice)],
    [8, (dice) => this.#leave(dice)],
    [5, (dice) => this.#join(dice)],
    [2, (dice) => this.#suppress(dice)],
    [6, (dice) => this.#cancel(dice)],
    [3, (dice) => this.#resend(dice)],
    [2, (dice) => this.#redrive(dice)],
    [2, (dice) => this.#redriveEvent(dice)],
  ];

  /** Everybody is there, and on some lists. */
  async populate(): Promise<void> {
    const world = this.#house.world();
    const join = (list: string, user: string) => {
      this.#members.set(`${list}/${user}`, "on");
      return put(world, SUBSCRIPTIONS, subscriptionId(list, user), { preferences: null, data: null }, [["user", user]]);
    };
    const isCrowded = this.#house.seed % CROWD_EVERY === 0;
    const crowd = isCrowded ? [...Array(CROWD_MAX).keys()].map((n) => `c${n}`) : [];
    const lists = isCrowded ? [...NEWS, CROWD] : NEWS;
    const profiles = [...USERS, ...crowd].map((user, at) =>
      put(world, PROFILES, user, { email: `${user}@example.com`, phone_number: `+4930${at}` }),
    );
    const draft: Draft = {
      puts: [
        ...lists.map((list) => put(world, LISTS, list, { name: list, preferences: null, deletedMs: null })),
        ...profiles,
        ...NEWS.flatMap((list, at) => USERS.filter((_, n) => (n + at) % 3 > 0).map((user) => join(list, user))),
        ...crowd.map((user) => join(CROWD, user)),
      ],
    };
    await world.settle(world.engine.commit(draft));
  }

  async #sendToOne(dice: Dice): Promise<string> {
    const { counts } = this.#house;
    const wish = this.#wish(dice);
    const email = pick(dice, ADDRESSES);
    const both = dice.next() < 0.15;
    const user = pick(dice, USERS);
    const due = exactly([both ? user : email]);
    const to = both ? { user_id: user } : { email };
    const message = messageOf(to, wish, both ? { routing: { method: "all", channels: ["email", "sms"] } } : {});
    if (both) counts.add("people.allChannels");
    if (wish.delayMs > 0) counts.add("people.delayed");
    const accepted = (id: RequestId): void => {
      if (wish.delayMs > 0 && !both) this.#delayed.push(soleMessageId(id));
      if (wish.delayMs === 0) this.#known.push({ id: soleMessageId(id), due, label: wish.label });
    };
    await this.#send({ message, due, label: wish.label, accepted }, dice);
    return `send ${JSON.stringify(to)} ${titleOf(wish)}`;
  }

  async #sendToSome(dice: Dice): Promise<string> {
    const people = [...Array(2 + int(dice, ARRAY_MAX - 1)).keys()].map(() => pick(dice, ADDRESSES));
    const wish = this.#wish(dice);
    const to = people.map((email) => ({ email }));
    this.#written = people;
    this.#house.counts.add(people.length > TRANSACTIONAL_MAX ? "people.bulkArray" : "people.array");
    await this.#send({ message: messageOf(to, wish), due: exactly(people), label: wish.label }, dice);
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
    this.#house.counts.add("people.list");
    const of = () => new Set([...fanOut.throughout].map((at) => at.slice(at.indexOf("/") + 1)));
    const wish = { ...this.#wish(dice), delayMs: 0 };
    const accepted = (id: RequestId): void => {
      fanOut.id = id;
    };
    const due: Due = { recipients: "at least", of };
    await this.#send({ message: messageOf(to, wish), due, label: wish.label, accepted }, dice);
    return `send ${JSON.stringify(to)} ${titleOf(wish)}`;
  }

  /** A field that goes to the blob store, or a file. */
  async #sendLarge(dice: Dice): Promise<string> {
    const email = pick(dice, ADDRESSES);
    const wish = this.#wish(dice);
    const hasFile = dice.next() < 0.5;
    const more = hasFile
      ? { channels: { email: { override: { attachments: [FILE] } } } }
      : { data: { day: "Monday", filler: LARGE } };
    this.#house.counts.add(hasFile ? "people.attached" : "people.large");
    const due = exactly([email]);
    const accepted = (id: RequestId): void => {
      if (wish.delayMs === 0) this.#known.push({ id: soleMessageId(id), due, label: wish.label });
    };
    await this.#send({ message: messageOf({ email }, wish, more), due, label: wish.label, accepted }, dice);
    return `send ${hasFile ? "a file" : "much"} to ${email} ${titleOf(wish)}`;
  }

  /** A call with a key, or the same again: it may have been answered, or be under way, or be lost. */
  async #repeat(dice: Dice): Promise<string> {
    const shortLived = dice.next() < 0.4;
    const key = `${shortLived ? "short" : "key"}${int(dice, shortLived ? 2 : 4)}`;
    const known = this.#keyed.get(key);
    const email = pick(dice, ADDRESSES);
    const wish = { ...this.#wish(dice), delayMs: 0 };
    const first = known ?? {
      message: messageOf({ email }, wish, shortLived ? {} : { metadata: { trace_id: key } }),
      due: exactly([email]),
      label: wish.label,
      id: null,
    };
    this.#keyed.set(key, first);
    if (known !== undefined) this.#house.counts.add("people.repeated");
    const { ledger, counts } = this.#house;
    // When its key is forgotten a call is a new one, whoever remembers it.
    if (shortLived) ledger.mayBeSentAs(first.label);
    const accepted = (id: RequestId): void => {
      if (shortLived && first.id !== null && first.id !== id) counts.add("people.repeatedLate");
      const isSame = shortLived || first.id === null || first.id === id;
      ledger.holds(isSame, `${key} was answered with ${first.id} and with ${id}`);
      first.id = id;
    };
    await this.#send({ ...first, once: { key, lifeMs: shortLived ? KEY_MS_MIN : KEY_MS }, accepted }, dice);
    return `send ${known === undefined ? "" : "again "}with ${key}`;
  }

  async #send(sending: Sending, dice: Dice): Promise<void> {
    this.sends += 1;
    const { message, once } = sending;
    const { clock, pipeline } = this.#house.world();
    const record =
      once === undefined ? null : { key: once.key, fingerprint: "f", expiresMs: clock.nowMs() + once.lifeMs };
    const call = { text: JSON.stringify({ message }), message, traceparent: null, share: "key", once: record };
    this.later(pipeline.accept.accept(call), (answer) => this.#answered(sending, answer));
    await this.#house.world().quiet(int(dice, TURNS_MAX));
  }

  #answered({ label, due, accepted, once }: Sending, answer: Accepted): void {
    const { ledger, counts } = this.#house;
    if (answer.kind === "overloaded") {
      counts.add("people.overloaded");
      // One of several calls with a key may have been taken.
      if (once === undefined) ledger.refused(label);
      return;
    }
    ledger.holds(answer.kind !== "refused", `a send was refused: ${JSON.stringify(answer)}`);
    if (answer.kind === "refused") return;
    if (answer.kind === "accepted") this.accepted += 1;
    const id =
      answer.kind === "accepted"
        ? answer.requestId
        : // Accept writes this body.
          (JSON.parse(answer.record.body) as { requestId: RequestId }).requestId;
    ledger.accepted(id, due);
    accepted?.(id);
  }

  async #leave(dice: Dice): Promise<string> {
    const { world, ledger, counts } = this.#house;
    const at = this.#memberToChange(dice, "on");
    if (at === null) return "nobody leaves";
    const [list = "", user = ""] = at.split("/");
    await ledger.witness.look(world().store);
    // Who is told apart from the lists that are done with: their messages were born already.
    for (const fanOut of this.#fanOuts)
      if (!this.#isExpanded(fanOut) && fanOut.throughout.delete(at)) counts.add("people.leftInFanOut");
    this.#change(at, { deletes: [{ collection: SUBSCRIPTIONS, id: subscriptionId(list, user) }] }, () => {
      this.#members.set(at, "off");
      ledger.saidNo(at);
      counts.add("people.left");
    });
    await world().quiet(int(dice, TURNS_MAX));
    return `${user} leaves ${list}`;
  }

  async #join(dice: Dice): Promise<string> {
    const { world, ledger, counts } = this.#house;
    const at = this.#memberToChange(dice, "off");
    if (at === null) return "nobody joins";
    const [list = "", user = ""] = at.split("/");
    ledger.takesBackNo(at);
    const body = { preferences: null, data: null };
    const subscription = put(world(), SUBSCRIPTIONS, subscriptionId(list, user), body, [["user", user]]);
    this.#change(at, { puts: [subscription] }, () => this.#members.set(at, "on"));
    counts.add("people.joined");
    await world().quiet(int(dice, TURNS_MAX));
    return `${user} joins ${list}`;
  }

  /** Until it is answered nobody knows where this person stands; if the process dies, nobody ever will. */
  #change(at: string, draft: Draft, done: () => void): void {
    this.#members.set(at, "unclear");
    this.later(this.#house.world().engine.commit(draft), done);
  }

  /** Often of a list that is being written to: that is when people think of it. */
  #memberToChange(dice: Dice, state: "on" | "off"): string | null {
    const recent = dice.next() < 0.7 ? (this.#fanOuts.at(-1)?.lists ?? NEWS) : NEWS;
    const able = [...this.#members].filter(([at, is]) => is === state && recent.some((l) => at.startsWith(`${l}/`)));
    return able.length === 0 ? null : pick(dice, able)[0];
  }

  #isExpanded({ id }: FanOut): boolean {
    return id !== null && this.#house.ledger.witness.of(id).some(({ type }) => type === "request.expanded");
  }

  async #suppress(dice: Dice): Promise<string> {
    const { world, ledger, counts } = this.#house;
    const email = pick(dice, dice.next() < 0.7 && this.#written.length > 0 ? this.#written : ADDRESSES);
    const body = { reason: "unsubscribe", detail: "asked to", sinceMs: world().clock.nowMs(), messageId: null };
    const suppression = put(world(), SUPPRESSIONS, suppressionId("email", email), body);
    this.later(world().engine.commit({ puts: [suppression] }), () => ledger.saidNo(email));
    counts.add("people.suppressed");
    await world().quiet(int(dice, TURNS_MAX));
    return `${email} wants nothing more`;
  }

  async #cancel(dice: Dice): Promise<string> {
    const { world, ledger, counts } = this.#house;
    if (this.#delayed.length === 0) return "nothing to cancel";
    const id = pick(dice, this.#delayed);
    this.#cancels.set(id, (this.#cancels.get(id) ?? 0) + 1);
    this.later(world().pipeline.desk.cancel(id), (canceled) => {
      if (canceled.kind === "unknown" || canceled.record.status !== "CANCELED") return;
      counts.add("people.canceled");
      ledger.canceled(id);
      const others = (this.#cancels.get(id) ?? 0) > 1;
      ledger.holds(
        canceled.kind === "canceled" || others,
        `${id} was cancelled, and who asked was told that it was not`,
      );
    });
    await world().quiet(int(dice, TURNS_MAX));
    return `cancel ${id}`;
  }

  async #resend(dice: Dice): Promise<string> {
    const { world, ledger, counts } = this.#house;
    if (this.#known.length === 0) return "nothing to send again";
    const { id, due, label } = pick(dice, this.#known);
    ledger.mayBeSentAs(label);
    this.later(world().pipeline.desk.resend(id, "key"), (resent) => {
      if (resent.kind !== "resent") return;
      counts.add("people.resent");
      // A resend is a request of its own to one person, and its message has the request's id.
      ledger.accepted(resent.messageId as string as RequestId, due);
    });
    await world().quiet(int(dice, TURNS_MAX));
    return `send ${id} again`;
  }

  /** An operator tries again what was given up. */
  async #redrive(dice: Dice): Promise<string> {
    const { world, ledger, counts } = this.#house;
    const dead = await world().store.deadJobs({ queue: "message", after: null, limit: 50 });
    if (dead.length === 0) return "nothing to re-drive";
    const { key } = pick(dice, dead);
    ledger.redriven(key);
    this.later(world().engine.settleDead(key, "revive"), () => counts.add("people.redriven"));
    await world().quiet(int(dice, TURNS_MAX));
    return `re-drive ${key}`;
  }

  /** The same for an event that a consumer could not read. */
  async #redriveEvent(dice: Dice): Promise<string> {
    const { world, readers, counts } = this.#house;
    const key = await readers.redrive(dice);
    if (key === null) return "no event to re-drive";
    this.later(world().engine.settleDead(key, "revive"), () => counts.add("people.redrivenEvent"));
    await world().quiet(int(dice, TURNS_MAX));
    return `re-drive ${key}`;
  }

  /** What was asked is answered some time, or never. A store that cannot is an answer, too. */
  later<T>(asked: Promise<T>, answered: (answer: T) => void): void {
    asked.then(answered, (fault: unknown) => {
      this.#house.ledger.holds(fault instanceof StoreFault, `a call was rejected with ${String(fault)}`);
    });
  }

  #wish(dice: Dice): Wish {
    this.#label += 1;
    return {
      label: `n${this.#label}`,
      unknown: dice.next() < 0.2 ? "hold" : "retry",
      patienceMs: dice.next() < 0.15 ? 10 * MINUTE_MS : PATIENCE_MS,
      delayMs: dice.next() < 0.3 ? 1 + int(dice, HOUR_MS / 2) : 0,
    };
  }
}

function exactly(people: readonly string[]): Due {
  const who = new Set(people);
  return { recipients: "exactly", of: () => who };
}

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
