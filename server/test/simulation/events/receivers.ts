import type { Dice } from "#ports/dice.ts";
import type { NewQueueMessage, ReceivedMessage, SentMessage } from "#queues/message.ts";
import type { QueueFault } from "#queues/fault.ts";
import type { QueueAttributesAsk } from "#queues/queue.ts";
import { int, pick } from "../chance.ts";
import { awhile, later, type Stage, type Steps } from "./actors.ts";
import type { Kept } from "./queue-ledger.ts";

export const WORK = "work";
export const DEAD = "dead";
export const FIFO = "line.fifo";
const DEAD_FIFO = "dead.fifo";
const SHORT = "short";
const GROUPS_FIFO = "groups.fifo";
const MINUTE_MS = 60_000;
/** After so many receives a message is a dead letter. */
const RECEIVE_MAX = 2;

const QUEUES: readonly { readonly name: string; readonly attributes: QueueAttributesAsk }[] = [
  { name: DEAD, attributes: { visibilityMs: 5_000 } },
  { name: DEAD_FIFO, attributes: { visibilityMs: 5_000 } },
  { name: WORK, attributes: { visibilityMs: 20_000, redrive: { deadLetterQueue: DEAD, receiveMax: RECEIVE_MAX } } },
  {
    name: FIFO,
    attributes: { visibilityMs: 20_000, redrive: { deadLetterQueue: DEAD_FIFO, receiveMax: RECEIVE_MAX } },
  },
  { name: SHORT, attributes: { retentionMs: 3 * MINUTE_MS, delayMs: 1_000 } },
  {
    name: GROUPS_FIFO,
    attributes: { visibilityMs: 10_000, delayMs: 2_000, fifo: { dedupScope: "group", throughput: "group" } },
  },
];
const NAMES = QUEUES.map(({ name }) => name);
const GROUPS = ["g1", "g2", "g3"];
const SENDS_MAX = 5;
const VISIBILITIES_MS = [null, 0, 1_000, 15_000, 60_000];
const WAITS_MS = [0, 0, 5_000, 20_000];

type InHand = { readonly queue: string; readonly message: ReceivedMessage; readonly kept: Kept };

