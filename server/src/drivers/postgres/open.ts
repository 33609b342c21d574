import { Commits } from "#drivers/postgres/commit.ts";
import { Database } from "#drivers/postgres/connection.ts";
import { faultOf } from "#drivers/postgres/faults.ts";
import { Jobs } from "#drivers/postgres/jobs.ts";
import { Groups } from "#drivers/postgres/groups.ts";
import { Journal } from "#drivers/postgres/journal.ts";
import { LeaseClock } from "#drivers/postgres/lease-clock.ts";
import { migrate } from "#drivers/postgres/migrate.ts";
import { unreachableFault } from "#drivers/postgres/open-fault.ts";
import { ReadCore } from "#drivers/postgres/read-core.ts";
import { Records } from "#drivers/postgres/records.ts";
import { Retention } from "#drivers/postgres/retention.ts";
import { PostgresStore } from "#drivers/postgres/store.ts";
import { refuseUnfinished } from "#drivers/postgres/unfinished.ts";
import { Wake } from "#drivers/postgres/wake.ts";
import { invariant } from "#domain/invariant.ts";
import type { Clock } from "#ports/clock.ts";
import type { Store } from "#ports/store.ts";

export type PostgresOptions = {
  /** `postgres://user:password@host:5432/database`, with the options that libpq knows. */
  readonly url: string;
  /** The database's time (`openDatabaseClock`), so that all nodes agree. */
  readonly clock: Clock;
  /** Where everything of ours lies in the database; made if it is not there. Default "tidings". */
  readonly schema?: string;
  /** Connections at once, beside the one that listens. Default {@link CONNECTIONS_MAX}. */
  readonly connectionsMax?: number;
  /** Shown in pg_stat_activity. Default "tidings". */
  readonly applicationName?: string;
  /** Told what endangers our promises, a sentence each. */
  readonly onNote?: (sentence: string) => void;
};

/** Two commits, claims, a heartbeat, and reads beside them. */
export const CONNECTIONS_MAX = 10;
/** Longest name that Postgres keeps whole. */
const SCHEMA_BYTES_MAX = 63;

/**
 * Opens a schema of a Postgres database as the store, and brings it to our form. Any number of nodes may do so at once.
 *
 * @throws {OperatorFault} `store.unreachable`, `store.unfit`, `store.newer`, or `store.moving` while half of it is copied.
 */
export async function openPostgresStore(options: PostgresOptions): Promise<Store> {
  const { url, clock, connectionsMax = CONNECTIONS_MAX, applicationName = "tidings", onNote } = options;
  const schema = quoted(options.schema ?? "tidings");
  try {
    await using parts = new AsyncDisposableStack();
    const db = parts.use(await Database.open({ url, applicationName, connectionsMax }));
    for (const note of await migrated(db, schema, clock.nowMs())) onNote?.(note);
    await refuseUnfinished(db, schema);
    const leases = new LeaseClock(clock);
    const groups = new Groups(schema, clock);
    await groups.look(db);
    const wake = parts.use(new Wake(db, schema));
    await wake.open();
    if (!wake.isTold)
      onNote?.("Notifications do not come through (PgBouncer?): nodes look for each other's work instead");
    return new PostgresStore(
      {
        commits: new Commits(db, schema, clock, leases, groups, () => wake.tell()),
        jobs: new Jobs(db, schema, clock, leases, groups),
        journal: new Journal(db, schema),
        records: new Records(db, schema, clock),
        retention: new Retention(db, schema),
        reads: new ReadCore({ db, schema, clock, onHeldBack: (isHeldBack) => wake.onHeldBack(isHeldBack) }),
        wake,
      },
      parts.move(),
    );
  } catch (error) {
    throw unreachableFault(error, url);
  }
}

/** As it stands in SQL. */
export function quoted(schema: string): string {
  invariant(schema !== "" && Buffer.byteLength(schema) <= SCHEMA_BYTES_MAX, "a schema has a name of at most 63 bytes");
  return `"${schema.replaceAll('"', '""')}"`;
}

async function migrated(db: Database, schema: string, nowMs: number): Promise<readonly string[]> {
  const client = await db.single("patient");
  try {
    return await migrate(client, schema, nowMs);
  } catch (error) {
    throw faultOf(error);
  } finally {
    await client.end().catch(() => {});
  }
}
