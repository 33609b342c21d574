import { appendFileSync, fstatSync } from "node:fs";
import net from "node:net";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { steadyMs } from "./measure.ts";

/** A mail that arrived, as far as a benchmark wants to know it. */
export type SunkMail = {
  readonly messageId: string;
  readonly recipients: readonly string[];
  /** When its last byte was read, in ms of the machine's steady clock: the same in every process, see `measure.ts`. */
  readonly atMs: number;
};

export type SmtpSinkStats = {
  readonly mails: number;
  readonly recipients: number;
  readonly bytes: number;
  readonly connections: number;
  /** Since start, of the process that the sink runs in. */
  readonly cpuMs: number;
};

export type SmtpSinkOptions = {
  /** 0, the default, picks a free one. */
  readonly port?: number;
  readonly host?: string;
  /** Offer PIPELINING; default true. */
  readonly pipelining?: boolean;
  /** Offer CHUNKING (BDAT); default false. */
  readonly chunking?: boolean;
  /** Wait before every write, in ms: a relay some way off. Default 0. */
  readonly delayMs?: number;
  /** Keep `SunkMail`s: in memory, or as JSON lines appended to a file before the mail is answered. Default none. */
  readonly record?: "memory" | { readonly file: string };
  /** Told of each mail when its last byte is read; for whoever keeps less than `record` does. */
  readonly onMail?: (recipients: readonly string[], atMs: number) => void;
  /** The answer to RCPT with its CRLF, for recipients that are not to be taken; null takes them. */
  readonly refuse?: (recipient: string) => string | null;
};

export type SmtpSink = {
  readonly port: number;
  stats(): SmtpSinkStats;
  /** What was recorded in memory, in order of arrival. */
  recorded(): readonly SunkMail[];
  close(): Promise<void>;
};

/** How much of a mail is searched for its Message-ID. */
const HEAD_BYTES_MAX = 16 * 1024;

type Totals = { mails: number; recipients: number; bytes: number; connections: number };

/** An SMTP server on loopback that takes every mail, as fast as Node can, and keeps none. */
export async function startSmtpSink(options: SmtpSinkOptions = {}): Promise<SmtpSink> {
  const totals: Totals = { mails: 0, recipients: 0, bytes: 0, connections: 0 };
  const recorded: SunkMail[] = [];
  const { record } = options;
  const keep =
    record === undefined
      ? null
      : (mails: readonly SunkMail[]): void => {
          if (record === "memory") recorded.push(...mails);
          else appendFileSync(record.file, mails.map((mail) => `${JSON.stringify(mail)}\n`).join(""));
        };
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => undefined);
    totals.connections += 1;
    new SinkConnection(socket, options, totals, keep);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, options.host ?? "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
  return {
    port: address.port,
    stats: () => ({ ...totals, cpuMs: cpuMs() }),
    recorded: () => recorded,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return Math.round((user + system) / 1000);
}

const OK = "250 2.0.0 Ok\r\n";
const END = Buffer.from("\r\n.\r\n", "latin1");
const NEWLINE = 10;

/**
 * One client: *commands* until DATA or BDAT, then *data* until the final dot, or *chunk* until its bytes are in.
 * All answers to what arrived in one read leave in one write.
 */
class SinkConnection {
  readonly #socket: net.Socket;
  readonly #options: SmtpSinkOptions;
  readonly #totals: Totals;
  readonly #keep: ((mails: readonly SunkMail[]) => void) | null;
  #state: "commands" | "data" | "chunk" = "commands";
  #rest: Buffer | null = null;
  #quits = false;
  #chunkLeft = 0;
  #chunkIsLast = false;
  #recipients: string[] = [];
  #recipientCount = 0;
  #head = "";
  #done: SunkMail[] = [];

  constructor(
    socket: net.Socket,
    options: SmtpSinkOptions,
    totals: Totals,
    keep: ((mails: readonly SunkMail[]) => void) | null,
  ) {
    this.#socket = socket;
    this.#options = options;
    this.#totals = totals;
    this.#keep = keep;
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    this.#write("220 sink ESMTP\r\n");
  }

  #write(text: string): void {
    if (text === "") return;
    const { delayMs = 0 } = this.#options;
    if (delayMs > 0) setTimeout(() => this.#writeNow(text), delayMs);
    else this.#writeNow(text);
  }

  #writeNow(text: string): void {
    if (this.#quits) this.#socket.end(text, "latin1");
    else this.#socket.write(text, "latin1");
  }

  #read(chunk: Buffer): void {
    const bytes = this.#rest === null ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = null;
    let answers = "";
    let at = 0;
    while (at < bytes.length) {
      const before = at;
      if (this.#state === "commands") {
        const end = bytes.indexOf(NEWLINE, at);
        if (end < 0) break;
        answers += this.#command(bytes.toString("latin1", at, end).trimEnd());
        at = end + 1;
      } else {
        const step = this.#state === "data" ? this.#data(bytes, at) : this.#chunk(bytes, at);
        answers += step.answer;
        at = step.at;
      }
      if (at === before) break;
    }
    if (at < bytes.length) this.#rest = bytes.subarray(at);
    if (this.#done.length > 0) this.#keep?.(this.#done.splice(0));
    this.#write(answers);
  }

