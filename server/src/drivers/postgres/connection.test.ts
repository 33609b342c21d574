import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, before, describe, test } from "node:test";
import pg from "pg";
import { claimOne, COMMITTED, commitOne, event, job, StandingClock } from "#conformance/store-world.ts";
import { Database, statement } from "#drivers/postgres/connection.ts";
import { openPostgresStore, quoted } from "#drivers/postgres/open.ts";
import { OperatorFault } from "#domain/faults.ts";
import { type Store, StoreFault } from "#ports/store.ts";
import { Wire } from "../../../test/faults/wire.ts";
import { freePort } from "../../../test/support/free-port.ts";
import { startPooler } from "../../../test/support/pooler.ts";
import { type TestDatabase, testDatabase } from "../../../test/support/test-database.ts";
import { until } from "../../../test/support/until.ts";

let database: TestDatabase;
before(async () => {
  database = await testDatabase();
});
after(() => database[Symbol.asyncDispose]());

const open = (at: string, url = database.url): Promise<Store> =>
  openPostgresStore({
    url,
    clock: new StandingClock(),
    schema: database.schema(at),
    connectionsMax: 3,
    applicationName: nameOf(at),
  });

const nameOf = (at: string): string => `tidings ${process.pid} ${at}`;

async function stranger(): Promise<pg.Client & AsyncDisposable> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}

/** Ends all connections of one opening, as an administrator, a failover or a restart does. */
async function terminate(by: pg.Client, at: string): Promise<void> {
  await by.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1", [nameOf(at)]);
}

const named = (applicationName: string) => ({ url: database.url, applicationName, connectionsMax: 1 });
const isFault = (error: unknown): boolean => error instanceof StoreFault;

