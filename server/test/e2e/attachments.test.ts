import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { MailHost, read } from "../support/mail-host.ts";
import { Home, type Program } from "../support/program.ts";
import { until } from "../support/until.ts";

const mailHost = await MailHost.open();
const home = new Home({ TIDINGS_SMTP_URL: mailHost.url });
let program: Program;

before(async () => {
  program = await home.start();
});
after(async () => {
  await home[Symbol.asyncDispose]();
  await mailHost[Symbol.asyncDispose]();
});

const content = { title: "Your files", body: "They are attached." };
const noise = (bytes: number): Buffer => Buffer.from(seededDice(bytes).hex(bytes), "hex");

/** The files in the one mail to an address. */
async function filesTo(address: string) {
  const mail = await until(`the mail to ${address} arrives`, () => mailHost.to(address)[0]);
  const { text, attachments } = await read(mail);
  assert.match(text ?? "", /They are attached\./);
  return attachments.map(({ filename, mimeType, content: bytes }) => {
    assert.ok(bytes instanceof ArrayBuffer);
    return { filename, mimeType, bytes: Buffer.from(bytes) };
  });
}

test("files inside the call arrive byte for byte, with their names", async () => {
  const pdf = noise(100_000);
  const attachments = [
    { filename: "Rechnung März “42”.pdf", contentType: "application/pdf", data: pdf.toString("base64") },
    { filename: "empty-ish.txt", contentType: "text/plain", data: Buffer.from("\r\n.\r\n..\n").toString("base64") },
  ];
  await program.send({ to: { email: "in@example.com" }, content, channels: { email: { override: { attachments } } } });
  const [first, second, ...more] = await filesTo("in@example.com");
  assert.deepEqual([first?.filename, first?.mimeType], ["Rechnung März “42”.pdf", "application/pdf"]);
  assert.ok(first?.bytes.equals(pdf));
  assert.deepEqual([second?.filename, second?.bytes.toString(), more], ["empty-ish.txt", "\r\n.\r\n..\n", []]);
});

test("a file of 5 MB is uploaded once, named in two messages, and arrives byte for byte", async () => {
  const film = noise(5_000_000);
  const response = await program.call("POST", "/attachments?filename=film.bin", new Uint8Array(film), {
    "content-type": "application/octet-stream",
  });
  assert.equal(response.status, 201);
  const { id, bytes } = (await response.json()) as { id: string; bytes: number };
  assert.equal(bytes, film.length);
  const channels = { email: { override: { attachments: [{ filename: "film.bin", contentType: "video/mp4", id }] } } };
  for (const email of ["up1@example.com", "up2@example.com"]) await program.send({ to: { email }, content, channels });
  for (const email of ["up1@example.com", "up2@example.com"]) {
    const [file] = await filesTo(email);
    assert.deepEqual([file?.filename, file?.mimeType], ["film.bin", "video/mp4"]);
    assert.ok(file?.bytes.equals(film), "byte for byte");
  }
});

test("an attachment that cannot be is refused with a sentence, and nothing is sent", async () => {
  const refused = async (attachment: object, says: RegExp) => {
    const channels = { email: { override: { attachments: [attachment] } } };
    const response = await program.call("POST", "/send", {
      message: { to: { email: "no@example.com" }, content, channels },
    });
    const { message } = (await response.json()) as { message: string };
    assert.equal(response.status, 400);
    assert.match(message, says);
  };
  await refused({ filename: "x", contentType: "text/plain", id: "upload-00000000000000000000000000000000" }, /upload/);
  await refused({ filename: "x", contentType: "text/plain", data: "!not base64!" }, /base64/);
  await refused({ filename: "x", contentType: "text/plain", data: "AAAAA" }, /base64/);
  await refused({ filename: "x", contentType: "text/plain\r\nBcc: x@example.com", data: "AAAA" }, /media type/);
});

test("a file's name cannot bring a header field with it", async () => {
  const attachments = [{ filename: "a\r\nBcc: x@example.com\r\n", contentType: "text/plain", data: "AAAA" }];
  await program.send({
    to: { email: "name@example.com" },
    content,
    channels: { email: { override: { attachments } } },
  });
  const [file, ...more] = await filesTo("name@example.com");
  assert.match(file?.filename ?? "", /^a.*Bcc/);
  assert.deepEqual(more, []);
  assert.doesNotMatch(mailHost.to("name@example.com")[0]?.raw.toString() ?? "", /^Bcc:/m);
});
