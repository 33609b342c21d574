import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import {
  birth,
  claimAll,
  claimOne,
  COMMITTED,
  commitOne,
  event,
  job,
  LEASE_MS,
  message,
  messageIdOf,
  type OpenedWorld,
  request,
  requestIdOf,
  START_MS,
  type StoreWorld,
} from "#conformance/store-world.ts";

export function reopeningSentences(world: StoreWorld): void {
  describe("opening and closing", () => {
    test("closing twice is closing once, and a closed store answers nothing", async () => {
      const { store } = await world.open();
      await store[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
      await assert.rejects(store.commit([{ events: [event("a")] }]));
    });

    test("what was committed is there after opening again", async (t) => {
      const first = await world.open();
      if (!first.store.can.durable) return skipped(t, first, "nothing survives the end of the process");
      await commitOne(first.store, {
        requests: [request(1)],
        messages: [birth(message(1), job("waits", { dueMs: START_MS + 9_000 }), [event("m1")])],
        puts: [{ collection: "lists", id: "news", body: "{}", when: "always", nowMs: START_MS, terms: [["t", "v"]] }],
        checkpoints: [{ consumer: "log", partition: 2, position: 1, updatedMs: START_MS }],
        blobs: [{ id: "b", bytes: 1, owner: "o" }],
        once: { key: "k", fingerprint: "f", status: 202, body: "b", expiresMs: START_MS + 99_999 },
      });
      const look = async ({ store }: typeof first) => [
        await store.requests([requestIdOf(1)]),
        await store.messages([messageIdOf(1)]),
        await store.jobs(["waits"]),
        await store.readJournal({ after: 0, limit: 9 }),
        await store.listDocuments({ collection: "lists", term: ["t", "v"], limit: 9 }),
        await store.checkpoints(null),
        await store.unnamedBlobs(["b", "c"]),
        await store.once(["k"]),
        await store.depths(),
      ];
      const before = await look(first);
      await first.store[Symbol.asyncDispose]();
      await using second = await world.open(first.at);
      assert.deepEqual(await look(second), before);
      assert.deepEqual(await second.store.wakeDue(9), { woken: 0, nextDueMs: START_MS + 9_000 });
    });

    test("what a dead process held is claimable again, and its attempts were counted", async (t) => {
      const first = await world.open();
      if (!first.store.can.durable) return skipped(t, first, "nothing survives the end of the process");
      await commitOne(first.store, { jobs: [job("claimed")] });
      const lost = await claimOne(first.store);
      await commitOne(first.store, { jobs: [job("born", { heldForMs: LEASE_MS })] });
      await first.store[Symbol.asyncDispose]();
      await using second = await world.open(first.at);
      second.clock.advance(LEASE_MS);
      await second.store.wakeDue(9);
      const jobs = await claimAll(second.store);
      assert.deepEqual(
        jobs.map(({ key, attempt }) => [key, attempt]),
        [
          ["claimed", 2],
          ["born", 2],
        ],
      );
      assert(jobs.every(({ fence }) => fence > 1));
      assert.deepEqual(await commitOne(second.store, { job: { ref: lost, end: { kind: "done" } } }), {
        kind: "fenced",
      });
      const [claimed] = jobs;
      assert(claimed !== undefined);
      assert.deepEqual(await commitOne(second.store, { job: { ref: claimed, end: { kind: "done" } } }), COMMITTED);
    });

    test("no position is given twice, although all events were trimmed before the restart", async (t) => {
      const first = await world.open();
      if (!first.store.can.durable) return skipped(t, first, "nothing survives the end of the process");
      await commitOne(first.store, { events: [event("a"), event("b"), event("c")] });
      const { last } = await first.store.journalBounds();
      assert.equal(await first.store.trimJournal(last, START_MS + 1, 9), 3);
      await first.store[Symbol.asyncDispose]();
      await using second = await world.open(first.at);
      assert.equal((await second.store.journalBounds()).last, last);
      await commitOne(second.store, { events: [event("d")] });
      const [position, ...others] = (await second.store.eventsOf("d", 9)).map((one) => one.position);
      assert(position !== undefined && position > last && others.length === 0);
      if (second.store.can.gapless) assert.equal(position, last + 1);
    });

    test("two nodes share the work: each job goes to one, and each sees the other's commits", async (t) => {
      await using one = await world.open();
      if (!one.store.can.manyNodes) return t.skip("one process owns the data");
      await using two = await world.open(one.at);
      const woken = new Promise<void>((resolve) => two.store.onWake(resolve));
      await commitOne(one.store, { jobs: [job("a"), job("b")], events: [event("s")] });
      await woken;
      const [mine, theirs] = await Promise.all([claimAll(one.store, 1), claimAll(two.store, 1)]);
      assert.deepEqual([...mine, ...theirs].map(({ key }) => key).sort(), ["a", "b"]);
      assert.equal((await two.store.readJournal({ after: 0, limit: 9 })).events.length, 1);
    });
  });
}

async function skipped(t: TestContext, opened: OpenedWorld, why: string): Promise<void> {
  t.skip(why);
  await opened[Symbol.asyncDispose]();
}
