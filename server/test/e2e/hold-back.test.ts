import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import pg from "pg";
import { openPostgresStore } from "#drivers/postgres/open.ts";
import { systemClock } from "#drivers/system/clock.ts";
import { readRestored } from "#pipeline/restored.ts";
import { testDatabase } from "../support/test-database.ts";

const SCRIPT = readFileSync(join(import.meta.dirname, "../../../deploy/postgres/hold-back.sql"), "utf8");
const BACKUP_MADE = "2026-11-22T17:37:32Z";

test("after hold-back.sql a restored Postgres offers no job to anybody, and says of what moment it is", async () => {
  await using database = await testDatabase();
  const { url } = database;
  const schema = database.schema("held");
  await using store = await openPostgresStore({ url, schema, clock: systemClock() });
  const nowMs = Date.now();
  const job = { queue: "message", lane: "bulk", turn: 1, payload: "{}", traceparent: null } as const;
  await store.commit([
    { jobs: [{ ...job, key: "ready", dueMs: 0, heldForMs: null }] },
    { jobs: [{ ...job, key: "waiting", dueMs: nowMs + 3_600_000, heldForMs: null }] },
    { jobs: [{ ...job, key: "in hand", dueMs: 0, heldForMs: 30_000 }] },
  ]);

  for (let time = 1; time <= 2; time += 1) await runScript(url, schema);

  assert.deepEqual(await store.claim([{ queue: "message", lane: "bulk", limit: 10 }], 30_000), []);
  const states = (await store.depths()).map(({ ready, waiting, held, parked }) => ({ ready, waiting, held, parked }));
  assert.deepEqual(states, [{ ready: 0, waiting: 0, held: 0, parked: 3 }]);
  const restored = await readRestored(store);
  assert.equal(restored?.backupMadeMs, Date.parse(BACKUP_MADE));
  assert.equal(restored.parked, 3);
  assert.ok(Math.abs(restored.restoredMs - nowMs) < 60_000);

  await store.commit([{ unpark: "ready" }]);
  const claimed = await store.claim([{ queue: "message", lane: "bulk", limit: 10 }], 30_000);
  assert.deepEqual(
    claimed.map(({ key }) => key),
    ["ready"],
  );
});

/** As psql does with the options that the script's head names. */
async function runScript(url: string, schema: string): Promise<void> {
  const options = `-c search_path=${schema} -c tidings.backup_made=${BACKUP_MADE}`;
  const client = new pg.Client({ connectionString: url, options });
  await client.connect();
  try {
    await client.query(`BEGIN; ${SCRIPT} COMMIT;`);
  } finally {
    await client.end();
  }
}
