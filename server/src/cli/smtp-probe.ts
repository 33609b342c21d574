import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

/** A mail server that does not greet within this will not carry much mail. */
const PROBE_MS_MAX = 8_000;
/** What a greeting and the answer to EHLO may have; they are a few hundred bytes. */
const REPLY_CHARS_MAX = 16_384;

export type SmtpAnswer =
  | {
      readonly ok: true;
      readonly greeting: string;
      readonly startTls: boolean;
      readonly auth: boolean;
      readonly tls: boolean;
    }
  | { readonly ok: false; readonly problem: string };

/** Says EHLO and QUIT to a mail server (RFC 5321 §4.1.1.1); never logs in and sends nothing. */
export async function probeSmtp(url: string): Promise<SmtpAnswer> {
  const { protocol, hostname, port } = new URL(url);
  const tls = protocol === "smtps:";
  const host = hostname.replace(/^\[|\]$/g, "");
  const at = { host, port: port === "" ? (tls ? 465 : 587) : Number(port) };
  const socket = tls ? connectTls({ ...at, servername: host }) : connect(at);
  socket.setTimeout(PROBE_MS_MAX, () => socket.destroy(new Error(`no answer within ${PROBE_MS_MAX / 1000} s`)));
  try {
    const replies = repliesOf(socket);
    const greeting = await nextReply(replies);
    if (!greeting.startsWith("220")) return { ok: false, problem: `it greets with ${greeting}` };
    socket.write("EHLO tidings-doctor.invalid\r\n");
    const hello = await nextReply(replies);
    if (!hello.startsWith("250")) return { ok: false, problem: `it answers EHLO with ${hello}` };
    socket.end("QUIT\r\n");
    const first = (greeting.slice(4).split("\n", 1)[0] ?? "").trim();
    return {
      ok: true,
      greeting: first,
      startTls: /^250[- ]STARTTLS/im.test(hello),
      auth: /^250[- ]AUTH/im.test(hello),
      tls,
    };
  } catch (error) {
    return { ok: false, problem: error instanceof Error ? error.message || String(error) : String(error) };
  } finally {
    socket.destroy();
  }
}

async function nextReply(replies: AsyncGenerator<string>): Promise<string> {
  const next = await replies.next();
  if (next.done === true) throw new Error("it closed the connection");
  return next.value;
}

/** Whole replies, of one or several lines; the last has a space after its code. */
async function* repliesOf(socket: Socket): AsyncGenerator<string> {
  let buffered = "";
  for await (const chunk of socket.setEncoding("utf8")) {
    buffered += String(chunk);
    for (;;) {
      const whole = /^(?:\d{3}-[^\n]*\n)*\d{3}(?: [^\n]*)?\r?\n/.exec(buffered)?.[0];
      if (whole === undefined) break;
      buffered = buffered.slice(whole.length);
      yield whole.trim();
    }
    if (buffered.length > REPLY_CHARS_MAX) throw new Error("it does not speak SMTP");
  }
}
