import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { startPostgres } from "./postgres-server.ts";

/** A database for one test file, in which every store has a schema of its own. */
export type TestDatabase = AsyncDisposable & {
  readonly url: string;
  /** The name of this file's own schema for `at`; dropped at the end. */
  schema(at: string): string;
};

/** Made so far by this process, in which many test files may run, all in the one database that was given. */
let schemas = 0;

/**
 * The Postgres of `TIDINGS_TEST_POSTGRES_URL`, in which only schemas of this process are made and dropped; else one that is
 * started for the occasion, without fsync, and is gone with it. For what must hold on every Postgres; what power failures
 * do is tested elsewhere.
 *
 * @throws {Error} when there is neither: a test that needs Postgres fails without it.
 */
export async function testDatabase(settings: Readonly<Record<string, string>> = {}): Promise<TestDatabase> {
  const given = process.env["TIDINGS_TEST_POSTGRES_URL"];
  const names = new Map<string, string>();
  const schema = (at: string): string => {
    const name = names.get(at) ?? `t${process.pid}_${schemas++}_${at}`.slice(0, 63);
    names.set(at, name);
    return name;
  };
  if (given !== undefined && given !== "") {
    return { url: given, schema, [Symbol.asyncDispose]: () => dropAll(given, [...names.values()]) };
  }
  const folder = mkdtempSync(join(tmpdir(), "tidings-postgres-"));
  const server = await startPostgres({
    folder,
    settings: { fsync: "off", max_connections: "60", shared_buffers: "64MB", ...settings },
  });
  return {
    url: server.url,
    schema,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function dropAll(url: string, schemas: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (const name of schemas) await client.query(`DROP SCHEMA IF EXISTS "${name}" CASCADE`);
  } finally {
    await client.end();
  }
}
