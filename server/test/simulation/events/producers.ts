import { arnText, SEND_ARN } from "#domain/arn.ts";
import type { Dice } from "#ports/dice.ts";
import { ARCHIVED, type ArchivedEvent, archivePrefix } from "#rules/collections.ts";
import type { ForeignEvent } from "#rules/event-desk.ts";
import type { Target } from "#rules/rule.ts";
import { int, pick } from "../chance.ts";
import { awhile, later, type Stage, type Steps } from "./actors.ts";
import { REGION } from "./house.ts";
import { LABEL_PATHS, labelTemplate } from "./label.ts";
import { DEAD, FIFO, WORK } from "./receivers.ts";

const BUSES = ["default", "orders"];
const KINDS = ["a", "b", "c"];
const SOURCES = ["shop.orders", "shop.stock", "bank"];
const RULES = ["one", "two", "three", "four"];
const ARCHIVES = ["all", "some"];
const BATCH_MAX = 5;
/** Events that were sent lately, which somebody may send once more. */
const KNOWN_MAX = 20;
/** Of one that nobody takes, until it is a dead letter. */
const TRIES_OF_NOBODY = 2;
const HOUR_MS = 60 * 60 * 1_000;

export const ENDPOINT = "outside";

/** Who raises events, and who says what is to become of them. */
export class Producers {
  readonly #stage: Stage;
  readonly #known: ForeignEvent[] = [];
  readonly #replays: string[] = [];
  #event = 0;
  #replay = 0;
  accepted = 0;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  readonly steps: Steps = [
    [22, (dice) => this.#raise(dice)],
    [3, (dice) => this.#raiseAgain(dice)],
    [9, (dice) => this.#putRule(dice)],
    [2, (dice) => this.#setState(dice)],
    [2, (dice) => this.#removeRule(dice)],
    [3, (dice) => this.#archive(dice)],
    [3, (dice) => this.#startReplay(dice)],
    [2, (dice) => this.#cancelReplay(dice)],
  ];

  /** The other bus, an endpoint, and two rules to begin with. */
  async populate(): Promise<void> {
    const { house, world, promises } = this.#stage;
    const { rules, webhooks } = house();
    const done = async (asked: Promise<{ readonly kind: string }>): Promise<void> => {
      const { kind } = await world().settle(asked);
      promises.holds(kind === "done", `what the simulation begins with is ${kind}`);
    };
    await done(rules.buses.create({ name: "orders", description: null, tags: {} }));
    await done(
      webhooks.endpoints.create(ENDPOINT, {
        url: "https://example.com/hook",
        description: null,
        format: "standard",
        allowPrivate: false,
        headers: {},
        timeoutMs: 10_000,
        subscription: null,
      }),
    );
    await done(
      rules.archives.create({ name: "all", bus: "default", description: null, pattern: null, retentionDays: 0 }),
    );
    for (const [at, bus] of BUSES.entries())
      await done(
        rules.rules.putWhole(
          this.#wish(bus, "one", { kinds: ["a", "b"], more: {} }, [targets(bus, "one")[at] ?? never()]),
        ),
      );
  }

  async #raise(dice: Dice): Promise<string> {
    const events = [...Array(1 + int(dice, BATCH_MAX)).keys()].map(() => this.#newEvent(dice));
    const isTogether = dice.next() < 0.3;
    this.#send(events, isTogether);
    await awhile(this.#stage, dice);
    return `${events.length} events ${isTogether ? "together" : "each"}: ${events[0]?.id} …`;
  }

  async #raiseAgain(dice: Dice): Promise<string> {
    if (this.#known.length === 0) return "nothing to raise again";
    const event = pick(dice, this.#known);
    this.#stage.counts.add("events.repeated");
    this.#send([event], false);
    await awhile(this.#stage, dice);
    return `${event.id} again`;
  }

  #newEvent(dice: Dice): ForeignEvent {
    const n = (this.#event += 1);
    const bus = pick(dice, BUSES);
    const isRefused = dice.next() < 0.03;
    const event: ForeignEvent = {
      id: `e${n}`,
      // Nobody may speak for the server.
      source: isRefused ? "tidings" : pick(dice, SOURCES),
      type: "OrderPlaced",
      timeMs: this.#stage.world().clock.nowMs(),
      data: JSON.stringify({ kind: pick(dice, KINDS), n: int(dice, 10) }),
      subject: dice.next() < 0.5 ? `order ${int(dice, 5)}` : null,
      traceparent: null,
      attributes: bus === "default" ? {} : { bus },
    };
    this.#known.push(event);
    if (this.#known.length > KNOWN_MAX) this.#known.shift();
    return event;
  }

  #send(events: readonly ForeignEvent[], isTogether: boolean): void {
    const stage = this.#stage;
    const origin = { traceparent: null };
    const desk = stage.house().events;
    if (isTogether) {
      stage.counts.add("events.together");
      later(stage, desk.acceptTogether(events, origin), async (answer) => {
        await stage.look();
        if (answer.kind === "refused") for (const event of events) this.#isRefused(event, isTogether);
        if (answer.kind === "done") for (const { id } of answer.verdicts) this.#isKept(id);
      });
      return;
    }
    later(stage, desk.accept(events, origin), async (verdicts) => {
      await stage.look();
      for (const [at, verdict] of verdicts.entries()) {
        const event = events[at];
        if (verdict.kind === "kept") this.#isKept(verdict.id);
        if (verdict.kind === "refused" && event !== undefined) this.#isRefused(event, isTogether);
      }
    });
  }

  #isKept(id: string): void {
    this.accepted += 1;
    this.#stage.counts.add("events.kept");
    this.#stage.rules.accepted(id);
  }

  /** A batch is refused for one of it; another call may have brought the others. */
  #isRefused({ id, source }: ForeignEvent, isTogether: boolean): void {
    this.#stage.counts.add("events.refused");
    if (id !== null && (source === "tidings" || !isTogether)) this.#stage.rules.refused(id);
  }

  async #putRule(dice: Dice): Promise<string> {
    const stage = this.#stage;
    const bus = dice.next() < 0.06 ? "tidings" : pick(dice, BUSES);
    const name = pick(dice, RULES);
    const kinds = KINDS.filter(() => dice.next() < 0.6);
    const [roll, above] = [dice.next(), int(dice, 8)];
    const more = roll < 0.2 ? { n: above } : roll < 0.4 ? { source: "shop." } : {};
    const all = targets(bus, name);
    const some = all.filter(() => dice.next() < 0.35);
    if (bus === "tidings") stage.counts.add("rules.ownBus");
    if (some.some(({ arn }) => arn.includes("event-bus"))) stage.counts.add("rules.toBus");
    const wish = this.#wish(bus, name, { kinds, more }, some.length === 0 ? all.slice(0, 1) : some);
    later(stage, stage.house().rules.rules.putWhole(wish), ({ kind }) => {
      stage.promises.holds(kind !== "fault", () => `a rule was refused: ${JSON.stringify(wish)}`);
      stage.counts.add("rules.changed");
    });
    await awhile(stage, dice);
    return `rule ${bus}/${name} for ${wish.pattern} to ${wish.targets.map(({ id }) => id).join(" ")}`;
  }

  #wish(
    bus: string,
    name: string,
    {
      kinds,
      more,
    }: { readonly kinds: readonly string[]; readonly more: { readonly n?: number; readonly source?: string } },
    told: readonly Target[],
  ) {
    const detail = {
      kind: kinds.length === 0 ? [KINDS[0]] : kinds,
      ...(more.n === undefined ? {} : { n: [{ numeric: [">", more.n] }] }),
    };
    const pattern =
      bus === "tidings"
        ? { "detail-type": ["queue.message.dead_lettered", "replay.ended"] }
        : { ...(more.source === undefined ? {} : { source: [{ prefix: more.source }] }), detail };
    return {
      bus,
      name,
      pattern: JSON.stringify(pattern),
      schedule: null,
      state: "ENABLED" as const,
      description: null,
      roleArn: null,
      tags: null,
      targets: told,
    };
  }

  async #setState(dice: Dice): Promise<string> {
    const stage = this.#stage;
    const at = { bus: pick(dice, BUSES), name: pick(dice, RULES) };
    const state = dice.next() < 0.6 ? "DISABLED" : "ENABLED";
    later(stage, stage.house().rules.rules.setState(at, state), ({ kind }) => {
      if (kind === "done" && state === "DISABLED") stage.counts.add("rules.disabled");
    });
    await awhile(stage, dice);
    return `rule ${at.bus}/${at.name} is ${state}`;
  }

  async #removeRule(dice: Dice): Promise<string> {
    const stage = this.#stage;
    const at = { bus: pick(dice, BUSES), name: pick(dice, RULES) };
    later(stage, stage.house().rules.rules.remove(at, true), (done) => {
      if (done.kind === "done" && done.value !== null) stage.counts.add("rules.removed");
    });
    await awhile(stage, dice);
    return `rule ${at.bus}/${at.name} is removed`;
  }

  async #archive(dice: Dice): Promise<string> {
    const stage = this.#stage;
    const { archives } = stage.house().rules;
    const name = pick(dice, ARCHIVES);
    const pattern = dice.next() < 0.5 ? null : JSON.stringify({ detail: { kind: [pick(dice, KINDS)] } });
    const roll = dice.next();
    const isGone = roll < 0.4 && name === "some";
    const done = isGone
      ? archives.remove(name)
      : roll < 0.6
        ? archives.update(name, { pattern })
        : archives.create({ name, bus: "default", description: null, pattern, retentionDays: 0 });
    later<{ readonly kind: string }>(stage, done, ({ kind }) => {
      if (kind === "done") stage.counts.add(isGone ? "archives.removed" : "archives.changed");
    });
    await awhile(stage, dice);
    return `archive ${name} ${isGone ? "is removed" : `for ${pattern}`}`;
  }

  async #startReplay(dice: Dice): Promise<string> {
    const stage = this.#stage;
    await stage.look();
    const archive = stage.rules.archive(pick(dice, ARCHIVES));
    if (archive === null) return "no archive to replay";
    const name = `replay${(this.#replay += 1)}`;
    this.#replays.push(name);
    const nowMs = stage.world().clock.nowMs();
    const found = await stage.world().store.listDocuments({
      collection: ARCHIVED,
      prefix: archivePrefix(archive),
      limit: Number.MAX_SAFE_INTEGER,
    });
    // Only the matcher writes there.
    const there = found.map(({ body }) => (JSON.parse(body) as ArchivedEvent).id);
    stage.rules.replays(name, archive, new Set(there));
    const wish = {
      name,
      archive: archive.name,
      bus: "default",
      description: null,
      rules: dice.next() < 0.3 ? [pick(dice, RULES)] : null,
      fromMs: 0,
      untilMs: nowMs + 100 * HOUR_MS,
    };
    later(stage, stage.house().rules.replays.start(wish), ({ kind }) => {
      if (kind === "done") stage.counts.add("replays.started");
    });
    await awhile(stage, dice);
    return `${name} of ${archive.name}, ${there.length} events`;
  }

  async #cancelReplay(dice: Dice): Promise<string> {
    const stage = this.#stage;
    if (this.#replays.length === 0) return "no replay to cancel";
    // The others have mostly ended.
    const name = this.#replays.at(-1) ?? "";
    later(stage, stage.house().rules.replays.cancel(name), ({ kind }) => {
      if (kind === "done") stage.counts.add("replays.cancelled");
    });
    await awhile(stage, dice);
    return `${name} is cancelled`;
  }

  /** At rest every replay has ended, and what it says of itself is so. */
  async audit(): Promise<void> {
    const { house, world, rules, promises } = this.#stage;
    for (const name of this.#replays) {
      const done = await world().settle(house().rules.replays.describe(name));
      if (done.kind !== "done") continue;
      const { state } = done.value;
      promises.holds(state === "COMPLETED" || state === "CANCELLED", `${name} is ${state} at rest`);
      if (state === "COMPLETED") rules.replayIsComplete(name);
    }
  }
}

/** Every kind of target, each telling whose word it is. */
function targets(bus: string, rule: string): readonly Target[] {
  const base = { retry: { attemptsMax: 185, ageMaxMs: 24 * HOUR_MS }, deadLetterArn: null, messageGroupId: null };
  const told = (id: string, template: (label: string) => string): Pick<Target, "id" | "input"> => ({
    id,
    input: { kind: "transformer", paths: LABEL_PATHS, template: template(labelTemplate(`${bus}/${rule}`, id)) },
  });
  const text = (label: string): string => `"${label}"`;
  const send = (label: string): string =>
    JSON.stringify({ message: { to: { email: "ada@example.com" }, content: { title: label, body: "Hello" } } });
  const queue = (name: string): string => arnText({ kind: "queue", name }, REGION);
  const written = { asPut: {}, asWritten: null };
  return [
    { ...base, ...written, ...told("queue", text), arn: queue(WORK) },
    { ...base, ...written, ...told("send", send), arn: SEND_ARN },
    { ...base, ...written, ...told("fifo", text), arn: queue(FIFO), messageGroupId: rule },
    { ...base, ...written, ...told("webhook", text), arn: arnText({ kind: "webhook", id: ENDPOINT }, REGION) },
    {
      ...base,
      ...written,
      ...told("nobody", text),
      arn: queue("nobody-made-it"),
      retry: { attemptsMax: TRIES_OF_NOBODY, ageMaxMs: HOUR_MS },
      deadLetterArn: rule === "two" ? null : queue(DEAD),
    },
    {
      ...base,
      ...written,
      id: "bus",
      input: { kind: "event" },
      arn: arnText({ kind: "bus", name: bus === "orders" ? "default" : "orders" }, REGION),
    },
  ];
}

function never(): never {
  throw new Error("there is a target for each bus");
}
