import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type pg from "pg";
import { StandingClock } from "#conformance/store-world.ts";
import { Database } from "#drivers/postgres/connection.ts";
import { DEPTH_ROWS_MAX, depthsSql } from "#drivers/postgres/depths.ts";
import { groupsSql } from "#drivers/postgres/groups.ts";
import { jobSql } from "#drivers/postgres/job-sql.ts";
import { openPostgresStore, quoted } from "#drivers/postgres/open.ts";
import { writeSql } from "#drivers/postgres/write-sql.ts";
import { type TestDatabase, testDatabase } from "../../../test/support/test-database.ts";

/** What is done for somebody outside costs what he takes, however many messages and groups lie there. */

/** In a standard queue, and as many in 2,000 groups of a FIFO queue. */
const ROWS = 60_000;
const GROUPS = 2_000;
const [STANDARD, FIFO] = ["queue:s/1", "queue:f.fifo/1"] as const;
const NOW_MS = 10_000_000;

let database: TestDatabase;
let client: pg.Client;
let schema: string;
before(async () => {
  database = await testDatabase({ autovacuum: "off" });
  const name = database.schema("groups");
  schema = quoted(name);
  await using store = await openPostgresStore({ url: database.url, clock: new StandingClock(), schema: name });
  await using db = await Database.open({ url: database.url, applicationName: "plans", connectionsMax: 1 });
  // A connection of the driver's own, which plans as all of them do.
  client = await db.single();
  assert(store.can.manyNodes);
  await fill();
});
after(async () => {
  await client.end();
  await database[Symbol.asyncDispose]();
});

/** Every tenth of either queue is in flight, as is every tenth group; the rest is there to be received. */
async function fill(): Promise<void> {
  const job = "id, turn, due_ms, enqueued_ms, fence, attempt, lane, payload";
  const n = `generate_series(1, ${ROWS}) AS n`;
  const common = "n, n, 0, n, 2, 1, 0, '{}'";
  await client.query(`SET search_path = ${schema}`);
  await client.query("SET tidings.regroup = 'off'");
  await client.query(`INSERT INTO jobs (${job}, key, queue, state, lease_until_ms)
    SELECT ${common}, 's' || n, '${STANDARD}', CASE WHEN n % 10 = 0 THEN 2 ELSE 1 END,
      CASE WHEN n % 10 = 0 THEN ${NOW_MS} + n END FROM ${n}`);
  await client.query(`INSERT INTO jobs (${job}, key, queue, grp, state, lease_until_ms)
    SELECT ${common}, 'f' || n, '${FIFO}', 'g' || n % ${GROUPS},
      CASE WHEN n > ${GROUPS} THEN 4 WHEN n % 10 = 0 THEN 2 ELSE 1 END,
      CASE WHEN n <= ${GROUPS} AND n % 10 = 0 THEN ${NOW_MS} - n END FROM ${n}`);
  await client.query("RESET tidings.regroup");
  await client.query("ANALYZE jobs");
}

type Case = readonly [name: string, rowsMax: number, sql: string, values: readonly string[]];

function cases(): readonly Case[] {
  const jobs = jobSql(schema);
  const lend = (queue: string, most: number): Case => [
    `${most} of ${queue} lent`,
    // Of each group those that might go with its first.
    queue === FIFO ? most * most : most,
    jobs.lend,
    [`{${queue}}`, "{0}", `{${most}}`, `{${NOW_MS + 30_000}}`, `${NOW_MS}`],
  ];
  const keys = "{f1,f2,f3,f2001,f2002}";
  return [
    lend(STANDARD, 1),
    lend(STANDARD, 256),
    lend(FIFO, 1),
    lend(FIFO, 10),
    ["locks of groups", 20, groupsSql(schema).lock, [`${NOW_MS}`, keys, "{}", `{${FIFO}}`, "{new}"]],
    ["ended", 20, writeSql(schema).done, ["{f10,f20}", "{2,2}", "2"]],
    ["given back", 20, jobs.release, ["{f10,f20}", "{2,2}"]],
    // Arms of a limit and a slack each, of every state and lane.
    ["trimmed", 8 * 1_100, jobs.trim, [FIFO, "101", "100", `${NOW_MS}`]],
    ["loans that are over", 400, jobs.wake, [`${NOW_MS}`, `${NOW_MS}`, "200", "-1", "-1"]],
    ["counted", DEPTH_ROWS_MAX, depthsSql(schema).of, [`{${STANDARD}}`]],
    ["counted, in order", DEPTH_ROWS_MAX, depthsSql(schema).of, [`{${FIFO}}`]],
  ];
}

test("no statement looks at more than it must, with tens of thousands of messages and thousands of groups", async () => {
  const far: string[] = [];
  for (const [name, rowsMax, sql, values] of cases())
    for (const step of stepsOf(await explain(sql, values))) {
      const { "Node Type": node, "Index Name": index = "" } = step;
      if (node === "Seq Scan") far.push(`${name}: scans`);
      if (rowsOf(step) > rowsMax) far.push(`${name}: ${node} ${index} has ${rowsOf(step)} rows, more than ${rowsMax}`);
    }
  assert.deepEqual(far, []);
});

type Step = {
  readonly "Node Type": string;
  readonly "Index Name"?: string;
  readonly "Actual Rows"?: number;
  readonly "Actual Loops"?: number;
  readonly "Rows Removed by Filter"?: number;
  readonly "Rows Removed by Index Recheck"?: number;
  readonly "Plans"?: readonly Step[];
};

/** What it does, done and undone. */
async function explain(sql: string, values: readonly string[]): Promise<Step> {
  await client.query("BEGIN");
  try {
    await client.query(`PREPARE looked AS ${sql}`);
    const given = values.map((value) => client.escapeLiteral(value)).join(", ");
    const { rows } = await client.query<[[{ readonly Plan: Step }]]>({
      text: `EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE looked(${given})`,
      rowMode: "array",
    });
    const plan = rows[0]?.[0][0].Plan;
    assert(plan !== undefined);
    return plan;
  } finally {
    await client.query("ROLLBACK");
    await client.query("DEALLOCATE ALL");
  }
}

function* stepsOf(step: Step): Generator<Step> {
  yield step;
  for (const below of step.Plans ?? []) yield* stepsOf(below);
}

/** Those it gave, and those it looked at for nothing. */
function rowsOf(step: Step): number {
  const each =
    (step["Actual Rows"] ?? 0) + (step["Rows Removed by Filter"] ?? 0) + (step["Rows Removed by Index Recheck"] ?? 0);
  return each * (step["Actual Loops"] ?? 0);
}
