import assert from "node:assert/strict";
import { test } from "node:test";
import { newRequestId, type RequestId, soleMessageId } from "#domain/ids.ts";
import { openMemoryBlobStore } from "#drivers/memory/blob-store.ts";
import { ManualClock } from "#drivers/memory/manual-clock.ts";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { type MemoryStore, openMemoryStore } from "#drivers/memory/store.ts";
import { Engine } from "#engine/engine.ts";
import { keepUp, type Round, tidy } from "#engine/upkeep.ts";
import { EXPAND_QUEUE } from "#pipeline/stages.ts";
import { silentLog } from "#ports/log.ts";
import { silentMeter } from "#ports/meter.ts";
import { type EnqueuedJob, jobKeysOf, StoreFault, type Unit } from "#ports/store.ts";

const DAY_MS = 86_400_000;
const RETENTION = {
  messagesAgeMaxMs: 90 * DAY_MS,
  journalAgeMaxMs: 30 * DAY_MS,
  journalEventsMax: 1e9,
  evenUnread: false,
};

class Keeping {
  readonly clock = new ManualClock();
  readonly blobs = openMemoryBlobStore({ clock: this.clock });
  readonly store: MemoryStore = openMemoryStore({ clock: this.clock });
  readonly engine = new Engine({
    store: this.store,
    clock: this.clock,
    dice: seededDice(3),
    log: silentLog,
    meter: silentMeter,
  });
  #count = 0;
  #round: Round = { after: null, suspects: new Map(), isBusy: false };

