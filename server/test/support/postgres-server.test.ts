import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import pg from "pg";
import { findPostgres, startPostgres } from "./postgres-server.ts";

const skip =
  findPostgres() === null ? "this machine has no Postgres, and its npm package is not for this platform" : false;

test("a private Postgres keeps what is committed, syncs it, and takes its data along when it ends", {
  skip,
}, async () => {
  using home = folder();
  let url: string;
  {
    await using server = await startPostgres({ folder: home.path, settings: { work_mem: "8MB" } });
    url = server.url;
    process.kill(server.pid, 0);
    await using client = await connect(url);
    await client.query("create table t (n int)");
    await client.query("insert into t values (1), (2)");
    const { rows } = await client.query(
      `select (select sum(n)::int from t) as sum, current_setting('fsync') as fsync,
        current_setting('synchronous_commit') as commit, current_setting('work_mem') as memory,
        current_setting('listen_addresses') as addresses`,
    );
    assert.deepEqual(rows, [{ sum: 3, fsync: "on", commit: "on", memory: "8MB", addresses: "127.0.0.1" }]);
  }
  await assert.rejects(connect(url), /ECONNREFUSED/);
  assert.deepEqual(readdirSync(home.path), []);
});

test("a Postgres that is killed or stopped has what was committed when it is up again, at the same address", {
  skip,
}, async () => {
  using home = folder();
  await using server = await startPostgres({ folder: home.path });
  {
    await using client = await connect(server.url);
    await client.query("create table t (n int)");
    await client.query("insert into t values (1)");
    client.on("error", () => {});
    await server.kill();
  }
  await assert.rejects(connect(server.url), /ECONNREFUSED/);
  await server.up();
  await server.down();
  await assert.rejects(connect(server.url), /ECONNREFUSED/);
  await server.up();
  await using client = await connect(server.url);
  const { rows } = await client.query("select n from t");
  assert.deepEqual(rows, [{ n: 1 }]);
});

test("a Postgres that cannot start tells what it said", { skip }, async () => {
  using home = folder();
  await assert.rejects(startPostgres({ folder: home.path, settings: { fsync: "perhaps" } }), /"perhaps"|"fsync"/);
});

function folder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "tidings-postgres-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

async function connect(connectionString: string): Promise<pg.Client & AsyncDisposable> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}
