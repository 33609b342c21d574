import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import pg from "pg";
import { makeBackup } from "#app/backup.ts";
import { moveToPostgres, type MoveWish } from "#app/move.ts";
import { moveMarkFile, readMoveMark, refuseMoved, writeMoveMark } from "#app/move-mark.ts";
import { MOVED_TABLES } from "#app/move-tables.ts";
import { restoreBackup } from "#app/restore.ts";
import {
  birth,
  claimAll,
  event,
  job,
  LEASE_MS,
  message,
  messageIdOf,
  ODD_TEXTS,
  QUEUE,
  requestIdOf,
  StandingClock,
  START_MS,
} from "#conformance/store-world.ts";
import { OperatorFault, type OperatorFaultCode } from "#domain/faults.ts";
import { openFsBlobStore } from "#drivers/fs/blob-store.ts";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { openPostgresBlobStore } from "#drivers/postgres/blob-store.ts";
import { openPostgresStore } from "#drivers/postgres/open.ts";
import { openSqliteStore } from "#drivers/sqlite/open.ts";
import type { Job } from "#domain/job.ts";
import type { Store } from "#ports/store.ts";
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts";
import { BIG_BLOB_BYTES, BLOBS, dumpWhole, fillWhole } from "../../test/support/whole-store.ts";

