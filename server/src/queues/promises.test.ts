import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import * as fc from "fast-check";
import { ManualClock } from "#drivers/memory/manual-clock.ts";
import { openMemoryStore } from "#drivers/memory/store.ts";
import { openPostgresStore } from "#drivers/postgres/open.ts";
import { openSqliteStore } from "#drivers/sqlite/open.ts";
import type { ReceivedMessage } from "#queues/message.ts";
import { done, inMemory, QueueBench, type StorePlace } from "../../test/given-queues.ts";
import { Answers } from "../../test/support/answers.ts";
import { type TestDatabase, testDatabase } from "../../test/support/test-database.ts";

/** What somebody does to a queue, or what happens to the process. */
type Act =
  | { readonly do: "send"; readonly group: number; readonly delayMs: number }
  | { readonly do: "receive"; readonly max: number; readonly visibilityMs: number }
  | { readonly do: "delete" | "show" | "hide"; readonly which: number }
  | { readonly do: "hang-up" }
  | { readonly do: "crash" }
  | { readonly do: "wait"; readonly ms: number };

const ACT: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("send" as const), group: fc.nat(2), delayMs: fc.constantFrom(0, 0, 700) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("receive" as const),
      max: fc.integer({ min: 1, max: 10 }),
      visibilityMs: fc.constantFrom(0, 500, 2_000),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom("delete" as const, "show" as const, "hide" as const),
      which: fc.nat(5),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("hang-up" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("crash" as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 1_500 }) }) },
);

const RECEIVE_MAX = 4;

/** What must be so, told by what was answered and by nothing else. */
class Witness {
  readonly bench: QueueBench;
  readonly queue: string;
  readonly isFifo: boolean;
  /** Bodies in the order of their acceptance, by group; those that are surely gone are taken out. */
  readonly groups = new Map<string, string[]>();
  readonly living = new Set<string>();
  /** Deleted by a receipt whose time was over: gone, unless another had it then. */
  readonly doubtful = new Set<string>();
  readonly receives = new Map<string, number>();
  /** Receipts that may still hold their message, and until when. */
  held: { readonly message: ReceivedMessage; untilMs: number }[] = [];
  #sent = 0;

  constructor(bench: QueueBench, queue: string) {
    this.bench = bench;
    this.queue = queue;
    this.isFifo = queue.endsWith(".fifo");
  }

  async act(act: Act): Promise<void> {
    switch (act.do) {
      case "send":
        return await this.#send(act.group, act.delayMs);
      case "receive":
        return await this.#receive(act.max, act.visibilityMs);
      case "delete":
        return await this.#delete(act.which);
      case "show":
        return await this.#hide(act.which, 0);
      case "hide":
        return await this.#hide(act.which, 3_000);
      case "hang-up":
        return await this.#hangUp();
      case "crash":
        return await this.bench.crash();
      case "wait":
        return await this.bench.pass(act.ms);
    }
  }

  /** Everything that was sent and not deleted is received in the end, or is a dead letter, and then nothing is left. */
  async settle(): Promise<void> {
    await this.bench.pass(10_000);
    for (let round = 0; this.living.size > 0 || (await this.#isLeft()); round += 1) {
      assert(round < 300, `never received: ${[...this.living].join(" ")}`);
      for (const dead of await this.bench.receive(`dead${this.isFifo ? ".fifo" : ""}`, { visibilityMs: 60_000 })) {
        assert(dead.receiveCount > RECEIVE_MAX);
        this.#gone(dead.body);
        await this.bench.delete(`dead${this.isFifo ? ".fifo" : ""}`, dead);
      }
      for (const message of await this.bench.receive(this.queue, { visibilityMs: 1_000 })) {
        this.#see(message);
        await this.bench.delete(this.queue, message);
        this.#gone(message.body);
      }
      await this.bench.pass(1_000);
    }
    assert.deepEqual(await this.bench.counts(this.queue), [0, 0, 0]);
  }

  async #isLeft(): Promise<boolean> {
    return (await this.bench.counts(this.queue)).some((messages) => messages > 0);
  }

