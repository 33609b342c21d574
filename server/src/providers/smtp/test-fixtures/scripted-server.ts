import net from "node:net";

const UNREAD_BYTES_MAX = 256 * 1024;

/** A server that does what a test tells it, word for word. */
export type ScriptedServer = AsyncDisposable & {
  readonly port: number;
  /** How many connections have been made. */
  readonly connections: number;
  /** All lines that arrived, of all connections, without the mails. */
  readonly lines: readonly string[];
};

/** One connection, as the script sees it. Every read rejects when the client has gone. */
export class Conversation {
  readonly #socket: net.Socket;
  readonly #lines: string[];
  #received = Buffer.alloc(0);
  #gone = false;
  #wake: () => void = () => undefined;

  constructor(socket: net.Socket, lines: string[]) {
    this.#socket = socket;
    this.#lines = lines;
    socket.on("data", (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      // Nobody is listening: the client feels it.
      if (this.#received.length > UNREAD_BYTES_MAX) socket.pause();
      this.#wake();
    });
    for (const event of ["close", "end", "error"]) {
      socket.on(event, () => {
        this.#gone = true;
        this.#wake();
      });
    }
  }

  /** Whether something came behind what was heard. */
  get hasMore(): boolean {
    return this.#received.length > 0;
  }

  say(...lines: string[]): void {
    this.#socket.write(lines.map((line) => `${line}\r\n`).join(""), "utf8");
  }

  drop(): void {
    this.#socket.destroy();
  }

  /** The next line, which must begin with `verb`. */
  async hear(verb = ""): Promise<string> {
    const line = (await this.#until("\r\n")).slice(0, -2);
    this.#lines.push(line);
    if (!line.startsWith(verb)) throw new Error(`expected ${verb}, heard ${line}`);
    return line;
  }

  async answer(verb: string, ...lines: string[]): Promise<string> {
    const line = await this.hear(verb);
    this.say(...lines);
    return line;
  }

  /** Greets and takes EHLO, offering `words`. */
  async welcome(...words: string[]): Promise<void> {
    this.say("220 scripted ESMTP");
    const all = ["scripted", ...words];
    await this.answer("EHLO", ...all.map((word, i) => `250${i === all.length - 1 ? " " : "-"}${word}`));
  }

  /** What comes up to and with the final dot. */
  mail(): Promise<string> {
    return this.#until("\r\n.\r\n");
  }

  async bytes(count: number): Promise<string> {
    while (this.#received.length < count) await this.#more();
    return this.#take(count);
  }

  /** MAIL to the final dot or the last BDAT, everything accepted but the answer to the mail itself. */
  async takeMail(): Promise<string> {
    let mail = "";
    for (;;) {
      const line = await this.hear();
      if (line === "DATA") {
        this.say("354 go ahead");
        return this.mail();
      }
      if (line.startsWith("BDAT")) mail += await this.bytes(Number(line.split(" ")[1]));
      if (line.endsWith(" LAST")) return mail;
      this.say("250 fine");
    }
  }

  /** Resolves when the client has closed. */
  async gone(): Promise<void> {
    while (!this.#gone) await this.#more().catch(() => undefined);
  }

  async #until(end: string): Promise<string> {
    for (;;) {
      const at = this.#received.indexOf(end);
      if (at >= 0) return this.#take(at + end.length);
      await this.#more();
    }
  }

  #take(count: number): string {
    const text = this.#received.toString("latin1", 0, count);
    this.#received = this.#received.subarray(count);
    return text;
  }

  #more(): Promise<void> {
    if (this.#gone) return Promise.reject(new Error("the client has gone"));
    this.#socket.resume();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

/** Runs `script` for every connection. A script that ends leaves the connection as it is. */
export async function startScriptedServer(
  script: (conversation: Conversation, connection: number) => Promise<void>,
): Promise<ScriptedServer> {
  const sockets = new Set<net.Socket>();
  const lines: string[] = [];
  let connections = 0;
  const server = net.createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    connections += 1;
    // A client that leaves in the middle of a script is what many tests are about.
    script(new Conversation(socket, lines), connections).catch(() => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
  return {
    port: address.port,
    get connections() {
      return connections;
    },
    lines,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
