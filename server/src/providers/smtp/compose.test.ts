import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import nodemailer from "nodemailer";
import PostalMime, { type Email } from "postal-mime";
import type { EmailContent } from "#domain/content.ts";
import { compose, FILENAME_CHARS_MAX, type Mail, openLetterhead } from "./compose.ts";
import { mailOptions } from "./nodemailer.ts";
import { email } from "./test-fixtures/mails.ts";

const META = { messageId: "msg_1", acceptedMs: Date.UTC(2026, 10, 7, 9, 5, 3) };
const LETTERHEAD = openLetterhead("Tidings <news@example.com>", null, {});

function composed(content: EmailContent, files: readonly Uint8Array[] = []): Mail {
  const mail = compose(content, META, LETTERHEAD, files);
  assert.ok(typeof mail !== "string", `refused: ${String(mail)}`);
  return mail;
}

function bytesOf(mail: Mail): Buffer {
  return Buffer.from(`${mail.headers}\r\n${mail.body}`, "latin1");
}

/** RFC 5322 §2.1 and §2.3, and ours: no line too long, no lone CR or LF, nothing but ASCII. */
function assertClean(mail: Mail): void {
  const text = bytesOf(mail).toString("latin1");
  assert.ok(text.endsWith("\r\n"));
  if (!mail.utf8) assert.doesNotMatch(text, /[^\t\r\n -~]/);
  for (const line of text.split("\r\n")) {
    assert.doesNotMatch(line, /[\r\n\0]/);
    assert.ok(line.length <= 998, `a line of ${line.length}`);
  }
  for (const line of mail.headers.split("\r\n")) assert.ok(line === "" || /^(?:[!-9;-~]+:| \S|\t)/.test(line), line);
}

function fieldNames(mail: Mail): readonly string[] {
  const fields = mail.headers.split(/\r\n(?![ \t])/).filter((field) => field !== "");
  return fields.map((field) => field.slice(0, field.indexOf(":")));
}

const EXPECTED_FIELDS = ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"];

const awkward = fc.constantFrom(
  "\r\n",
  "\n",
  "\r",
  "\0",
  "\r\nBcc: eve@example.org\r\n\r\n",
  "=?utf-8?Q?x?=",
  '"',
  "\\",
  "<",
  ">",
  ",",
  ";",
  ":",
  " ",
  "  ",
  "ü",
  "日本語",
  "👩‍👩‍👧",
  "x".repeat(80),
  "é".repeat(90),
  "\u2028",
);
const anyText = fc
  .array(fc.oneof(fc.string({ unit: "binary", maxLength: 20 }), fc.string(), awkward), { maxLength: 8 })
  .map((parts) => parts.join(""));
const anyBody = fc
  .array(
    fc.oneof(
      fc.string(),
      fc.string({ unit: "binary", maxLength: 40 }),
      fc.constantFrom(".", "..", ".x", "From me", "trailing \t ", "=", "=3D", "-- ", "--=_alternative_msg_1", ""),
      fc.integer({ min: 900, max: 3_000 }).map((length) => "w".repeat(length)),
      fc.integer({ min: 60, max: 90 }).map((length) => "ä".repeat(length)),
    ),
    { maxLength: 8 },
  )
  .chain((lines) => fc.constantFrom("\n", "\r\n", "\r").map((end) => lines.join(end)));

/** What a reader cannot tell apart in one line of text. */
const oneLine = (text: string): string => text.replace(/[\s\u0000-\u001f\u007f]+/g, " ").trim();
/** Line ends are the composer's to choose, and so is the last of them. */
const lines = (text: string | undefined): string => (text ?? "").replace(/\r\n?/g, "\n").replace(/\n+$/, "");

test("every subject, name and body comes out of a reader as it went in, and nothing becomes a header field", async () => {
  await fc.assert(
    fc.asyncProperty(anyText, anyText, anyBody, anyBody, async (subject, name, text, html) => {
      const quoted = `"${name.replace(/["\\]/g, "\\$&")}" <ada@example.org>`;
      const mail = composed(email({ subject, to: quoted, text: `t${text}`, html: `h${html}` }));
      assertClean(mail);
      assert.deepEqual(fieldNames(mail), EXPECTED_FIELDS);
      const read = await PostalMime.parse(bytesOf(mail));
      assert.equal(oneLine(read.subject ?? ""), oneLine(subject));
      assert.equal(oneLine(read.to?.[0]?.name ?? ""), oneLine(name.replace(/[\u0080-\u009f\u2028\u2029]+/g, " ")));
      assert.equal(read.to?.[0]?.address, "ada@example.org");
      assert.equal(lines(read.text), lines(`t${text}`));
      assert.equal(lines(read.html), lines(`h${html}`));
    }),
    { numRuns: 300 },
  );
});

