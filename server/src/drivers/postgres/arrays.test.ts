import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ODD_TEXTS } from "#conformance/store-world.ts";
import { bigints, doubles, texts } from "#drivers/postgres/arrays.ts";
import { Database, type Value } from "#drivers/postgres/connection.ts";
import { toStored } from "#drivers/postgres/text.ts";
import { type TestDatabase, testDatabase } from "../../../test/support/test-database.ts";

let database: TestDatabase;
let db: Database;
before(async () => {
  database = await testDatabase();
  db = await Database.open({ url: database.url, applicationName: "arrays", connectionsMax: 1 });
});
after(async () => {
  await db[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

async function readBack(type: string, column: Value): Promise<unknown[]> {
  const { rows } = await db.ask<[unknown]>({ name: "", text: `SELECT unnest($1::${type}[])` }, [column]);
  return rows.map(([value]) => value);
}

test("columns arrive as they were sent, also empty ones, nulls, odd texts and the largest numbers", async () => {
  const odd = [...ODD_TEXTS, null, "x".repeat(100_000)];
  assert.deepEqual(
    await readBack("text", texts(odd)),
    odd.map((text) => (text === null ? null : toStored(text))),
  );
  const whole = [0, 1, -1, 2 ** 32, -(2 ** 32) - 1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, null];
  assert.deepEqual(await readBack("bigint", bigints(whole)), whole);
  const real = [0, -0.5, 1e300, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, null];
  assert.deepEqual(await readBack("float8", doubles(real)), real);
  for (const none of [texts([]), bigints([]), doubles([])]) assert(none.length > 0);
  assert.deepEqual(await readBack("text", texts([])), []);
});
