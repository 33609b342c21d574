import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import pg from "pg";
import { commitOne, event, StandingClock } from "#conformance/store-world.ts";
import { openPostgresStore, quoted } from "#drivers/postgres/open.ts";
import { numbersSql } from "#drivers/postgres/positions.ts";
import { EVENTS_COUNTED_MAX, JOURNAL_SCAN_ROWS_MAX } from "#drivers/postgres/read-journal.ts";
import { partitionOf } from "#domain/partition.ts";
import type { Store } from "#ports/store.ts";
import { type TestDatabase, testDatabase } from "../../../test/support/test-database.ts";

let database: TestDatabase;
before(async () => {
  database = await testDatabase({ autovacuum: "off" });
});
after(() => database[Symbol.asyncDispose]());

const opened = (at: string): Promise<Store> =>
  openPostgresStore({ url: database.url, clock: new StandingClock(), schema: database.schema(at) });

test("no reader passes an event that another transaction is still about to commit", async () => {
  await using store = await opened("held-back");
  await commitOne(store, { events: [event("first")] });
  let woken = Promise.withResolvers<void>();
  store.onWake(() => woken.resolve());
  const slow = new pg.Client({ connectionString: database.url });
  await slow.connect();
  await slow.query("BEGIN");
  await slow.query(appendSql(quoted(database.schema("held-back"))));
  await commitOne(store, { events: [event("third")] });

  const held = await store.readJournal({ after: 0, limit: 9 });
  assert.deepEqual([...subjects(held.events)], ["first"]);
  assert.equal(held.upTo, held.events[0]?.position, "nobody may write down that he has come further");
  assert.equal((await store.journalBounds()).last, held.upTo);
  assert.deepEqual((await store.readJournal({ after: 0, limit: 9, partition: { index: 0, of: 1 } })).upTo, held.upTo);
  assert.equal((await store.eventsOf("third", 9)).length, 1, "a history shows all that is committed");

  await slow.query("COMMIT");
  await slow.end();
  // As a reader does it: once more after each wake, one of which may have come while it was held back still.
  for (let seen: string[] = []; seen.length < 2; ) {
    await woken.promise;
    woken = Promise.withResolvers();
    seen = subjects((await store.readJournal({ after: held.upTo, limit: 9 })).events);
    assert.deepEqual(seen, seen.length === 0 ? [] : ["second", "third"]);
  }
});

test("a partition with nothing in many events is read in steps, and none of it is read twice or missed", async () => {
  await using store = await opened("partitions");
  const count = 2 * JOURNAL_SCAN_ROWS_MAX;
  const mine = keyOf(1, 2);
  const others = keyOf(0, 2);
  const batch = Array.from({ length: count }, () => event("x", { key: others }));
  await store.commit([{ events: batch }, { events: [event("y", { key: mine })] }]);
  const pages: string[][] = [];
  let after = 0;
  for (;;) {
    const page = await store.readJournal({ after, limit: 10, partition: { index: 1, of: 2 } });
    if (page.upTo === after) break;
    pages.push(subjects(page.events));
    after = page.upTo;
  }
  assert.deepEqual(pages, [[], [], ["y"]]);
});

test("how many events there are is told within a few percent, however many", async () => {
  await using store = await opened("bounds");
  const count = 5 * EVENTS_COUNTED_MAX;
  await commitOne(store, { events: Array.from({ length: count }, (_, n) => event(`s${n}`)) });
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query(`ANALYZE ${quoted(database.schema("bounds"))}.events`);
  await client.end();
  const { events, bytes } = await store.journalBounds();
  assert(Math.abs(events / count - 1) < 0.05, `${events} of ${count}`);
  assert(bytes > count * 100 && bytes < count * 1_000, `${bytes} bytes`);
});

/** What a commit does, one event long. */
function appendSql(schema: string): string {
  return `INSERT INTO ${schema}.events (position, time_ms, key_hash, type, subject, data)
    SELECT ${numbersSql(schema)} + 1, 1, 1, 't', 'second', '{}'`;
}

function subjects(events: readonly { readonly subject: string }[]): string[] {
  return events.map(({ subject }) => subject);
}

/** Some key of a partition. */
function keyOf(index: number, of: number): string {
  for (let n = 0; ; n += 1) if (partitionOf(`k${n}`, of) === index) return `k${n}`;
}
