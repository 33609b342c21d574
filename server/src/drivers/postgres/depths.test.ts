import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import pg from "pg";
import { job, StandingClock, START_MS } from "#conformance/store-world.ts";
import { DEPTH_ROWS_MAX } from "#drivers/postgres/depths.ts";
import { openPostgresStore, quoted } from "#drivers/postgres/open.ts";
import { type TestDatabase, testDatabase } from "../../../test/support/test-database.ts";

let database: TestDatabase;
before(async () => {
  database = await testDatabase({ autovacuum: "off" });
});
after(() => database[Symbol.asyncDispose]());

test("far more jobs than are counted are estimated, by queue and state, and few beside them are still exact", async () => {
  const name = database.schema("depths");
  await using store = await openPostgresStore({ url: database.url, clock: new StandingClock(), schema: name });
  const [waiting, ready] = [4 * DEPTH_ROWS_MAX, 2 * DEPTH_ROWS_MAX];
  await fill(name, "later", 0, waiting);
  await fill(name, "now", 1, ready);
  await store.commit([{ jobs: [job("a"), job("b"), job("c", { dueMs: START_MS + 9_000 })] }]);
  const depths = new Map((await store.depths()).map((depth) => [depth.queue, depth]));
  const near = (actual = 0, expected: number): void =>
    assert(Math.abs(actual / expected - 1) < 0.05, `${actual} for ${expected}`);
  near(depths.get("later")?.waiting, waiting);
  near(depths.get("now")?.ready, ready);
  assert.deepEqual([depths.get("deliver")?.ready, depths.get("now")?.oldestReadyMs], [2, 1]);
});

/** As if they had been there for a while. */
async function fill(schema: string, queue: string, state: number, rows: number): Promise<void> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  const jobs = `${quoted(schema)}.jobs`;
  await client.query(
    `INSERT INTO ${jobs} (id, turn, due_ms, enqueued_ms, fence, attempt, state, lane, key, queue, payload)
      SELECT n, n, n, n, 1, 1, $1, 1, $2 || n, $2, '{}' FROM generate_series(1, $3::int) AS n`,
    [state, queue, rows],
  );
  // What a session has counted is told to the others within a second; here at once.
  await client.query("SELECT pg_stat_force_next_flush()");
  await client.query(`VACUUM ANALYZE ${jobs}`);
  await client.end();
}
