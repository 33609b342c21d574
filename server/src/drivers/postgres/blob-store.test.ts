import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { blobStoreConforms } from "#conformance/blob-store.ts";
import { ManualClock } from "#drivers/memory/manual-clock.ts";
import { openPostgresBlobStore, PART_BYTES } from "#drivers/postgres/blob-store.ts";
import { openPostgresStore } from "#drivers/postgres/open.ts";
import { type TestDatabase, testDatabase } from "../../../test/support/test-database.ts";

let database: TestDatabase;
before(async () => {
  database = await testDatabase();
});
after(() => database[Symbol.asyncDispose]());

/** A schema of our form with nothing in it. */
async function madeSchema(clock: ManualClock): Promise<{ readonly url: string; readonly schema: string }> {
  const { url } = database;
  const schema = database.schema(`blobs-${++count}`);
  await (await openPostgresStore({ url, clock, schema }))[Symbol.asyncDispose]();
  return { url, schema };
}
let count = 0;

blobStoreConforms("postgres", async () => {
  const clock = new ManualClock();
  return { clock, store: await openPostgresBlobStore({ ...(await madeSchema(clock)), clock }) };
});

test("what one node has put, another gets, whole to the byte where parts meet", async () => {
  const clock = new ManualClock();
  const place = await madeSchema(clock);
  await using one = await openPostgresBlobStore({ ...place, clock });
  await using two = await openPostgresBlobStore({ ...place, clock });
  for (const size of [PART_BYTES - 1, PART_BYTES, PART_BYTES + 1]) {
    const bytes = Uint8Array.from({ length: size }, (_, at) => (at * 7) % 253);
    await one.put(`of-${size}`, bytes);
    const got = await two.get(`of-${size}`);
    assert.ok(got !== null && Buffer.compare(got, bytes) === 0, `${size} bytes`);
  }
});

test("a node that put the same blob at the same time as another is told, whichever of them it was", async () => {
  const clock = new ManualClock();
  const place = await madeSchema(clock);
  await using one = await openPostgresBlobStore({ ...place, clock });
  await using two = await openPostgresBlobStore({ ...place, clock });
  const race = await Promise.allSettled([one, two].map((store, n) => store.put("b", new Uint8Array([n]))));
  assert.deepEqual(race.map(({ status }) => status).toSorted(), ["fulfilled", "rejected"]);
  assert.deepEqual([...((await one.get("b")) ?? [])], [race.findIndex(({ status }) => status === "fulfilled")]);
});
