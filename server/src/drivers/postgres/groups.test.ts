import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import pg from "pg";
import { COMMITTED, commitOne, job, LEASE_MS, QUEUE, StandingClock, stateOf } from "#conformance/store-world.ts";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { openPostgresStore, quoted } from "#drivers/postgres/open.ts";
import { systemClock } from "#drivers/system/clock.ts";
import type { Job, JobEnd } from "#domain/job.ts";
import type { Clock } from "#ports/clock.ts";
import type { Store, Unit } from "#ports/store.ts";
import { type TestDatabase, testDatabase } from "../../../test/support/test-database.ts";

const AT = { queue: QUEUE, lane: "transactional" } as const;

let database: TestDatabase;
before(async () => {
  database = await testDatabase();
});
after(() => database[Symbol.asyncDispose]());

const open = (at: string, clock: Clock = systemClock()): Promise<Store> =>
  openPostgresStore({ url: database.url, clock, schema: database.schema(at), connectionsMax: 4 });

async function connected(): Promise<pg.Client & AsyncDisposable> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}

/** Groups that are not as between any two transactions: one in front, the first, or what is held; all others behind. */
const BROKEN = (jobs: string): string => `SELECT grp, string_agg(state || ':' || turn || ':' || key, ' ') FROM ${jobs}
  WHERE grp IS NOT NULL AND state <> 3 GROUP BY queue, grp
  HAVING count(*) FILTER (WHERE state < 2) <> (NOT bool_or(state = 2))::int
    OR (min(ARRAY[turn, id]) FILTER (WHERE state < 2)) > (min(ARRAY[turn, id]) FILTER (WHERE state IN (0, 1, 4)))`;

const GROUPS = ["a", "b", "c"] as const;
const [NODES, HANDS, STEPS] = [3, 3, 60] as const;
/** Some are over while their jobs are in hand. */
const LOAN_MS = 25;

test("whatever nodes do to the same groups at once, each has one in front or in hand, and none is stuck", async () => {
  await using closing = new AsyncDisposableStack();
  const stores = await Promise.all(Array.from({ length: NODES }, async () => closing.use(await open("storm"))));
  await using client = await connected();
  const broken = BROKEN(`${quoted(database.schema("storm"))}.jobs`);
  const deadlocks = await deadlocksSeen(client);
  let isOver = false;
  let looks = 0;
  const watch = async (): Promise<void> => {
    for (; !isOver; looks += 1) assert.deepEqual((await client.query(broken)).rows, []);
  };
  const hands = stores.flatMap((store, n) => Array.from({ length: HANDS }, (_, m) => storm(store, n * HANDS + m)));
  await Promise.all([Promise.all(hands).finally(() => (isOver = true)), watch()]);
  assert(looks > 20);
  const [store] = stores;
  assert(store !== undefined);
  await drain(store);
  const left = (await store.depths([QUEUE])).filter(({ ready, waiting, held }) => ready + waiting + held > 0);
  assert.deepEqual(left, []);
  await closing.disposeAsync();
  assert.deepEqual(await deadlocksSeen(client), deadlocks);
});

/** The server counts them; each connection tells of its own at its end at the latest. */
async function deadlocksSeen(client: pg.Client): Promise<unknown> {
  const { rows } = await client.query("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()");
  return rows[0];
}

/** One pair of hands of a node. */
async function storm(store: Store, seed: number): Promise<void> {
  const dice = seededDice(seed);
  const pick = (below: number): number => Math.floor(dice.next() * below);
  const held: Job[] = [];
  let born = 0;
  const own = (): Unit => {
    const nowMs = Date.now();
    const key = `${seed}-${pick(2) === 0 ? pick(5) : ++born}`;
    const group = GROUPS[pick(GROUPS.length)] ?? "a";
    return { jobs: [job(key, { group, turn: pick(4), dueMs: pick(4) === 0 ? nowMs + 10 : nowMs })] };
  };
  const ending = (): Unit => {
    const ref = held.splice(pick(held.length), 1)[0];
    const ends: JobEnd[] = [
      { kind: "done" },
      { kind: "dead", error: "e" },
      { kind: "keep", payload: null, step: 1 },
      {
        ...{ kind: "again", payload: "{}", dueMs: Date.now() + pick(2) * 15, turn: pick(4) },
        ...{ attempts: "count", error: null },
      },
    ];
    return ref === undefined ? own() : { job: { ref, end: ends[pick(ends.length)] ?? { kind: "done" } } };
  };
  const other = (): string => `${pick(NODES * HANDS)}-${pick(5)}`;
  const steps: (() => Promise<unknown>)[] = [
    () => store.commit([own(), own()]),
    () => store.commit([ending(), own(), ending()]),
    () => store.commit([ending()]),
    () => store.commit([{ take: other() }, { dead: { key: other(), then: "revive" } }, own()]),
    async () => held.push(...(await store.claim([{ ...AT, limit: 1 + pick(4) }], LOAN_MS))),
    async () => held.push(...(await store.claim([{ ...AT, limit: 1 + pick(4), lendMs: LOAN_MS }], LOAN_MS))),
    () => store.claim([{ ...AT, limit: 2, lendMs: 0 }], LOAN_MS),
    () => store.extend(held.splice(0, 3), 0),
    () => store.release(held.splice(0, 3)),
    () => store.wakeDue(10),
    () => store.trimJobs({ queue: QUEUE, olderThanMs: Date.now() - 200, limit: 3 }),
  ];
  for (let n = 0; n < STEPS; n += 1) await steps[pick(steps.length)]?.();
}

