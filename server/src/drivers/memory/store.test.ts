import assert from "node:assert/strict";
import { test } from "node:test";
import { storeConforms } from "#conformance/store.ts";
import {
  claimOne,
  COMMITTED,
  commitOne,
  event,
  job,
  LEASE_MS,
  QUEUE,
  StandingClock,
} from "#conformance/store-world.ts";
import { type MemoryStore, openMemoryStore } from "#drivers/memory/store.ts";
import { StoreFault } from "#ports/store.ts";

storeConforms("memory", async ({ clock }) => openMemoryStore({ clock }));

const nodes = new Map<string, MemoryStore>();
storeConforms("memory shared by nodes", async ({ clock, at }) => {
  const store = nodes.get(at)?.another() ?? openMemoryStore({ clock, manyNodes: true });
  nodes.set(at, store);
  return store;
});

test("a crash keeps what was committed, and the dead process never hears another word", async () => {
  const before = openMemoryStore({ clock: new StandingClock() });
  await commitOne(before, { jobs: [job("a")] });
  const held = await claimOne(before);
  let answered = false;
  void before.commit([{ events: [event("s")] }]).then(() => (answered = true));
  const after = before.crash();
  void before.claim([], LEASE_MS).then(() => (answered = true));
  assert.equal((await after.journalBounds()).last, 1, "it was committed, although nobody was told");
  const again = await claimOne(after);
  assert.deepEqual([again.attempt, again.fence > held.fence], [2, true]);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(answered, false);
});

test("leases can outlive a crash, as with a database that others use too", async () => {
  const clock = new StandingClock();
  const before = openMemoryStore({ clock });
  await commitOne(before, { jobs: [job("a", { heldForMs: LEASE_MS })] });
  const after = before.crash("kept");
  assert.equal((await after.wakeDue(9)).woken, 0);
  clock.advance(LEASE_MS);
  assert.equal((await after.wakeDue(9)).woken, 1);
});

test("what was lent outlives any crash", async () => {
  const clock = new StandingClock();
  const before = openMemoryStore({ clock });
  await commitOne(before, { jobs: [job("a"), job("b")] });
  const [lent] = await before.claim(
    [{ queue: QUEUE, lane: "transactional", limit: 1, lendMs: 2 * LEASE_MS }],
    LEASE_MS,
  );
  assert((await claimOne(before)).key === "b" && lent?.key === "a");
  const after = before.crash();
  assert.equal((await claimOne(after)).key, "b");
  assert.deepEqual(await commitOne(after, { job: { ref: lent, end: { kind: "done" } } }), COMMITTED);
});

test("a fault before a commit leaves nothing; one after it leaves all of it", async () => {
  let when: "before" | "after" | null = "before";
  const fail = (now: string) => () => {
    if (when === now) throw new StoreFault("store.full", "The disk is full");
  };
  const store = openMemoryStore({
    clock: new StandingClock(),
    faults: { before: fail("before"), after: fail("after") },
  });
  await assert.rejects(store.commit([{ events: [event("a")] }]), { code: "store.full" });
  assert.equal((await store.journalBounds()).last, 0);
  when = "after";
  await assert.rejects(store.commit([{ events: [event("a")] }]), { code: "store.full" });
  assert.equal((await store.journalBounds()).last, 1);
  when = null;
  await commitOne(store, { events: [event("b")] });
});
