import { type Job, Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import type { Backend, Deliver, Entry, Notice, Person } from "./notice.ts";
import { runRival } from "./program.ts";

const QUEUE = "mail";
const TRIES = 5;
const RETRY_MS = 1_000;
const FAILED_KEPT = 10_000;

/** BullMQ on Redis; profiles, preferences and the log are hashes, a set and a stream in the same Redis. */
await runRival(async ({ database, concurrency }): Promise<Backend> => {
  const options = { path: database, maxRetriesPerRequest: null };
  // What one turn of the event loop asks for leaves in one pipeline. BullMQ's own connections are quicker without.
  const redis = new Redis({ ...options, enableAutoPipelining: true });
  const [producing, working] = [new Redis(options), new Redis(options)];
  const queue = new Queue<Notice, void, string>(QUEUE, {
    connection: producing,
    defaultJobOptions: {
      attempts: TRIES,
      backoff: { type: "exponential", delay: RETRY_MS },
      removeOnComplete: true,
      removeOnFail: { count: FAILED_KEPT },
    },
  });
  let worker: Worker<Notice, void, string> | null = null;
  return {
    enqueue: (notice) => queue.add(QUEUE, notice, { jobId: notice.id }),
    work: async (deliver) => {
      const handle = (job: Job<Notice, void, string>): Promise<void> => work(redis, job.data, deliver);
      worker = new Worker(QUEUE, handle, { connection: working, concurrency });
      worker.on("error", (error) => process.stderr.write(`${error.stack}\n`));
      await worker.waitUntilReady();
    },
    unfinished: async () => {
      const counts = await queue.getJobCounts("waiting", "active", "delayed", "prioritized");
      return Object.values(counts).reduce((sum, count) => sum + count, 0);
    },
    logged: async () => {
      let messages = 0;
      for await (const keys of redis.scanStream({ match: "message:*", count: 10_000 })) {
        messages += (keys as readonly string[]).length;
      }
      return { messages, history: await redis.xlen("history") };
    },
    close: async () => {
      await worker?.close();
      await queue.close();
      for (const connection of [redis, producing, working]) connection.disconnect();
    },
  };
});

async function work(redis: Redis, notice: Notice, deliver: Deliver): Promise<void> {
  await write(redis, await deliver(notice, await lookUp(redis, notice.to)));
}

async function lookUp(redis: Redis, address: string): Promise<Person> {
  const [locale, optedOut, suppressed] = await Promise.all([
    redis.hget(`profile:${address}`, "locale"),
    redis.hget(`preferences:${address}`, "orders"),
    redis.sismember("suppressed", address),
  ]);
  return { locale, optedOut: optedOut === "OPTED_OUT", suppressed: suppressed === 1 };
}

async function write(redis: Redis, { notice, status, providerId, history }: Entry): Promise<void> {
  const { id, to, data, acceptedMs } = notice;
  await Promise.all([
    redis.hset(`message:${id}`, { to, status, providerId, acceptedMs, data: JSON.stringify(data) }),
    ...history.map(({ type, atMs }) => redis.xadd("history", "*", "message", id, "type", type, "at", atMs)),
  ]);
}
