import assert from "node:assert/strict";
import { describe, test } from "node:test";
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
  ODD_TEXTS,
  request,
  requestIdOf,
  START_MS,
  stateOf,
  type StoreWorld,
} from "#conformance/store-world.ts";
import type { OnceRecord } from "#ports/store.ts";

const ONCE: OnceRecord = {
  key: "POST /send abc",
  fingerprint: "f1",
  status: 202,
  body: `{"requestId":"1"}`,
  expiresMs: START_MS + 1_000,
};

export function unitSentences(world: StoreWorld): void {
  describe("units", () => {
    test("an empty commit is a commit of nothing", async () => {
      await using at = await world.open();
      assert.deepEqual(await at.store.commit([]), []);
      assert.deepEqual(await at.store.commit([{}]), [COMMITTED]);
    });

    test("jobs that end together all end, with what came of them, or none does", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      const names = ["a", "b", "c"];
      await commitOne(store, { jobs: names.map((name, turn) => job(name, { turn })) });
      const [a, b, c] = await claimAll(store, 3);
      assert(a !== undefined && b !== undefined && c !== undefined);
      const together = { job: { ref: a, end: { kind: "done" } }, also: [b, c], events: [event("made")] } as const;
      const anothers = { ...together, also: [b, { key: c.key, fence: c.fence + 1 }] };
      assert.deepEqual(await commitOne(store, anothers), { kind: "fenced" });
      assert.deepEqual((await store.readJournal({ after: 0, limit: 9 })).events, []);
      const expect = [{ collection: "x", id: "1", version: 1 }];
      assert.equal((await commitOne(store, { ...together, expect })).kind, "stale");
      assert.deepEqual(await Promise.all(names.map((name) => stateOf(store, name))), ["held", "held", "held"]);
      assert.deepEqual(await commitOne(store, together), COMMITTED);
      assert.deepEqual(await Promise.all(names.map((name) => stateOf(store, name))), ["gone", "gone", "gone"]);
      assert.deepEqual(await commitOne(store, together), { kind: "fenced" }, "and they do not end twice");
      clock.advance(2 * LEASE_MS);
      await store.wakeDue(10);
      assert.deepEqual(await claimAll(store, 3), []);
      assert.equal((await store.readJournal({ after: 0, limit: 9 })).events.length, 1);
    });

    test("what ends with others makes room in its group", async () => {
      await using at = await world.open();
      const { store } = at;
      const grouped = (key: string, group: string) => job(key, { group });
      await commitOne(store, {
        jobs: [grouped("g1", "g"), grouped("h1", "h"), grouped("g2", "g"), grouped("h2", "h")],
      });
      const [first, second] = await claimAll(store);
      assert(first !== undefined && second !== undefined);
      assert.deepEqual([first.key, second.key].toSorted(), ["g1", "h1"]);
      const verdict = await commitOne(store, { job: { ref: first, end: { kind: "done" } }, also: [second] });
      assert.deepEqual(verdict, COMMITTED);
      assert.deepEqual((await claimAll(store)).map(({ key }) => key).toSorted(), ["g2", "h2"]);
    });

    test("a blob that is no longer named is the collector's, unless the same unit names it again", async () => {
      await using at = await world.open();
      const { store } = at;
      const named = (id: string) => ({ id, bytes: 1, owner: "o" });
      await commitOne(store, { blobs: [named("b1"), named("b2"), named("b3")] });
      await commitOne(store, { unnamed: ["b1", "b2", "never"], blobs: [named("b2")] });
      assert.deepEqual(await store.unnamedBlobs(["b1", "b2", "b3"]), ["b1"]);
    });

    test("everything in a unit is there together", async () => {
      await using at = await world.open();
      const { store } = at;
      const verdict = await commitOne(store, {
        requests: [request(1)],
        messages: [birth(message(1), job("route"), [event("m1")])],
        jobs: [job("other")],
        events: [event("m2")],
        puts: [{ collection: "lists", id: "news", body: "{}", when: "always", nowMs: START_MS }],
        checkpoints: [{ consumer: "log", partition: 0, position: 7, updatedMs: START_MS }],
        blobs: [{ id: "blob1", bytes: 3, owner: "request" }],
        once: ONCE,
      });
      assert.deepEqual(verdict, COMMITTED);
      assert.deepEqual(await store.requests([requestIdOf(1), requestIdOf(2)]), [request(1), null]);
      assert.equal((await store.messages([messageIdOf(1)]))[0]?.status, "ENQUEUED");
      assert.deepEqual([await stateOf(store, "route"), await stateOf(store, "other")], ["ready", "ready"]);
      const page = await store.readJournal({ after: 0, limit: 10 });
      assert.deepEqual(
        page.events.map(({ subject }) => subject),
        ["m1", "m2"],
      );
      assert.equal((await store.documents([{ collection: "lists", id: "news" }]))[0]?.version, 1);
      assert.deepEqual(await store.checkpoints("log"), [
        { consumer: "log", partition: 0, position: 7, updatedMs: START_MS },
      ]);
      assert.deepEqual(await store.unnamedBlobs(["blob1", "blob2"]), ["blob2"]);
      assert.deepEqual(await store.once([ONCE.key, "other"]), [ONCE, null]);
    });

    test("a refused unit leaves nothing behind, and its neighbours in the batch commit", async () => {
      await using at = await world.open();
      const { store } = at;
      const verdicts = await store.commit([
        { requests: [request(1)] },
        {
          take: "nobody",
          once: ONCE,
          requests: [request(2)],
          messages: [birth(message(2), job("j2"), [event("m2")])],
          jobs: [job("j3")],
          events: [event("m3")],
          puts: [{ collection: "lists", id: "x", body: "{}", when: "always", nowMs: START_MS }],
          blobs: [{ id: "b", bytes: 1, owner: "o" }],
          checkpoints: [{ consumer: "c", partition: 0, position: 1, updatedMs: START_MS }],
        },
        { requests: [request(3)] },
      ]);
      assert.deepEqual(verdicts, [COMMITTED, { kind: "gone" }, COMMITTED]);
      const ids = [requestIdOf(1), requestIdOf(2), requestIdOf(3)];
      assert.deepEqual(
        (await store.requests(ids)).map((one) => one !== null),
        [true, false, true],
      );
      assert.deepEqual(await store.messages([messageIdOf(2)]), [null]);
      assert.deepEqual(await store.jobs(["j2", "j3"]), [null, null]);
      assert.deepEqual(await store.readJournal({ after: 0, limit: 9 }), { events: [], upTo: 0 });
      assert.deepEqual(await store.listDocuments({ collection: "lists", limit: 9 }), []);
      assert.deepEqual(await store.unnamedBlobs(["b"]), ["b"]);
      assert.deepEqual(await store.checkpoints(null), []);
      assert.deepEqual(await store.once([ONCE.key]), [null]);
    });

    test("a unit sees what the units before it in the same batch have done", async () => {
      await using at = await world.open();
      const verdicts = await at.store.commit([
        { once: ONCE, jobs: [job("a", { heldForMs: LEASE_MS })] },
        { once: { ...ONCE, fingerprint: "f2" } },
        { take: "a" },
        { job: { ref: { key: "a", fence: 1 }, end: { kind: "done" } } },
        { job: { ref: { key: "a", fence: 1 }, end: { kind: "done" } } },
      ]);
      assert.deepEqual(
        verdicts.map(({ kind }) => kind),
        ["committed", "repeated", "held", "committed", "fenced"],
      );
    });

    test("when several conditions are asked, one that fails keeps all the others from happening", async () => {
      await using at = await world.open();
      const { store } = at;
      await commitOne(store, { jobs: [job("mine"), job("free")] });
      const mine = (await store.claim([{ queue: "deliver", lane: "transactional", limit: 1 }], LEASE_MS))[0];
      assert(mine !== undefined);
      const free = mine.key === "mine" ? "free" : "mine";
      const verdict = await commitOne(store, {
        job: { ref: mine, end: { kind: "done" } },
        take: free,
        once: ONCE,
        expect: [{ collection: "lists", id: "none", version: 3 }],
      });
      assert.deepEqual(verdict, { kind: "stale", key: { collection: "lists", id: "none" } });
      assert.deepEqual([await stateOf(store, mine.key), await stateOf(store, free)], ["held", "ready"]);
      assert.deepEqual(await store.once([ONCE.key]), [null]);
    });

    test("a call with the same idempotency key gets the first record, until it has expired", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      await commitOne(store, { once: ONCE });
      const again = { once: { ...ONCE, body: "second", expiresMs: START_MS + 9_000 }, requests: [request(1)] };
      assert.deepEqual(await commitOne(store, again), { kind: "repeated", record: ONCE });
      assert.deepEqual(await store.requests([requestIdOf(1)]), [null]);
      clock.advance(1_000);
      assert.deepEqual(await store.once([ONCE.key]), [null]);
      assert.deepEqual(await commitOne(store, again), COMMITTED);
      assert.equal((await store.once([ONCE.key]))[0]?.body, "second");
    });

    test("a sweep forgets expired records only, no more than asked", async () => {
      await using at = await world.open();
      const { store, clock } = at;
      const units = [1, 2, 3].map((n) => ({ once: { ...ONCE, key: `k${n}`, expiresMs: START_MS + n * 1_000 } }));
      await store.commit(units);
      assert.equal(await store.sweep(10), 0);
      clock.advance(2_000);
      assert.equal(await store.sweep(1), 1);
      assert.equal(await store.sweep(10), 1);
      assert.equal(await store.sweep(10), 0);
      assert.equal((await store.once(["k3"]))[0]?.key, "k3");
    });

    test("a request that is stored already keeps its body", async () => {
      await using at = await world.open();
      await at.store.commit([{ requests: [request(1)] }, { requests: [request(1, { body: "other" })] }]);
      assert.deepEqual(await at.store.requests([requestIdOf(1)]), [request(1)]);
    });

    test("ten thousand units are one commit", async () => {
      await using at = await world.open();
      const units = Array.from({ length: 10_000 }, (_, n) => ({
        jobs: [job(`j${n}`, { turn: n })],
        events: [event(`s${n}`)],
      }));
      const verdicts = await at.store.commit(units);
      assert.equal(verdicts.filter(({ kind }) => kind === "committed").length, 10_000);
      const { last, first } = await at.store.journalBounds();
      assert.equal(at.store.can.gapless ? last : await at.store.eventsBehind(first - 1, 10_001), 10_000);
      assert.equal((await at.store.depths())[0]?.ready, 10_000);
    });

    test("what is asked at the same time is answered as if one after the other", async () => {
      await using at = await world.open();
      const { store } = at;
      const verdicts = await Promise.all(
        Array.from({ length: 50 }, (_, n) => store.commit([{ once: ONCE, events: [event(`s${n}`)] }])),
      );
      assert.equal(verdicts.flat().filter(({ kind }) => kind === "committed").length, 1);
      assert.equal(await store.eventsBehind(0, 9), 1);
    });

    test("every text comes back as it was given", async () => {
      await using at = await world.open();
      const { store } = at;
      for (const [n, text] of ODD_TEXTS.entries()) {
        await commitOne(store, {
          once: { ...ONCE, key: `once ${text}`, body: text },
          requests: [request(n, { body: text, traceparent: text })],
          messages: [
            birth(message(n, { recipient: text, tags: [text], event: text }), null, [event(text, { data: text })]),
          ],
          jobs: [job(`job ${text}`, { payload: text, turn: n })],
          puts: [{ collection: "odd", id: text, body: text, when: "always", nowMs: START_MS, terms: [["t", text]] }],
        });
        assert.equal((await store.once([`once ${text}`]))[0]?.body, text);
        assert.deepEqual(await store.requests([requestIdOf(n)]), [request(n, { body: text, traceparent: text })]);
        const stored = (await store.messages([messageIdOf(n)]))[0];
        assert.deepEqual([stored?.recipient, stored?.tags, stored?.event], [text, [text], text]);
        const byTag = await store.listMessages({ tags: [text], recipient: text }, { after: null, limit: 2 });
        assert.deepEqual(
          byTag.messages.map(({ id }) => id),
          [messageIdOf(n)],
        );
        assert.deepEqual(
          (await store.eventsOf(text, 9)).map(({ data, key }) => [data, key]),
          [[text, text]],
        );
        const claimed = await claimOne(store);
        assert.deepEqual([claimed.key, claimed.payload], [`job ${text}`, text]);
        assert.equal((await store.documents([{ collection: "odd", id: text }]))[0]?.body, text);
        const found = await store.listDocuments({ collection: "odd", term: ["t", text], limit: 9 });
        assert.deepEqual(
          found.map(({ id }) => id),
          [text],
        );
      }
    });
  });
}
