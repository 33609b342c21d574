import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  birth,
  COMMITTED,
  commitOne,
  event,
  job,
  LEASE_MS,
  message,
  messageIdOf,
  QUEUE,
  StandingClock,
  START_MS,
} from "#conformance/store-world.ts";
import { openPostgresStore } from "#drivers/postgres/open.ts";
import type { Clock } from "#ports/clock.ts";
import type { Store, Unit } from "#ports/store.ts";
import { type TestDatabase, testDatabase } from "../../../test/support/test-database.ts";

let database: TestDatabase;
before(async () => {
  database = await testDatabase();
});
after(() => database[Symbol.asyncDispose]());

const open = (at: string, clock: Clock = new StandingClock()): Promise<Store> =>
  openPostgresStore({ url: database.url, clock, schema: database.schema(at), connectionsMax: 4 });

test("nodes that claim at once never hold the same job, and together they hold all", async () => {
  await using one = await open("claims");
  await using two = await open("claims");
  await one.commit(Array.from({ length: 300 }, (_, n) => ({ jobs: [job(`j${n}`)] })));
  const claim = (store: Store) => store.claim([{ queue: QUEUE, lane: "transactional", limit: 20 }], LEASE_MS);
  const held: string[] = [];
  while (held.length < 300) {
    const claims = await Promise.all([claim(one), claim(two), claim(one), claim(two)]);
    assert(claims.flat().length > 0, "some are left");
    held.push(...claims.flat().map(({ key }) => key));
  }
  assert.equal(new Set(held).size, 300);
});

test("who was slow and has lost its job to another node is refused, and its effects with it", async () => {
  const clock = new StandingClock();
  await using one = await open("fences", clock);
  await using two = await open("fences", clock);
  await commitOne(one, { messages: [birth(message(1), job("a", { heldForMs: LEASE_MS }))] });
  clock.advance(LEASE_MS);
  assert.equal((await two.wakeDue(10)).woken, 1);
  const [anew] = await two.claim([{ queue: QUEUE, lane: "transactional", limit: 1 }], LEASE_MS);
  assert(anew !== undefined);
  const late: Unit = {
    job: { ref: { key: "a", fence: 1 }, end: { kind: "done" } },
    patches: [{ id: messageIdOf(1), status: "SENT" }],
    events: [event("a")],
  };
  const other: Unit = { events: [event("b")] };
  assert.deepEqual(await one.commit([late, other]), [{ kind: "fenced" }, COMMITTED]);
  assert.equal((await two.messages([messageIdOf(1)]))[0]?.status, "ENQUEUED");
  assert.deepEqual([(await two.eventsOf("a", 9)).length, (await two.eventsOf("b", 9)).length], [0, 1]);
  assert.deepEqual(await commitOne(two, { ...late, job: { ref: anew, end: { kind: "done" } } }), COMMITTED);
  assert.equal((await one.messages([messageIdOf(1)]))[0]?.status, "SENT");
});

test("a commit of one node wakes the other, and not itself", async () => {
  await using one = await open("wakes");
  await using two = await open("wakes");
  let own = 0;
  one.onWake(() => (own += 1));
  for (const unit of [{ jobs: [job("a")] }, { events: [event("a")] }]) {
    const woken = new Promise<void>((resolve) => two.onWake(resolve));
    await commitOne(one, unit);
    await woken;
  }
  assert.equal(own, 0);
});

test("of two nodes that make the same message, one does, and the other is told who was skipped", async () => {
  await using one = await open("births");
  await using two = await open("births");
  for (let n = 0; n < 40; n += 1) {
    const unit: Unit = { messages: [birth(message(n), job(`m${n}`, { heldForMs: LEASE_MS }), [event(`m${n}`)])] };
    const verdicts = await Promise.all([commitOne(one, unit), commitOne(two, unit)]);
    const skipped = verdicts.map((verdict) => (verdict.kind === "committed" ? verdict.skipped.length : -1));
    assert.deepEqual(
      skipped.toSorted((a, b) => a - b),
      [0, 1],
    );
    assert.equal((await one.eventsOf(`m${n}`, 9)).length, 1);
  }
});

