import assert from "node:assert/strict";
import { test } from "node:test";
import { LISTS, PROFILES, SUBSCRIPTIONS, subscriptionId } from "#directory/collections.ts";
import type { MessageId, RequestId } from "#domain/ids.ts";
import { isSettled } from "#domain/message.ts";
import type { Outcome } from "#domain/outcome.ts";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { StoreFault } from "#ports/store.ts";
import type { Envelope } from "#ports/provider.ts";
import { World } from "../support/world.ts";

/**
 * The whole engine and pipeline on virtual time, from a seed: providers that fail, stall, and keep silent; commits that
 * fail or whose answer is lost; a process that dies at any await. What is checked are the promises of the design.
 * `SEED=7 node --test server/test/simulation/pipeline.test.ts` replays one seed.
 */
const SEEDS =
  process.env["SEED"] === undefined ? [...Array(15).keys()].map((n) => n + 1) : [Number(process.env["SEED"])];
const LIST = "news";
const MEMBERS = [...Array(30).keys()].map((n) => `m${n}`);

for (const seed of SEEDS) {
  test(`what was accepted ends in one outcome each, however unlucky (seed ${seed})`, async () => {
    await new Simulation(seed).run();
  });
}

class Simulation {
  readonly #dice;
  readonly #accepted = new Set<RequestId>();
  readonly #lists = new Set<RequestId>();
  /** By recipient: when its no was acknowledged. */
  readonly #left = new Map<string, number>();
  /** Provider calls by message, and those under way when a process died or whose commit failed. */
  readonly #calls = new Map<string, Call[]>();
  #calm = false;
  /** Who asked to leave, whether or not they were told that it is done. */
  readonly #asked = new Set<string>();

  constructor(seed: number) {
    this.#dice = seededDice(seed);
  }

