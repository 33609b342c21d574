import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import pg from "pg";
import { Database } from "#drivers/postgres/connection.ts";
import { groupsSql } from "#drivers/postgres/groups.ts";
import { jobSql } from "#drivers/postgres/job-sql.ts";
import { trimSql } from "#drivers/postgres/journal.ts";
import { lookSql } from "#drivers/postgres/looks.ts";
import { openPostgresStore, quoted } from "#drivers/postgres/open.ts";
import { patchSql } from "#drivers/postgres/patches.ts";
import { journalSql } from "#drivers/postgres/read-journal.ts";
import { sweepSql } from "#drivers/postgres/records.ts";
import { retentionSql } from "#drivers/postgres/retention.ts";
import { newsSql } from "#drivers/postgres/wake.ts";
import { writeSql } from "#drivers/postgres/write-sql.ts";
import { systemClock } from "#drivers/system/clock.ts";
import { type TestDatabase, testDatabase } from "../../../test/support/test-database.ts";

/** Enough that a scan would be seen from afar, and few enough for a test of seconds; a million give the same plans. */
const ROWS = 200_000;

let database: TestDatabase;
let schema: string;
let url: string;

before(async () => {
  database = await testDatabase({ max_wal_size: "4GB", synchronous_commit: "off" });
  url = database.url;
  schema = quoted(database.schema("plans"));
  const store = await openPostgresStore({ url, clock: systemClock(), schema: schema.slice(1, -1), connectionsMax: 2 });
  await store[Symbol.asyncDispose]();
  await fill();
});
after(() => database[Symbol.asyncDispose]());

/** Every statement that runs for a message, a job or an event, and those of the upkeep. */
function statements(): [name: string, sql: string][] {
  const all: Record<string, string> = {
    ...named("jobs", jobSql(schema)),
    ...named("groups", groupsSql(schema)),
    ...named("look", lookSql(schema)),
    ...named("write", writeSql(schema)),
    ...named("journal", journalSql(schema)),
    ...named("retention", retentionSql(schema)),
    "patch status": patchSql(schema, ["sentMs", "channel", "error"], true),
    "patch time": patchSql(schema, ["openedMs"], false),
    "journal trim": trimSql(schema),
    "once sweep": sweepSql(schema),
    "wake news": newsSql(schema),
  };
  return Object.entries(all);
}

function named(group: string, sql: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(sql).map(([name, text]) => [`${group} ${name}`, text]));
}

test("with hundreds of thousands of jobs, messages and events, no statement scans a table", async () => {
  await using db = await Database.open({ url, applicationName: "plans", connectionsMax: 1 });
  assert(db.keepsSettings);
  const client = await db.single();
  try {
    assert.deepEqual(await scans(client), []);
  } finally {
    await client.end();
  }
});

test("jobs are found by their keys, even where statistics know of none that is held", async () => {
  await using db = await Database.open({ url, applicationName: "plans", connectionsMax: 1 });
  const name = database.schema("idle");
  const store = await openPostgresStore({ url, clock: systemClock(), schema: name, connectionsMax: 2 });
  await store[Symbol.asyncDispose]();
  const client = await db.single();
  try {
    const jobs = `${quoted(name)}.jobs`;
    await client.query(`INSERT INTO ${jobs} SELECT * FROM ${schema}.jobs WHERE state = 0; ANALYZE ${jobs}`);
    const { extend, expire, release } = jobSql(quoted(name));
    const { done, keep, again } = writeSql(quoted(name));
    for (const [what, sql] of Object.entries({ extend, expire, release, done, keep, again })) {
      const plan = (await planOf(client, sql)).join("\n");
      assert.match(plan, /Index Scan using jobs_pkey/, what);
      assert.doesNotMatch(plan, /jobs_held/, what);
    }
  } finally {
    await client.end();
  }
});

