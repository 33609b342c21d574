import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import pg from "pg";
import { event, StandingClock } from "#conformance/store-world.ts";
import type { Value } from "#drivers/postgres/connection.ts";
import { Database } from "#drivers/postgres/connection.ts";
import { blobSql } from "#drivers/postgres/blob-store.ts";
import { DEPTH_ROWS_MAX, depthsSql } from "#drivers/postgres/depths.ts";
import { openPostgresStore, quoted } from "#drivers/postgres/open.ts";
import { readSql } from "#drivers/postgres/read-core.ts";
import { documentsSql, listDocumentsSql } from "#drivers/postgres/read-documents.ts";
import { JOURNAL_SCAN_ROWS_MAX, journalSql } from "#drivers/postgres/read-journal.ts";
import { MESSAGE_SCAN_ROWS_MAX, messagePageSql, messageSql } from "#drivers/postgres/read-messages.ts";
import { type TestDatabase, testDatabase } from "../../../test/support/test-database.ts";

/** So many rows stand in each table, so that whoever reads them all is seen to. */
const ROWS = 60_000;

let database: TestDatabase;
let client: pg.Client;
let schema: string;
before(async () => {
  database = await testDatabase({ autovacuum: "off" });
  const name = database.schema("plans");
  schema = quoted(name);
  await using store = await openPostgresStore({ url: database.url, clock: new StandingClock(), schema: name });
  await store.commit([{ events: [event("a")] }]);
  client = new pg.Client({ connectionString: database.url, options: await planning() });
  await client.connect();
  for (const sql of filling(schema)) await client.query(sql);
});
after(async () => {
  await client.end();
  await database[Symbol.asyncDispose]();
});

/** As the driver's own connections are told to plan. */
async function planning(): Promise<string> {
  await using db = await Database.open({ url: database.url, applicationName: "plans", connectionsMax: 1 });
  const names = [
    "enable_seqscan",
    "enable_hashjoin",
    "enable_mergejoin",
    "enable_bitmapscan",
    "jit",
    "plan_cache_mode",
    "max_parallel_workers_per_gather",
  ];
  const asked = names.map((name) => `current_setting('${name}')`).join(", ");
  const { rows } = await db.ask<string[]>({ name: "", text: `SELECT ${asked}` });
  return names.map((name, at) => `-c ${name}=${rows[0]?.[at]}`).join(" ");
}

/** A row of everything for each number, most of it for others than those who are asked for. */
function filling(into: string): string[] {
  const n = `generate_series(1, ${ROWS}) AS n`;
  return [
    `INSERT INTO ${into}.requests SELECT 'r' || n, '{}', n, 0, NULL, NULL FROM ${n}`,
    `INSERT INTO ${into}.messages (seq, enqueued_ms, to_index, id, request_id, recipient, user_id, list_id, event,
        notification, trace_id, tags, status)
      SELECT n, n, 0, 'm' || n, 'r' || n, 'p' || n % 5000, NULL, CASE WHEN n % 7 = 0 THEN 'l' || n % 50 END, 'e', 'n',
        CASE WHEN n % 2 = 0 THEN 't' || n END, NULL, 'SENT' FROM ${n}`,
    `INSERT INTO ${into}.jobs (id, turn, due_ms, lease_until_ms, enqueued_ms, fence, attempt, state, lane, key, queue,
        payload)
      SELECT n, n, n, n, n, 1, 1, n % 4, n / 4 % 2, 'k' || n, 'q' || n / 8 % 3, '{}' FROM ${n}`,
    `INSERT INTO ${into}.dead_jobs (key, queue, lane, turn, payload, attempt, error, enqueued_ms, dead_ms)
      SELECT 'k' || n, 'q' || n % 3, n / 3 % 2, n, '{}', 1, 'e', n, n FROM ${n} WHERE n % 10 = 0`,
    `INSERT INTO ${into}.events (position, time_ms, key_hash, type, subject, data)
      SELECT 1 + n * 3 - 3 * ${ROWS}, n, n, 't', 's' || n % 999, '{}' FROM ${n}`,
    `INSERT INTO ${into}.checkpoints SELECT 'c' || n % 500, n / 500, n, n FROM ${n}`,
    `INSERT INTO ${into}.documents SELECT 'c' || n % 20, 'd' || n, '{}', 1, n, n, NULL FROM ${n}`,
    `INSERT INTO ${into}.document_terms SELECT 'c' || n % 20, 't', 'v' || n % 3, 'd' || n FROM ${n}`,
    `INSERT INTO ${into}.once_records SELECT 'k' || n, 'f', 202, '', n FROM ${n}`,
    `INSERT INTO ${into}.blobs SELECT 'b' || n, 1, 'o' FROM ${n}`,
    `INSERT INTO ${into}.blob_chunks SELECT 'b' || n, 0, '\\x00', n FROM ${n}`,
    `VACUUM ANALYZE`,
  ];
}

/** Name, rows that any step of the plan may touch, SQL, values. */
type Case = readonly [name: string, rowsMax: number, text: string, values: readonly (Value | readonly string[])[]];