  async run(): Promise<void> {
    const seed = Math.floor(this.#dice.next() * 1e9);
    const faults = { before: () => this.#maybeFail(0.03), after: () => this.#maybeFail(0.02) };
    this.#calm = true;
    const world = await World.start({ seed, faults });
    world.provider.answer = (envelope) => this.#answer(world, envelope);
    await this.#populate(world);
    this.#calm = false;
    for (let step = 0; step < 120; step += 1) await this.#step(world);
    this.#calm = true;
    await world.pass(4 * 60 * 60 * 1000, 20_000);
    await this.#check(world);
  }

  async #populate(world: World): Promise<void> {
    await world.put(LISTS, LIST, { name: LIST, preferences: null, deletedMs: null });
    for (const member of MEMBERS) {
      await world.put(PROFILES, member, { email: `${member}@example.com` });
      await world.put(SUBSCRIPTIONS, subscriptionId(LIST, member), { preferences: null, data: null }, [
        ["user", member],
      ]);
    }
  }

  async #step(world: World): Promise<void> {
    const dice = this.#dice.next();
    if (dice < 0.4) await this.#send(world, { email: `p${Math.floor(this.#dice.next() * 50)}@example.com` });
    else if (dice < 0.46) await this.#send(world, { list_id: LIST });
    else if (dice < 0.52) await this.#leave(world);
    else if (dice < 0.57) await this.#die(world);
    else await world.pass(Math.ceil(this.#dice.next() * 3_000), 500);
  }

  async #send(world: World, to: { readonly email: string } | { readonly list_id: string }): Promise<void> {
    try {
      const accepting = world.pipeline.accept.accept({
        text: JSON.stringify({ message: { to, content: CONTENT } }),
        message: { to, content: CONTENT },
        traceparent: null,
        share: "key",
        once: null,
      });
      // The process may die before it answers: then nothing was promised.
      const accepted = await Promise.race([accepting, world.quiet(this.#dice.next() < 0.1 ? 2 : 200)]);
      if (accepted?.kind !== "accepted") return;
      this.#accepted.add(accepted.requestId);
      if ("list_id" in to) this.#lists.add(accepted.requestId);
    } catch (fault) {
      assert.ok(fault instanceof StoreFault, String(fault));
    }
  }

  async #leave(world: World): Promise<void> {
    const member = MEMBERS[Math.floor(this.#dice.next() * MEMBERS.length)] ?? "m0";
    this.#asked.add(member);
    const left = await Promise.race([
      world.engine.commit({ deletes: [{ collection: SUBSCRIPTIONS, id: subscriptionId(LIST, member) }] }),
      world.quiet(200),
    ]);
    if (left?.kind === "committed")
      this.#left.set(member, Math.min(this.#left.get(member) ?? Infinity, world.clock.monotonicMs()));
  }

  async #die(world: World): Promise<void> {
    await world.quiet(Math.floor(this.#dice.next() * 40));
    this.#calm = true;
    // The window of the promise: what was in a call, or had just been answered and was not committed yet.
    await world.restart(async (store) => {
      const ids = [...this.#calls.keys()];
      // The ids are those that the pipeline made.
      const records = await store.messages(ids as MessageId[]);
      for (const [at, id] of ids.entries()) {
        if (records[at]?.status === "SENT") continue;
        for (const call of this.#calls.get(id) ?? []) call.excused = true;
      }
    });
    this.#calm = false;
  }

  #maybeFail(chance: number): void {
    if (this.#calm || this.#dice.next() >= chance) return;
    // What was decided in calls that ended just now may be decided again.
    for (const calls of this.#calls.values()) for (const call of calls) call.excused = true;
    throw new StoreFault("store.failed", "the disk says no");
  }

  async #answer(world: World, envelope: Envelope): Promise<Outcome> {
    const [, member = null] = envelope.messageId.split(":");
    const leftMs = member === null ? undefined : this.#left.get(member);
    assert.ok(leftMs === undefined, `${member} left at ${leftMs} and was written to at ${world.clock.monotonicMs()}`);
    const call: Call = { open: true, sent: false, excused: false };
    this.#calls.set(envelope.messageId, [...(this.#calls.get(envelope.messageId) ?? []), call]);
    const dice = this.#calm ? 1 : this.#dice.next();
    if (dice < 0.3)
      await new Promise<void>((resolve) => world.clock.after(Math.ceil(this.#dice.next() * 20_000), resolve));
    call.open = false;
    if (dice < 0.1) return { kind: "retry", reason: "later", whole: dice < 0.05 };
    if (dice < 0.13) {
      call.sent = true;
      call.excused = true;
      return { kind: "unknown", reason: "silence after DATA" };
    }
    if (dice < 0.15) return { kind: "refused", reason: "554 no" };
    if (dice < 0.16) return { kind: "policy", reason: "421 slow down", pauseMs: 60_000 };
    call.sent = true;
    return { kind: "sent", reference: {} };
  }

  async #check(world: World): Promise<void> {
    const ids = [...this.#accepted];
    const stored = await world.store.requests(ids);
    for (const [at, request] of stored.entries()) assert.ok(request !== null, `${ids[at]} was accepted and is gone`);
    for (const id of ids) {
      const { messages } = await world.store.listMessages({ traceId: id }, { after: null, limit: 500 });
      for (const { id: message, status } of messages) assert.ok(isSettled(status), `${message} is still ${status}`);
      const expected = this.#lists.has(id) ? MEMBERS.length - this.#asked.size : 1;
      assert.ok(messages.length >= expected, `${id} has ${messages.length} outcomes, at least ${expected} were due`);
      assert.equal(new Set(messages.map(({ recipient }) => recipient)).size, messages.length, "one outcome each");
      for (const { id: message, status } of messages) {
        const sent = (this.#calls.get(message) ?? []).some((call) => call.sent);
        if (status === "SENT") assert.ok(sent, `${message} is SENT and nobody was called`);
      }
    }
    for (const [message, calls] of this.#calls) {
      const sent = calls.filter((call) => call.sent);
      const unexcused = sent.filter((call) => !call.excused);
      assert.ok(
        unexcused.length <= 1,
        `${message} was sent ${sent.length} times, ${unexcused.length} without an excuse`,
      );
    }
    const depths = await world.store.depths();
    for (const depth of depths)
      assert.equal(depth.waiting + depth.ready + depth.held, 0, `${depth.queue} still has work`);
  }
}

type Call = { open: boolean; sent: boolean; excused: boolean };

const CONTENT = { title: "Hello", body: "It is {{day}}." };