/** Who sends to queues and receives from them, as clients of SQS do, forgetful ones among them. */
export class Receivers {
  readonly #stage: Stage;
  readonly #inHand: InHand[] = [];
  /** Ids of moves that were begun. */
  readonly #moves: string[] = [];
  #message = 0;
  /** Bodies of messages of which nothing may be kept. */
  readonly #refused = new Set<string>();
  sent = 0;
  received = 0;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  readonly steps: Steps = [
    [9, (dice) => this.#send(dice)],
    [14, (dice) => this.#receive(dice)],
    [12, (dice) => this.#delete(dice)],
    [4, (dice) => this.#changeVisibility(dice)],
    [2, (dice) => this.#purge(dice)],
    [2, (dice) => this.#move(dice)],
    [1, (dice) => this.#cancelMove(dice)],
  ];

  async populate(): Promise<void> {
    const { house, world, promises } = this.#stage;
    for (const { name, attributes } of QUEUES) {
      const ask = { name, fifo: name.endsWith(".fifo"), attributes, tags: {} };
      const { kind } = await world().settle(house().queues.create(ask));
      promises.holds(kind === "done", `the queue ${name} is ${kind}`);
    }
  }

  /** Something was born, which nobody may have been told not to be. */
  born({ body, key }: Kept): void {
    this.#stage.promises.holds(!this.#refused.has(body), () => `${key} was refused and is sent`);
  }

  async #send(dice: Dice): Promise<string> {
    const stage = this.#stage;
    const name = pick(dice, NAMES);
    const isFifo = name.endsWith(".fifo");
    const messages = [...Array(1 + int(dice, SENDS_MAX)).keys()].map((): NewQueueMessage => {
      const n = (this.#message += 1);
      const group = isFifo ? { groupId: pick(dice, GROUPS) } : {};
      const isRepeated = dice.next() < 0.2;
      const dedup = isFifo ? { dedupId: isRepeated ? `d${int(dice, 4)}` : `m${n}` } : {};
      const delay = !isFifo && dice.next() < 0.2 ? { delayMs: int(dice, 60) * 1_000 } : {};
      // A group is what no FIFO queue does without, and a dedup id what no other one takes.
      const wrong = dice.next() < 0.03 ? (isFifo ? { groupId: "" } : { dedupId: "x" }) : {};
      return { body: `m${n}`, sender: "simulation", ...group, ...dedup, ...delay, ...wrong };
    });
    const closed = stage.queues.closed();
    const desk = stage.house().queues;
    if (messages.length === 1) {
      const [message] = messages;
      if (message !== undefined)
        later(stage, desk.send(name, message), (answer) => this.#sent(name, message, closed, answer));
    } else {
      later(stage, desk.sendBatch(name, messages), (answer) => {
        if (answer.kind === "fault") for (const { body } of messages) this.#refused.add(body);
        else
          for (const [at, one] of answer.sent.entries()) {
            const message = messages[at];
            if (message !== undefined) this.#sent(name, message, closed, one);
          }
      });
    }
    await awhile(stage, dice);
    return `${messages.length} messages to ${name}: ${messages[0]?.body} …`;
  }

  /** @param closed generations that were purged when the call began. */
  #sent(name: string, { body }: NewQueueMessage, closed: ReadonlySet<string>, answer: SentMessage | QueueFault): void {
    const { queues, promises, counts } = this.#stage;
    if (answer.kind === "fault") {
      this.#refused.add(body);
      counts.add("queues.refused");
      return;
    }
    const [first] = queues.ofId(answer.id);
    promises.holds(first !== undefined, () => `${body} was sent to ${name} as ${answer.id}, and is not there`);
    if (first === undefined) return;
    promises.holds(answer.isRepeated || first.body === body, () => `${body} was sent as ${first.key}: ${first.body}`);
    if (answer.isRepeated) counts.add("queues.deduplicated");
    else this.sent += 1;
    promises.holds(
      answer.isRepeated || !closed.has(first.generation),
      () => `${body} was sent into ${first.generation} of ${name}, purged before it was sent`,
    );
  }

  async #receive(dice: Dice): Promise<string> {
    const stage = this.#stage;
    const name = pick(dice, NAMES);
    const gone = new AbortController();
    const ask = {
      max: 1 + int(dice, 10),
      visibilityMs: pick(dice, VISIBILITIES_MS),
      waitMs: pick(dice, WAITS_MS),
      signal: gone.signal,
    };
    const hangsUpInMs = dice.next() < 0.1 ? int(dice, 5_000) : null;
    if (hangsUpInMs !== null) {
      stage.counts.add("queues.hungUp");
      stage.world().clock.after(hangsUpInMs, () => gone.abort());
    }
    if (ask.waitMs > 0) stage.counts.add("queues.longPoll");
    later(stage, stage.house().queues.receive(name, ask), (answer) => {
      stage.promises.holds(answer.kind === "done", () => `a receive was refused: ${JSON.stringify(answer)}`);
      if (answer.kind === "done") for (const message of answer.messages) this.#has(name, message);
    });
    await awhile(stage, dice);
    return `receive ${ask.max} of ${name}, hidden for ${ask.visibilityMs} ms, waiting ${ask.waitMs} ms`;
  }

  #has(queue: string, message: ReceivedMessage): void {
    const { queues, counts } = this.#stage;
    this.received += 1;
    counts.add("queues.received");
    if (message.receiveCount > 1) counts.add("queues.receivedAgain");
    if (message.deadLetterSource !== null) counts.add("queues.deadReceived");
    const kept = queues.received(queue, message);
    if (kept !== null) this.#inHand.push({ queue, message, kept });
  }

  /** Some of what is in hand, of one queue, the oldest first; it is not in hand any more. */
  #take(dice: Dice, most: number): readonly InHand[] {
    if (this.#inHand.length === 0) return [];
    const { queue } = pick(dice, this.#inHand);
    const some = this.#inHand.filter((one) => one.queue === queue).slice(0, 1 + int(dice, most));
    for (const one of some) this.#inHand.splice(this.#inHand.indexOf(one), 1);
    return some;
  }

  async #delete(dice: Dice): Promise<string> {
    const stage = this.#stage;
    const some = this.#take(dice, 10);
    const [first] = some;
    if (first === undefined) return "nothing to delete";
    const desk = stage.house().queues;
    for (const { kept } of some) stage.queues.asks(kept.queue, kept.id);
    const receipts = some.map(({ message }) => message.receipt);
    later(stage, desk.deleteBatch(first.queue, receipts), async (answer) => {
      if (answer.kind !== "done") return;
      const states = await stage.world().store.jobs(some.map(({ kept }) => kept.key));
      for (const [at, { message, kept }] of some.entries()) {
        const result = answer.results[at];
        const state = states[at] ?? null;
        if (result?.kind !== "done") {
          stage.counts.add("queues.deleteRefused");
          continue;
        }
        stage.counts.add("queues.deleted");
        const receives = message.receiveCount - kept.receivedBefore;
        stage.promises.holds(
          // What lay in a queue that was purged since is gone, whether or not it is swept away already. A dead letter that was
          // moved back has begun anew: its old receipts are of a life that is over.
          state === null ||
            state.attempt > receives ||
            kept.fate === "moved" ||
            kept.generation !== stage.queues.generationOf(kept.queue),
          () => `${kept.key} was deleted with an answer after ${receives} receives, and is there still`,
        );
      }
    });
    await awhile(stage, dice);
    return `delete ${some.map(({ kept }) => kept.body).join(" ")} of ${first.queue}`;
  }

  async #changeVisibility(dice: Dice): Promise<string> {
    const stage = this.#stage;
    const some = this.#take(dice, 3);
    const [first] = some;
    if (first === undefined) return "nothing to hold";
    const visibilityMs = pick(dice, [0, 0, 5_000, 45_000]);
    const changes = some.map(({ message }) => ({ receipt: message.receipt, visibilityMs }));
    this.#inHand.push(...some);
    later(stage, stage.house().queues.changeVisibilityBatch(first.queue, changes), (answer) => {
      if (answer.kind === "done") stage.counts.add("queues.visibility", answer.results.length);
    });
    await awhile(stage, dice);
    return `hold ${some.map(({ kept }) => kept.body).join(" ")} of ${first.queue} for ${visibilityMs} ms`;
  }

  async #purge(dice: Dice): Promise<string> {
    const stage = this.#stage;
    const name = pick(dice, NAMES);
    const before = stage.queues.generationOf(name);
    const purged = stage.house().queues.purge(name);
    const heard = (): void => stage.queues.heardOfPurge(name);
    purged.then(heard, heard);
    later(stage, purged, ({ kind }) => {
      if (kind !== "done") return;
      stage.counts.add("queues.purged");
      const after = stage.queues.generationOf(name);
      stage.promises.holds(before !== after, `${name} was purged, and is still ${after}`);
    });
    await awhile(stage, dice);
    return `purge ${name}`;
  }

  async #move(dice: Dice): Promise<string> {
    const stage = this.#stage;
    const source = dice.next() < 0.5 ? DEAD : DEAD_FIFO;
    const isSlow = dice.next() < 0.5;
    // What a rule could not deliver has no queue that it came from.
    const destination = source === DEAD ? WORK : dice.next() < 0.5 ? FIFO : null;
    const ask = { source, destination, messagesPerSecondMax: isSlow ? 2 : null };
    later(stage, stage.house().queues.startMove(ask), (answer) => {
      if (answer.kind !== "done") return;
      this.#moves.push(answer.move.id);
      stage.counts.add("queues.moveBegun");
    });
    await awhile(stage, dice);
    return `move what lies in ${source} to ${destination}`;
  }

  async #cancelMove(dice: Dice): Promise<string> {
    const stage = this.#stage;
    if (this.#moves.length === 0) return "no move to cancel";
    const id = pick(dice, this.#moves);
    later(stage, stage.house().queues.cancelMove(id), () => {});
    await awhile(stage, dice);
    return `cancel the move ${id}`;
  }

  /** Calm: everything is received and deleted, until nothing is left. */
  async drain(): Promise<void> {
    const stage = this.#stage;
    const { world, house, queues, promises } = stage;
    const { signal } = new AbortController();
    for (const name of NAMES)
      for (let rounds = 0; ; rounds += 1) {
        const ask = { max: 10, visibilityMs: 20_000, waitMs: 0, signal };
        const answer = await world().settle(house().queues.receive(name, ask));
        promises.holds(answer.kind === "done", () => `at rest a receive is refused: ${JSON.stringify(answer)}`);
        if (answer.kind !== "done" || answer.messages.length === 0) break;
        promises.holds(rounds < 1_000, `${name} is never empty`);
        if (rounds >= 1_000) break;
        for (const message of answer.messages) {
          queues.received(name, message);
          if (message.deadLetterSource !== null) stage.counts.add("queues.deadReceived");
          queues.asks(name, message.id);
        }
        const receipts = answer.messages.map(({ receipt }) => receipt);
        const deleted = await world().settle(house().queues.deleteBatch(name, receipts));
        promises.holds(deleted.kind === "done", `at rest a delete is refused`);
      }
  }

  /** At rest, when what was in flight is back. */
  async counts(): Promise<void> {
    const { world, house, promises } = this.#stage;
    for (const name of NAMES) {
      const answer = await world().settle(house().queues.counts(name));
      if (answer.kind !== "done") continue;
      const { visible, inFlight, delayed } = answer.counts;
      promises.holds(
        visible + inFlight + delayed === 0,
        `${name} is drained, and counts ${visible + inFlight + delayed}`,
      );
    }
  }
}