function cases(): readonly Case[] {
  const [read, journal, message, blobs] = [readSql(schema), journalSql(schema), messageSql(schema), blobSql(schema)];
  const depths = depthsSql(schema);
  const page = (name: string, rowsMax: number, filter: Parameters<typeof messagePageSql>[1]): Case => {
    const { text, values } = messagePageSql(schema, filter, undefined, 51);
    return [`messages ${name}`, rowsMax, text, values];
  };
  const list = (name: string, shape: Partial<Parameters<typeof listDocumentsSql>[1]>, ...more: string[]): Case => {
    const whole = { order: "ascending", hasEnd: true, hasAfter: false, hasTerm: false, ...shape } as const;
    return [`documents ${name}`, 50, listDocumentsSql(schema, whole), ["c3", "d1", 50, "d2", ...more]];
  };
  return [
    ["requests", 3, read.requests, [["r5", "r50", "none"]]],
    ["once", 2, read.once, [["k5", "k50"]]],
    ["jobs", 2, read.jobs, [["k5", "k50"]]],
    ["jobs in a range of keys", 50, read.jobsWithin, ["k3", "k9", 50]],
    ["dead letter", 1, read.deadJob, ["k50"]],
    ["dead letters", 50, read.deadJobs, ["k3", 50]],
    ["dead letters of a queue", 100, read.deadJobsOf, ["k3", 50, "q1"]],
    ["parked jobs", 50, read.parkedJobs, ["q1", 0, "k3", 50]],
    ["blobs that are named", 2, read.blobs, [["b5", "b50"]]],
    ["blob", 1, blobs.get, ["b5"]],
    ["blobs", 50, blobs.list, ["b3", ROWS, 50]],
    ["messages by id", 2, message.many, [["m5", "m50"]]],
    ["outcomes", 1, message.count, ["r5"]],
    page("newest", 51, {}),
    page("of a recipient", 12, { recipient: "p7" }),
    page("of a recipient since then", 2, { recipient: "p7", enqueuedAfterMs: ROWS - 6_000 }),
    page("of a list", 51, { list: "l7" }),
    page("of a trace", 1, { traceId: "t8" }),
    page("that nobody has", MESSAGE_SCAN_ROWS_MAX, { tags: ["none"], statuses: ["OPENED"] }),
    [
      "documents by key",
      2,
      documentsSql(schema),
      [
        ["c3", "c3"],
        ["d3", "d23"],
      ],
    ],
    list("of a prefix", {}),
    list("downwards", { order: "descending" }),
    list("behind one", { hasAfter: true }, "d13"),
    list("of a term", { hasTerm: true }, "t", "v1"),
    ["journal", 101, journal.page, [-90_000, 100]],
    ["journal of a partition", 400, journal.partition, [-90_000, 100, 4, 1]],
    [
      "journal of a partition with nothing in it",
      JOURNAL_SCAN_ROWS_MAX,
      journal.partition,
      [-90_000, 100, 99_999, 99_998],
    ],
    ["journal for who wants few of ours", JOURNAL_SCAN_ROWS_MAX, journal.some, [-90_000, 100, 1, 0, ["u"]]],
    ["history", 61, journal.of, ["s7", 100]],
    ["bounds", 1_000, journal.bounds, ["1000"]],
    ["lag", 500, journal.behind, [-90_000, 500]],
    ["checkpoints", 120, journal.checkpointsOf, ["c7"]],
    ["depths", DEPTH_ROWS_MAX, depths.counts, []],
    ["depths, estimated", 4, depths.totals, []],
    ["depths of a queue", DEPTH_ROWS_MAX, depths.of, [["q1"]]],
  ];
}

describe("no question of many is answered by looking at all", () => {
  test("each walks an index, and no further than it must", async () => {
    const far: string[] = [];
    for (const [name, rowsMax, text, values] of cases()) {
      const steps = [...stepsOf(await explain(text, values))];
      if (steps.some((step) => step["Node Type"] === "Seq Scan" && step["Schema"] !== "pg_catalog"))
        far.push(`${name} scans`);
      const most = steps.toSorted((a, b) => rowsOf(b) - rowsOf(a))[0];
      if (most !== undefined && rowsOf(most) > rowsMax) {
        const { "Node Type": node, "Index Name": index } = most;
        far.push(`${name}: ${String(node)} ${String(index ?? "")} touches ${rowsOf(most)} rows, more than ${rowsMax}`);
      }
    }
    assert.deepEqual(far, []);
  });
});

type Step = Readonly<Record<string, unknown>>;

async function explain(text: string, values: Case[3]): Promise<Step> {
  const name = `p${text.length}_${values.length}`;
  const literals = values.map((value) =>
    value === null
      ? "NULL"
      : Buffer.isBuffer(value)
        ? "'{none}'"
        : Array.isArray(value)
          ? `'{${value.join()}}'`
          : client.escapeLiteral(String(value)),
  );
  await client.query(`PREPARE ${name} AS ${text}`);
  const run = literals.length === 0 ? name : `${name}(${literals.join()})`;
  const { rows } = await client.query<[[{ readonly Plan: Step }]]>({
    text: `EXPLAIN (ANALYZE, FORMAT JSON, VERBOSE) EXECUTE ${run}`,
    rowMode: "array",
  });
  await client.query(`DEALLOCATE ${name}`);
  const plan = rows[0]?.[0][0].Plan;
  assert(plan !== undefined);
  return plan;
}

function* stepsOf(step: Step): Generator<Step> {
  yield step;
  // Postgres' own form of a plan.
  for (const below of (step["Plans"] ?? []) as readonly Step[]) yield* stepsOf(below);
}

/** Those it gave, and those it looked at for nothing. */
function rowsOf(step: Step): number {
  const of = (name: string): number => Number(step[name] ?? 0);
  const each = of("Actual Rows") + of("Rows Removed by Filter") + of("Rows Removed by Index Recheck");
  return each * of("Actual Loops");
}
