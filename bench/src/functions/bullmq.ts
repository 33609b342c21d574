import { Queue } from "bullmq";
import { Redis } from "ioredis";
import { type Child, scriptFile, start } from "../children.ts";
import type { WorkerJob } from "./bullmq-worker.ts";

/** The queue's name. */
export const JOBS = "jobs";
const ADD_AT_ONCE = 1_000;
const TRIES = 5;
const RETRY_MS = 1_000;

/** Who adds jobs to a private Redis. */
export class Producer implements AsyncDisposable {
  readonly #connection: Redis;
  readonly #queue: Queue<object, void, string>;

  constructor(socket: string) {
    this.#connection = new Redis({ path: socket, maxRetriesPerRequest: null });
    this.#queue = new Queue(JOBS, {
      connection: this.#connection,
      // As Tidings' messages: tried five times, and gone when they are done.
      defaultJobOptions: {
        attempts: TRIES,
        backoff: { type: "exponential", delay: RETRY_MS },
        removeOnComplete: true,
      },
    });
  }

  async add(data: object): Promise<void> {
    await this.#queue.add("job", data);
  }

  async fill(count: number, dataOf: (index: number) => object): Promise<void> {
    for (let from = 0; from < count; from += ADD_AT_ONCE) {
      const size = Math.min(ADD_AT_ONCE, count - from);
      await this.#queue.addBulk(Array.from({ length: size }, (_, n) => ({ name: "job", data: dataOf(from + n) })));
    }
  }

  async unfinished(): Promise<number> {
    const counts = await this.#queue.getJobCounts("waiting", "active", "delayed", "prioritized", "failed");
    return Object.values(counts).reduce((sum, count) => sum + count, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue.close();
    this.#connection.disconnect();
  }
}

/** A worker in a process of its own, as one is deployed. */
export async function startWorker(job: WorkerJob): Promise<Child> {
  const child = start([scriptFile("functions/bullmq-worker.ts"), JSON.stringify(job)], {
    env: { NODE_ENV: "production" },
  });
  await child.hear();
  return child;
}