test("attachments of any name and any bytes arrive whole", async () => {
  const file = fc.record({ filename: anyText, bytes: fc.uint8Array({ maxLength: 400 }), contentType: fc.string() });
  await fc.assert(
    fc.asyncProperty(fc.array(file, { minLength: 1, maxLength: 3 }), async (files) => {
      const attachments = files.map((one) => ({ ...one, blob: "b", bytes: one.bytes.length }));
      const contents = files.map((one) => one.bytes);
      const mail = composed(email({ attachments }), contents);
      assertClean(mail);
      assert.deepEqual(fieldNames(mail), EXPECTED_FIELDS);
      const read = await PostalMime.parse(bytesOf(mail));
      const arrived = read.attachments.map((one) => new Uint8Array(Buffer.from(one.content as ArrayBuffer)));
      assert.deepEqual(arrived, contents);
      assert.equal(lines(read.html), "<p>Hello</p>");
    }),
    { numRuns: 200 },
  );
});

test("an attachment's name is read as it was, in any script and length, without its path", async () => {
  const names = ["report.pdf", 'a "b".txt', "résumé — März.pdf", "日本語".repeat(30), `${"x".repeat(120)}.bin`];
  const attachments = names.map((filename) => ({ filename, contentType: "application/pdf", blob: "b", bytes: 1 }));
  const read = await PostalMime.parse(
    bytesOf(
      composed(
        email({ attachments }),
        names.map(() => Buffer.from("x")),
      ),
    ),
  );
  assert.deepEqual(
    read.attachments.map((one) => one.filename),
    names,
  );
  const long = [{ filename: `${"日".repeat(300)}.pdf`, contentType: "application/pdf", blob: "b", bytes: 1 }];
  const shortened = await PostalMime.parse(bytesOf(composed(email({ attachments: long }), [Buffer.from("x")])));
  assert.equal(shortened.attachments[0]?.filename, `${"日".repeat(FILENAME_CHARS_MAX - 4)}.pdf`);
  const evil = [{ filename: "../../etc/pass\r\nwd", contentType: "message/rfc822", blob: "b", bytes: 1 }];
  const mail = composed(email({ attachments: evil }), [Buffer.from("x")]);
  assert.match(mail.body, /filename=".._.._etc_pass_wd"/);
  assert.match(mail.body, /Content-Type: application\/octet-stream/);
});

async function readNodemailers(content: EmailContent, files: readonly Uint8Array[]): Promise<Email> {
  const transport = nodemailer.createTransport({ streamTransport: true, buffer: true, newline: "windows" });
  const info = await transport.sendMail(mailOptions(content, META, LETTERHEAD, files));
  assert.ok(Buffer.isBuffer(info.message));
  return await PostalMime.parse(info.message);
}

/** Compares what a reader sees of ours with what it sees of nodemailer's; `name` says of which mail. */
async function assertReadsAsNodemailers(content: EmailContent, files: readonly Uint8Array[]): Promise<void> {
  const mail = composed(content, files);
  assertClean(mail);
  const ours = await PostalMime.parse(bytesOf(mail));
  const theirs = await readNodemailers(content, files);
  for (const side of ["from", "to", "cc", "replyTo"] as const) assert.deepEqual(ours[side], theirs[side]);
  assert.equal(ours.subject, theirs.subject);
  assert.equal(ours.date, theirs.date);
  assert.equal(lines(ours.text), lines(theirs.text));
  assert.equal(lines(ours.html), lines(theirs.html));
  for (const key of ["list-unsubscribe", "list-unsubscribe-post"]) {
    const value = (read: Email): string | undefined => read.headers.find((header) => header.key === key)?.value;
    assert.equal(value(ours), value(theirs));
  }
  const seen = (read: Email) =>
    read.attachments.map(({ filename, mimeType, content: bytes, disposition }) => ({
      filename,
      mimeType,
      disposition,
      bytes,
    }));
  assert.deepEqual(seen(ours), seen(theirs));
}

