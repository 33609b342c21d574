import { createHash } from "node:crypto";
import type { Attachment, EmailContent } from "#domain/content.ts";
import { type Mailbox, parseMailbox } from "./address.ts";
import { mailboxField, parameter, textField } from "./header.ts";
import { encodeBase64, encodeText } from "./transfer-encoding.ts";

/** Recipients of one mail, To, Cc and Bcc together: servers promise to take 100 (RFC 5321 §4.5.3.1.8). */
export const RECIPIENTS_MAX = 100;
/** Message ids are ours and short; a longer one is replaced by its hash so that the field needs no folding. */
export const MESSAGE_ID_CHARS_MAX = 64;
/** Longest attachment name that common file systems take. */
export const FILENAME_CHARS_MAX = 255;
/** RFC 2369 allows any length; a longer URL could not stand on one line of 998 and is not one of ours. */
export const UNSUBSCRIBE_URL_CHARS_MAX = 900;

/** A mail as it goes on the wire. Every string has one character per byte. */
export type Mail = {
  /** Reverse path, without angle brackets. */
  readonly sender: string;
  /** Forward paths, without angle brackets; the first is To. Cc and Bcc follow. */
  readonly recipients: readonly string[];
  /** Header fields, each with its CRLF, without the empty line. */
  readonly headers: string;
  /** Ends with CRLF, is ASCII, has no line over 998 characters, and is not dot-stuffed. */
  readonly body: string;
  /** An address is not ASCII: only a server with SMTPUTF8 (RFC 6531) may get it. */
  readonly utf8: boolean;
  /** With its angle brackets; the same at every try. */
  readonly messageId: string;
};

export type MailMeta = { readonly messageId: string; readonly acceptedMs: number };

/** What does not change between mails, worked out once. */
export type Letterhead = {
  readonly from: Mailbox;
  readonly fromField: string;
  /** Reverse path when it is another than From: where bounces go. */
  readonly returnPath: string | null;
  /** Extra header fields with their line ends. */
  readonly extraFields: string;
};

/**
 * @throws {Error} naming the setting that is not usable.
 */
export function openLetterhead(
  from: string,
  returnPath: string | null,
  extra: Readonly<Record<string, string>>,
): Letterhead {
  const sender = parseMailbox(from);
  if (typeof sender === "string") throw new Error(`the sender of mails is ${sender}`);
  const bounces = returnPath === null ? null : parseMailbox(returnPath);
  if (typeof bounces === "string") throw new Error(`the return path of mails is ${bounces}`);
  let extraFields = "";
  for (const [name, value] of Object.entries(extra)) {
    if (!/^[!-9;-~]{1,76}$/.test(name)) throw new Error(`${JSON.stringify(name)} cannot be the name of a header field`);
    extraFields += textField(name, value);
  }
  return {
    from: sender,
    fromField: mailboxField("From", [sender]),
    returnPath: bounces === null ? null : bounces.address,
    extraFields,
  };
}

/**
 * Writes a mail (RFC 5322, RFC 2045 to 2047, RFC 2231, RFC 8058). Pure: the same input gives the same bytes.
 *
 * @param files the bytes of `content.attachments`, in their order.
 * @returns the mail, or a sentence that says why it cannot be one.
 */
