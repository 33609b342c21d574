import { Worker } from "bullmq";
import { Redis } from "ioredis";
import { JOBS } from "./bullmq.ts";
import { Orders, type Order, type OrdersPlan } from "./handler.ts";
import { noteLag, type Timed } from "./lag-handler.ts";

/** On argv, as JSON. */
export type WorkerJob = { readonly socket: string; readonly concurrency: number } & (
  | { readonly kind: "orders"; readonly plan: OrdersPlan }
  | { readonly kind: "lag"; readonly file: string }
);

const job = JSON.parse(process.argv[2] ?? "{}") as WorkerJob;
const connection = new Redis({ path: job.socket, maxRetriesPerRequest: null });
const worker = new Worker(JOBS, handlerOf(job), { connection, concurrency: job.concurrency });
worker.on("error", (error) => process.stderr.write(`${error.stack}\n`));
await worker.waitUntilReady();
process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
process.once("SIGTERM", () => {
  void worker.close().finally(() => process.exit(0));
});

/** The same modules that Tidings' functions call. */
function handlerOf(what: WorkerJob): (job: { readonly data: unknown }) => Promise<void> {
  switch (what.kind) {
    case "orders": {
      const orders = new Orders(what.plan);
      // Only this benchmark adds jobs.
      return async ({ data }) => orders.take([data as Order]);
    }
    case "lag":
      return async ({ data }) => noteLag(what.file, data as Timed);
  }
}
