import { Logger, makeWorkerUtils, run, type Runner, type TaskList } from "graphile-worker";
import type { Backend, Notice, Person } from "./notice.ts";
import { runRival } from "./program.ts";
import { Tables } from "./tables.ts";

const TASK = "mail";
/** Beside one for each job in hand: for the calls that are being accepted. */
const ACCEPTING_CONNECTIONS = 20;
const STRANGER: Person = { locale: null, optedOut: false, suppressed: false };
const QUIET = new Logger(() => (level, message) => {
  if (level === "error" || level === "warning") process.stderr.write(`${message}\n`);
});

/** graphile-worker with what its page on performance advises: a local queue, and completions in batches. */
await runRival(async ({ database, concurrency }): Promise<Backend> => {
  const tables = await Tables.create(database, concurrency + ACCEPTING_CONNECTIONS);
  const utils = await makeWorkerUtils({ pgPool: tables.pool, logger: QUIET });
  await utils.migrate();
  let runner: Runner | null = null;
  return {
    enqueue: (notice) => utils.addJob(TASK, notice, { jobKey: notice.id }),
    work: async (deliver) => {
      const taskList: TaskList = {
        [TASK]: async (payload) => {
          const notice = payload as Notice; // what enqueue gave
          const people = await tables.lookUp([notice.to]);
          await tables.write([await deliver(notice, people.get(notice.to) ?? STRANGER)]);
        },
      };
      runner = await run({
        pgPool: tables.pool,
        logger: QUIET,
        noHandleSignals: true,
        taskList,
        preset: {
          worker: {
            concurrentJobs: concurrency,
            localQueue: { size: concurrency * 4 },
            completeJobBatchDelay: 0,
            failJobBatchDelay: 0,
          },
        },
      });
    },
    unfinished: () => tables.count("select count(*)::int as n from graphile_worker.jobs where attempts < max_attempts"),
    logged: () => tables.logged(),
    close: async () => {
      await runner?.stop();
      await utils.release();
      await tables.pool.end();
    },
  };
});