export function compose(
  content: EmailContent,
  meta: MailMeta,
  letterhead: Letterhead,
  files: readonly Uint8Array[],
): Mail | string {
  const people = readPeople(content, letterhead);
  if (typeof people === "string") return people;
  const { from, to, cc, bcc, replyTo } = people;
  const unsubscribe = content.unsubscribe === null ? "" : unsubscribeFields(content.unsubscribe.url);
  if (unsubscribe === null) return "the unsubscribe URL is not a plain http(s) URL";
  const messageId = `<${idLocalPart(meta.messageId)}@${from.domain}>`;
  const entity = writeEntity(content, files, meta.messageId);
  let headers = from === letterhead.from ? letterhead.fromField : mailboxField("From", [from]);
  headers += mailboxField("To", [to]);
  if (cc.length > 0) headers += mailboxField("Cc", cc);
  if (replyTo !== null) headers += mailboxField("Reply-To", [replyTo]);
  headers += textField("Subject", content.subject);
  headers += `Date: ${formatDate(meta.acceptedMs)}\r\nMessage-ID: ${messageId}\r\n`;
  headers += `${unsubscribe}${letterhead.extraFields}MIME-Version: 1.0\r\n${entity.headers}`;
  const sender = letterhead.returnPath ?? from.address;
  const recipients = [to.address];
  for (const mailbox of cc) recipients.push(mailbox.address);
  for (const mailbox of bcc) recipients.push(mailbox.address);
  const utf8 = [from, to, ...cc, ...bcc].some(isUtf8) || replyTo?.utf8 === true;
  const mail = { sender, recipients, headers, body: entity.body, utf8, messageId };
  return utf8 ? toBytes(mail) : mail;
}

function isUtf8(mailbox: Mailbox): boolean {
  return mailbox.utf8;
}

/** One character per byte, also where the bytes are UTF-8. */
function toBytes(mail: Mail): Mail {
  const bytes = (text: string): string => Buffer.from(text, "utf8").toString("latin1");
  return { ...mail, sender: bytes(mail.sender), recipients: mail.recipients.map(bytes), headers: bytes(mail.headers) };
}

type People = {
  readonly from: Mailbox;
  readonly to: Mailbox;
  readonly cc: readonly Mailbox[];
  readonly bcc: readonly Mailbox[];
  readonly replyTo: Mailbox | null;
};

function readPeople(content: EmailContent, letterhead: Letterhead): People | string {
  const from = content.from === null ? letterhead.from : parseMailbox(content.from);
  if (typeof from === "string") return `the sender is ${from}`;
  const to = parseMailbox(content.to);
  if (typeof to === "string") return `the recipient is ${to}`;
  if (1 + content.cc.length + content.bcc.length > RECIPIENTS_MAX) return `more than ${RECIPIENTS_MAX} recipients`;
  const cc = parseAll(content.cc);
  if (typeof cc === "string") return `a Cc recipient is ${cc}`;
  const bcc = parseAll(content.bcc);
  if (typeof bcc === "string") return `a Bcc recipient is ${bcc}`;
  const replyTo = content.replyTo === null ? null : parseMailbox(content.replyTo);
  if (typeof replyTo === "string") return `the Reply-To address is ${replyTo}`;
  return { from, to, cc, bcc, replyTo };
}

const NOBODY: readonly Mailbox[] = [];

function parseAll(texts: readonly string[]): readonly Mailbox[] | string {
  if (texts.length === 0) return NOBODY;
  const mailboxes: Mailbox[] = [];
  for (const text of texts) {
    const mailbox = parseMailbox(text);
    if (typeof mailbox === "string") return mailbox;
    mailboxes.push(mailbox);
  }
  return mailboxes;
}

/** RFC 2369 §3.2 and RFC 8058 §3.1. Null when the URL could break out of its angle brackets or its line. */
function unsubscribeFields(url: string): string | null {
  if (url.length > UNSUBSCRIBE_URL_CHARS_MAX || !/^https?:\/\/[!-;=?-~]+$/.test(url)) return null;
  const gap = url.length > 58 ? "\r\n " : " ";
  return `List-Unsubscribe:${gap}<${url}>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n`;
}

function idLocalPart(messageId: string): string {
  if (messageId.length <= MESSAGE_ID_CHARS_MAX && /^[A-Za-z0-9_-]+$/.test(messageId)) return messageId;
  return createHash("sha256").update(messageId).digest("hex");
}

let dateSecond = Number.NaN;
let dateText = "";