test("a reader sees the same mail as from nodemailer", async () => {
  const file = { filename: "zażółć gęślą.txt", contentType: "text/plain", blob: "b", bytes: 5 };
  const contents: readonly EmailContent[] = [
    email(),
    email({ subject: "Ünïcödé — ".repeat(20), html: "" }),
    email({ subject: "plain words ".repeat(30).trim(), text: "" }),
    email({ to: '"Łukasz, Żółw" <l@example.org>', cc: ["a@bücher.example", "B <b@example.org>"] }),
    email({ from: "Shop <shop@example.net>", replyTo: "Help Desk <help@example.net>" }),
    email({ text: `${"long ".repeat(500)}\n.dot\n..dots\r\nFrom x\n`, html: `<p>${"é".repeat(2_000)}</p>` }),
    email({ text: "тест\n".repeat(50), html: "<b>日本語</b>\n".repeat(50) }),
    email({ attachments: [file, { ...file, filename: "b.bin", contentType: "application/x-b" }] }),
    email({ unsubscribe: { url: `https://example.com/u/${"t".repeat(90)}` } }),
  ];
  for (const content of contents) {
    const files = content.attachments.map((_, i) => Buffer.from([1, 2, 3, 0x0a, i]));
    await assertReadsAsNodemailers(content, files);
  }
});

/**
 * Words as people write them, in any script. Without `=?utf-8?Q?x?=`, which nodemailer lets through in a name, so that a
 * reader decodes what nobody encoded.
 */
const word = fc.oneof(
  fc.stringMatching(/^[A-Za-z0-9]{1,12}$/),
  fc.constantFrom(
    "Łukasz",
    "日本語",
    "Ünïcödé",
    "привет",
    "👩‍👩‍👧",
    "x".repeat(90),
    "é".repeat(60),
    "50%",
    "a=b",
    "o'Neil",
  ),
  fc.constantFrom(",", ";", ":", "(x)", "[y]", '"', "\\", "@", "<", ">", "&"),
);
const phrase = fc.array(word, { minLength: 1, maxLength: 12 }).map((words) => words.join(" "));
const person = fc
  .tuple(
    phrase,
    fc.stringMatching(/^[a-z][a-z0-9.+_-]{0,20}[a-z0-9]$/),
    fc.constantFrom("example.org", "bücher.example"),
  )
  .filter(([, local]) => !local.includes(".."))
  .map(([name, local, domain]) => `"${name.replace(/["\\]/g, "\\$&")}" <${local}@${domain}>`);
const body = fc
  .array(fc.oneof(phrase, fc.constantFrom("", ".", "..", "From me", "-- ", "end  ", "\ttab", "w".repeat(2_000))), {
    maxLength: 12,
  })
  .chain((all) => fc.constantFrom("\n", "\r\n").map((end) => all.join(end)));
const attachment = fc.record({
  filename: fc
    .tuple(phrase, fc.constantFrom(".pdf", ".txt", ".csv", ""))
    // Ours has no path in it, whatever the caller says.
    .map(
      ([name, end]) =>
        name
          .replace(/[/\\]/g, "-")
          .slice(0, FILENAME_CHARS_MAX - end.length)
          .toWellFormed() + end,
    ),
  contentType: fc.constantFrom("application/pdf", "text/plain", "text/csv", "image/png", "application/x-y.z+json"),
  content: fc.uint8Array({ maxLength: 300 }),
});

test("a reader sees the same mail as from nodemailer, whatever people write", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        from: fc.option(person),
        to: person,
        cc: fc.array(person, { maxLength: 4 }),
        replyTo: fc.option(person),
        subject: phrase,
        text: body,
        html: body,
        unsubscribe: fc.option(fc.webUrl({ withQueryParameters: true }).map((url) => ({ url }))),
      }),
      fc.array(attachment, { maxLength: 3 }),
      async (fields, files) => {
        const attachments = files.map(({ filename, contentType, content }) => ({
          filename,
          contentType,
          blob: "b",
          bytes: content.length,
        }));
        await assertReadsAsNodemailers(
          email({ ...fields, attachments }),
          files.map(({ content }) => content),
        );
      },
    ),
    { numRuns: 200 },
  );
});

