import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import type pg from "pg";
import { TRANSACTION_ROWS_MAX } from "#drivers/postgres/positions.ts";
import { OperatorFault } from "#domain/faults.ts";
import { invariant } from "#domain/invariant.ts";

/** One step of the schema: `0007_words.sql`; a first line `-- breaking` says that older programs cannot go on with it. */
export type Migration = {
  readonly number: number;
  readonly name: string;
  readonly sql: string;
  readonly isBreaking: boolean;
  readonly checksum: string;
};

/** Postgres 15 has MERGE and security invokers, and is the oldest that is kept up in 2026 and 2027. */
export const POSTGRES_VERSION_MIN = 15;

/** Ours among the advisory locks of a database that others may use as well: "tidi". */
const LOCK = 0x74696469;

/**
 * Brings the schema to the newest form, each step in a transaction of its own, one node at a time. A schema that is one
 * step newer than this program is taken as it is, unless that step is breaking: so that nodes can be upgraded one after
 * the other, and the upgrade taken back.
 *
 * @param schema quoted.
 * @returns sentences for the operator about settings that endanger what we promise.
 * @throws {OperatorFault} `store.newer`, or `store.unfit` for a database that we cannot work in.
 */
export async function migrate(
  client: pg.Client,
  schema: string,
  nowMs: number,
  migrations: readonly Migration[] = ours(),
): Promise<readonly string[]> {
  const notes = await inspect(client);
  const knows = migrations.at(-1)?.number ?? 0;
  for (;;) {
    // Without a lock at first: as a rule there is nothing to do.
    const applied = await appliedTo(client, schema);
    const has = applied.at(-1)?.number ?? 0;
    refuseNewer(schema, applied, knows);
    const edited = applied.find((one) => migrations[one.number - 1]?.checksum !== one.checksum && one.number <= knows);
    if (edited !== undefined) throw other(schema, edited.name);
    if (has >= knows) break;
    await applyNext(client, schema, nowMs, migrations);
  }
  await rebase(client, schema);
  return notes;
}

/** The migrations beside this file, in order, without gaps. */
export function ours(folder: URL = new URL("./migrations/", import.meta.url)): readonly Migration[] {
  const names = readdirSync(folder)
    .filter((name) => name.endsWith(".sql"))
    .sort();
  return names.map((name, at) => {
    const number = Number(name.slice(0, 4));
    invariant(number === at + 1, `migrations are numbered without gaps, ${name} is number ${at + 1}`);
    const sql = readFileSync(new URL(name, folder), "utf8");
    const checksum = createHash("sha256").update(sql).digest("hex");
    return { number, name, sql, isBreaking: /^--\s*breaking\b/i.test(sql), checksum };
  });
}

type Applied = {
  readonly number: number;
  readonly name: string;
  readonly isBreaking: boolean;
  readonly checksum: string;
};

async function inspect(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<[version: number, encoding: string, fsync: string, fullPages: string]>({
    text: `SELECT current_setting('server_version_num')::int, current_setting('server_encoding'),
      current_setting('fsync'), current_setting('full_page_writes')`,
    rowMode: "array",
  });
  const [version, encoding, fsync, fullPages] = rows[0] ?? [0, "", "on", "on"];
  const major = Math.floor(version / 10_000);
  if (major < POSTGRES_VERSION_MIN) {
    const least = `Tidings needs Postgres ${POSTGRES_VERSION_MIN} or newer. Upgrade it, or name another database`;
    throw new OperatorFault("store.unfit", `This is Postgres ${major}, and ${least}`);
  }
  if (encoding !== "UTF8") {
    const how = "Make one with CREATE DATABASE tidings ENCODING 'UTF8' TEMPLATE template0, and name that";
    throw new OperatorFault("store.unfit", `The database's encoding is ${encoding}, and Tidings needs UTF8. ${how}`);
  }
  const off = [...(fsync === "off" ? ["fsync"] : []), ...(fullPages === "off" ? ["full_page_writes"] : [])];
  return off.map(
    (name) =>
      `Postgres runs with ${name} = off: a power failure can lose or damage what was accepted. Set it to on in postgresql.conf`,
  );
}

