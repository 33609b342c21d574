import { newEvent, type NewEvent, type RecordedEvent } from "#domain/event.ts";
import { ManualClock } from "#drivers/memory/manual-clock.ts";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { MemoryStore, openMemoryStore } from "#drivers/memory/store.ts";
import { systemSecrets } from "#drivers/system/secrets.ts";
import { Engine } from "#engine/engine.ts";
import { openRegistry } from "#observers/metrics/registry.ts";
import { silentLog } from "#ports/log.ts";
import type { Clock } from "#ports/clock.ts";
import { type Store, StoreFault } from "#ports/store.ts";
import type { Done, RuleWish } from "#rules/desk.ts";
import { type OpenRules, openRules } from "#rules/open-desk.ts";
import type { Rule, Target } from "#rules/rule.ts";
import type { Delivered, TargetCall, TargetKind } from "#rules/target-kind.ts";
import type { Queues } from "#rules/targets/queue.ts";

/** Targets that tell what they got by an event of ours, so that doubles are seen. */
export const AT_ONCE = "arn:tidings:webhook:::at-once";
export const BY_JOB = "arn:tidings:webhook:::by-job";
export const REGION = "eu-north-1";

/** Rules over a store in memory and a clock that a test moves. */
export class RulesWorld {
  readonly clock: Clock;
  readonly registry = openRegistry();
  /** What a target by job answers; null: done. */
  answer: (call: TargetCall) => Delivered | null = () => null;
  /** What queues got, by queue. */
  readonly sent: { readonly queue: string; readonly body: string; readonly error: string | undefined }[] = [];
  /** Called with the number of each commit, before it (false) and after it (true); may call `die`. */
  onCommit: (commit: number, isDone: boolean) => void = () => {};
  commits = 0;
  store: Store;
  engine: Engine;
  rules: OpenRules;

  /** @param store another one than the one in memory, e.g. SQLite; with the clock that it was opened with. */
  constructor(store?: Store, clock: Clock = new ManualClock()) {
    this.clock = clock;
    this.store =
      store ??
      openMemoryStore({
        clock,
        faults: {
          before: () => {
            this.commits += 1;
            this.onCommit(this.commits, false);
          },
          after: () => this.onCommit(this.commits, true),
        },
      });
    [this.engine, this.rules] = this.#open();
  }

  static async start(store?: Store, clock?: Clock): Promise<RulesWorld> {
    const world = new RulesWorld(store, clock);
    await world.#begin();
    return world;
  }

  /** The process dies now; whatever it still waits for is never answered. For use in `onCommit`. */
  die(): void {
    if (!(this.store instanceof MemoryStore)) throw new Error("only a store in memory dies in a test");
    this.store = this.store.crash();
    throw new StoreFault("store.failed", "died");
  }

  /** Another process goes on with what was committed. */
  async restart(): Promise<void> {
    [this.engine, this.rules] = this.#open();
    await this.#begin();
  }

  async append(...events: readonly NewEvent[]): Promise<void> {
    await this.engine.commit({ events });
  }

  async quiet(turns = 200): Promise<void> {
    for (let turn = 0; turn < turns; turn += 1) {
      this.#advance(0);
      await Promise.resolve();
    }
  }

  async pass(ms: number, stepMs = 500): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.#advance(Math.min(stepMs, ms - passed));
      await this.quiet(60);
    }
  }

  /** Every event that is kept. */
  async journal(): Promise<readonly RecordedEvent[]> {
    return (await this.store.readJournal({ after: 0, limit: 1_000_000 })).events;
  }

  /** What targets were told, oldest first: `rule/target:position:id`. */
  async told(): Promise<readonly string[]> {
    return (await this.journal()).flatMap(({ type, subject }) => (type === "probe.told" ? [subject] : []));
  }

  #advance(ms: number): void {
    if (!(this.clock instanceof ManualClock)) throw new Error("only a clock of a test is moved");
    this.clock.advance(ms);
  }

  #open(): [Engine, OpenRules] {
    const { store, clock } = this;
    const engine = new Engine({ store, clock, dice: seededDice(3), log: silentLog, meter: this.registry });
    const secrets = systemSecrets(new Uint8Array(32).fill(7));
    return [engine, openRules({ engine, secrets, queues: this.#queues(), kinds: this.#kinds(), region: REGION })];
  }

  async #begin(): Promise<void> {
    await this.engine.start();
    await this.rules.start();
  }

  #kinds(): readonly TargetKind[] {
    const told = (call: TargetCall) => ({
      events: [newEvent("probe.told", call.key, this.clock.nowMs(), { input: call.input }, null)],
    });
    return [
      {
        takes: (arn) => arn === AT_ONCE,
        check: () => null,
        atOnce: told,
        deliver: () => Promise.reject(new Error("is done at once")),
      },
      {
        takes: (arn) => arn === BY_JOB,
        check: () => null,
        deliver: (call) => Promise.resolve(this.answer(call) ?? { kind: "done", effects: told(call) }),
      },
    ];
  }

  #queues(): Queues {
    return {
      draftMessage: (queue, { body, attributes }) => {
        this.sent.push({ queue, body, error: attributes?.["ERROR_MESSAGE"]?.value });
        return { kind: "draft", effects: {} };
      },
      get: () => Promise.reject(new Error("every queue is known here")),
      send: () => Promise.reject(new Error("every queue is known here")),
    };
  }
}

/** A foreign event. */
export function foreign(id: string, data: object, given: Partial<NewEvent> = {}): NewEvent {
  return {
    type: "OrderPlaced",
    subject: id,
    timeMs: 1_714_979_289_123,
    data: JSON.stringify(data),
    traceparent: null,
    source: "shop.orders",
    id,
    ...given,
  };
}

export function target(id: string, arn: string, given: Partial<Target> = {}): Target {
  return {
    id,
    arn,
    input: { kind: "event" },
    retry: { attemptsMax: 3, ageMaxMs: 60 * 60 * 1_000 },
    deadLetterArn: null,
    messageGroupId: null,
    asPut: { Id: id, Arn: arn },
    asWritten: null,
    ...given,
  };
}

/** A rule for whatever has `kind` among its details. */
export function wish(name: string, kinds: readonly string[], given: Partial<RuleWish> = {}): RuleWish {
  return {
    bus: "default",
    name,
    pattern: JSON.stringify({ detail: { kind: kinds } }),
    schedule: null,
    state: "ENABLED",
    description: null,
    roleArn: null,
    tags: null,
    ...given,
  };
}

export function value<Value>(done: Done<Value>): Value {
  if (done.kind !== "done") throw new Error(JSON.stringify(done));
  return done.value;
}

export type { Rule };