  /** A request to one person, with a large field in a blob; as accept commits it. */
  async accept(job: ((id: RequestId) => EnqueuedJob) | null = null): Promise<RequestId> {
    const nowMs = this.clock.nowMs();
    const id = newRequestId(nowMs, (++this.#count).toString(16).padStart(24, "0"));
    await this.blobs.put(`${id}-f0`, new Uint8Array([1]));
    await this.store.commit([{ ...born(id, nowMs), ...(job === null ? {} : { jobs: [job(id)] }) }]);
    return id;
  }

  async has(id: RequestId): Promise<readonly boolean[]> {
    const [request] = await this.store.requests([id]);
    const [message] = await this.store.messages([soleMessageId(id)]);
    return [request !== null, message !== null, (await this.blobs.get(`${id}-f0`)) !== null];
  }

  async tidy(after: RequestId | null = null): Promise<RequestId | null> {
    this.#round = await tidy(this.engine, this.blobs, RETENTION, { ...this.#round, after });
    return this.#round.after;
  }

  /** A round, and another for the bytes of what it has forgotten, which go at the second look. */
  async tidyTwice(): Promise<void> {
    await this.tidy();
    this.clock.advance(10 * 60_000);
    await this.tidy();
  }

  /** `keepUp` takes as many turns as it has steps. */
  async quiet(): Promise<void> {
    for (let turn = 0; turn < 3_000; turn += 1) await Promise.resolve();
  }
}

function born(id: RequestId, nowMs: number): Unit {
  const message = {
    id: soleMessageId(id),
    requestId: id,
    toIndex: 0,
    recipient: "ada",
    userId: "ada",
    listId: null,
    event: "",
    notification: "",
    traceId: null,
    tags: [],
    status: "ENQUEUED" as const,
    enqueuedMs: nowMs,
  };
  return {
    requests: [{ id, body: "{}", acceptedMs: nowMs, lane: "transactional", traceparent: null, archivedMs: null }],
    messages: [{ message, job: null, events: [] }],
    blobs: [{ id: `${id}-f0`, bytes: 1, owner: id }],
  };
}

function waiting(key: string, dueMs: number): EnqueuedJob {
  const job = { key, queue: "message", lane: "transactional" as const, turn: 0, payload: "", traceparent: null };
  return { ...job, dueMs, heldForMs: null };
}

const WHOLE = [true, true, true];
const GONE = [false, false, false];

test("a request goes with its messages and the bytes of its blobs when it is older than it may be", async () => {
  const keeping = new Keeping();
  const first = await keeping.accept();
  keeping.clock.advance(10 * DAY_MS);
  const second = await keeping.accept();
  keeping.clock.advance(80 * DAY_MS);
  assert.equal(await keeping.tidy(), null);
  assert.deepEqual(await keeping.has(first), WHOLE, "ninety days old is not older than ninety days");
  keeping.clock.advance(1_000);
  await keeping.tidyTwice();
  assert.deepEqual([await keeping.has(first), await keeping.has(second)], [GONE, WHOLE]);
});

test("one that is delayed beyond its retention is kept whole until it is done", async () => {
  const keeping = new Keeping();
  const dueMs = keeping.clock.nowMs() + 300 * DAY_MS;
  const id = await keeping.accept((of) => waiting(soleMessageId(of), dueMs));
  keeping.clock.advance(200 * DAY_MS);
  await keeping.tidy();
  assert.deepEqual(await keeping.has(id), WHOLE);
  await keeping.store.commit([{ take: soleMessageId(id) }]);
  await keeping.tidyTwice();
  assert.deepEqual(await keeping.has(id), GONE);
});

test("the job of a fan-out is called as the store expects it", async () => {
  const id = newRequestId(0, "0".repeat(24));
  assert.equal(jobKeysOf(id).fanOut, `${EXPAND_QUEUE}:${id}`);
});

test("a round does a bounded number of steps, and the next goes on where it stopped", async () => {
  const keeping = new Keeping();
  const asked: (RequestId | null)[] = [];
  let steps = 0;
  // Never at its end: every request must be kept.
  keeping.store.trimRequests = async ({ after }) => {
    asked.push(after);
    return { deleted: 0, next: newRequestId(++steps * 1_000, "0".repeat(24)) };
  };
  const next = await keeping.tidy();
  assert.equal(asked.length, 1_000);
  assert.deepEqual([asked[0], asked[1]], [null, newRequestId(1_000, "0".repeat(24))]);
  await keeping.tidy(next);
  assert.equal(asked[1_000], next);
});

test("rounds follow each other by themselves, also when one has failed, until the engine stops", async () => {
  const keeping = new Keeping();
  const id = await keeping.accept();
  const trim = keeping.store.trimRequests;
  let fails = true;
  keeping.store.trimRequests = async (ask) => {
    if (fails) throw new StoreFault("store.busy", "Somebody holds a lock");
    return await trim(ask);
  };
  const upkeep = keepUp(keeping.engine, keeping.blobs, RETENTION, () => true);
  keeping.clock.advance(91 * DAY_MS);
  await keeping.quiet();
  assert.deepEqual(await keeping.has(id), WHOLE);
  fails = false;
  keeping.clock.advance(60_000);
  await keeping.quiet();
  keeping.clock.advance(10 * 60_000);
  await keeping.quiet();
  assert.deepEqual(await keeping.has(id), GONE);
  await keeping.engine.stop(0);
  await upkeep;
});

test("a node that does not lead leaves it to the one that does", async () => {
  const keeping = new Keeping();
  const id = await keeping.accept();
  let leads = false;
  const upkeep = keepUp(keeping.engine, keeping.blobs, RETENTION, () => leads);
  keeping.clock.advance(91 * DAY_MS);
  await keeping.quiet();
  assert.deepEqual(await keeping.has(id), WHOLE);
  leads = true;
  keeping.clock.advance(60_000);
  await keeping.quiet();
  keeping.clock.advance(11 * 60_000);
  await keeping.quiet();
  assert.deepEqual(await keeping.has(id), GONE);
  await keeping.engine.stop(0);
  await upkeep;
});

test("while much expires, rounds follow each other within a second", async () => {
  const keeping = new Keeping();
  for (let n = 0; n < 100; n += 1) await keeping.accept();
  const upkeep = keepUp(keeping.engine, keeping.blobs, RETENTION, () => true);
  keeping.clock.advance(91 * DAY_MS);
  await keeping.quiet();
  const late = await keeping.accept();
  const trim = keeping.store.trimRequests;
  const asked: number[] = [];
  keeping.store.trimRequests = async (ask) => {
    asked.push(keeping.clock.nowMs());
    return await trim(ask);
  };
  const nowMs = keeping.clock.nowMs();
  keeping.clock.advance(1_000);
  await keeping.quiet();
  keeping.clock.advance(30_000);
  await keeping.quiet();
  assert.deepEqual(asked, [nowMs + 1_000], "and rest when nothing does");
  assert.deepEqual(await keeping.has(late), WHOLE);
  await keeping.engine.stop(0);
  await upkeep;
});

test("a store that overestimates its events loses none that it may keep; with too many the oldest go", async () => {
  const keeping = new Keeping();
  const nowMs = keeping.clock.nowMs();
  const event = { type: "t", subject: "s", timeMs: nowMs, data: "{}", traceparent: null };
  await keeping.store.commit([{ events: Array.from({ length: 2_500 }, () => event) }]);
  const bounds = keeping.store.journalBounds;
  keeping.store.journalBounds = async () => ({ ...(await bounds()), events: 1e6 });
  await tidy(keeping.engine, keeping.blobs, { ...RETENTION, journalEventsMax: 2_500 });
  assert.equal(await keeping.store.eventsBehind(0, 9_999), 2_500);
  await tidy(keeping.engine, keeping.blobs, { ...RETENTION, journalEventsMax: 1_200 });
  const { first, last } = await bounds();
  assert.deepEqual([first, last], [1_301, 2_500]);
});