test("no name is written with a backslash, which a server may take for the end of a quotation", async () => {
  for (const name of ['Ada "The Count" Lovelace, (esq.)', "back\\slash", '"', "O'Neil, J."]) {
    const mail = composed(email({ to: `"${name.replace(/["\\]/g, "\\$&")}" <ada@example.org>` }));
    assert.doesNotMatch(mail.headers, /\\/);
    assert.equal((await PostalMime.parse(bytesOf(mail))).to?.[0]?.name, name);
  }
});

test("a mail is the same bytes at every try, and reads as we promised", (t) => {
  const content = email({
    subject: "Your parcel is on its way — 2 items",
    cc: ["Bob <bob@example.org>"],
    bcc: ["archive@example.com"],
    replyTo: "help@example.com",
    unsubscribe: { url: "https://example.com/u/token" },
  });
  const mail = composed(content);
  assert.deepEqual(composed(content), mail);
  assert.deepEqual(mail.recipients, ["ada@example.org", "bob@example.org", "archive@example.com"]);
  assert.equal(mail.sender, "news@example.com");
  assert.equal(mail.messageId, "<msg_1@example.com>");
  assert.doesNotMatch(mail.headers, /archive/);
  const golden = fileURLToPath(new URL("./test-fixtures/list-mail.eml", import.meta.url));
  t.assert.fileSnapshot(`${mail.headers}\r\n${mail.body}`.replaceAll("\r\n", "\n"), golden, { serializers: [String] });
});

test("a boundary that a part contains is not used", async () => {
  const text = "--=_alternative_msg_1\r\n\r\nhidden\r\n--=_alternative_msg_1_1--";
  const read = await PostalMime.parse(bytesOf(composed(email({ text }))));
  assert.equal(lines(read.text), lines(text));
});

test("a message id that is not plain is replaced by its hash, so it can neither inject nor collide", () => {
  const mails = ["a\r\nX: y", "a b", "x".repeat(300)].map((messageId) =>
    compose(email(), { ...META, messageId }, LETTERHEAD, []),
  );
  const ids = mails.map((mail) => (typeof mail === "string" ? mail : mail.messageId));
  for (const id of ids) assert.match(id, /^<[0-9a-f]{64}@example\.com>$/);
  assert.equal(new Set(ids).size, 3);
});

test("a mail to a local part that is not ASCII is UTF-8 and says so", async () => {
  const mail = composed(email({ to: "Ü <用户@例え.jp>" }));
  assert.equal(mail.utf8, true);
  assert.equal(Buffer.from(mail.recipients[0] ?? "", "latin1").toString("utf8"), "用户@xn--r8jz45g.jp");
  const read = await PostalMime.parse(bytesOf(mail));
  assert.equal(read.to?.[0]?.address, "用户@xn--r8jz45g.jp");
});

test("a mail that cannot be one says why", () => {
  const wrong: readonly (readonly [Partial<EmailContent>, RegExp])[] = [
    [{ to: "ada@example.org\r\nRCPT TO:<eve@example.org>" }, /^the recipient is /],
    [{ from: "nobody" }, /^the sender is /],
    [{ cc: ["x"] }, /^a Cc recipient is /],
    [{ bcc: ["x\n@y.org"] }, /^a Bcc recipient is /],
    [{ replyTo: "a@b@" }, /^the Reply-To address is /],
    [{ cc: Array.from({ length: 100 }, () => "a@example.org") }, /^more than 100 recipients/],
    [{ unsubscribe: { url: "https://x/>\r\nBcc: e@x.org" } }, /^the unsubscribe URL/],
    [{ unsubscribe: { url: "javascript:alert(1)" } }, /^the unsubscribe URL/],
  ];
  for (const [changes, reason] of wrong) {
    const mail = compose(email(changes), META, LETTERHEAD, []);
    assert.ok(typeof mail === "string");
    assert.match(mail, reason);
  }
});

test("extra fields stand in every mail, and cannot be more than fields", () => {
  const letterhead = openLetterhead("news@example.com", "bounces@example.com", { "X-Source": "a\r\nBcc: e@x.org" });
  const mail = compose(email(), META, letterhead, []);
  assert.ok(typeof mail !== "string");
  assert.match(mail.headers, /\r\nX-Source: a Bcc: e@x\.org\r\n/);
  assert.equal(mail.sender, "bounces@example.com");
  assert.throws(() => openLetterhead("news@example.com", null, { "X: y\r\nZ": "1" }), /header field/);
  assert.throws(() => openLetterhead("nobody", null, {}), /sender/);
});