  #command(line: string): string {
    const verb = line.slice(0, 4).toUpperCase();
    switch (verb) {
      case "MAIL":
        this.#recipients = [];
        this.#recipientCount = 0;
        return OK;
      case "RCPT":
        return this.#recipient(line);
      case "DATA":
        if (this.#recipientCount === 0) return "503 5.5.1 No recipients\r\n";
        this.#state = "data";
        this.#head = "";
        return "354 Go ahead\r\n";
      case "BDAT": {
        const [, count = "0", last] = line.split(" ");
        this.#state = "chunk";
        this.#chunkLeft = Number(count);
        this.#chunkIsLast = last !== undefined;
        return this.#chunkLeft === 0 ? this.#chunkDone() : "";
      }
      case "EHLO":
        return this.#hello();
      case "QUIT":
        this.#quits = true;
        return "221 2.0.0 Bye\r\n";
      case "XSTA":
        return `250 ${JSON.stringify({ ...this.#totals, cpuMs: cpuMs() })}\r\n`;
      case "HELO":
      case "NOOP":
        return OK;
      case "RSET":
        this.#recipientCount = 0;
        return OK;
      default:
        return "500 5.5.2 What?\r\n";
    }
  }

  #recipient(line: string): string {
    const { onMail, refuse } = this.#options;
    if (this.#keep !== null || onMail !== undefined || refuse !== undefined) {
      const recipient = line.slice(line.indexOf("<") + 1, line.indexOf(">"));
      const refusal = refuse?.(recipient) ?? null;
      if (refusal !== null) return refusal;
      this.#recipients.push(recipient);
    }
    this.#recipientCount += 1;
    return OK;
  }

  #hello(): string {
    const words = ["sink", "8BITMIME", "SMTPUTF8", "SIZE 52428800"];
    if (this.#options.pipelining !== false) words.push("PIPELINING");
    if (this.#options.chunking === true) words.push("CHUNKING");
    return words.map((word, i) => `250${i === words.length - 1 ? " " : "-"}${word}\r\n`).join("");
  }

  #data(bytes: Buffer, at: number): { answer: string; at: number } {
    const end = bytes.indexOf(END, at);
    // The end may be split between reads: its beginning is kept back.
    const until = end < 0 ? Math.max(at, bytes.length - END.length + 1) : end;
    this.#note(bytes, at, until);
    if (end < 0) return { answer: "", at: until };
    this.#state = "commands";
    this.#mailDone();
    return { answer: OK, at: end + END.length };
  }

  #chunk(bytes: Buffer, at: number): { answer: string; at: number } {
    const until = Math.min(bytes.length, at + this.#chunkLeft);
    this.#note(bytes, at, until);
    this.#chunkLeft -= until - at;
    return { answer: this.#chunkLeft === 0 ? this.#chunkDone() : "", at: until };
  }

  #chunkDone(): string {
    this.#state = "commands";
    if (this.#recipientCount === 0) return "503 5.5.1 No recipients\r\n";
    if (this.#chunkIsLast) this.#mailDone();
    return OK;
  }

  #note(bytes: Buffer, from: number, until: number): void {
    this.#totals.bytes += until - from;
    if (this.#keep === null || this.#head.length >= HEAD_BYTES_MAX) return;
    this.#head += bytes.toString("latin1", from, Math.min(until, from + HEAD_BYTES_MAX - this.#head.length));
  }

  #mailDone(): void {
    this.#totals.mails += 1;
    this.#totals.recipients += this.#recipientCount;
    this.#recipientCount = 0;
    this.#options.onMail?.(this.#recipients, steadyMs());
    if (this.#keep === null) return;
    const messageId = /^message-id:\s*(<[^>\r\n]*>)/im.exec(this.#head)?.[1] ?? "";
    this.#done.push({ messageId, recipients: this.#recipients, atMs: steadyMs() });
    this.#head = "";
  }
}

/**
 * `node bench/src/smtp-sink.ts [--port 0] [--chunking] [--no-pipelining] [--delay-ms 5] [--record FILE | --remember]`
 *
 * Prints `{"port":…}` when it listens; one line of stats for every line `stats` on stdin, one array of what it remembers
 * for every line `recorded`; and stats when it ends: at SIGTERM, SIGINT, or the end of stdin.
 */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: "string", default: "0" },
      chunking: { type: "boolean", default: false },
      "no-pipelining": { type: "boolean", default: false },
      "delay-ms": { type: "string", default: "0" },
      record: { type: "string" },
      remember: { type: "boolean", default: false },
    },
  });
  const sink = await startSmtpSink({
    port: Number(values.port),
    chunking: values.chunking,
    pipelining: !values["no-pipelining"],
    delayMs: Number(values["delay-ms"]),
    ...(values.record === undefined ? {} : { record: { file: values.record } }),
    ...(values.remember ? { record: "memory" as const } : {}),
  });
  const print = (value: unknown): unknown => process.stdout.write(`${JSON.stringify(value)}\n`);
  let ending = false;
  const end = async (): Promise<void> => {
    if (ending) return;
    ending = true;
    print(sink.stats());
    await sink.close();
    process.exit(0);
  };
  process.once("SIGTERM", () => void end());
  process.once("SIGINT", () => void end());
  // A parent that gives no stdin gives /dev/null, whose end means nothing.
  const isDevNull = fstatSync(0).isCharacterDevice() && !process.stdin.isTTY;
  createInterface({ input: process.stdin })
    .on("line", (line) => {
      if (line.trim() === "stats") print(sink.stats());
      if (line.trim() === "recorded") print(sink.recorded());
    })
    .on("close", () => (isDevNull ? undefined : void end()));
  print({ port: sink.port });
}

if (import.meta.main) await main();
