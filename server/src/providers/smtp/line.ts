import net from "node:net";
import tls from "node:tls";
import { type Reply, ReplyReader } from "./reply.ts";
import type { Target } from "./settings.ts";

/** Someone who waits for the answer to one command. Exactly one of the two methods is called, once. */
export interface Waiting {
  /** The command, for people: "no answer to RCPT". */
  readonly command: string;
  readonly timeoutMs: number;
  answer(reply: Reply): void;
  lost(reason: string): void;
}

/** Who owns the line. */
export interface LineOwner {
  /** Everything that arrived together has been answered; a good moment to write. */
  settled(): void;
  /** The server speaks without being asked: 421 before it closes, or it has lost its mind. */
  unsolicited(reply: Reply): void;
  /** Once, after every `Waiting` has been told. */
  lost(reason: string): void;
}

/** A line that broke while its greeting or handshake was under way. */
export class LineLost extends Error {}

/**
 * A socket on which commands go out and replies come back in the same order (RFC 5321 §4.2, RFC 2920 §3.1).
 *
 *     open ──▶ [secure ──▶] open ──▶ lost
 *
 * It is lost when the other side closes or resets it, when the first of those who wait has waited too long, when
 * what arrives is not SMTP, or when `end` or `fail` is called. Whatever the cause, all who wait are told, first
 * come first, then the owner.
 */
export class Line {
  #socket: net.Socket;
  readonly #owner: LineOwner;
  readonly #waiting: Waiting[] = [];
  readonly #reader = new ReplyReader();
  #lostBecause: string | null = null;
  #deadlineMs = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | null = null;
  #timerFiresMs = 0;
  #flushedBytes = 0;
  #holds = 0;
  #held = "";

  constructor(socket: net.Socket, owner: LineOwner) {
    this.#socket = socket;
    this.#owner = owner;
    this.#listen(socket);
  }

  get isLost(): boolean {
    return this.#lostBecause !== null;
  }

  /** TLS protects what is written. */
  get isSecure(): boolean {
    return this.#socket instanceof tls.TLSSocket;
  }

  /** @param bytes one character per byte. `flushed` is called when the kernel has it all; never if the line is lost. */
  write(bytes: string, flushed?: () => void): void {
    if (this.isLost) return;
    if (flushed === undefined && this.#holds > 0) {
      this.#held += bytes;
      return;
    }
    this.#flush();
    if (flushed === undefined) this.#socket.write(bytes, "latin1");
    else this.#socket.write(bytes, "latin1", (error) => (error || this.isLost ? undefined : flushed()));
  }

  /** What is written during `run` goes out as one packet, if it fits into one. */
  together(run: () => void): void {
    this.#holds += 1;
    try {
      run();
    } finally {
      this.#holds -= 1;
      if (this.#holds === 0) this.#flush();
    }
  }

  #flush(): void {
    const held = this.#held;
    if (held === "" || this.isLost) return;
    this.#held = "";
    this.#socket.write(held, "latin1");
  }

