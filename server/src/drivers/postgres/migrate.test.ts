import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import pg from "pg";
import { commitOne, event, StandingClock } from "#conformance/store-world.ts";
import { type Migration, migrate, ours } from "#drivers/postgres/migrate.ts";
import { openPostgresStore, quoted } from "#drivers/postgres/open.ts";
import { OperatorFault } from "#domain/faults.ts";
import { type TestDatabase, testDatabase } from "../../../test/support/test-database.ts";

let database: TestDatabase;
before(async () => {
  database = await testDatabase();
});
after(() => database[Symbol.asyncDispose]());

const open = (at: string) =>
  openPostgresStore({ url: database.url, clock: new StandingClock(), schema: database.schema(at), connectionsMax: 2 });

async function connected(): Promise<pg.Client & AsyncDisposable> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}

/** Ours, and further ones that this program does not know. */
function newer(...steps: readonly string[]): readonly Migration[] {
  const known = ours();
  const more = steps.map((sql, at) => ({
    number: known.length + at + 1,
    name: `${known.length + at + 1}-later.sql`,
    sql,
    isBreaking: sql.startsWith("-- breaking"),
    checksum: createHash("sha256").update(sql).digest("hex"),
  }));
  return [...known, ...more];
}

const isNewer = (error: unknown): boolean => error instanceof OperatorFault && error.code === "store.newer";

test("nodes that open an empty database at once make one schema, each step once", async () => {
  const stores = await Promise.all([open("fresh"), open("fresh"), open("fresh"), open("fresh")]);
  await Promise.all(stores.map((store) => commitOne(store, { events: [event("a")] })));
  for (const store of stores) await store[Symbol.asyncDispose]();
  await using client = await connected();
  const schema = quoted(database.schema("fresh"));
  const { rows } = await client.query<{ number: number }>(`SELECT number FROM ${schema}.migrations ORDER BY number`);
  assert.deepEqual(
    rows.map(({ number }) => number),
    ours().map(({ number }) => number),
  );
});

test("a schema that is one step newer is used as it is; one that is two, or broke with us, is refused", async () => {
  await using client = await connected();
  const schema = (at: string): string => quoted(database.schema(at));
  await migrate(client, schema("one"), 0, newer("ALTER TABLE jobs ADD COLUMN later text"));
  await using store = await open("one");
  await commitOne(store, { events: [event("a")] });
  await migrate(client, schema("two"), 0, newer("SELECT 1", "SELECT 2"));
  await assert.rejects(open("two"), isNewer);
  await migrate(client, schema("broken"), 0, newer("-- breaking\nSELECT 1"));
  await assert.rejects(open("broken"), isNewer);
});

test("a step that fails leaves nothing behind, and can be taken again", async () => {
  await using client = await connected();
  const schema = quoted(database.schema("half"));
  await assert.rejects(migrate(client, schema, 0, newer("CREATE TABLE half (); SELECT 1 / 0")));
  await migrate(client, schema, 0, newer("CREATE TABLE half ()"));
  const { rowCount } = await client.query(`SELECT 1 FROM ${schema}.half`);
  assert.equal(rowCount, 0);
});

test("positions go on rising when a dump is loaded where transaction ids are lower", async () => {
  const first = await open("dumped");
  await commitOne(first, { events: [event("a")] });
  const { last } = await first.journalBounds();
  await first[Symbol.asyncDispose]();
  await using client = await connected();
  // As if the events had been made by transactions that this cluster has yet to reach.
  const ahead = 1_000_000 * 16_384;
  await client.query(`UPDATE ${quoted(database.schema("dumped"))}.events SET position = position + $1`, [ahead]);
  await using second = await open("dumped");
  await commitOne(second, { events: [event("b")] });
  const { events } = await second.readJournal({ after: 0, limit: 9 });
  assert.deepEqual(
    events.map(({ subject }) => subject),
    ["a", "b"],
  );
  assert((events[1]?.position ?? 0) > last + ahead);
});

test("what endangers our promises is said in a sentence", async () => {
  await using client = await connected();
  const notes = await migrate(client, quoted(database.schema("notes")), 0);
  const { rows } = await client.query<{ fsync: string }>("SHOW fsync");
  assert.equal(
    notes.some((note) => note.includes("fsync = off")),
    rows[0]?.fsync === "off",
  );
});
