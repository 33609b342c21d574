import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { test } from "node:test";
import { startSmtpSink } from "./smtp-sink.ts";

/** Says all of `script` at once, byte for byte or in pieces, and returns all that is answered. */
async function converse(port: number, script: string, pieceBytes: number): Promise<string> {
  const socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
  let heard = "";
  socket.on("data", (chunk: Buffer) => {
    heard += chunk.toString("latin1");
  });
  for (let at = 0; at < script.length; at += pieceBytes) {
    socket.write(script.slice(at, at + pieceBytes), "latin1");
    await new Promise((resolve) => setImmediate(resolve));
  }
  await once(socket, "close");
  return heard;
}

const envelopeOf = (n: number): string => `MAIL FROM:<a@x>\r\nRCPT TO:<r${n}@x>\r\n`;
const mailOf = (n: number): string => `Message-ID: <m${n}@x>\r\n\r\n..dot ${n}\r\n`;

test("the sink counts and notes every mail, however its bytes are cut", async () => {
  for (const pieceBytes of [1, 7, 10_000]) {
    await using sink = await startSink();
    const data = [0, 1, 2].map((n) => `${envelopeOf(n)}DATA\r\n${mailOf(n)}.\r\n`).join("");
    const chunks = [3, 4].map((n) => `${envelopeOf(n)}BDAT ${mailOf(n).length} LAST\r\n${mailOf(n)}`).join("");
    const heard = await converse(sink.port, `EHLO x\r\n${data}${chunks}RSET\r\nDATA\r\nQUIT\r\n`, pieceBytes);
    assert.match(heard, /CHUNKING/);
    assert.match(heard, /503 5\.5\.1 No recipients\r\n221/);
    assert.equal(sink.stats().mails, 5);
    assert.deepEqual(
      sink.recorded().map(({ messageId, recipients }) => ({ messageId, recipients })),
      [0, 1, 2, 3, 4].map((n) => ({ messageId: `<m${n}@x>`, recipients: [`r${n}@x`] })),
    );
  }
});

async function startSink(): Promise<Awaited<ReturnType<typeof startSmtpSink>> & AsyncDisposable> {
  const sink = await startSmtpSink({ chunking: true, record: "memory" });
  return { ...sink, [Symbol.asyncDispose]: () => sink.close() };
}
