import assert from "node:assert/strict";
import { test } from "node:test";
import { Database } from "#drivers/sqlite/database.ts";
import { DOCUMENT_SQL } from "#drivers/sqlite/documents.ts";
import { JOB_SQL } from "#drivers/sqlite/job-sql.ts";
import { JOURNAL_SQL } from "#drivers/sqlite/journal.ts";
import { MESSAGE_SQL } from "#drivers/sqlite/messages.ts";
import { migrate } from "#drivers/sqlite/migrate.ts";
import { READ_SQL } from "#drivers/sqlite/read-core.ts";
import { READ_DEPTH_SQL } from "#drivers/sqlite/read-depths.ts";
import { READ_DOCUMENT_SQL } from "#drivers/sqlite/read-documents.ts";
import { READ_JOURNAL_SQL } from "#drivers/sqlite/read-journal.ts";
import { messagePageSql, READ_MESSAGE_SQL } from "#drivers/sqlite/read-messages.ts";
import { RECORD_SQL } from "#drivers/sqlite/records.ts";
import { RETENTION_SQL } from "#drivers/sqlite/retention.ts";
import type { MessageFilter } from "#ports/store.ts";

function planOf(db: Database, sql: string): string[] {
  return db
    .query<readonly [number, number, number, string]>(`EXPLAIN QUERY PLAN ${sql}`)
    .all()
    .map((row) => row[3]);
}

function migrated(): Database {
  const db = new Database(":memory:", "write");
  migrate(db, ":memory:", 0);
  return db;
}

/** Statements that walk something as a whole, because that is what is asked, and what they may walk. */
const WALKS: Readonly<Record<string, RegExp>> = {
  adopt: /^SCAN jobs USING INDEX jobs_held/,
  lent: /^SCAN jobs USING INDEX jobs_held/,
  /** Of so many rows as the trim looks at. */
  trim: /^USE TEMP B-TREE FOR ORDER BY/,
  /** Of the names that were asked for. */
  sorted: /^USE TEMP B-TREE FOR (DISTINCT|ORDER BY)/,
  park: /^SCAN jobs USING (COVERING )?INDEX jobs_/,
  parked: /^SCAN jobs USING COVERING INDEX jobs_parked$/,
  count: /^USE TEMP B-TREE FOR GROUP BY/,
  depths:
    /^(SCAN (jobs|dead_jobs) USING (COVERING )?INDEX |SCAN \(subquery|CO-ROUTINE|USE TEMP B-TREE FOR GROUP BY|SEARCH jobs)/,
  sample: /^SCAN (events|\(subquery|e)/,
  checkpoints: /^SCAN checkpoints/,
};

test("every statement finds its rows by an index, sorts nothing and walks through no table", () => {
  const db = migrated();
  const filters: readonly MessageFilter[] = [
    {},
    { archived: true, enqueuedAfterMs: 1 },
    { recipient: "a", statuses: ["SENT"] },
    { list: "a", tags: ["t"] },
    { traceId: "a" },
    { messageId: "a", event: "e" },
    { traceId: "a", enqueuedAfterMs: 1, providers: ["p"] },
  ];
  const statements = Object.entries({
    ...DOCUMENT_SQL,
    ...JOB_SQL,
    ...JOURNAL_SQL,
    ...MESSAGE_SQL,
    ...READ_SQL,
    ...READ_DEPTH_SQL,
    ...READ_DOCUMENT_SQL,
    ...READ_JOURNAL_SQL,
    ...READ_MESSAGE_SQL,
    ...RECORD_SQL,
    ...RETENTION_SQL,
  }).concat(filters.flatMap((filter) => Object.entries(messagePageSql(filter))));
  assert(statements.length > 50);
  for (const [name, sql] of statements) {
    for (const line of planOf(db, sql)) {
      const walks = /^SCAN (?!json_each|CONSTANT|\()|TEMP B-TREE|AUTOMATIC/.test(line);
      if (walks && WALKS[name]?.test(line) !== true)
        assert.fail(`${name}: ${line}\n${sql}\n${planOf(db, sql).join("\n")}`);
    }
  }
  db.close();
});

test("a claim walks the ready jobs of its lane in order, and meets no timer", () => {
  const db = migrated();
  const plan = planOf(db, JOB_SQL["claim"] ?? "");
  assert(
    plan.some((line) => /SEARCH jobs USING (COVERING )?INDEX jobs_ready \(queue=\? AND lane=\?\)/.test(line)),
    plan.join("\n"),
  );
  assert(planOf(db, JOB_SQL["wake"] ?? "").some((line) => /INDEX jobs_waiting \(due_ms<\?\)/.test(line)));
  db.close();
});

test("what keeps the order of groups walks nothing but the group, and jobs without one are in none of its indexes", () => {
  const db = migrated();
  const plans = {
    front: /INDEX jobs_front \(queue=\? AND grp=\?\)/,
    behind: /INDEX jobs_behind \(queue=\? AND grp=\?\)/,
  };
  for (const [name, plan] of Object.entries(plans)) {
    const lines = planOf(db, JOB_SQL[name] ?? "");
    assert(lines.length === 1 && plan.test(lines[0] ?? ""), lines.join("\n"));
  }
  db.close();
});

test("a trim of jobs looks only at those of its queue, in whatever place they are", () => {
  const db = migrated();
  const lines = planOf(db, JOB_SQL["trim"] ?? "").filter((line) => /jobs USING/.test(line));
  assert.equal(lines.length, 1 + 9);
  for (const line of lines.slice(1)) assert.match(line, /SEARCH jobs USING (COVERING )?INDEX jobs_\w+ \(queue=\?/);
  db.close();
});

test("depths of a queue are counted in its part of the indexes", () => {
  const db = migrated();
  const lines = planOf(db, READ_DEPTH_SQL.depthsOf).filter((line) => /jobs USING/.test(line));
  assert.equal(lines.length, 6);
  for (const line of lines) assert.match(line, /SEARCH (jobs|dead_jobs) USING (COVERING )?INDEX \w+ \(queue=\?/);
  db.close();
});

test("old requests are found by their ids alone, without reading what they say", () => {
  const db = migrated();
  assert.deepEqual(planOf(db, RETENTION_SQL.page), [
    "SEARCH requests USING COVERING INDEX sqlite_autoindex_requests_1 (id>? AND id<?)",
  ]);
  db.close();
});

test("each way to look for messages takes the index made for it", () => {
  const db = migrated();
  const indexes: readonly (readonly [MessageFilter, RegExp])[] = [
    [{}, /messages_by_time/],
    [{ recipient: "a", event: "e" }, /messages_by_recipient \(recipient=\?/],
    [{ list: "a" }, /messages_by_list \(list_id=\?/],
    [{ traceId: "a" }, /messages_by_trace \(trace_id=\?/],
    [{ messageId: "a" }, /sqlite_autoindex_messages_1 \(id=\?/],
  ];
  for (const [filter, index] of indexes) {
    for (const sql of Object.values(messagePageSql(filter))) {
      assert(
        planOf(db, sql).some((line) => index.test(line)),
        `${JSON.stringify(filter)}\n${planOf(db, sql).join("\n")}`,
      );
    }
  }
  db.close();
});
