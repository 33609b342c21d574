import type { Finding } from "#cli/checks.ts";
import { span } from "#cli/output.ts";
import type { Settings } from "#config/settings.ts";
import { SETTINGS } from "#config/table.ts";
import { OPERATOR_FAULTS, OperatorFault } from "#domain/faults.ts";

/** Beyond this a node's own clock misleads whoever reads its log; what it writes into the database goes by the database's. */
const CLOCK_OFF_MS_MAX = 60_000;

/** The database answers, is one that we can work in, has a schema that this program knows, and room for connections. */
export async function checkPostgres(settings: Settings, url: string, nowMs: number): Promise<readonly Finding[]> {
  const about = "database";
  const { Database, statement } = await import("#drivers/postgres/connection.ts");
  const { ours, POSTGRES_VERSION_MIN } = await import("#drivers/postgres/migrate.ts");
  const { placeOf } = await import("#app/open-store.ts");
  const place = placeOf(url);
  const schema = `"${settings.databaseSchema}"`;
  try {
    await using db = await Database.open({ url, applicationName: "tidings doctor", connectionsMax: 1 });
    const { rows } = await db.ask<readonly [string, number, string, string, string | null]>(
      statement(
        "SELECT current_setting('server_version'), (extract(epoch FROM clock_timestamp()) * 1000)::float8, " +
          "current_setting('max_connections'), current_setting('server_version_num'), to_regclass($1)::text",
      ),
      [`${schema}.migrations`],
    );
    const [version = "", databaseMs = nowMs, connections = "0", number = "0", table = null] = rows[0] ?? [];
    const found: Finding[] = [];
    const answers = `${place} answers, Postgres ${version}`;
    if (Number(number) < POSTGRES_VERSION_MIN * 10_000) {
      const says = `${answers}: ${POSTGRES_VERSION_MIN} is needed`;
      return [{ about, verdict: "bad", says, fix: "upgrade it, or name another database" }];
    }
    const known = ours().length;
    if (table === null) {
      const says = `${answers}; the schema ${schema} is made at first start`;
      found.push({ about, verdict: "good", says, fix: null });
    } else {
      const has = await db.ask<readonly [number]>(statement(`SELECT max(number)::float8 FROM ${schema}.migrations`));
      const step = has.rows[0]?.[0] ?? 0;
      const says = `${answers}; schema ${schema} is at step ${step}, this program knows ${known}`;
      const fix = step > known + 1 ? "start the newer Tidings" : null;
      found.push({ about, verdict: fix === null ? "good" : "bad", says, fix });
      const { refuseUnfinished } = await import("#drivers/postgres/unfinished.ts");
      await refuseUnfinished(db, schema);
    }
    const needs = settings.databaseConnections + CONNECTIONS_BESIDE;
    if (needs * 2 > Number(connections)) {
      const says = `each node may take ${needs} connections, and Postgres allows ${connections} in all`;
      const fix = `raise max_connections, lower ${SETTINGS.databaseConnections.env}, or put PgBouncer between`;
      found.push({ about: "nodes", verdict: "warning", says, fix });
    }
    const offMs = Math.abs(databaseMs - nowMs);
    if (offMs > CLOCK_OFF_MS_MAX) {
      const says = `this machine is ${span(offMs)} off the database, whose time is what counts`;
      found.push({ about: "clock", verdict: "warning", says, fix: "let NTP set both clocks" });
    }
    return found;
  } catch (error) {
    if (error instanceof OperatorFault && error.code === "store.moving") {
      const says = error.message.replace(` [${error.code}]`, "");
      return [{ about, verdict: "bad", says, fix: OPERATOR_FAULTS[error.code] }];
    }
    const why = error instanceof Error ? error.message : String(error);
    const fix = `see that it runs, and that ${SETTINGS.databaseUrl.env} is right`;
    return [{ about, verdict: "bad", says: `${place} cannot be worked with: ${why}`, fix }];
  }
}

/** One listens, one tells the time, two carry attachments. */
const CONNECTIONS_BESIDE = 4;