/** As long as anything lives, something is ready, or is when its time has come. */
async function drain(store: Store): Promise<void> {
  for (let rounds = 0; rounds < 2_000; rounds += 1) {
    const { nextDueMs } = await store.wakeDue(1_000);
    const jobs = await store.claim([{ ...AT, limit: 50, lendMs: LEASE_MS }], LEASE_MS);
    await store.commit(jobs.map((ref): Unit => ({ job: { ref, end: { kind: "done" } } })));
    if (jobs.length === 0 && nextDueMs === null) return;
  }
  assert.fail("there is always something, and it never ends");
}

test("who overtakes the first while somebody claims it stays behind, until that one is ended", async () => {
  const clock = new StandingClock();
  await using store = await open("overtaken", clock);
  await using claimer = await connected();
  await commitOne(store, { jobs: [job("x", { group: "g", turn: 5 })] });
  const jobs = `${quoted(database.schema("overtaken"))}.jobs`;
  await claimer.query(`BEGIN; UPDATE ${jobs} SET state = 2, fence = 7, lease_until_ms = 9e15 WHERE state = 1`);
  const overtaking = commitOne(store, { jobs: [job("y", { group: "g", turn: 1 })] });
  await waitsForLock(jobs);
  await claimer.query("COMMIT");
  assert.deepEqual(await overtaking, COMMITTED);
  assert.deepEqual(await store.claim([{ ...AT, limit: 9 }], LEASE_MS), []);
  assert.deepEqual(await commitOne(store, { job: { ref: { key: "x", fence: 7 }, end: { kind: "done" } } }), COMMITTED);
  assert.deepEqual(
    (await store.claim([{ ...AT, limit: 9 }], LEASE_MS)).map(({ key }) => key),
    ["y"],
  );
});

test("whatever lets go of a job waits for its group first, so that nobody waits for him there", async () => {
  const clock = new StandingClock();
  await using store = await open("ways", clock);
  await using other = await connected();
  const jobs = `${quoted(database.schema("ways"))}.jobs`;
  const ways: Readonly<Record<string, (held: Job) => Promise<unknown>>> = {
    wake: () => store.wakeDue(9),
    release: (held) => store.release([held]),
    expire: (held) => store.extend([held], 0),
    end: (held) => commitOne(store, { job: { ref: held, end: { kind: "done" } } }),
    trim: () => store.trimJobs({ queue: QUEUE, olderThanMs: Number.MAX_SAFE_INTEGER, limit: 9 }),
  };
  for (const [way, letGo] of Object.entries(ways)) {
    await commitOne(store, { jobs: [job(way, { group: "g" })] });
    const [held] = await store.claim([{ ...AT, limit: 1 }], LEASE_MS);
    assert(held !== undefined);
    clock.advance(LEASE_MS);
    // As a commit does that ends it elsewhere.
    await other.query("BEGIN");
    await other.query(`SELECT pg_advisory_xact_lock(hashtextextended($1, '${jobs}'::regclass::bigint))`, [
      `${QUEUE}\u0001g`,
    ]);
    const letting = letGo(held);
    await waitsForLock(jobs);
    assert.equal((await other.query(`DELETE FROM ${jobs} WHERE key = $1`, [way])).rowCount, 1, way);
    await other.query("COMMIT");
    await letting;
    assert.equal(await stateOf(store, way), "gone");
  }
});

/** Resolves when a statement about these jobs waits for somebody. */
async function waitsForLock(jobs: string): Promise<void> {
  await using client = await connected();
  for (;;) {
    const { rows } = await client.query<{ query: string }>(
      "SELECT query FROM pg_stat_activity WHERE wait_event_type = 'Lock'",
    );
    if (rows.some(({ query }) => query.includes(jobs))) return;
  }
}

