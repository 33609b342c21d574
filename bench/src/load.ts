import net from "node:net";
import { createInterface } from "node:readline";
import { sendBody } from "./mail.ts";
import { steadyMs } from "./measure.ts";

/** One burst: `connections` at once, each sends when its last call is answered and `gapMs` have passed. */
export type LoadJob = {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly key: string;
  /** Names the burst; see mail.ts. */
  readonly burst: string;
  readonly sends: number;
  readonly connections: number;
  readonly gapMs: number;
};

/** Times in ms of the machine's steady clock, by index of the send. */
export type LoadResult = {
  readonly startMs: number;
  readonly endMs: number;
  readonly sentMs: readonly number[];
  readonly acceptedMs: readonly number[];
  /** Calls that were answered 429 or 503 and said again, as `Retry-After` wished. */
  readonly putOff: number;
};

/** How long one call may take. */
const CALL_MS_MAX = 60_000;
const PUT_OFF_MS_MAX = 5_000;

type Answer = { readonly status: number; readonly head: string; readonly body: string };

/** A keep-alive connection with one call at a time, in as few instructions as will do: it shares the cores. */
class Caller {
  readonly #socket: net.Socket;
  #heard = "";
  #call: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | null = null;

  constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.setTimeout(CALL_MS_MAX, () => socket.destroy(new Error(`no answer for ${CALL_MS_MAX} ms`)));
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("close", () => this.#call?.reject(new Error("the server closed the connection")));
    socket.on("error", (error) => this.#call?.reject(error));
  }

  static async open(port: number, host: string): Promise<Caller> {
    const socket = net.connect({ port, host, noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return new Caller(socket);
  }

  call(request: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#call = { resolve, reject };
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    this.#heard += chunk.toString("latin1");
    const headEnd = this.#heard.indexOf("\r\n\r\n");
    if (headEnd < 0) return;
    const head = this.#heard.slice(0, headEnd);
    const length = /content-length: (\d+)/i.exec(head)?.[1];
    if (length === undefined) throw new Error(`an answer without Content-Length: ${head}`);
    const end = headEnd + 4 + Number(length);
    if (this.#heard.length < end) return;
    const body = this.#heard.slice(headEnd + 4, end);
    this.#heard = this.#heard.slice(end);
    const call = this.#call;
    this.#call = null;
    call?.resolve({ status: Number(head.slice(9, 12)), head, body });
  }
}

async function run({ host, port, path, key, burst, sends, connections, gapMs }: LoadJob): Promise<LoadResult> {
  const callers = await Promise.all(Array.from({ length: connections }, () => Caller.open(port, host)));
  const head = `POST ${path} HTTP/1.1\r\nHost: ${host}:${port}\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\n`;
  const sentMs = new Array<number>(sends).fill(0);
  const acceptedMs = new Array<number>(sends).fill(0);
  let next = 0;
  let putOff = 0;
  const lane = async (caller: Caller): Promise<void> => {
    while (next < sends) {
      const index = next++;
      const body = sendBody(burst, index);
      const request = `${head}Content-Length: ${body.length}\r\n\r\n${body}`;
      sentMs[index] = steadyMs();
      for (;;) {
        const answer = await caller.call(request);
        if (answer.status === 202) break;
        if (answer.status !== 429 && answer.status !== 503) throw new Error(`${answer.status} ${answer.body}`);
        putOff += 1;
        const seconds = Number(/retry-after: (\d+)/i.exec(answer.head)?.[1] ?? 1);
        await new Promise((done) => setTimeout(done, Math.min(PUT_OFF_MS_MAX, seconds * 1000)));
      }
      acceptedMs[index] = steadyMs();
      if (gapMs > 0) await new Promise((done) => setTimeout(done, gapMs));
    }
  };
  const startMs = steadyMs();
  await Promise.all(callers.map(lane));
  const endMs = steadyMs();
  for (const caller of callers) caller.close();
  return { startMs, endMs, sentMs, acceptedMs, putOff };
}

/** A line of `LoadJob` in, a line of `LoadResult` out, until the end of stdin. */
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await run(JSON.parse(line) as LoadJob))}\n`);
}