/** RFC 5322 §3.3, in UTC. Mails accepted in the same second share the work. */
function formatDate(ms: number): string {
  const second = Math.floor(ms / 1000);
  if (second !== dateSecond) {
    dateText = new Date(second * 1000).toUTCString().replace("GMT", "+0000");
    dateSecond = second;
  }
  return dateText;
}

/** A MIME entity (RFC 2045 §2.4): its own header fields, and a body that ends with CRLF. */
type Entity = { readonly headers: string; readonly body: string };

function writeEntity(content: EmailContent, files: readonly Uint8Array[], messageId: string): Entity {
  const text = content.text !== "" || content.html === "" ? writeText("plain", content.text) : null;
  const html = content.html !== "" ? writeText("html", content.html) : null;
  const words = text !== null && html !== null ? multipart("alternative", [text, html], messageId) : (text ?? html);
  if (words === null) throw new Error("broken invariant: a mail has a text or an html part");
  if (content.attachments.length === 0) return words;
  const parts = [words];
  for (let i = 0; i < content.attachments.length; i += 1) {
    const [attachment, bytes] = [content.attachments[i], files[i]];
    if (attachment === undefined || bytes === undefined)
      throw new Error("broken invariant: a file for each attachment");
    parts.push(writeAttachment(attachment, bytes));
  }
  return multipart("mixed", parts, messageId);
}

function writeText(subtype: "plain" | "html", text: string): Entity {
  const { encoding, payload } = encodeText(text);
  return {
    headers: `Content-Type: text/${subtype}; charset=utf-8\r\nContent-Transfer-Encoding: ${encoding}\r\n`,
    body: payload.endsWith("\r\n") ? payload : `${payload}\r\n`,
  };
}

function writeAttachment(attachment: Attachment, bytes: Uint8Array): Entity {
  const disposition = `Content-Disposition: attachment${parameter("filename", safeFilename(attachment.filename))}\r\n`;
  return {
    headers: `Content-Type: ${safeType(attachment.contentType)}\r\nContent-Transfer-Encoding: base64\r\n${disposition}`,
    body: `${encodeBase64(bytes)}\r\n`,
  };
}

/** RFC 2046 §5.1.1. The boundary is the same at every try, and occurs in no part. */
function multipart(subtype: "alternative" | "mixed", parts: readonly Entity[], messageId: string): Entity {
  const stem = `=_${subtype}_${idLocalPart(messageId).slice(0, 40)}`;
  let boundary = stem;
  for (let n = 1; parts.some((part) => part.body.includes(boundary)); n += 1) boundary = `${stem}_${n}`;
  let body = "";
  for (const part of parts) body += `--${boundary}\r\n${part.headers}\r\n${part.body}`;
  return {
    headers: `Content-Type: multipart/${subtype};\r\n boundary="${boundary}"\r\n`,
    body: `${body}--${boundary}--\r\n`,
  };
}

function safeFilename(name: string): string {
  // biome-ignore lint: control characters are exactly what is looked for.
  const safe = name.toWellFormed().replace(/[\u0000-\u001f\u007f-\u009f/\\\u2028\u2029]+/g, "_");
  if (safe.trim() === "") return "attachment";
  if (safe.length <= FILENAME_CHARS_MAX) return safe;
  // A file without its ending cannot be opened.
  const ending = /\.[\w-]{1,16}$/.exec(safe)?.[0] ?? "";
  return safe.slice(0, FILENAME_CHARS_MAX - ending.length).toWellFormed() + ending;
}

/**
 * A media type that can be written as it is. `message/*` and `multipart/*` may not be base64 (RFC 2046 §5), so they
 * travel as what they are to us: bytes.
 */
function safeType(type: string): string {
  const plain = /^[\w!#$&^.+-]{1,80}\/[\w!#$&^.+-]{1,80}(?:; ?[\w-]{1,40}=(?:[\w.+-]{1,80}|"[\w .+-]{0,80}"))*$/;
  return type.length <= 300 && plain.test(type) && !/^(?:message|multipart)\//i.test(type)
    ? type
    : "application/octet-stream";
}