test("a lease that is over while its holder ends late: one of both wins, and the next comes forward once", async () => {
  const clock = new StandingClock();
  await using one = await open("late", clock);
  await using two = await open("late", clock);
  for (let n = 0; n < 30; n += 1) {
    const [first, next] = [`x${n}`, `y${n}`];
    const group = `g${n}`;
    await commitOne(one, { jobs: [job(first, { group, turn: 0 }), job(next, { group, turn: 1 })] });
    const [held] = await one.claim([{ ...AT, limit: 1 }], LEASE_MS);
    assert(held !== undefined);
    clock.advance(LEASE_MS);
    const [verdict] = await Promise.all([
      commitOne(one, { job: { ref: held, end: { kind: "done" } } }),
      two.wakeDue(9),
    ]);
    if (verdict.kind === "fenced") assert.deepEqual(await commitOne(two, { take: first }), COMMITTED);
    const [after] = await two.claim([{ ...AT, limit: 9 }], LEASE_MS);
    assert(after !== undefined);
    assert.equal(after.key, next);
    assert.deepEqual(await commitOne(two, { job: { ref: after, end: { kind: "done" } } }), COMMITTED);
  }
});

test("a holder that is gone for ever: when its loan is over, another node has all of it, in order", async () => {
  const clock = new StandingClock();
  const one = await open("gone", clock);
  await using two = await open("gone", clock);
  await commitOne(one, { jobs: ["x", "y", "z"].map((key, turn) => job(key, { group: "g", turn })) });
  assert.equal((await one.claim([{ ...AT, limit: 2, lendMs: LEASE_MS }], LEASE_MS)).length, 2);
  await one[Symbol.asyncDispose]();
  assert.deepEqual(await two.claim([{ ...AT, limit: 9, lendMs: LEASE_MS }], LEASE_MS), []);
  assert.deepEqual(await commitOne(two, { take: "x" }), { kind: "held" });
  clock.advance(LEASE_MS);
  assert.equal((await two.wakeDue(9)).woken, 2);
  const anew = await two.claim([{ ...AT, limit: 9, lendMs: LEASE_MS }], LEASE_MS);
  assert.deepEqual(
    anew.map(({ key, attempt }) => [key, attempt]),
    [
      ["x", 2],
      ["y", 2],
      ["z", 1],
    ],
  );
});

test("a group that is written to without a pause is given out all the same", async () => {
  await using one = await open("busy");
  await using two = await open("busy");
  let isOver = false;
  let made = 0;
  const fill = async (): Promise<void> => {
    while (!isOver) await commitOne(one, { jobs: [job(`j${++made}`, { group: "g", turn: made })] });
  };
  const filling = [fill(), fill(), fill()];
  let [given, claims] = [0, 0];
  for (; given < 20 && claims < 400; claims += 1) {
    for (const ref of await two.claim([{ ...AT, limit: 1 }], LEASE_MS)) {
      given += 1;
      await commitOne(two, { job: { ref, end: { kind: "done" } } });
    }
  }
  isOver = true;
  await Promise.all(filling);
  assert.equal(given, 20);
});

test("a program that knows of no groups leaves them in order", async () => {
  const clock = new StandingClock();
  await using store = await open("former", clock);
  await commitOne(store, { jobs: ["x", "y", "z"].map((key, turn) => job(key, { group: "g", turn })) });
  await using former = await connected();
  const jobs = `${quoted(database.schema("former"))}.jobs`;
  await former.query(`UPDATE ${jobs} SET state = 2, attempt = 1, fence = 7, lease_until_ms = 0 WHERE state = 1`);
  assert.deepEqual([await stateOf(store, "x"), await store.claim([{ ...AT, limit: 9 }], LEASE_MS)], ["held", []]);
  await former.query(`UPDATE ${jobs} SET state = 1, lease_until_ms = NULL WHERE state = 2`);
  await former.query(`DELETE FROM ${jobs} WHERE key = 'x'`);
  await former.query(
    `INSERT INTO ${jobs} (id, turn, due_ms, enqueued_ms, fence, attempt, state, lane, key, queue, payload)
      VALUES (1, 9, 0, 0, 0, 0, 1, 0, 'old', $1, '{}')`,
    [QUEUE],
  );
  assert.deepEqual(
    (await store.claim([{ ...AT, limit: 9, lendMs: LEASE_MS }], LEASE_MS)).map(({ key }) => key),
    ["y", "z", "old"],
  );
});
