import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openDatabaseClock } from "#drivers/postgres/database-clock.ts";
import { systemClock } from "#drivers/system/clock.ts";
import { type TestDatabase, testDatabase } from "../../../test/support/test-database.ts";

let database: TestDatabase;
before(async () => {
  database = await testDatabase();
});
after(() => database[Symbol.asyncDispose]());

const HOUR_MS = 60 * 60 * 1_000;

test("the time is the database's, whatever the machine believes", async () => {
  const machine = systemClock();
  await using clock = await openDatabaseClock({
    url: database.url,
    clock: { ...machine, nowMs: () => machine.nowMs() - HOUR_MS },
  });
  // The database runs on this machine, and its time is right.
  assert(Math.abs(clock.nowMs() - machine.nowMs()) < 1_000);
});
