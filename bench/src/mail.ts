import { compileContent } from "../../server/src/templates/compile.ts";

/**
 * The mail of every system in this benchmark: about 2 KB of HTML and text from a small template, with an address, a name
 * and a number of its own for each.
 */
const CONTENT = {
  title: "Your order {order.id} has been shipped",
  body:
    "Hello {name},\n\nyour order {order.id} has left our warehouse and is on its way to you. It should arrive within two " +
    "working days; {order.carrier} will tell you the day before.\n\nYou can follow it on our site at any time. If something " +
    "is missing or broken, answer to this mail and we will put it right.\n\nThank you for your order!",
};

export const SENDER = "Tidings <news@example.com>";

const NAME = "Ada Lovelace";
const CARRIER = "The carrier";

/** What tells one mail of a burst from the others, and is found again at the sink. */
export function addressOf(burst: string, index: number): string {
  return `person-${burst}-${index}@example.org`;
}

/** The body of `POST /send`. @param more further fields of the message. */
export function sendBody(burst: string, index: number, more: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    message: {
      to: { email: addressOf(burst, index) },
      content: CONTENT,
      data: { name: NAME, order: { id: orderOf(index), carrier: CARRIER } },
      ...more,
    },
  });
}

/** The same words to everyone on a list, each with a name and a number of their own from the profile. */
export function listMessage(listId: string): Readonly<Record<string, unknown>> {
  const ofProfile = (text: string): string =>
    text.replaceAll("{name}", "{profile.name}").replaceAll("{order.id}", "{profile.order}");
  return {
    to: { list_id: listId },
    content: { title: ofProfile(CONTENT.title), body: ofProfile(CONTENT.body) },
    data: { order: { carrier: "The carrier" } },
  };
}

/** A row of the table that brings a list its people. */
export function listRow(burst: string, index: number): Readonly<Record<string, unknown>> {
  return { user_id: `${burst}-${index}`, email: addressOf(burst, index), name: NAME, order: orderOf(index) };
}

export type Words = { readonly subject: string; readonly html: string; readonly text: string };
export type PlainMail = Words & { readonly to: string };
/** What the words of a mail speak of: `data` of the body of `POST /send`. */
export type MailData = {
  readonly name: string;
  readonly order: { readonly id: string; readonly carrier: string };
};

/** The same mails, rendered beforehand but for the number: for clients that only send. */
export function plainMails(): (burst: string, index: number) => PlainMail {
  const mark = "ORDER-MARK";
  const { subject, html, text } = render({ name: NAME, order: { id: mark, carrier: CARRIER } });
  return (burst, index) => {
    const order = orderOf(index);
    return {
      to: addressOf(burst, index),
      subject: subject.replaceAll(mark, order),
      html: html.replaceAll(mark, order),
      text: text.replaceAll(mark, order),
    };
  };
}

/** The same words as a template that is compiled once: strings put together, as a compiling template engine makes them. */
export function mailTemplate(): (data: MailData) => Words {
  const marks = { name: "NAME-MARK", order: { id: "ORDER-MARK", carrier: "CARRIER-MARK" } };
  const { subject, html, text } = render(marks);
  const compile = (words: string, escape: (text: string) => string): ((data: MailData) => string) => {
    const parts = words.split(/(NAME|ORDER|CARRIER)-MARK/);
    const fill: Readonly<Record<string, (data: MailData) => string>> = {
      NAME: ({ name }) => escape(name),
      ORDER: ({ order }) => escape(order.id),
      CARRIER: ({ order }) => escape(order.carrier),
    };
    // Every second part is the name of a mark.
    const pieces = parts.map((part, i) => (i % 2 === 0 ? part : (fill[part] ?? part)));
    return (data) => {
      let out = "";
      for (const piece of pieces) out += typeof piece === "string" ? piece : piece(data);
      return out;
    };
  };
  const asIs = (value: string): string => value;
  const [toSubject, toHtml, toText] = [compile(subject, asIs), compile(html, escapeHtml), compile(text, asIs)] as const;
  return (data) => ({ subject: toSubject(data), html: toHtml(data), text: toText(data) });
}

const HTML_SPECIAL = /[&<>"']/g;
function escapeHtml(text: string): string {
  return text.replace(HTML_SPECIAL, (char) => `&#${char.charCodeAt(0)};`);
}

/** As Tidings renders the content. */
function render(data: MailData): Words {
  const compiled = compileContent(CONTENT);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.faults));
  const rendered = compiled.template.render(
    { channel: "email", provider: "smtp" },
    {
      data,
      profile: {},
      tenant: {},
      brand: {},
      locale: null,
      builtins: {
        messageId: "",
        recipient: "",
        event: "",
        template: "",
        environment: "production",
        unsubscribeUrl: null,
        preferencesUrl: null,
        year: 2026,
      },
    },
  );
  if (!rendered.ok) throw new Error(rendered.problem);
  return { subject: rendered.title, html: rendered.html, text: rendered.text };
}

function orderOf(index: number): string {
  return `PX-${100_000 + index}`;
}