  async #send(group: number, delayMs: number): Promise<void> {
    const body = `m${(this.#sent += 1)}`;
    const fifo = { groupId: `g${group}`, dedupId: body };
    await this.bench.send(this.queue, body, this.isFifo ? fifo : { delayMs });
    this.living.add(body);
    const order = this.groups.get(fifo.groupId);
    if (order === undefined) this.groups.set(fifo.groupId, [body]);
    else order.push(body);
  }

  async #receive(max: number, visibilityMs: number): Promise<void> {
    const nowMs = this.bench.clock.nowMs();
    const got = await this.bench.receive(this.queue, { max, visibilityMs });
    assert(got.length <= max);
    const locked = new Set(this.held.filter(({ untilMs }) => untilMs > nowMs).map(({ message }) => message.groupId));
    for (const message of got) {
      this.#see(message);
      const holder = this.held.find((one) => one.message.id === message.id && one.untilMs > nowMs);
      assert.equal(holder, undefined, `${message.body} is in two hands`);
      if (this.isFifo) assert(!locked.has(message.groupId), `${message.body} overtakes one of its group in flight`);
      this.held = this.held.filter((one) => one.message.id !== message.id);
      this.held.push({ message, untilMs: nowMs + visibilityMs });
    }
    if (this.isFifo) this.#checkOrder(got);
  }

  /** Of each group those that live, from the first on, without a gap. */
  #checkOrder(got: readonly ReceivedMessage[]): void {
    const byGroup = Map.groupBy(got, ({ groupId }) => groupId ?? "");
    for (const [group, messages] of byGroup) {
      const bodies = messages.map(({ body }) => body);
      const order = (this.groups.get(group) ?? []).filter((body) => this.living.has(body));
      // Those in front that are not among them became dead letters in this receive.
      const from = order.indexOf(bodies[0] ?? "");
      for (const body of order.slice(0, from))
        assert((this.receives.get(body) ?? 0) >= RECEIVE_MAX, `${body} was passed over`);
      const rest = order
        .slice(from)
        .filter((body) => bodies.includes(body) || (this.receives.get(body) ?? 0) < RECEIVE_MAX);
      assert.deepEqual(bodies, rest.slice(0, bodies.length));
    }
  }

  #see(message: ReceivedMessage): void {
    const { body, receiveCount } = message;
    assert(this.living.has(body) || this.doubtful.has(body), `${body} was deleted, or never sent`);
    const before = this.receives.get(body) ?? 0;
    assert.equal(receiveCount, before + 1, `${body} counts its receives`);
    assert(receiveCount <= RECEIVE_MAX);
    this.receives.set(body, receiveCount);
  }

  async #delete(which: number): Promise<void> {
    const one = this.held[which];
    if (one === undefined) return;
    const deleted = await this.bench.wait(this.bench.desk.delete(this.queue, one.message.receipt));
    const isLate = one.untilMs <= this.bench.clock.nowMs();
    if (deleted.kind === "fault") assert(this.isFifo && isLate, JSON.stringify(deleted));
    else {
      this.#gone(one.message.body);
      if (isLate) this.doubtful.add(one.message.body);
    }
    this.held = this.held.filter((other) => other !== one);
  }

  async #hide(which: number, visibilityMs: number): Promise<void> {
    const one = this.held[which];
    if (one === undefined) return;
    const changed = await this.bench.wait(
      this.bench.desk.changeVisibility(this.queue, one.message.receipt, visibilityMs),
    );
    const nowMs = this.bench.clock.nowMs();
    if (one.untilMs > nowMs) one.untilMs = done(changed) && nowMs + visibilityMs;
    // It may be visible already; that it is not hidden by us any more is all that we know.
    else this.held = this.held.filter((other) => other !== one);
  }

  async #hangUp(): Promise<void> {
    const caller = new AbortController();
    const poll = this.bench.poll(this.queue, { waitMs: 0, signal: caller.signal });
    for (let turn = 0; turn < 6; turn += 1) await Promise.resolve();
    caller.abort();
    for (const message of done(await this.bench.wait(poll)).messages) {
      this.#see(message);
      this.held.push({ message, untilMs: 0 });
    }
  }

  #gone(body: string): void {
    this.living.delete(body);
  }
}

const folder = mkdtempSync(join(tmpdir(), "tidings-queues-"));
let database: TestDatabase;
before(async () => {
  database = await testDatabase();
});
after(async () => {
  rmSync(folder, { recursive: true });
  await database[Symbol.asyncDispose]();
});
let places = 0;

/** In the calling thread, so that it keeps to the test's time. */
async function inFile(clock: ManualClock, path: string): Promise<StorePlace> {
  const store = await openSqliteStore({ path, clock, layout: "inline" });
  const again = async () => {
    await store[Symbol.asyncDispose]();
    return await inFile(clock, path);
  };
  return { store, again };
}

async function inSchema(clock: ManualClock, schema: string): Promise<StorePlace> {
  const opened = await openPostgresStore({ url: database.url, clock, schema, connectionsMax: 4 });
  const answers = new Answers(opened);
  const again = async () => {
    await opened[Symbol.asyncDispose]();
    return await inSchema(clock, schema);
  };
  return { store: answers.store, again, answered: () => answers.all() };
}

type Place = { readonly open: (clock: ManualClock) => Promise<StorePlace>; readonly runs: number };

const PLACES: Readonly<Record<string, Place>> = {
  "in memory": { open: async (clock) => inMemory(openMemoryStore({ clock })), runs: 150 },
  "in SQLite": { open: (clock) => inFile(clock, join(folder, `${(places += 1)}.db`)), runs: 30 },
  "on Postgres": { open: (clock) => inSchema(clock, database.schema(`queues${(places += 1)}`)), runs: 12 },
};

for (const [where, { open, runs }] of Object.entries(PLACES)) {
  for (const queue of ["q", "q.fifo"]) {
    test(`every message of ${queue} ${where} is received until it is deleted or dead, once at a time and in order, through any crash`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(ACT, { minLength: 5, maxLength: 40 }), async (acts) => {
          const clock = new ManualClock();
          const bench = await new QueueBench({ clock, place: await open(clock) }).start();
          const dead = queue.replace("q", "dead");
          await bench.make(dead);
          await bench.make(queue, { redrive: { deadLetterQueue: dead, receiveMax: RECEIVE_MAX } });
          const witness = new Witness(bench, queue);
          for (const act of acts) await witness.act(act);
          await witness.settle();
          await bench.wait(bench.engine.stop(0));
          await bench.store[Symbol.asyncDispose]();
        }),
        { numRuns: runs },
      );
    });
  }
}
