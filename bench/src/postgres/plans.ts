import pg from "pg";
import { Database, statement } from "../../../server/src/drivers/postgres/connection.ts";
import { jobSql } from "../../../server/src/drivers/postgres/job-sql.ts";
import { journalSql } from "../../../server/src/drivers/postgres/read-journal.ts";
import { messagePageSql } from "../../../server/src/drivers/postgres/read-messages.ts";
import { writeSql } from "../../../server/src/drivers/postgres/write-sql.ts";

/** How the server goes about what the program asks all the time: which tables, by which indexes. On the driver's own settings. */
export async function plansOf(
  url: string,
  schema: string,
): Promise<readonly { readonly what: string; readonly steps: readonly string[] }[]> {
  const [jobs, journal, writes] = [jobSql(schema), journalSql(schema), writeSql(schema)];
  const asked: readonly (readonly [what: string, text: string])[] = [
    ["claim", jobs.claim],
    ["next due", jobs.next],
    ["waking", jobs.wake],
    ["end of jobs", writes.done],
    ["journal", journal.page],
    ["history", journal.of],
    ["newest messages", messagePageSql(schema, {}).text],
    ["messages of a recipient", messagePageSql(schema, { recipient: "person-1" }).text],
  ];
  const client = new pg.Client({ connectionString: url, options: await planning(url) });
  await client.connect();
  try {
    const plans: { what: string; steps: string[] }[] = [];
    for (const [what, text] of asked) {
      // A generic plan is made without values, as the driver's prepared statements have it.
      const { rows } = await client.query<{ readonly "QUERY PLAN": readonly [Plan] }>(
        `EXPLAIN (GENERIC_PLAN, FORMAT JSON) ${text}`,
      );
      const [plan] = rows[0]?.["QUERY PLAN"] ?? [];
      plans.push({ what, steps: plan === undefined ? [] : [...new Set(stepsOf(plan.Plan))] });
    }
    return plans;
  } finally {
    await client.end();
  }
}

/** How the driver's own connections are told to plan. */
async function planning(url: string): Promise<string> {
  await using db = await Database.open({ url, applicationName: "plans", connectionsMax: 1 });
  const { rows } = await db.ask<[name: string, setting: string]>(
    statement("SELECT name, setting FROM pg_settings WHERE source = 'client' AND category LIKE 'Query Tuning%'"),
  );
  return rows.map(([name, setting]) => `-c ${name}=${setting}`).join(" ");
}

type Plan = { readonly Plan: Step };
type Step = Readonly<Record<string, unknown>> & { readonly Plans?: readonly Step[] };

/** Those that read a table. */
function* stepsOf(step: Step): Generator<string> {
  const [relation, index] = [step["Relation Name"], step["Index Name"]];
  const node = String(step["Node Type"]);
  if (typeof index === "string") yield `${node} ${index}`;
  else if (node.endsWith("Scan") && typeof relation === "string") yield `${node} ${relation}`;
  for (const below of step.Plans ?? []) yield* stepsOf(below);
}
