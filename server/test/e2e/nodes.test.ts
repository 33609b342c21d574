import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { allMessages, type Promised, sendAlways } from "../support/load.ts";
import { MailHost } from "../support/mail-host.ts";
import { startPostgres } from "../support/postgres-server.ts";
import { Home, type Program } from "../support/program.ts";
import { type TestDatabase, testDatabase } from "../support/test-database.ts";
import { until } from "../support/until.ts";

/** The whole program as several nodes on one Postgres: roles, a share of the work for each, and what a death leaves. */

const SENDS = 500;
/** A lease, the wait for the next look, and both cores taken. */
const TAKEN_OVER_MS_MAX = 90_000;

/** What a node may have in calls to the mail server when it dies: its half of the places (pool 40, pipelining). */
const IN_CALLS_MAX = 160;

type Nodes = { workers: number; nodes: { id: string; role: string; live: boolean; self: boolean }[] };

const mailHost = await MailHost.open();
const home = new Home({ TIDINGS_SMTP_URL: mailHost.url });
let database: TestDatabase;
let api: Program;
let workers: [Program, Program];

before(async () => {
  database = await testDatabase();
  home.env({ TIDINGS_DATABASE_URL: database.url, TIDINGS_DATABASE_SCHEMA: database.schema("nodes") });
  const [first, second, third] = await Promise.all([
    home.start({ TIDINGS_ROLE: "api" }),
    home.start({ TIDINGS_ROLE: "worker" }),
    home.start({ TIDINGS_ROLE: "worker" }),
  ]);
  api = first;
  workers = [second, third];
});
after(async () => {
  await home[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
  await mailHost[Symbol.asyncDispose]();
});

/** How many tries at the mail server a node has made. */
async function triesOf(node: Program): Promise<number> {
  const text = await (await node.call("GET", "/metrics")).text();
  return Number(/^tidings_tries_total\{.*outcome="sent"\} (\d+)$/m.exec(text)?.[1] ?? 0);
}

async function settled(count: number, patienceMs?: number): Promise<void> {
  await until(
    "all are sent",
    async () => {
      const messages = await allMessages(api);
      return messages.filter(({ status }) => status === "SENT").length >= count;
    },
    patienceMs,
  );
}

test("each node knows the others, and answers what its role allows", async () => {
  const nodes = await until("all three are known", async () => {
    const seen = await api.get<Nodes>("/admin/nodes");
    return seen.nodes.length === 3 ? seen : null;
  });
  assert.equal(nodes.workers, 2);
  assert.deepEqual(nodes.nodes.map(({ role }) => role).toSorted(), ["api", "worker", "worker"]);
  assert.deepEqual(
    nodes.nodes.flatMap(({ role, self }) => (self ? [role] : [])),
    ["api"],
  );
  const refused = await workers[0].call("POST", "/send", { message: {} });
  assert.equal(refused.status, 404);
  assert.match(await refused.text(), /role worker/);
  for (const node of [api, ...workers]) assert.equal((await node.call("GET", "/ready")).status, 200);
});

test("what one node accepts, the others send, each message once, and the first can tell what became of it", async () => {
  const promised: Promised = new Map();
  await sendAlways(api, promised, { name: "first", inFlight: 16, wanted: SENDS });
  assert.equal(promised.size, SENDS);
  await settled(promised.size, 60_000);
  const to = mailHost.mails.map((mail) => mail.to);
  assert.deepEqual(to.toSorted(), [...promised.values()].toSorted());
  assert.equal(await triesOf(api), 0);
  const tries = await Promise.all(workers.map(triesOf));
  assert.ok(
    tries.every((count) => count > 0),
    `each has its part: ${tries.join(", ")}`,
  );
  const [id = ""] = promised.keys();
  const { results } = await api.get<{ results: { answer: string }[] }>(`/admin/why?message=${id}`);
  assert.match(results[0]?.answer ?? "", /^Yes: smtp took it/);
});

test("a worker that is killed under load loses nothing: the other has its work when its leases are over", async () => {
  mailHost.mails.length = 0;
  mailHost.thinksMs = 20;
  const promised: Promised = new Map();
  const sending = sendAlways(api, promised, { name: "second", inFlight: 16, wanted: SENDS });
  await until("mails go", () => mailHost.mails.length > 50);
  await workers[0].kill();
  await sending;
  mailHost.thinksMs = 0;
  assert.equal(promised.size, SENDS, "the api node did not even notice");
  await settled(promised.size + SENDS, TAKEN_OVER_MS_MAX);
  const arrived = new Map<string, Set<string>>();
  for (const { to, messageId } of mailHost.mails) arrived.set(to, (arrived.get(to) ?? new Set()).add(messageId));
  assert.deepEqual([...arrived.keys()].toSorted(), [...promised.values()].toSorted(), "nothing is lost");
  assert.ok(
    [...arrived.values()].every((ids) => ids.size === 1),
    "what came twice is known by its Message-ID",
  );
  const twice = mailHost.mails.length - SENDS;
  assert.ok(twice <= IN_CALLS_MAX, `${twice} came twice`);
  const nodes = await until("it is known to be dead", async () => {
    const seen = await api.get<Nodes>("/admin/nodes");
    return seen.workers === 1 ? seen : null;
  });
  assert.equal(nodes.nodes.filter(({ live }) => !live).length, 1);
});

test("while the database is away, calls are refused with 503, and whoever asks is told", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tidings-away-"));
  await using away = new Home();
  const postgres = await startPostgres({ folder, settings: { fsync: "off" } });
  try {
    const node = await away.start({ TIDINGS_DATABASE_URL: postgres.url });
    assert.equal((await node.call("GET", "/ready")).status, 200);
    await postgres[Symbol.asyncDispose]();
    const refused = await node.call("POST", "/send", {
      message: { to: { email: "ada@example.com" }, content: { title: "t", body: "b" } },
    });
    assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "1"]);
    const unread = await node.call("GET", "/messages");
    assert.deepEqual([unread.status, unread.headers.get("retry-after")], [503, "1"]);
    await until("it says that it is not ready", async () => (await node.call("GET", "/ready")).status === 503);
    assert.equal((await node.call("GET", "/health")).status, 200);
    const { code } = await node.stop();
    assert.equal(code, 0, node.err);
  } finally {
    await postgres[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  }
});

test("backups of Postgres are left to its own tools, with the words to paste", async () => {
  const { code, err } = await home.run(["backup", "x.tidings"]);
  assert.notEqual(code, 0);
  assert.match(err, /pg_dump --format=custom --schema=\w+nodes /);
  assert.doesNotMatch(err, /postgres:\/\//);
});

test("the doctor looks at the database", async () => {
  const { out } = await home.run(["doctor", "--json"]);
  const found = out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { about: string; verdict: string; says: string });
  const database = found.find(({ about }) => about === "database");
  assert.deepEqual([database?.verdict, /answers, Postgres \d+/.test(database?.says ?? "")], ["good", true]);
});
