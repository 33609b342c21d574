import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { MailHost } from "../support/mail-host.ts";
import { Home } from "../support/program.ts";
import { until } from "../support/until.ts";

const content = { title: "Busy", body: "Hello" };

test("while another process holds the file's lock a send waits or is refused with 503; after it, all is well", async (t) => {
  await using mailHost = await MailHost.open();
  await using home = new Home({ TIDINGS_SMTP_URL: mailHost.url });
  const program = await home.start();
  const file = readdirSync(home.dataDir).find((name) => /\.(db|sqlite3?)$/.test(name));
  assert.ok(file !== undefined, `no database in ${readdirSync(home.dataDir).join(", ")}`);
  const other = new DatabaseSync(join(home.dataDir, file), { timeout: 2_000 });
  try {
    other.exec("BEGIN IMMEDIATE");
    const startMs = performance.now();
    const sent = program.call("POST", "/send", { message: { to: { email: "held@example.com" }, content } });
    assert.equal((await program.call("GET", "/health")).status, 200);
    const answer = await sent;
    t.diagnostic(`it answered ${answer.status} after ${(performance.now() - startMs).toFixed(0)} ms`);
    assert.equal(answer.status, 503);
    assert.notEqual(answer.headers.get("retry-after"), null);
    assert.match(await answer.text(), /store\.unavailable/);
  } finally {
    other.close();
  }
  await until("sends are accepted again", async () => {
    const again = await program.call("POST", "/send", { message: { to: { email: "after@example.com" }, content } });
    return again.status === 202;
  });
  await until("it arrives", () => mailHost.to("after@example.com").length > 0);
  assert.equal(mailHost.to("held@example.com").length, 0, "what was refused is not sent");
});