async function appliedTo(client: pg.Client, schema: string): Promise<readonly Applied[]> {
  // Not `to_regclass`: whoever waited for the lock would be answered from what the session remembers from before it.
  const there = await client.query<[boolean]>({
    text: `SELECT EXISTS (SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
      WHERE relname = 'migrations' AND nspname = $1)`,
    values: [schema.slice(1, -1).replaceAll('""', '"')],
    rowMode: "array",
  });
  if (there.rows[0]?.[0] !== true) return [];
  const { rows } = await client.query<[number, string, boolean, string]>({
    text: `SELECT number, name, breaking, checksum FROM ${schema}.migrations ORDER BY number`,
    rowMode: "array",
  });
  return rows.map(([number, name, isBreaking, checksum]) => ({ number, name, isBreaking, checksum }));
}

function refuseNewer(schema: string, applied: readonly Applied[], knows: number): void {
  const newer = applied.filter((one) => one.number > knows);
  if (newer.length === 0 || (newer.length === 1 && newer[0]?.isBreaking === false)) return;
  throw new OperatorFault(
    "store.newer",
    `The schema ${schema} was made by a newer Tidings (${applied.at(-1)?.number}, this program knows ${knows}). Start that ` +
      "version, or restore a dump from before the upgrade",
  );
}

function other(schema: string, name: string): OperatorFault {
  return new OperatorFault(
    "store.newer",
    `The schema ${schema} was made by another Tidings than this one: its ${name} differs. Start that one, or name another schema`,
  );
}

/** Applies the next step, if it is still to be applied once we are the only one who does so. */
async function applyNext(
  client: pg.Client,
  schema: string,
  nowMs: number,
  migrations: readonly Migration[],
): Promise<void> {
  await alone(client, schema, async () => {
    const has = (await appliedTo(client, schema)).at(-1)?.number ?? 0;
    const next = migrations[has];
    if (next === undefined) return;
    // Only if it is not there: who may not make schemas may work in one that was made for them.
    const there = await client.query("SELECT 1 FROM pg_namespace WHERE quote_ident(nspname) = $1 OR nspname = $2", [
      schema,
      schema.slice(1, -1).replaceAll('""', '"'),
    ]);
    if (there.rowCount === 0) await client.query(`CREATE SCHEMA ${schema}`);
    await client.query(`CREATE TABLE IF NOT EXISTS ${schema}.migrations (number integer PRIMARY KEY,
      name text NOT NULL, breaking boolean NOT NULL, checksum text NOT NULL, applied_ms bigint NOT NULL)`);
    await client.query(`SET LOCAL search_path = ${schema}, pg_temp`);
    await client.query(next.sql);
    await client.query(
      `INSERT INTO ${schema}.migrations (number, name, breaking, checksum, applied_ms) VALUES ($1, $2, $3, $4, $5)`,
      [next.number, next.name, next.isBreaking, next.checksum, Math.floor(nowMs)],
    );
  });
}

/**
 * Makes positions rise: the first installation begins near 0, and where a dump was loaded into a cluster whose transaction
 * ids are lower than those that the positions were made of, they go on behind the newest.
 */
async function rebase(client: pg.Client, schema: string): Promise<void> {
  if (await isInOrder(client, schema)) return;
  await alone(client, schema, async () => {
    if (await isInOrder(client, schema)) return;
    await client.query(`INSERT INTO ${schema}.meta (name, value)
      SELECT 'journal.offset', ${newestSql(schema)} - pg_current_xact_id()::text::bigint * ${TRANSACTION_ROWS_MAX}
      ON CONFLICT (name) DO UPDATE SET value = excluded.value`);
  });
}

async function isInOrder(client: pg.Client, schema: string): Promise<boolean> {
  // The newest row was committed, so its transaction is older than the next one.
  const { rows } = await client.query<[boolean]>({
    text: `SELECT coalesce((SELECT value FROM ${schema}.meta WHERE name = 'journal.offset')
      + pg_snapshot_xmax(pg_current_snapshot())::text::bigint * ${TRANSACTION_ROWS_MAX} > ${newestSql(schema)}, false)`,
    rowMode: "array",
  });
  return rows[0]?.[0] === true;
}

function newestSql(schema: string): string {
  return `greatest(0, (SELECT max(position) FROM ${schema}.events),
    (SELECT value FROM ${schema}.meta WHERE name = 'journal.trimmed'))`;
}

async function alone(client: pg.Client, schema: string, run: () => Promise<void>): Promise<void> {
  await client.query("BEGIN");
  try {
    await client.query("SELECT set_config('statement_timeout', '0', true), set_config('search_path', '', true)");
    await client.query("SELECT pg_advisory_xact_lock($1, hashtext($2))", [LOCK, schema]);
    await run();
    await client.query("COMMIT");
  } catch (error) {
    // The connection may be what failed.
    await client.query("ROLLBACK").catch(() => {});
    throw error;
  }
}
