import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { openSmtpProvider } from "../../server/src/providers/smtp/provider.ts";

/**
 * Our SMTP client beside nodemailer's pool: the same mails, the same sink, each client in a process of its own.
 *
 *     node bench/src/smtp-clients.ts [--mails 5000] [--connections 10] [--delay-ms 5] [--window 8]
 *
 * Prints one JSON line per client: mails per second, and microseconds of the sender's CPU per mail.
 */
const CLIENTS = {
  nodemailer: { client: "nodemailer", pipelining: true, chunking: false },
  "own, one command at a time": { client: "own", pipelining: false, chunking: false },
  "own, PIPELINING": { client: "own", pipelining: true, chunking: false },
  "own, CHUNKING": { client: "own", pipelining: true, chunking: true },
} as const;
type ClientName = keyof typeof CLIENTS;

const PARAGRAPH = '<p style="margin:0 0 16px">Your parcel has left our warehouse and is on its way to you.</p>\n';

/** Sent and not counted, so that the code is compiled and the connections stand. */
const WARM_UP_MAILS = 2_000;

const { values } = parseArgs({
  options: {
    client: { type: "string" },
    port: { type: "string", default: "0" },
    mails: { type: "string", default: "5000" },
    connections: { type: "string", default: "10" },
    window: { type: "string", default: "8" },
    "delay-ms": { type: "string", default: "0" },
  },
});

if (values.client === undefined) {
  for (const name of Object.keys(CLIENTS) as ClientName[]) await measureInChild(name);
} else await measure(values.client as ClientName);

async function measureInChild(name: ClientName): Promise<void> {
  const { pipelining, chunking } = CLIENTS[name];
  const flags = [...(chunking ? ["--chunking"] : []), ...(pipelining ? [] : ["--no-pipelining"])];
  const sinkFile = new URL("smtp-sink.ts", import.meta.url).pathname;
  const sink = spawn(process.execPath, [sinkFile, "--delay-ms", values["delay-ms"], ...flags], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: sink.stdout });
  const [hello] = (await once(lines, "line")) as [string];
  const { port } = JSON.parse(hello) as { port: number };
  const rest = ["--mails", values.mails, "--connections", values.connections, "--window", values.window];
  const args = [new URL(import.meta.url).pathname, "--client", name, "--port", String(port), ...rest];
  const sender = spawn(process.execPath, args, { stdio: ["ignore", "inherit", "inherit"] });
  await once(sender, "exit");
  sink.stdin.end();
  await once(sink, "exit");
}

async function measure(name: ClientName): Promise<void> {
  const { client } = CLIENTS[name];
  const count = Number(values.mails);
  const url = `smtp://127.0.0.1:${values.port}?pool=${values.connections}&window=${values.window}`;
  await using provider = await openSmtpProvider(
    { url, from: "Tidings <news@example.com>", client },
    { get: async () => null },
  );
  await sendMails(WARM_UP_MAILS, "w", provider);
  const cpu = process.cpuUsage();
  const startedMs = performance.now();
  await sendMails(count, "m", provider);
  const tookMs = performance.now() - startedMs;
  const { user, system } = process.cpuUsage(cpu);
  const mailsPerSecond = Math.round((count / tookMs) * 1000);
  const cpuUsPerMail = Math.round((user + system) / count);
  process.stdout.write(`${JSON.stringify({ client: name, mailsPerSecond, cpuUsPerMail })}\n`);
}

/** As the pipeline would: batches, as many at once as the provider allows. */
async function sendMails(
  count: number,
  prefix: string,
  provider: Awaited<ReturnType<typeof openSmtpProvider>>,
): Promise<void> {
  const signal = new AbortController().signal;
  const batch = Math.min(40, provider.concurrencyMax);
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) {
      const from = next;
      next = Math.min(count, from + batch);
      const envelopes = Array.from({ length: next - from }, (_, i) => mail(`${prefix}${from + i}`));
      const report = (_: number, outcome: { readonly kind: string }): void => {
        if (outcome.kind !== "sent") throw new Error(JSON.stringify(outcome));
      };
      await provider.send(envelopes, report, signal);
    }
  };
  await Promise.all(Array.from({ length: Math.floor(provider.concurrencyMax / batch) }, lane));
}

/** About 2 KB with its header, as a rendered notification is. */
function mail(id: string): Parameters<Awaited<ReturnType<typeof openSmtpProvider>>["send"]>[0][number] {
  return {
    messageId: `msg_${id}`,
    attempt: 1,
    acceptedMs: 1_790_000_000_000,
    traceparent: null,
    content: {
      channel: "email",
      from: null,
      to: `Person ${id} <person-${id}@example.org>`,
      cc: [],
      bcc: [],
      replyTo: null,
      subject: `Your order ${id} has been shipped`,
      html: `<html><body><h1>Hello ${id}</h1>\n${PARAGRAPH.repeat(9)}</body></html>\n`,
      text: `Hello ${id}\n\n${"Your parcel has left our warehouse and is on its way to you.\n".repeat(8)}`,
      attachments: [],
      unsubscribe: { url: `https://example.com/unsubscribe/${id}` },
    },
  };
}