  /** Gets the next reply that nobody before it waits for. On a lost line it is told at once. */
  await(waiting: Waiting): void {
    if (this.#lostBecause !== null) {
      waiting.lost(this.#lostBecause);
      return;
    }
    this.#waiting.push(waiting);
    if (this.#waiting.length === 1) this.#arm();
  }

  /** Writes one command and resolves with its reply. @throws {LineLost} */
  ask(line: string, command: string, timeoutMs: number): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (line !== "") this.write(`${line}\r\n`);
      this.await({ command, timeoutMs, answer: resolve, lost: (reason) => reject(new LineLost(reason)) });
    });
  }

  /**
   * TLS over what is there. The caller has just got the go-ahead.
   *
   * @throws {LineLost} when the handshake fails, or when the server spoke on in the clear after its go-ahead, which is
   *   how replies are injected (CVE-2011-0411).
   */
  async secure(target: Target): Promise<void> {
    if (this.#reader.inside) this.fail("the server spoke on in the clear after STARTTLS");
    if (this.#lostBecause !== null) throw new LineLost(this.#lostBecause);
    const plain = this.#socket;
    this.#deafen(plain);
    const secure = tls.connect({ ...tlsOptions(target), socket: plain });
    this.#socket = secure;
    try {
      await connected(secure, "secureConnect", target.timeouts.connectMs, "TLS");
    } catch (error) {
      const reason = error instanceof LineLost ? error.message : "TLS failed";
      this.fail(reason);
      throw new LineLost(reason);
    }
    this.#listen(secure);
  }

  /** Says goodbye and closes; nobody may be waiting any more. */
  end(goodbye: string): void {
    if (this.isLost) return;
    this.#flush();
    this.#socket.end(goodbye, "latin1");
    this.fail("closed");
  }

  /** Breaks the line for `reason`. */
  fail(reason: string): void {
    if (this.isLost) return;
    this.#lostBecause = reason;
    if (this.#timer !== null) clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#deafen(socket);
    socket.on("error", () => undefined);
    if (socket.writableEnded) {
      // A server that never closes its side must not keep ours.
      socket.on("end", () => socket.destroy());
      socket.setTimeout(GOODBYE_MS, () => socket.destroy());
      socket.resume();
    } else socket.destroy();
    for (const waiting of this.#waiting.splice(0)) waiting.lost(reason);
    this.#owner.lost(reason);
  }

  #listen(socket: net.Socket): void {
    socket.on("data", this.#read);
    socket.on("error", this.#broke);
    socket.on("end", this.#closed);
    socket.on("close", this.#closed);
  }

  #deafen(socket: net.Socket): void {
    socket.off("data", this.#read);
    socket.off("error", this.#broke);
    socket.off("end", this.#closed);
    socket.off("close", this.#closed);
  }

  readonly #broke = (error: NodeJS.ErrnoException): void =>
    this.fail(`the connection broke (${error.code ?? "error"})`);
  readonly #closed = (): void => this.fail("the server closed the connection");

  readonly #read = (chunk: Buffer): void => {
    const replies = this.#reader.read(chunk.toString("latin1"));
    if (typeof replies === "string") {
      this.fail(`the server sent ${replies}`);
      return;
    }
    this.together(() => {
      for (const reply of replies) this.#hear(reply);
      if (!this.isLost && replies.length > 0) this.#owner.settled();
    });
  };

  #hear(reply: Reply): void {
    if (this.isLost) return;
    const first = this.#waiting.shift();
    this.#arm();
    if (first === undefined) this.#owner.unsolicited(reply);
    else first.answer(reply);
  }

  /** The first in the queue has from now on. The timer is moved only when it would ring too late. */
  #arm(): void {
    const first = this.#waiting[0];
    if (first === undefined) {
      this.#deadlineMs = Number.POSITIVE_INFINITY;
      return;
    }
    this.#deadlineMs = performance.now() + first.timeoutMs;
    if (this.#timer !== null && this.#timerFiresMs <= this.#deadlineMs) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#ring(first.timeoutMs);
  }

  #ring(afterMs: number): void {
    this.#timerFiresMs = performance.now() + afterMs;
    this.#timer = setTimeout(() => this.#rung(), afterMs);
    this.#timer.unref();
  }

  #rung(): void {
    this.#timer = null;
    const first = this.#waiting[0];
    if (first === undefined) return;
    const leftMs = this.#deadlineMs - performance.now();
    const flushedBytes = this.#socket.bytesWritten - this.#socket.writableLength;
    if (leftMs > 1) this.#ring(leftMs);
    else if (flushedBytes !== this.#flushedBytes && this.#socket.writableLength > 0) {
      // A large mail is still going out, and going: it is not the server's turn yet.
      this.#flushedBytes = flushedBytes;
      this.#arm();
    } else this.fail(`no answer to ${first.command} within ${first.timeoutMs / 1000} s`);
  }
}

/** How long a server may take to close its side after QUIT. */
const GOODBYE_MS = 2_000;

/** Opens a socket to the target, with TLS when it is implicit. @throws {LineLost} with a reason fit for people. */
export async function openSocket(target: Target, signal: AbortSignal): Promise<net.Socket> {
  const { host, port, timeouts } = target;
  const socket = target.implicitTls
    ? tls.connect({ ...tlsOptions(target), host, port })
    : net.connect({ host, port, noDelay: true });
  const stop = (): unknown => socket.destroy(new Error("stopped"));
  signal.addEventListener("abort", stop, { once: true });
  try {
    await connected(socket, target.implicitTls ? "secureConnect" : "connect", timeouts.connectMs, `${host}:${port}`);
  } finally {
    signal.removeEventListener("abort", stop);
  }
  socket.setNoDelay(true);
  socket.setKeepAlive(true, 60_000);
  return socket;
}

function tlsOptions(target: Target): tls.ConnectionOptions {
  return {
    // A name, not an address, may be asked for (RFC 6066 §3).
    ...(net.isIP(target.host) === 0 ? { servername: target.host } : {}),
    host: target.host,
    rejectUnauthorized: target.verify,
    secureContext: secureContext(target),
  };
}

/** Reading certificates takes milliseconds, so it is done once for all connections. */
const contexts = new WeakMap<Target, tls.SecureContext>();

function secureContext(target: Target): tls.SecureContext {
  const known = contexts.get(target);
  if (known !== undefined) return known;
  const { ca } = target;
  const context = tls.createSecureContext(ca === null ? {} : { ca: [...tls.rootCertificates, ca] });
  contexts.set(target, context);
  return context;
}

function connected(socket: net.Socket, event: string, timeoutMs: number, whom: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const tidy = (): void => {
      clearTimeout(timer);
      socket.off("error", onError);
      socket.off("close", onClose);
      socket.off(event, onDone);
    };
    const fail = (why: string): void => {
      tidy();
      socket.on("error", () => undefined);
      socket.destroy();
      reject(new LineLost(`cannot connect to ${whom}: ${why}`));
    };
    const onError = (error: NodeJS.ErrnoException): void => fail(explain(error));
    const onClose = (): void => fail("the connection was closed");
    const onDone = (): void => {
      tidy();
      resolve();
    };
    const timer = setTimeout(() => fail(`no answer within ${timeoutMs / 1000} s`), timeoutMs);
    socket.once("error", onError);
    socket.once("close", onClose);
    socket.once(event, onDone);
  });
}

/** Certificates are what people stumble over, so they are told what to do. */
function explain(error: NodeJS.ErrnoException): string {
  const code = error.code ?? error.message;
  return /CERT|SELF_SIGNED|ALTNAME|VERIFY/.test(code)
    ? `${code} (verify=false in the URL accepts any certificate)`
    : code;
}
