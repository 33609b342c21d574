import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { Home } from "../support/program.ts";
import { until } from "../support/until.ts";

test("a second program on the same data folder is refused with a sentence, and the first goes on", async () => {
  await using home = new Home();
  const first = await home.start();
  const second = await home.run(["start"]);
  assert.equal(second.code, 1);
  assert.match(second.err, /tidings\.db is in use by another Tidings/);
  assert.match(second.err, /TIDINGS_DATA_DIR/, "it says what to do");
  assert.doesNotMatch(second.err, /\n\s+at /, "no stack");
  const id = await first.send({ to: { email: "ada@example.com" }, content: { title: "T", body: "B" } });
  await until("the first still sends", async () => {
    const { status } = await first.get<{ status: string }>(`/messages/${id}`);
    return status === "SENT";
  });
  assert.equal((await home.run(["messages", "--json"])).code, 0, "commands still find the first");
  await first.kill();
  const third = await home.start();
  assert.equal((await third.call("GET", "/ready")).status, 200, "a dead program locks nothing");
});

test("data of a newer version are refused with a sentence that says what to do, and left as they are", async () => {
  await using home = new Home();
  await (await home.start()).stop();
  const path = join(home.dataDir, "tidings.db");
  {
    using db = new DatabaseSync(path);
    db.exec(
      "INSERT INTO migrations (number, name, breaking, applied_ms) VALUES (9999, '9999_from_the_future.sql', 1, 1)",
    );
  }
  const { code, err } = await home.run(["start"]);
  assert.equal(code, 1);
  assert.match(err, /was written by a newer Tidings \(schema 9999, this program knows \d+\)/);
  assert.match(err, /Start that version or restore a backup/);
  {
    using db = new DatabaseSync(path);
    db.exec("DELETE FROM migrations WHERE number = 9999");
  }
  const again = await home.start();
  assert.equal((await again.call("GET", "/ready")).status, 200);
});

test("a port that is taken is told in a sentence", async () => {
  await using home = new Home();
  await using other = new Home();
  const { url } = await home.start();
  const { code, err } = await other.run(["start"], { PORT: new URL(url).port });
  assert.notEqual(code, 0);
  assert.match(err, new RegExp(`${new URL(url).port}`));
  assert.doesNotMatch(err, /\n\s+at /, "no stack");
});
