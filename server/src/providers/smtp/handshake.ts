import { createHmac } from "node:crypto";
import net from "node:net";
import type { Outcome } from "#domain/outcome.ts";
import { classify } from "./classify.ts";
import type { Line } from "./line.ts";
import { quoteReply, type Reply } from "./reply.ts";
import type { Target } from "./settings.ts";

/** What a server offers (RFC 5321 §2.2). */
export type Offers = {
  /** RFC 2920. */
  readonly pipelining: boolean;
  /** BDAT, RFC 3030. */
  readonly chunking: boolean;
  /** RFC 6531. */
  readonly utf8: boolean;
  /** RFC 1870: whether MAIL may announce a size, and the largest that is taken (Infinity when unsaid). */
  readonly size: boolean;
  readonly bytesMax: number;
};

/** The server does not want us, or we do not want it. `outcome` goes to the mails that waited for it. */
export class Unwelcome extends Error {
  readonly outcome: Outcome;

  constructor(outcome: Outcome) {
    super("reason" in outcome ? outcome.reason : outcome.kind);
    this.outcome = outcome;
  }
}

/**
 * From the first byte to the first mail:
 *
 *     greeting ─▶ EHLO ─▶ [STARTTLS ─▶ TLS ─▶ EHLO ─▶] [AUTH ─▶] ready
 *                  └─ refused: HELO, and no extensions
 *
 * STARTTLS is used when it is offered, unless `tls=never`; a server that offers it and then fails is not spoken to in
 * the clear. A password is never sent in the clear except to this machine or when `tls=never` asks for it.
 *
 * @throws {Unwelcome} when the server refuses, or a promise about TLS cannot be kept.
 * @throws {LineLost} when the line breaks.
 */
export async function shakeHands(line: Line, target: Target): Promise<Offers> {
  expectCode(await line.ask("", "the greeting", target.timeouts.greetingMs), 220, "greeting");
  let words = await hello(line, target);
  if (!line.isSecure && target.tls !== "never") {
    if (words.has("STARTTLS")) {
      expectCode(await line.ask("STARTTLS", "STARTTLS", target.timeouts.commandMs), 220, "STARTTLS");
      await line.secure(target);
      words = await hello(line, target);
    } else if (target.tls === "require") {
      throw new Unwelcome({ kind: "retry", whole: true, reason: "the server offers no TLS, and tls=require wants it" });
    }
  }
  if (target.auth !== null) await authenticate(line, target, words, target.auth);
  const size = words.get("SIZE");
  const bytesMax = Number(size ?? 0);
  return {
    pipelining: target.pipelining && words.has("PIPELINING"),
    chunking: target.chunking && words.has("CHUNKING"),
    utf8: words.has("SMTPUTF8"),
    size: size !== undefined,
    bytesMax: bytesMax > 0 ? bytesMax : Number.POSITIVE_INFINITY,
  };
}

function expectCode(reply: Reply, code: number, what: string): void {
  if (reply.code === code) return;
  if (reply.code < 400)
    throw new Unwelcome({ kind: "retry", whole: true, reason: `unexpected answer to ${what}: ${quoteReply(reply)}` });
  throw new Unwelcome(classify(reply, "connect"));
}

/** EHLO's keywords in upper case with their parameters (RFC 5321 §4.1.1.1). */
async function hello(line: Line, target: Target): Promise<ReadonlyMap<string, string>> {
  const { commandMs } = target.timeouts;
  const words = new Map<string, string>();
  const ehlo = await line.ask(`EHLO ${target.hostname}`, "EHLO", commandMs);
  if (ehlo.code >= 500 && ehlo.code <= 504) {
    expectCode(await line.ask(`HELO ${target.hostname}`, "HELO", commandMs), 250, "HELO");
    return words;
  }
  expectCode(ehlo, 250, "EHLO");
  for (const text of ehlo.lines.slice(1)) {
    const [keyword = "", ...parameters] = text.trim().toUpperCase().split(/[ =]+/);
    words.set(keyword, [words.get(keyword) ?? "", ...parameters].join(" ").trim());
  }
  return words;
}

type Credentials = { readonly user: string; readonly password: string };

/** RFC 4954: PLAIN (RFC 4616), LOGIN, or CRAM-MD5 (RFC 2195), the first that is offered. */
async function authenticate(
  line: Line,
  target: Target,
  words: ReadonlyMap<string, string>,
  credentials: Credentials,
): Promise<void> {
  const offered = (words.get("AUTH") ?? "").split(" ");
  if (!line.isSecure && target.tls !== "never" && !isThisMachine(target.host)) {
    const reason = "the password is not sent without TLS, which the server does not offer (tls=never sends it)";
    throw new Unwelcome({ kind: "retry", whole: true, reason });
  }
  const { user, password } = credentials;
  const plain = base64(`\0${user}\0${password}`);
  const secrets = [password, base64(password), plain];
  const say = async (text: string, expected: number): Promise<Reply> => {
    const reply = await line.ask(text, "AUTH", target.timeouts.commandMs);
    if (reply.code !== expected) throw new Unwelcome(refusal(reply, secrets));
    return reply;
  };
  if (offered.includes("PLAIN")) await say(`AUTH PLAIN ${plain}`, 235);
  else if (offered.includes("LOGIN")) {
    await say("AUTH LOGIN", 334);
    await say(base64(user), 334);
    await say(base64(password), 235);
  } else if (offered.includes("CRAM-MD5")) {
    const challenge = await say("AUTH CRAM-MD5", 334);
    const digest = createHmac("md5", password)
      .update(Buffer.from(challenge.lines[0] ?? "", "base64"))
      .digest("hex");
    await say(base64(`${user} ${digest}`), 235);
  } else throw new Unwelcome({ kind: "retry", whole: true, reason: "the server offers no way to log in that we know" });
}

/** What the server said, without anything secret that it may have repeated. */
function refusal(reply: Reply, secrets: readonly string[]): Outcome {
  const lines = reply.lines.map((text) =>
    secrets.reduce((kept, secret) => (secret === "" ? kept : kept.replaceAll(secret, "***")), text),
  );
  if (reply.code < 400) return { kind: "retry", whole: true, reason: `unexpected answer to AUTH: ${reply.code}` };
  return classify({ code: reply.code, lines }, "auth");
}

function base64(text: string): string {
  return Buffer.from(text, "utf8").toString("base64");
}

function isThisMachine(host: string): boolean {
  return host === "localhost" || host === "::1" || (net.isIPv4(host) && host.startsWith("127."));
}
