import { setTimeout as wait } from "node:timers/promises";
import { openPostgresStore } from "#drivers/postgres/open.ts";
import { systemClock } from "#drivers/system/clock.ts";
import { LEASE_MS } from "#engine/limits.ts";
import { makePair, type Pair } from "../clients/aws-home.ts";
import { keysByJournal } from "../support/rules-by-journal.ts";
import { SqsDoor } from "../support/sqs-door.ts";
import type { Program } from "../support/program.ts";
import { until } from "../support/until.ts";
import type { Stage } from "./stage.ts";

/** Producers with one event at a time, about thirty a second while all goes well. */
const PRODUCERS = 4;
const REST_MS = 120;
/** Before a producer repeats what was refused or not answered; with the same id, so it is kept once. */
const AGAIN_MS = 200;
/** What a dead node had given out is visible again after so long. */
const VISIBLE_AGAIN_S = 5;
const POLL_S = 2;

/**
 * Producers of events and receivers of what rules make of them, through all doors. Every rule has a queue of its own.
 */
export class EventLoad {
  readonly #stage: Stage;
  readonly #pair: Pair;
  readonly #stop = new AbortController();
  readonly #receivers: Promise<void>[] = [];
  readonly #producers: Promise<unknown>;
  /** By rule and event: the messages that told of it. */
  readonly #told = new Map<string, Set<string>>();
  #number = 0;
  #isProducing = true;
  accepted = 0;

  private constructor(stage: Stage, pair: Pair) {
    this.#stage = stage;
    this.#pair = pair;
    this.#producers = Promise.all(Array.from({ length: PRODUCERS }, () => this.#produce()));
  }

  static async start(stage: Stage): Promise<EventLoad> {
    return new EventLoad(stage, await makePair(doorOf(stage)));
  }

  /** Makes a rule for every second event, and a queue with its receiver. */
  async rule(name: string, kind: "a" | "b"): Promise<void> {
    const node = doorOf(this.#stage);
    using door = new SqsDoor(node, this.#pair);
    const url = await door.queue(name, { VisibilityTimeout: String(VISIBLE_AGAIN_S) });
    const rule = { pattern: { detail: { kind: [kind] } }, targets: [{ id: "q", queue: name }] };
    const answer = await node.call("PUT", `/rules/default/${name}`, rule);
    this.#stage.expect(answer.ok, `a rule was answered ${answer.status} ${await answer.text()}`);
    this.#receivers.push(this.#receive(name, url));
  }

  /** Ends the producers, waits until all has been received, and compares it with the journal. @returns how many. */
  async audit(): Promise<number> {
    this.#isProducing = false;
    await this.#producers;
    const { postgres } = this.#stage.cluster;
    await using store = await openPostgresStore({ url: postgres.url, clock: systemClock(), connectionsMax: 2 });
    const journal = (await store.readJournal({ after: 0, limit: 1_000_000 })).events;
    const expected = keysByJournal(journal).map((key) => key.replace(/:\d+:/, ":"));
    const missing = (): string[] => expected.filter((key) => !this.#told.has(key));
    await until("all is received", () => missing().length === 0, LEASE_MS).catch(() => {});
    // What comes too often comes with the rest, or when the dead one's time is over.
    await wait((VISIBLE_AGAIN_S + POLL_S) * 1_000);
    this.#stop.abort();
    await Promise.all(this.#receivers);
    const events = journal.filter(({ source }) => source === SOURCE).length;
    this.#stage.expect(events === this.accepted, `of ${this.accepted} accepted events the journal has ${events}`);
    this.#stage.expect(missing().length === 0, `lost: ${missing().slice(0, 5).join(" ")} of ${missing().length}`);
    const right = new Set(expected);
    for (const [key, messages] of this.#told) {
      this.#stage.expect(messages.size === 1, `${key} was put into its queue ${messages.size} times`);
      this.#stage.expect(right.has(key), `${key} was matched by a rule that was not there`);
    }
    return expected.length;
  }

  async #produce(): Promise<void> {
    while (this.#isProducing) {
      const id = `e${(this.#number += 1)}`;
      const kind = this.#number % 2 === 0 ? "a" : "b";
      const event = { specversion: "1.0", id, source: SOURCE, type: "OrderPlaced", data: { kind } };
      while (!(await this.#accepts(JSON.stringify(event)))) await wait(AGAIN_MS);
      this.accepted += 1;
      await wait(REST_MS);
    }
  }

  async #accepts(event: string): Promise<boolean> {
    try {
      const headers = { "content-type": "application/cloudevents+json" };
      const { status } = await doorOf(this.#stage).call("POST", "/events", event, headers);
      this.#stage.expect(status === 202 || status === 503, `an event was answered ${status}`);
      return status === 202;
    } catch {
      return false; // The connection broke: the node is gone.
    }
  }

  async #receive(rule: string, url: string): Promise<void> {
    while (!this.#stop.signal.aborted) {
      using door = new SqsDoor(doorOf(this.#stage), this.#pair);
      try {
        const messages = await door.receive(url, { MaxNumberOfMessages: 10, WaitTimeSeconds: POLL_S });
        for (const { MessageId = "", Body = "" } of messages) {
          const { id } = JSON.parse(Body) as { id: string };
          const key = `default/${rule}/q:${id}`;
          this.#told.set(key, (this.#told.get(key) ?? new Set()).add(MessageId));
        }
        await Promise.all(messages.map((message) => door.delete(url, message)));
      } catch {
        await wait(AGAIN_MS); // Its node is gone; what was not deleted comes again.
      }
    }
  }
}

/** As `keysByJournal` expects it. */
const SOURCE = "shop.orders";

/** Any of the nodes. */
function doorOf({ cluster, dice }: Stage): Program {
  const { doors } = cluster;
  const door = doors[Math.floor(dice.next() * doors.length)];
  if (door === undefined) throw new Error("no node serves doors");
  return door;
}
