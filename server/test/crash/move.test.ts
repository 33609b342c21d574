import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import pg from "pg";
import { readMoveMark } from "#app/move-mark.ts";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { allMessages, isIdle } from "../support/load.ts";
import { header, type Mail, MailHost, read } from "../support/mail-host.ts";
import { Home, type Program } from "../support/program.ts";
import { type TestDatabase, testDatabase } from "../support/test-database.ts";
import { until } from "../support/until.ts";

/**
 * `tidings migrate`, the real program, killed with SIGKILL at moments spread over all that it does: what waited in the old
 * installation is sent by the new one, each once, and at no moment could both have sent.
 */

const KILLS = 8;
const SUBSCRIBERS = 40;
const HOUR_MS = 3_600_000;
/** Longer than the old house lives from then on, whoever else works on this machine. */
const SOON_MS = 15_000;
const content = (title: string) => ({ title, body: "Hello" });

const folder = mkdtempSync(join(tmpdir(), "tidings-moves-"));
let database: TestDatabase;
before(async () => {
  database = await testDatabase();
});
after(async () => {
  await database[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

async function subscribe(program: Program, list: string): Promise<void> {
  const rows = Array.from({ length: SUBSCRIBERS }, (_, n) => ({ user_id: `u${n}`, email: `u${n}@${list}.example` }));
  assert.equal((await program.call("POST", `/lists/${list}/import`, { rows })).status, 200);
}

/** Path and query of the one-click link of a mail. */
async function leavingLink(mail: Mail | undefined): Promise<string> {
  assert.ok(mail !== undefined);
  const [link] = /<(http[^>]+)>/.exec(header(await read(mail), "list-unsubscribe") ?? "")?.slice(1) ?? [];
  const { pathname, search } = new URL(link ?? "");
  return pathname + search;
}

type Events = { readonly events: readonly { readonly id: string; readonly sequence: string }[] };

async function marksOf(schema: string): Promise<readonly string[]> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>(`SELECT name FROM ${schema}.meta WHERE name LIKE 'move.%'`);
    return rows.map(({ name }) => name);
  } catch {
    return []; // It is not there yet.
  } finally {
    await client.end();
  }
}

test(`a house that moves, killed ${KILLS} times on its way, sends what waited from its new place, each once`, async (t) => {
  await using mailHost = await MailHost.open();
  await using home = new Home({ TIDINGS_SMTP_URL: mailHost.url });
  const old = await home.start();
  mailHost.onRecipient = (address) =>
    address.includes("later") || address.endsWith("busy.example") ? { code: 451, says: "come again" } : null;

  // What is done before.
  await subscribe(old, "calm");
  await old.send({ to: { list_id: "calm" }, content: content("Calm") });
  const once = { "idempotency-key": "order-1" };
  const first = await old.send({ to: { email: "once@example.com" }, content: content("Once") }, once);
  await until("they are sent", () => mailHost.mails.length === SUBSCRIBERS + 1);

  // What waits: for another try, for its time, soon or late.
  await subscribe(old, "busy");
  await old.send({ to: { list_id: "busy" }, content: content("Busy") });
  const file = Buffer.from(seededDice(7).hex(100_000), "hex");
  const attachments = [{ filename: "a.bin", contentType: "application/octet-stream", data: file.toString("base64") }];
  await old.send({
    to: { email: "later-large@example.com" },
    content: content("Large \0 words"),
    channels: { email: { override: { attachments } } },
  });
  const delayed = await old.send({
    to: { email: "delayed@example.com" },
    content: content("Delayed"),
    delay: { duration: HOUR_MS },
  });
  await old.send({ to: { email: "soon@example.com" }, content: content("Soon"), delay: { duration: SOON_MS } });
  await until("all of them were tried", async () => {
    const tried = await old.get<Events>("/admin/events?type=message.retrying&limit=100");
    return tried.events.length >= SUBSCRIBERS + 1;
  });

  // While it serves, it does not move.
  const schema = database.schema("moved");
  const migrate = ["migrate", "--to", database.url, "--json"];
  const env = { TIDINGS_DATABASE_SCHEMA: schema };
  const refused = await home.run(migrate, env);
  assert.deepEqual([refused.code, (JSON.parse(refused.out) as Told).error.code], [1, "store.locked"]);
  await old.stop();
  const before = mailHost.mails.length;

  // How long it takes, by a copy of the folder; which shows that the way is clear, too.
  const copy = join(folder, "copy");
  cpSync(home.dataDir, copy, { recursive: true });
  const startMs = performance.now();
  const argv = ["migrate", "--data-dir", copy, "--database-schema", database.schema("copy")];
  const whole = await home.run(argv, { TIDINGS_DATABASE_URL: database.url });
  const tookMs = performance.now() - startMs;
  assert.equal(whole.code, 0, whole.err);
  const told = whole.out.replaceAll(/\d+(\.\d+)? m?s\b/g, "TIME");
  assert.ok(told.startsWith(`✓ ${copy} is in Postgres now, in TIME\n`), told);
  assert.match(
    told,
    new RegExp(`messages +${2 * SUBSCRIBERS + 4}\n +jobs +${SUBSCRIBERS + 3} not done yet, 0 dead letters\n`),
  );
  assert.match(told, /blobs +1, .*\n +compared +11 tables, every row\n/);

  let deaths = 0;
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const { child, ended } = home.begin(migrate, env);
    await wait((tookMs * (kill + 1)) / (KILLS + 3));
    child.kill("SIGKILL");
    deaths += (await ended).signal === "SIGKILL" ? 1 : 0;
    const [mark, marks] = [await readMoveMark(home.dataDir), await marksOf(schema)];
    if (marks.length > 0) assert.ok(mark !== null, "the schema is not claimed while the folder can start");
    if (mark?.state === "moved")
      assert.deepEqual(marks, ["move.finished"], "the folder is left when the schema is whole");
    if (mark?.state === "moved") break;
  }
  t.diagnostic(`${deaths} of ${KILLS} killed; a whole move takes ${Math.round(tookMs)} ms`);
  assert.ok(deaths > 0);
  const mark = await readMoveMark(home.dataDir);
  if (mark?.state !== "moved") {
    if ((await marksOf(schema))[0] === "move.unfinished") {
      const half = await home.run(["start", "--json"], { ...env, TIDINGS_DATABASE_URL: database.url });
      assert.deepEqual([half.code, (JSON.parse(half.out) as Told).error.code], [1, "store.moving"]);
      const { out } = await home.run(["doctor"], { ...env, TIDINGS_DATABASE_URL: database.url });
      assert.match(out.replaceAll(/\s+/g, " "), /✗ database The schema "\w+" holds a part of an installation/);
    }
    const moved = await home.run(migrate, env);
    assert.deepEqual({ code: moved.code, err: moved.err }, { code: 0, err: "" });
  }
  const gone = await home.run(["start", "--json"]);
  assert.deepEqual([gone.code, (JSON.parse(gone.out) as Told).error.code], [1, "store.moved"]);
  assert.match(gone.out, new RegExp(`was moved to Postgres at \\S+, schema ${schema} on`));

  const doctor = await home.run(["doctor"]);
  assert.match(doctor.out.replaceAll(/\s+/g, " "), /✗ database What is in \S+ was moved to Postgres/);
  const over = await home.run(migrate.slice(0, -1), env);
  assert.deepEqual([over.code, over.out], [1, ""]);
  assert.match(over.err, /was moved to Postgres at/);

  // The new place goes on.
  mailHost.onRecipient = () => null;
  const program = await home.start({ ...env, TIDINGS_DATABASE_URL: database.url });
  const again = await program.send({ to: { email: "once@example.com" }, content: content("Once") }, once);
  assert.equal(again, first);
  await program.send({ to: { email: "fresh@example.com" }, content: content("Fresh") });
  await until("what waited is sent", () => mailHost.mails.length >= before + SUBSCRIBERS + 3, 90_000);
  await until("nothing else is left but what is delayed", () => isIdle(program, { mayWait: true }));
  const expected = [
    ...Array.from({ length: SUBSCRIBERS }, (_, n) => `u${n}@busy.example`),
    ...["later-large@example.com", "soon@example.com", "fresh@example.com"],
  ];
  assert.deepEqual(
    mailHost.mails
      .slice(before)
      .map(({ to }) => to)
      .toSorted(),
    expected.toSorted(),
  );
  const [large] = mailHost.to("later-large@example.com");
  assert.ok(large !== undefined);
  const [attachment] = (await read(large)).attachments;
  assert.ok(Buffer.from(attachment?.content as ArrayBuffer).equals(file), "byte for byte");
  const messages = await allMessages(program);
  assert.equal(messages.length, 2 * SUBSCRIBERS + 5);
  assert.deepEqual(
    messages.filter(({ status }) => status !== "SENT").map(({ id }) => id),
    [delayed],
  );

  // Links of mails that the old place sent, and ids of its events, mean the same.
  const left = await program.call(
    "POST",
    await leavingLink(mailHost.to("u1@calm.example")[0]),
    "List-Unsubscribe=One-Click",
    {
      "content-type": "application/x-www-form-urlencoded",
    },
  );
  assert.ok(left.ok, await left.text());
  const history = await program.get<Events>(`/admin/events?type=message.accepted&limit=1`);
  assert.match(history.events[0]?.id ?? "", /^evt_\d{1,4}$/);
});

type Told = { readonly error: { readonly code: string } };
