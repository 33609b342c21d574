import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import pg from "pg";
import { commitOne, event, job } from "#conformance/store-world.ts";
import { openPostgresStore, quoted } from "#drivers/postgres/open.ts";
import { numbersSql } from "#drivers/postgres/positions.ts";
import { systemClock } from "#drivers/system/clock.ts";
import type { RecordedEvent } from "#domain/event.ts";
import { type TestDatabase, testDatabase } from "../../../test/support/test-database.ts";
import { until } from "../../../test/support/until.ts";

let database: TestDatabase;
before(async () => {
  database = await testDatabase();
});
after(() => database[Symbol.asyncDispose]());

const open = (at: string) =>
  openPostgresStore({ url: database.url, clock: systemClock(), schema: database.schema(at), connectionsMax: 4 });

/** Somebody else in the same database. */
async function stranger(): Promise<pg.Client & AsyncDisposable> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}

const subjects = (events: readonly RecordedEvent[]): string[] => events.map(({ subject }) => subject);

test("what was appended behind a transaction that has not ended is read when it has, and not before", async () => {
  await using store = await open("held");
  await using other = await stranger();
  await commitOne(store, { events: [event("before")] });
  await other.query("BEGIN; SELECT pg_current_xact_id()");
  await commitOne(store, { events: [event("behind")] });
  const page = await store.readJournal({ after: 0, limit: 9 });
  assert.deepEqual(subjects(page.events), ["before"]);
  const woken = new Promise<void>((resolve) => store.onWake(resolve));
  assert.deepEqual(subjects((await store.readJournal({ after: page.upTo, limit: 9 })).events), []);
  await other.query("ROLLBACK");
  // Nobody tells of its end: whoever was held back is woken all the same.
  await woken;
  assert.deepEqual(subjects((await store.readJournal({ after: page.upTo, limit: 9 })).events), ["behind"]);
});

test("an event that commits late stands where it belongs, and no reader has passed its place", async () => {
  await using store = await open("late");
  await using other = await stranger();
  const schema = quoted(database.schema("late"));
  await other.query("BEGIN");
  await other.query(`INSERT INTO ${schema}.events (position, time_ms, key_hash, type, subject, data)
    VALUES (${numbersSql(schema)} + 1, 0, 0, 't', 'late', '{}')`);
  await commitOne(store, { events: [event("early")] });
  const page = await store.readJournal({ after: 0, limit: 9 });
  assert.deepEqual(page.events, []);
  await other.query("COMMIT");
  const { events } = await store.readJournal({ after: page.upTo, limit: 9 });
  assert.deepEqual(subjects(events), ["late", "early"]);
});

test("a reader that follows while nodes commit at once sees every event once, in rising positions", async () => {
  await using one = await open("race");
  await using two = await open("race");
  const COMMITS = 150;
  const writers = [one, two, one, two].map(async (store, writer) => {
    for (let n = 0; n < COMMITS; n += 1) {
      await commitOne(store, { events: [event(`${writer}/${n}`)], jobs: [job(`${writer}/${n}`)] });
    }
  });
  let isWriting = true;
  const done = Promise.all(writers).finally(() => (isWriting = false));
  const seen: RecordedEvent[] = [];
  let upTo = 0;
  const readOn = async (): Promise<void> => {
    const page = await two.readJournal({ after: upTo, limit: 7 });
    assert(page.upTo >= upTo);
    seen.push(...page.events);
    ({ upTo } = page);
  };
  while (isWriting) await readOn();
  await done;
  await until("all have been read", async () => {
    await readOn();
    return seen.length >= 4 * COMMITS;
  });
  assert.equal(new Set(subjects(seen)).size, 4 * COMMITS);
  assert.equal(seen.length, 4 * COMMITS);
  assert(seen.every(({ position }, at) => at === 0 || position > (seen[at - 1]?.position ?? 0)));
  for (const writer of [0, 1, 2, 3]) {
    const own = subjects(seen).filter((subject) => subject.startsWith(`${writer}/`));
    assert.deepEqual(
      own,
      own.toSorted((a, b) => Number(a.slice(2)) - Number(b.slice(2))),
      "a writer's own order",
    );
  }
});
