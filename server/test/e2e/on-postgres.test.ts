import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { LEASE_MS } from "#engine/limits.ts";
import { type TestDatabase, testDatabase } from "../support/test-database.ts";

/**
 * What the whole house promises on SQLite it promises on Postgres: the same files once more, with every program's state in
 * a schema of its own. What is left out is about SQLite's file and the data folder.
 */
const FILES = [
  "e2e/attachments",
  "e2e/bad-input",
  "e2e/courier-client",
  "e2e/lists",
  "e2e/mail-trouble",
  "e2e/webhook",
  "clients/eventbridge-js",
  "clients/sqs-js",
  "clients/sqs-js-dead-letters",
  "clients/sqs-js-fifo",
  "clients/sqs-js-messages",
  "clients/sqs-js-restart",
  "crash/delayed",
  "crash/kill",
  "crash/rules",
  "crash/stop",
];

/** A file whose tests wait for the leases of the dead takes a minute or two; one that takes longer hangs. */
const FILE_MS_MAX = 240_000;

describe("on Postgres, the same as on SQLite", () => {
  let database: TestDatabase;
  before(async () => {
    database = await testDatabase({ max_connections: "100" });
  });
  after(() => database[Symbol.asyncDispose]());

  for (const file of FILES) {
    test(file, { timeout: FILE_MS_MAX }, async (t) => {
      const { NODE_TEST_CONTEXT: _, ...env } = process.env; // Node refuses to run tests inside tests when it is set.
      const path = new URL(`../${file}.test.ts`, import.meta.url).pathname;
      const child = spawn(process.execPath, ["--test", "--test-isolation=none", "--test-reporter=spec", path], {
        env: { ...env, TIDINGS_TEST_HOMES_ON: database.url, TIDINGS_TEST_PATIENCE_MS: String(LEASE_MS + 5_000) },
        stdio: ["ignore", "pipe", "inherit"],
        signal: t.signal,
      });
      const [report, [code]] = await Promise.all([text(child.stdout), once(child, "close")]);
      assert.equal(code, 0, report);
      const passed = Number(/^ℹ pass (\d+)/m.exec(report)?.[1] ?? 0);
      assert.ok(passed > 0, "a file without a passed test shows nothing");
      t.diagnostic(`${passed} passed`);
    });
  }
});
