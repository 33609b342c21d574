import { createInterface } from "node:readline";
import { sleep } from "../children.ts";
import { openDoor } from "./door.ts";
import { openMailer } from "./mailer.ts";
import type { Backend } from "./notice.ts";

/** On argv, as JSON. */
export type RivalJob = {
  readonly key: string;
  readonly sinkPort: number;
  /** The path of Redis's socket, or the URL of Postgres. */
  readonly database: string;
  /** False: the door is open, and nobody works. */
  readonly works: boolean;
  /** Jobs in hand at once. */
  readonly concurrency: number;
  /** Of nodemailer's pool. */
  readonly mailConnections: number;
};

/** Between two looks whether the queue is empty, as with Tidings. */
const LOOK_MS = 10;
const SETTLED_MS_MAX = 120_000;

/**
 * One process, door and worker, as a good engineer writes it today. Prints `{"port":…}` when it listens; for a line
 * `settle` on stdin waits until no job is left, for `logged` prints what rows the log has.
 */
export async function runRival(open: (job: RivalJob) => Promise<Backend>): Promise<void> {
  const job = JSON.parse(process.argv[2] ?? "{}") as RivalJob;
  const backend = await open(job);
  const mailer = openMailer(job.sinkPort, job.mailConnections);
  if (job.works) await backend.work(mailer.deliver);
  const door = openDoor(job.key, (notice) => backend.enqueue(notice));
  const { port } = new URL(await door.listen({ port: 0, host: "127.0.0.1" }));
  say({ port: Number(port) });
  process.once("SIGTERM", () => {
    mailer.close();
    void Promise.allSettled([door.close(), backend.close()]).then(() => process.exit(0));
  });
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === "settle") say(await settled(backend));
    if (line === "logged") say(await backend.logged());
  }
}

async function settled(backend: Backend): Promise<{ readonly settled: true }> {
  const startMs = performance.now();
  while ((await backend.unfinished()) > 0) {
    if (performance.now() - startMs > SETTLED_MS_MAX) throw new Error("the queue does not empty");
    await sleep(LOOK_MS);
  }
  return { settled: true };
}

function say(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
