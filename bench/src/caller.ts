import net from "node:net";

/** How long one call may take. */
const CALL_MS_MAX = 60_000;

export type Answer = { readonly status: number; readonly head: string; readonly body: string };

/** A keep-alive connection with one call at a time, in as few instructions as will do: it shares the cores. */
export class Caller {
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

  /** False when either side has closed it. */
  get isOpen(): boolean {
    return !this.#socket.destroyed && this.#socket.writable;
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
    if (length === undefined) {
      this.#readChunked(head, headEnd + 4);
      return;
    }
    const end = headEnd + 4 + Number(length);
    if (this.#heard.length < end) return;
    this.#answer(head, this.#heard.slice(headEnd + 4, end), end);
  }

  /** RFC 9112 §7.1, without trailers: as servers answer that do not know beforehand how much they will say. */
  #readChunked(head: string, from: number): void {
    if (!/transfer-encoding: chunked/i.test(head)) throw new Error(`an answer without Content-Length: ${head}`);
    let body = "";
    for (let at = from; ; ) {
      const lineEnd = this.#heard.indexOf("\r\n", at);
      if (lineEnd < 0) return;
      const size = Number.parseInt(this.#heard.slice(at, lineEnd), 16);
      const end = lineEnd + 2 + size + 2;
      if (!(this.#heard.length >= end)) return;
      if (size === 0) {
        this.#answer(head, body, end);
        return;
      }
      body += this.#heard.slice(lineEnd + 2, end - 2);
      at = end;
    }
  }

  #answer(head: string, body: string, end: number): void {
    this.#heard = this.#heard.slice(end);
    const call = this.#call;
    this.#call = null;
    call?.resolve({ status: Number(head.slice(9, 12)), head, body });
  }
}