test("of two calls with one idempotency key, one is done, whichever node they come to", async () => {
  await using one = await open("once");
  await using two = await open("once");
  for (let n = 0; n < 40; n += 1) {
    const unit = (body: string): Unit => ({
      once: { key: `k${n}`, fingerprint: "f", status: 202, body, expiresMs: START_MS + 1_000 },
      events: [event(`k${n}`)],
    });
    const verdicts = await Promise.all([commitOne(one, unit("one")), commitOne(two, unit("two"))]);
    assert.deepEqual(verdicts.map(({ kind }) => kind).toSorted(), ["committed", "repeated"]);
    assert.equal((await one.eventsOf(`k${n}`, 9)).length, 1);
  }
});

test("commits that touch the same rows in opposite order both succeed", async () => {
  await using one = await open("crossed");
  await using two = await open("crossed");
  await one.commit([1, 2, 3].map((n) => ({ messages: [birth(message(n), job(`m${n}`))] })));
  const put = (id: string) => ({ collection: "c", id, body: id, when: "always" as const, nowMs: START_MS });
  const ROUNDS = 60;
  const rounds = async (store: Store, order: readonly number[]): Promise<void> => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const units = order.flatMap((n): Unit[] => [
        { puts: [put(`d${n}`)] },
        { patches: [{ id: messageIdOf(n), ...(n === 2 ? { openedMs: round } : { sentMs: round }) }] },
        { jobs: [job(`m${n}`)], checkpoints: [{ consumer: `c${n}`, partition: 0, position: round, updatedMs: 0 }] },
      ]);
      assert((await store.commit(units)).every(({ kind }) => kind === "committed"));
    }
  };
  await Promise.all([rounds(one, [1, 2, 3]), rounds(two, [3, 2, 1]), rounds(two, [2, 3, 1])]);
  const documents = await one.documents([1, 2, 3].map((n) => ({ collection: "c", id: `d${n}` })));
  assert.deepEqual(
    documents.map((document) => document?.version),
    [3 * ROUNDS, 3 * ROUNDS, 3 * ROUNDS],
  );
});

test("of a group that nodes fill and empty at once, all is given once, in order, and never to two", async () => {
  const stores = await Promise.all([open("groups"), open("groups"), open("groups")]);
  const [groups, each, many] = [5, 24, 5 * 24];
  const given = new Map<string, number[]>();
  const inHand = new Map<string, Store>();
  let done = 0;
  const fill = async (group: string): Promise<void> => {
    for (let turn = 1; turn <= each; turn += 1) {
      const store = stores[turn % stores.length];
      const made = job(`${group}-${turn}`, { group, turn });
      assert.deepEqual(await store?.commit([{ jobs: [made] }]), [COMMITTED]);
    }
  };
  const empty = async (store: Store): Promise<void> => {
    while (done < many) {
      const loans = await store.claim([{ queue: QUEUE, lane: "transactional", limit: 3, lendMs: LEASE_MS }], LEASE_MS);
      for (const { group, turn } of loans) {
        assert(group !== null);
        assert.equal(inHand.get(group) ?? store, store, "another node has one of this group");
        inHand.set(group, store);
        given.set(group, [...(given.get(group) ?? []), turn]);
      }
      for (const { key, fence, group } of loans) {
        const isLast = loans.findLast((loan) => loan.group === group)?.key === key;
        if (isLast) inHand.delete(String(group));
        const [verdict] = await store.commit([{ job: { ref: { key, fence }, end: { kind: "done" } } }]);
        assert.equal(verdict?.kind, "committed");
        done += 1;
      }
    }
  };
  const names = Array.from({ length: groups }, (_, n) => `g${n}`);
  await Promise.all([...names.map(fill), ...stores.map(empty)]);
  for (const name of names) {
    assert.deepEqual(
      given.get(name),
      Array.from({ length: each }, (_, n) => n + 1),
    );
  }
  for (const store of stores) await store[Symbol.asyncDispose]();
});
