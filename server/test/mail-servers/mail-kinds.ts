import type { EmailContent } from "#domain/content.ts";
import { email } from "#providers/smtp/test-fixtures/mails.ts";

/** One kind of mail, with the bytes of its attachments. */
export type MailKind = { readonly name: string; readonly content: EmailContent; readonly files: readonly Uint8Array[] };

/** Every byte there is, again and again. */
function bytes(count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
}

function kind(name: string, changes: Partial<EmailContent>, files: readonly Uint8Array[] = []): MailKind {
  return { name, content: email(changes), files };
}

type File = readonly [filename: string, contentType: string, bytes: Uint8Array];

function kindWithFiles(name: string, files: readonly File[]): MailKind {
  const attachments = files.map(([filename, contentType, { length }], i) => ({
    filename,
    contentType,
    blob: `blob-${i}`,
    bytes: length,
  }));
  return kind(
    name,
    { attachments },
    files.map(([, , content]) => content),
  );
}

/** Mails that have come out wrong somewhere, one for each reason. Addresses are ASCII: every server may carry them. */
export const MAIL_KINDS: readonly MailKind[] = [
  kind("the least there is", {}),
  kind("text alone", { html: "" }),
  kind("html alone", { text: "" }),
  kind("no words at all", { text: "", html: "", subject: "" }),
  kind("lines that begin with dots", { text: ".\n..\n.leading\n\n.\r\n...\nend\n.", html: ".\n<p>.</p>\n.\n" }),
  kind("lines that look like commands", { text: "From the start\nQUIT\nRSET\nDATA\n250 ok\nBDAT 10 LAST\n", html: "" }),
  kind("a line of 5,000 characters", { text: "x".repeat(5_000), html: `<p>${"word ".repeat(1_000)}</p>` }),
  kind("lines of exactly 997, 998 and 999 characters", {
    text: [997, 998, 999].map((length) => "y".repeat(length)).join("\n"),
    html: "",
  }),
  kind("every kind of line end", { text: "unix\ndos\r\nmac\rboth\n\r\nblank\n\n\n\n", html: "" }),
  kind("spaces and tabs at the ends of lines", { text: "a \nb\t\n \t \nc  \n", html: "<pre> a \n\tb\t</pre>\n" }),
  kind("eight bits everywhere", {
    subject: "Grüße aus Köln — 東京タワー 🗼",
    to: '"Łukasz Żółw, GmbH 🐢" <lukasz@example.org>',
    text: "Ä ö ü ß\n日本語\nالعربية\n👩‍👩‍👧\n",
    html: "<p>Ελληνικά</p>\n<p>русский</p>\n",
  }),
  kind("a subject of 900 characters", { subject: "many plain words of a subject ".repeat(30).trim() }),
  kind("a subject without a space", { subject: "s".repeat(700) }),
  kind("a subject that looks encoded", { subject: "=?utf-8?Q?not_really?= at all" }),
  kind("names with quotes, commas and backslashes", {
    to: '"Ada \\"The Count\\" Lovelace, \\\\ (esq.)" <ada@example.org>',
    replyTo: '"a@b.c" <help@example.com>',
  }),
  kind("a name with everything else that is special", {
    to: '"Smith, J. (Sales; x:y) <z@w.org> [1]" <ada@example.org>',
  }),
  kind("a name of 200 characters", { to: `"${"Długie Imię ".repeat(17)}" <ada@example.org>` }),
  kind("many recipients", {
    cc: Array.from({ length: 20 }, (_, i) => `"Reader ${i}, the" <reader${i}@example.org>`),
    bcc: ["archive@example.org"],
  }),
  kind("a quoted local part", { to: '"john:doe;(x)"@example.org' }),
  kind("an international domain", { to: "Köln <ada@köln.example>" }),
  kind("a list mail", { unsubscribe: { url: `https://example.com/u/${"t".repeat(200)}?a=1&b=2` } }),
  kindWithFiles("odd names of attachments", [
    ["résumé — März.pdf", "application/pdf", bytes(1_000)],
    ['a "quoted"; name.txt', "text/plain", new TextEncoder().encode(".\r\n..\r\nFrom me\r\n")],
    [`${"日本語".repeat(30)}.bin`, "application/octet-stream", bytes(10)],
    ["empty.bin", "application/octet-stream", bytes(0)],
    ["it's 100%.csv", 'text/csv; charset="utf-8"', bytes(57)],
  ]),
  kindWithFiles("an attachment of 3 MB", [["large.bin", "application/octet-stream", bytes(3_000_000)]]),
  kind("a text of 1 MB", { text: "A line of a rather long text, as a report has it.\n.\n".repeat(20_000), html: "" }),
];

/** Mails for which a server must offer SMTPUTF8. */
export const INTERNATIONAL_KINDS: readonly MailKind[] = [
  kind("a local part in Cyrillic", { to: "Юлия <юлия@example.org>", subject: "Привет" }),
  kind("a local part in Chinese among others", { cc: ["用户@例え.example", "b@example.org"] }),
];
