import { createInterface } from "node:readline";
import nodemailer from "nodemailer";
import { plainMails, SENDER } from "./mail.ts";
import { steadyMs } from "./measure.ts";

/** nodemailer's pool and nothing else: no HTTP, no queue, nothing kept, nothing rendered. `{ sink, connections }` on argv. */
export type RawJob = { readonly burst: string; readonly sends: number };
export type RawResult = { readonly startMs: number; readonly endMs: number };

/** Mails handed to the pool for each of its connections, so that none waits for us. */
const IN_HAND_PER_CONNECTION = 4;

const { sinkPort, connections } = JSON.parse(process.argv[2] ?? "{}") as { sinkPort: number; connections: number };
const transport = nodemailer.createTransport({
  pool: true,
  host: "127.0.0.1",
  port: sinkPort,
  ignoreTLS: true,
  maxConnections: connections,
  maxMessages: Number.POSITIVE_INFINITY,
});
const mailOf = plainMails();

async function run({ burst, sends }: RawJob): Promise<RawResult> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < sends) await transport.sendMail({ from: SENDER, ...mailOf(burst, next++) });
  };
  const startMs = steadyMs();
  await Promise.all(Array.from({ length: connections * IN_HAND_PER_CONNECTION }, lane));
  return { startMs, endMs: steadyMs() };
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await run(JSON.parse(line) as RawJob))}\n`);
}
transport.close();