/** Of each statement that reads a large table from end to end: its name and that line of its plan. */
async function scans(client: pg.Client): Promise<string[]> {
  const found: string[] = [];
  for (const [name, sql] of statements()) {
    const lines = await planOf(client, sql);
    for (const line of lines) if (/Seq Scan on (?!meta|checkpoints)/.test(line)) found.push(`${name}: ${line.trim()}`);
  }
  return found;
}

async function planOf(client: pg.Client, sql: string): Promise<readonly string[]> {
  const parameters = Math.max(0, ...[...sql.matchAll(/\$(\d+)/g)].map(([, digits]) => Number(digits)));
  await client.query(`PREPARE looked AS ${sql}`);
  const nulls = parameters === 0 ? "" : `(${Array(parameters).fill("NULL").join(", ")})`;
  const { rows } = await client.query<[string]>({ text: `EXPLAIN EXECUTE looked${nulls}`, rowMode: "array" });
  await client.query("DEALLOCATE looked");
  return rows.map(([line]) => line);
}

async function fill(): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`SET search_path = ${schema}; SET tidings.regroup = off`);
  const id = "'1-' || lpad(to_hex(n / 100), 8, '0') || '-' || lpad(to_hex(n), 24, '0')";
  const series = `generate_series(1, ${ROWS}) AS n`;
  const tables: Record<string, string> = {
    jobs: `INSERT INTO jobs (id, turn, due_ms, lease_until_ms, enqueued_ms, fence, attempt, state, lane, key, queue,
        payload, grp)
      SELECT n, n % 100, n, CASE WHEN n % 4 = 2 THEN n END, n, 1, 1,
        CASE WHEN n % 1000 = 3 THEN 3 WHEN n % 10 = 5 THEN 4 ELSE n % 3 END, n % 2,
        ${id}, 'deliver', '{}', CASE WHEN n % 5 = 0 THEN 'g' || n % 997 END FROM ${series}`,
    messages: `INSERT INTO messages (seq, enqueued_ms, to_index, id, request_id, recipient, event, notification, status)
      SELECT n, n, 0, ${id}, ${id}, 'u' || n % 1000, 'e', 'n', 'SENT' FROM ${series}`,
    events: `INSERT INTO events (position, time_ms, key_hash, type, subject, data)
      SELECT n, n, n, 't', ${id}, '{}' FROM ${series}`,
    requests: `INSERT INTO requests (id, body, accepted_ms, lane) SELECT ${id}, '{}', n, 0 FROM ${series} WHERE n % 10 = 0`,
    once_records: `INSERT INTO once_records (key, fingerprint, status, body, expires_ms)
      SELECT 'k' || n, 'f', 202, '', n FROM ${series} WHERE n % 10 = 0`,
    documents: `INSERT INTO documents (collection, id, body, version, created_ms, updated_ms)
      SELECT 'c', 'd' || n, '{}', 1, 0, 0 FROM ${series} WHERE n % 10 = 0`,
    document_terms: `INSERT INTO document_terms SELECT 'c', 't', 'v' || n % 100, 'd' || n FROM ${series} WHERE n % 10 = 0`,
    dead_jobs: `INSERT INTO dead_jobs (key, queue, lane, turn, payload, attempt, error, enqueued_ms, dead_ms)
      SELECT ${id}, 'deliver', 0, 0, '{}', 1, 'e', 0, 0 FROM ${series} WHERE n % 10 = 0`,
    blobs: `INSERT INTO blobs SELECT ${id} || '-0', 1, ${id} FROM ${series} WHERE n % 10 = 0`,
  };
  for (const [name, sql] of Object.entries(tables)) {
    const { rows } = await client.query<{ indexdef: string; indexname: string }>(
      `SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = $1 AND tablename = $2
        AND indexname NOT LIKE '%_pkey'`,
      [schema.slice(1, -1), name],
    );
    // An index is built many times faster than it is filled.
    for (const { indexname } of rows) await client.query(`DROP INDEX "${indexname}"`);
    await client.query(sql);
    for (const { indexdef } of rows) await client.query(indexdef);
    await client.query(`ANALYZE ${name}`);
  }
  await client.end();
}