const folder = mkdtempSync(join(tmpdir(), "tidings-move-"));
let database: TestDatabase;
before(async () => {
  database = await testDatabase();
});
after(async () => {
  await database[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const clock = new StandingClock();
const dice = seededDice(1);
let count = 0;
/** Small, so that there are many boundaries. */
const pageMax = { rows: 10, bytes: 1_500_000 };

type Place = { readonly dataDir: string; readonly schema: string };

const wish = ({ dataDir, schema }: Place, step: MoveWish["step"] = () => {}): MoveWish => ({
  dataDir,
  url: database.url,
  schema,
  clock,
  dice,
  step,
  pageMax,
});
const move = (place: Place, step?: MoveWish["step"]) => moveToPostgres(wish(place, step));
const openOld = (dataDir: string) => openSqliteStore({ path: join(dataDir, "tidings.db"), clock, layout: "inline" });
const openOldBlobs = (dataDir: string) => openFsBlobStore({ dir: join(dataDir, "blobs"), clock });
const openNew = (schema: string) => openPostgresStore({ url: database.url, clock, schema });
const openNewBlobs = (schema: string) => openPostgresBlobStore({ url: database.url, clock, schema });

const fault =
  (code: OperatorFaultCode, says = /./) =>
  (error: unknown) =>
    error instanceof OperatorFault && error.code === code && says.test(error.message);

/** Throws at the how manieth step. */
const stop = new Error("stop");
function stopAt(wanted: number): () => void {
  let steps = 0;
  return () => {
    if (steps++ === wanted) throw stop;
  };
}

/** A place with everything that a store can hold, told apart by odd texts. */
async function given(): Promise<Place> {
  const name = `m${++count}`;
  const place = { dataDir: join(folder, name), schema: database.schema(name) };
  mkdirSync(place.dataDir);
  await using store = await openOld(place.dataDir);
  await using blobs = await openOldBlobs(place.dataDir);
  for (const [id, bytes] of Object.entries(BLOBS)) await blobs.put(id, bytes);
  await blobs.put("orphan", Buffer.from("no commit has named it"));
  await fillWhole(store);
  return place;
}

async function dumpOld(dataDir: string) {
  await using store = await openOld(dataDir);
  await using blobs = await openOldBlobs(dataDir);
  return await dumpWhole(store, blobs);
}

async function dumpNew(schema: string) {
  await using store = await openNew(schema);
  await using blobs = await openNewBlobs(schema);
  return await dumpWhole(store, blobs);
}

test("what was moved answers every question as it did before, and what was held is ready as after any start", async () => {
  const place = await given();
  const expected = await dumpOld(place.dataDir);
  const moved = await move(place);
  assert.equal(moved.resumed, false);
  assert.deepEqual(moved.blobsMissing, []);
  assert.equal(moved.journalLast, expected.bounds.last);
  const rows = Object.fromEntries(moved.tables.map(({ table, rows: many }) => [table, many]));
  const texts = ODD_TEXTS.length;
  assert.deepEqual(rows, {
    documents: texts,
    document_terms: 2 * texts,
    once_records: texts,
    requests: texts,
    messages: texts,
    events: 2 * texts,
    checkpoints: texts,
    blobs: 3,
    // Of a MiB each; an empty blob has one, too.
    blob_chunks: 1 + 1 + 3,
    dead_jobs: 1,
    jobs: texts + 1,
  });
  const found = await dumpNew(place.schema);
  assert.deepEqual(found, expected);
  assert.equal(
    found.depths.reduce((sum, { held }) => sum + held, 0),
    0,
  );
  assert.equal((await readMoveMark(place.dataDir))?.state, "moved");
});

test("jobs are claimed in the order that they had, and new ones, events and messages come behind the old", async () => {
  const place = await given();
  const order = async (store: Store) => {
    await store.wakeDue(1_000);
    const asks = (["transactional", "bulk"] as const).map((lane) => ({ queue: QUEUE, lane, limit: 100 }));
    return (await store.claim(asks, LEASE_MS)).map(({ key, attempt, turn }) => ({ key, attempt, turn }));
  };
  await move(place);
  await using later = new AsyncDisposableStack();
  const [old, young] = [later.use(await openOld(place.dataDir)), later.use(await openNew(place.schema))];
  const { last } = await young.journalBounds();
  assert.deepEqual(await order(young), await order(old));

  await young.commit([{ messages: [birth(message(99, { enqueuedMs: START_MS + 14 }), null, [event("new")])] }]);
  const { events } = await young.readJournal({ after: last, limit: 10 });
  assert.deepEqual(
    events.map(({ subject, id, position }) => [subject, position > last, id === `evt_${position}`]),
    [["new", true, true]],
  );
  const newest = await young.listMessages({ archived: true }, { after: null, limit: 1 });
  assert.equal(newest.messages[0]?.id, messageIdOf(99));
});

test("a transaction that is open elsewhere in the cluster hides nothing of what was moved", async () => {
  const place = await given();
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    await client.query("BEGIN; SELECT pg_current_xact_id()");
    const { journalLast } = await move(place);
    await using store = await openNew(place.schema);
    assert.equal((await store.readJournal({ after: 0, limit: 1_000 })).upTo, journalLast);
    await store.commit([{ events: [event("new")] }]);
    await client.query("ROLLBACK");
    const { events } = await store.readJournal({ after: journalLast, limit: 10 });
    assert.deepEqual(
      events.map(({ subject }) => subject),
      ["new"],
    );
  } finally {
    await client.end();
  }
});

test("fences go on behind the old ones", async () => {
  const place = await given();
  {
    await using store = await openOld(place.dataDir);
    for (let time = 0; time < 20; time += 1) await store.release(await claimAll(store, 1, "bulk"));
  }
  await move(place);
  await using store = await openNew(place.schema);
  const [claimed] = await claimAll(store, 1);
  assert.ok(claimed !== undefined && claimed.fence > 20, `${claimed?.fence}`);
});

test("groups keep their order, and what was lent is with its borrower still", async () => {
  const place = await given();
  const member = (key: string, changes: Parameters<typeof job>[1] = {}) =>
    job(key, { queue: "q", group: "g", ...changes });
  const at = { queue: "q", lane: "transactional" } as const;
  let borrowed: readonly Job[];
  {
    await using store = await openOld(place.dataDir);
    await store.commit([{ jobs: [member("dies")] }]);
    const [dies] = await store.claim([{ ...at, limit: 1 }], LEASE_MS);
    assert.ok(dies !== undefined);
    await store.commit([{ job: { ref: dies, end: { kind: "dead", error: "e" } } }]);
    await store.commit([
      { jobs: [member("a"), member("b"), member("c"), member("h", { group: "h" }), member("i", { group: "h" })] },
    ]);
    borrowed = await store.claim([{ ...at, limit: 2, lendMs: 10 * LEASE_MS }], LEASE_MS);
    assert.equal(borrowed.length, 2);
  }
  await move(place);
  await using store = await openNew(place.schema);
  const inside = await store.claim([{ ...at, limit: 9 }], LEASE_MS);
  assert.deepEqual(
    inside.map(({ key, group }) => [key, group]),
    [["h", "h"]],
  );
  await store.release(inside);
  assert.deepEqual(
    (await store.jobs(["a", "b", "c"])).map((one) => one?.state),
    ["held", "held", "ready"],
  );
  assert.deepEqual(await store.extend(borrowed, 0), []);
  await store.commit([{ dead: { key: "dies", then: "revive" } }]);
  const lent = await store.claim([{ ...at, limit: 9, lendMs: LEASE_MS }], LEASE_MS);
  assert.deepEqual(
    lent.map(({ key, attempt }) => [key, attempt]),
    [
      ["a", 2],
      ["b", 2],
      ["c", 1],
      ["dies", 1],
      ["h", 1],
      ["i", 1],
    ],
  );
});

test("parked jobs stay parked", async () => {
  const place = await given();
  {
    await using store = await openOld(place.dataDir);
    await store.park(1_000);
  }
  await move(place);
  await using later = new AsyncDisposableStack();
  const [old, young] = [later.use(await openOld(place.dataDir)), later.use(await openNew(place.schema))];
  assert.deepEqual(
    await young.parkedJobs({ after: null, limit: 100 }),
    await old.parkedJobs({ after: null, limit: 100 }),
  );
  assert.deepEqual(await young.parked(), await old.parked());
  assert.deepEqual(await claimAll(young), []);
});

test("interrupted behind every page in turn, it goes on where it stood, and the end is the same", async () => {
  const place = await given();
  const expected = await dumpOld(place.dataDir);
  let interruptions = 0;
  for (let isDone = false; !isDone; ) {
    await assert.rejects(move(place, stopAt(0)), (error) => error === stop);
    await assert.rejects(openNew(place.schema), fault("store.moving"));
    await assert.rejects(refuseMoved(place.dataDir), fault("store.moving"));
    interruptions += 1;
    // What follows, the comparing, begins anew each time.
    isDone = await isCopied(place.schema);
  }
  assert.ok(interruptions > 20, `${interruptions} interruptions`);
  const moved = await move(place);
  assert.equal(moved.resumed, true);
  assert.deepEqual(await dumpNew(place.schema), expected);
});

async function isCopied(schema: string): Promise<boolean> {
  const { rows } = await asked(schema, "SELECT name FROM move_progress WHERE done");
  return rows.length === MOVED_TABLES.length;
}

async function asked(schema: string, sql: string): Promise<pg.QueryResult<Record<string, unknown>>> {
  const client = new pg.Client({ connectionString: database.url, options: `-c search_path=${schema}` });
  await client.connect();
  try {
    return await client.query(sql);
  } finally {
    await client.end();
  }
}

test("stopped at any step of a whole run, the next run brings it to the same end", async () => {
  const place = await given();
  const expected = await dumpOld(place.dataDir);
  let steps = 0;
  await move(place, () => (steps += 1));
  for (let at = 0; at < steps; at += 15) {
    const again = { dataDir: place.dataDir, schema: database.schema(`again${++count}`) };
    rmSync(moveMarkFile(place.dataDir));
    await assert.rejects(move(again, stopAt(at)), (error) => error === stop);
    assert.equal((await move(again)).resumed, true);
    assert.deepEqual(await dumpNew(again.schema), expected, `stopped at step ${at}`);
  }
  assert.ok(steps > 40, `${steps} steps`);
});

test("killed between the two last lines, the next run only closes the folder", async () => {
  const place = await given();
  await move(place);
  const mark = await readMoveMark(place.dataDir);
  assert.ok(mark !== null);
  await writeMoveMark(place.dataDir, { ...mark, state: "moving", movedMs: null });
  {
    // It is at work already.
    await using store = await openNew(place.schema);
    await store.commit([{ events: [event("of the new one")] }]);
  }
  const moved = await move(place, () => assert.fail("nothing is copied"));
  assert.deepEqual([moved.resumed, moved.tables], [true, []]);
  await assert.rejects(refuseMoved(place.dataDir), fault("store.moved", /goes on there/));
});

test("killed between the two marks, the next run begins", async () => {
  const place = await given();
  const other = await given();
  await move(other);
  const mark = await readMoveMark(other.dataDir);
  assert.ok(mark !== null);
  await writeMoveMark(place.dataDir, { ...mark, id: 77, state: "moving", schema: place.schema, movedMs: null });
  assert.equal((await move(place)).resumed, true);
});

test("a folder that a server works on is not moved, and nothing is begun", async () => {
  const place = await given();
  await using _ = await openOld(place.dataDir);
  await assert.rejects(move(place), fault("store.locked"));
  assert.ok(!existsSync(moveMarkFile(place.dataDir)));
  assert.equal((await asked("public", `SELECT 1 FROM pg_namespace WHERE nspname = '${place.schema}'`)).rowCount, 0);
});

test("while it moves, no server can work on the folder", async () => {
  const place = await given();
  let seen = 0;
  await move(place, () => {
    seen += 1;
    assert.throws(() =>
      new DatabaseSync(join(place.dataDir, "tidings.db.lock"), { timeout: 0 }).exec("BEGIN EXCLUSIVE"),
    );
  });
  assert.ok(seen > 0);
});

test("a folder without a store is not moved, and none is made in it", async () => {
  const dataDir = join(folder, "nothing");
  mkdirSync(dataDir);
  await assert.rejects(move({ dataDir, schema: database.schema("nothing") }), fault("store.missing"));
  assert.deepEqual(readdirSync(dataDir), []);
});

test("a schema that holds anything is not moved into, and the folder stays free", async () => {
  const [place, other] = [await given(), await given()];
  await move(other);
  const taken = { dataDir: place.dataDir, schema: other.schema };
  await assert.rejects(move(taken), fault("store.occupied", /--database-schema/));
  await refuseMoved(place.dataDir);
  {
    await using store = await openNew(place.schema);
    await store.commit([{ puts: [{ collection: "c", id: "i", body: "{}", when: "always", nowMs: 0 }] }]);
  }
  await assert.rejects(move(place), fault("store.occupied"));
  await refuseMoved(place.dataDir);
});

test("a schema that another move has half filled is not moved into", async () => {
  const [place, other] = [await given(), await given()];
  await assert.rejects(move(other, stopAt(5)), (error) => error === stop);
  await assert.rejects(move({ dataDir: place.dataDir, schema: other.schema }), fault("store.occupied"));
  await move(other);
});

test("a folder that is on its way to one place does not go to another", async () => {
  const place = await given();
  await assert.rejects(move(place, stopAt(5)), (error) => error === stop);
  const elsewhere = { dataDir: place.dataDir, schema: database.schema("elsewhere") };
  await assert.rejects(move(elsewhere), fault("store.moving", new RegExp(`schema ${place.schema} `)));
  await move(place);
  await assert.rejects(move(place), fault("store.moved"));
});

test("a backup that is restored over a folder that has moved makes it free again, with everything held back", async () => {
  const place = await given();
  const backup = { dataDir: place.dataDir, file: join(folder, "backup"), force: true, clock, step: () => {} };
  await makeBackup(backup);
  await move(place);
  const { aside } = await restoreBackup(backup);
  await refuseMoved(place.dataDir);
  assert.ok(aside !== null);
  await assert.rejects(refuseMoved(aside), fault("store.moved"));
});

test("a changed letter anywhere, a row too many and one too few are found before anybody can start", async () => {
  const place = await given();
  const spoil: readonly (readonly [table: string, sql: string, mend: string])[] = [
    ["events", "UPDATE events SET data = data || ' '", "UPDATE events SET data = left(data, -1)"],
    ["jobs", "UPDATE jobs SET turn = turn * 2", "UPDATE jobs SET turn = turn / 2"],
    [
      "messages",
      "UPDATE messages SET sent_ms = 6 WHERE sent_ms IS NOT NULL",
      `UPDATE messages SET sent_ms = ${START_MS + 5} WHERE sent_ms IS NOT NULL`,
    ],
    [
      "blob_chunks",
      "UPDATE blob_chunks SET bytes = set_byte(bytes, 1000, 0) WHERE part = 2",
      "UPDATE blob_chunks SET bytes = set_byte(bytes, 1000, (SELECT get_byte(convert_to('0123456789abcdefg', 'UTF8'), (1000 + 2 * 1048576) % 17))) WHERE part = 2",
    ],
    [
      "once_records",
      "INSERT INTO once_records SELECT 'zzz', fingerprint, status, body, expires_ms FROM once_records LIMIT 1",
      "DELETE FROM once_records WHERE key = 'zzz'",
    ],
    [
      "document_terms",
      "DELETE FROM document_terms WHERE name = 'all' AND id = 'NULL'",
      "INSERT INTO document_terms VALUES ('profiles', 'all', 'yes', 'NULL')",
    ],
  ];
  await assert.rejects(
    move(place, ({ doing }) => {
      if (doing.startsWith("comparing")) throw stop;
    }),
    (error) => error === stop,
  );
  for (const [table, sql, mend] of spoil) {
    assert.ok(((await asked(place.schema, sql)).rowCount ?? 0) > 0);
    await assert.rejects(move(place), fault("move.differs", new RegExp(`copied of ${table} is not`)), table);
    await assert.rejects(openNew(place.schema), fault("store.moving"));
    await asked(place.schema, mend);
  }
  await move(place);
});

test("a node that writes into the schema while it is filled is noticed", async () => {
  const place = await given();
  await assert.rejects(move(place, stopAt(0)), (error) => error === stop);
  // What a node does that opened the schema a moment before it was claimed.
  await asked(place.schema, `INSERT INTO requests VALUES ('${requestIdOf(2)}', 'x', 0, 0)`);
  await assert.rejects(move(place), fault("move.disturbed", /requests/));
});

test("a blob that is named and not there is told, and all else is moved", async () => {
  const place = await given();
  const path = readdirSync(join(place.dataDir, "blobs"), { recursive: true }).map(String);
  rmSync(join(place.dataDir, "blobs", path.find((name) => name.endsWith("blob-small")) ?? ""));
  assert.deepEqual((await move(place)).blobsMissing, ["blob-small"]);
  await using blobs = await openNewBlobs(place.schema);
  assert.equal((await blobs.get("blob-big"))?.length, BIG_BLOB_BYTES);
});

test("a database that is not there is an operator's fault, without its password, and can be tried again", async () => {
  const place = await given();
  const url = "postgres://me:hunter22@127.0.0.1:1/none";
  await assert.rejects(moveToPostgres({ ...wish(place), url }), (error) => {
    assert.ok(error instanceof OperatorFault && error.code === "store.unreachable");
    return !error.message.includes("hunter22");
  });
  await refuseMoved(place.dataDir);
  await move(place);
});

test("every table and column of both stores is moved, but for what one of them has for itself", async () => {
  const { dataDir, schema } = await given();
  await using _ = await openNew(schema);
  using db = new DatabaseSync(join(dataDir, "tidings.db"), { readOnly: true });
  const here = db
    .prepare(
      `SELECT t.name || '.' || c.name AS it FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table'`,
    )
    .all()
    .map(({ it }) => String(it));
  const there = await asked(
    schema,
    `SELECT table_name || '.' || column_name AS it FROM information_schema.columns WHERE table_schema = '${schema}'`,
  );
  const moved = MOVED_TABLES.flatMap(({ name, columns }) => columns.map((column) => `${name}.${column.name}`));
  const own = /^(meta|migrations|sqlite_\w+)\./;
  const rest = (all: readonly string[]) => all.filter((it) => !moved.includes(it) && !own.test(it)).toSorted();
  assert.deepEqual(rest(here), ["requests.seq"]);
  assert.deepEqual(rest(there.rows.map(({ it }) => String(it))), []);
  assert.deepEqual(
    db
      .prepare("SELECT name FROM meta")
      .all()
      .map(({ name }) => name),
    ["journal.last"],
    "a new number of the store itself needs a place in the new one",
  );
});