describe("when connections die", () => {
  test("a commit under way is a fault, of which nothing is left, and the next one works", async () => {
    await using store = await open("cut");
    await using other = await stranger();
    await using watcher = await stranger();
    await commitOne(store, { events: [event("first")] });
    await other.query(`BEGIN; LOCK TABLE ${quoted(database.schema("cut"))}.jobs`);
    const stuck = assert.rejects(commitOne(store, { events: [event("cut")], jobs: [job("cut")] }), isFault);
    await until("the commit waits for the lock", async () => {
      const waiting = await watcher.query(
        "SELECT 1 FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'",
        [nameOf("cut")],
      );
      return (waiting.rowCount ?? 0) > 0;
    });
    await terminate(watcher, "cut");
    await stuck;
    await other.query("ROLLBACK");
    assert.deepEqual(await commitOne(store, { events: [event("next")], jobs: [job("next")] }), COMMITTED);
    assert.equal((await store.eventsOf("cut", 9)).length, 0);
    assert.equal((await claimOne(store)).key, "next");
  });

  test("one that ends in the packet that says it is ready ends no process", async () => {
    const { hostname: host, port } = new URL(database.url);
    const refusal = "SFATAL\0C57P01\0Mterminating connection due to administrator command\0\0";
    const packet = (letter: string, body: Buffer): Buffer => {
      const length = Buffer.alloc(4);
      length.writeInt32BE(body.length + 4);
      return Buffer.concat([Buffer.from(letter), length, body]);
    };
    const greeting = [packet("R", Buffer.alloc(4)), packet("Z", Buffer.from("I")), packet("E", Buffer.from(refusal))];
    let connections = 0;
    const server = net.createServer((near) => {
      connections += 1;
      near.on("error", () => {});
      if (connections === 1) near.pipe(net.connect(Number(port), host)).pipe(near);
      else near.once("data", () => near.end(Buffer.concat(greeting)));
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const own = new URL(database.url);
    own.host = `127.0.0.1:${(server.address() as net.AddressInfo).port}`; // it listens on TCP
    {
      await using db = await Database.open({ ...named("short"), url: own.href });
      await assert.rejects(db.ask(statement("SELECT 1")), isFault);
      assert.equal(connections, 2);
    }
    server.close();
  });

  test("idle ones are replaced without a word, and wakes come again", async () => {
    await using store = await open("idle");
    await using other = await stranger();
    await using node = await openPostgresStore({
      url: database.url,
      clock: new StandingClock(),
      schema: database.schema("idle"),
      applicationName: nameOf("idle-node"),
    });
    let wakes = 0;
    store.onWake(() => (wakes += 1));
    await terminate(other, "idle");
    await until("a question is answered again", () =>
      store.depths().then(
        () => true,
        () => false,
      ),
    );
    let count = 0;
    await until("a commit elsewhere is heard of", async () => {
      const before = wakes;
      await commitOne(node, { events: [event(`e${(count += 1)}`)] });
      await until("it is heard", () => wakes > before, 1_000).catch(() => {});
      return wakes > before;
    });
  });
});

describe("when the network is cut, which nobody is told", () => {
  test("nobody waits long for an answer that does not come, and when it is whole, all is well", async () => {
    const { hostname: host, port } = new URL(database.url);
    await using wire = await Wire.open({ host, port: Number(port) });
    const url = new URL(database.url);
    url.host = `127.0.0.1:${wire.port}`;
    const silentMsMax = 300;
    await using db = await Database.open({ url: url.href, applicationName: "cut", connectionsMax: 3, silentMsMax });
    const one = statement("SELECT 1");
    const ask = () => db.ask(one);
    await Promise.all([ask(), ask(), ask()]);
    wire.cut();
    const fromMs = performance.now();
    await assert.rejects(ask(), isFault);
    const tookMs = performance.now() - fromMs;
    assert.ok(tookMs < 2 * silentMsMax + 1_500, `it took ${tookMs} ms`);
    wire.mend();
    assert.deepEqual((await Promise.all([ask(), ask(), ask()])).length, 3);
  });

  test("an answer that takes long is waited for while the database is there", async () => {
    await using db = await Database.open({ ...named("slow"), silentMsMax: 100 });
    assert.equal((await db.ask(statement("SELECT 1 FROM pg_sleep(0.6)"))).count, 1);
  });
});

describe("behind a pooler", () => {
  test("statements go without names once names were mixed up", async () => {
    await using db = await Database.open({ url: database.url, applicationName: "names", connectionsMax: 1 });
    const [two, forget] = [statement("SELECT 1 + $1::int"), { name: "", text: "DEALLOCATE ALL" }];
    assert.deepEqual((await db.ask(two, [1])).rows, [[2]]);
    assert(db.names);
    await db.ask(forget);
    assert.deepEqual((await db.ask(two, [2])).rows, [[3]]);
    assert(!db.names);
    await db.ask(forget);
    assert.deepEqual((await db.ask(two, [3])).rows, [[4]]);
  });

  test("whoever meets mixed up names beside others goes once more as well", async () => {
    await using db = await Database.open({ url: database.url, applicationName: "names", connectionsMax: 3 });
    // Long enough for each of the three to need a connection of its own.
    const slow = statement("SELECT $1::int, pg_sleep(0.05)::text");
    const forget = { name: "", text: "DEALLOCATE ALL; SELECT pg_sleep(0.05)" };
    const all = () => Promise.all([1, 2, 3].map(async (n) => (await db.ask<[number]>(slow, [n])).rows[0]?.[0]));
    assert.deepEqual(await all(), [1, 2, 3]);
    await Promise.all([1, 2, 3].map(() => db.ask(forget)));
    assert.deepEqual(await all(), [1, 2, 3]);
    assert(!db.names);
  });

  test("that refuses settings of connections, each transaction brings them along", async () => {
    await using pooler = await startPooler(database.url);
    await using db = await Database.open({ url: pooler.url, applicationName: "bare", connectionsMax: 1 });
    assert.equal(pooler.refused(), 1);
    assert(!db.keepsSettings);
    assert.deepEqual((await db.ask({ name: "", text: "SHOW enable_seqscan" })).rows, [["off"]]);
    await using store = await open("pooled", pooler.url);
    assert.deepEqual(await commitOne(store, { jobs: [job("a")], events: [event("a")] }), COMMITTED);
    const held = await claimOne(store);
    assert.deepEqual(await commitOne(store, { job: { ref: held, end: { kind: "done" } } }), COMMITTED);
  });

  test("PgBouncer in transaction mode changes nothing but how work is heard of", async (t) => {
    const binary = (process.env["PATH"] ?? "")
      .split(delimiter)
      .map((folder) => join(folder, "pgbouncer"))
      .find(existsSync);
    if (binary === undefined) return t.skip("pgbouncer is not installed on this machine");
    await using bouncer = await startBouncer(binary, database.url);
    await using store = await open("bouncer", bouncer.url);
    await using second = await open("bouncer", bouncer.url);
    const woken = new Promise<void>((resolve) => second.onWake(resolve));
    for (let n = 0; n < 20; n += 1) {
      await Promise.all([commitOne(store, { jobs: [job(`a${n}`)] }), commitOne(second, { events: [event(`e${n}`)] })]);
      const held = await claimOne(n % 2 === 0 ? store : second);
      assert.deepEqual(await commitOne(store, { job: { ref: held, end: { kind: "done" } } }), COMMITTED);
    }
    await woken;
    assert.equal((await store.readJournal({ after: 0, limit: 99 })).events.length, 20);
  });
});

test("a database that cannot be reached is the operator's to mend, and no message has the password", async () => {
  const url = `postgres://ada:s3cret@127.0.0.1:${await freePort()}/there`;
  for (const wrong of [url, "postgres://ada:s3cret@[there/x"]) {
    await assert.rejects(open("unreachable", wrong), (error: unknown) => {
      assert(error instanceof OperatorFault);
      assert(["store.unreachable", "config.invalid"].includes(error.code));
      for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
        assert(!`${cause.message} ${cause.stack} ${JSON.stringify(cause)}`.includes("s3cret"));
      }
      return true;
    });
  }
});

async function startBouncer(binary: string, url: string): Promise<AsyncDisposable & { readonly url: string }> {
  const folder = mkdtempSync(join(tmpdir(), "tidings-bouncer-"));
  chmodSync(folder, 0o755);
  const { hostname, port, username, pathname } = new URL(url);
  const own = await freePort();
  const file = join(folder, "pgbouncer.ini");
  writeFileSync(join(folder, "users"), `"${username}" ""\n`);
  writeFileSync(
    file,
    `[databases]\n${pathname.slice(1)} = host=${hostname} port=${port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n` +
      `listen_port = ${own}\nauth_type = trust\nauth_file = ${join(folder, "users")}\npool_mode = transaction\n` +
      "default_pool_size = 4\n",
  );
  const asNobody = process.getuid?.() === 0 ? ["-u", "nobody"] : [];
  const child = spawn(binary, [...asNobody, file], { stdio: "ignore" });
  const ended = once(child, "exit");
  const bounced = new URL(url);
  bounced.port = String(own);
  await until("PgBouncer answers", async () => {
    const client = new pg.Client({ connectionString: bounced.href });
    return await client.connect().then(
      () => client.end().then(() => true),
      () => false,
    );
  });
  return {
    url: bounced.href,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
