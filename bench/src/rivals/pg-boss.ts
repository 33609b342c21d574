import { type Job, type JobResult, PgBoss } from "pg-boss";
import type { Backend, Deliver, Notice, Person } from "./notice.ts";
import { runRival } from "./program.ts";
import { Tables } from "./tables.ts";

const QUEUE = "mail";
/** Workers side by side, so that one batch is fetched and written while another is sent. */
const WORKERS = 2;
/** For the calls that are being accepted; their commits share an fsync. The tables need one for each worker. */
const CONNECTIONS_MAX = 20;
const STRANGER: Person = { locale: null, optedOut: false, suppressed: false };

/**
 * pg-boss: batches, fetched without a pause while they come back full, else after the shortest pause it allows. Without
 * NOTIFY: that makes commits wait for one another, and costs a burst more than it gives.
 */
await runRival(async ({ database, concurrency }): Promise<Backend> => {
  const tables = await Tables.create(database, WORKERS);
  const boss = new PgBoss({
    connectionString: database,
    max: CONNECTIONS_MAX,
    schedule: false,
  });
  boss.on("error", (error) => process.stderr.write(`${error.stack}\n`));
  await boss.start();
  await boss.createQueue(QUEUE, {
    partition: true,
    retryLimit: 5,
    retryBackoff: true,
  });
  const options = {
    batchSize: Math.ceil(concurrency / WORKERS),
    localConcurrency: WORKERS,
    burstWhenBatchFull: true,
    pollingIntervalSeconds: 0.5,
    perJobResults: true,
  } as const;
  return {
    enqueue: (notice) => boss.send(QUEUE, notice, { id: notice.id }),
    work: (deliver) => boss.work<Notice, void, typeof options>(QUEUE, options, (jobs) => handle(tables, jobs, deliver)),
    unfinished: () => tables.count("select count(*)::int as n from pgboss.job where state < 'completed'"),
    logged: () => tables.logged(),
    close: async () => {
      await boss.stop({ graceful: false });
      await tables.pool.end();
    },
  };
});

/** One statement to look them up, one for the rows of all; each job is settled by itself. */
async function handle(tables: Tables, jobs: readonly Job<Notice>[], deliver: Deliver): Promise<JobResult[]> {
  const people = await tables.lookUp(jobs.map(({ data }) => data.to));
  const tried = await Promise.allSettled(jobs.map(({ data }) => deliver(data, people.get(data.to) ?? STRANGER)));
  const entries = tried.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  if (entries.length > 0) await tables.write(entries);
  return jobs.map(({ id }, i) => {
    const one = tried[i];
    return one?.status === "rejected"
      ? { id, status: "failed", output: { reason: String(one.reason) } }
      : { id, status: "completed" };
  });
}
