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

/** What tells one mail of a burst from the others, and is found again at the sink. */
export function addressOf(burst: string, index: number): string {
  return `person-${burst}-${index}@example.org`;
}

/** The body of `POST /send`. */
export function sendBody(burst: string, index: number): string {
  return JSON.stringify({
    message: {
      to: { email: addressOf(burst, index) },
      content: CONTENT,
      data: { name: NAME, order: { id: orderOf(index), carrier: "The carrier" } },
    },
  });
}

export type PlainMail = { readonly to: string; readonly subject: string; readonly html: string; readonly text: string };

/** The same mails, rendered beforehand but for the number: for clients that only send. */
export function plainMails(): (burst: string, index: number) => PlainMail {
  const compiled = compileContent(CONTENT);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.faults));
  const mark = "ORDER-MARK";
  const rendered = compiled.template.render(
    { channel: "email", provider: "smtp" },
    {
      data: { name: NAME, order: { id: mark, carrier: "The carrier" } },
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
  const { title, html, text } = rendered;
  return (burst, index) => {
    const order = orderOf(index);
    return {
      to: addressOf(burst, index),
      subject: title.replaceAll(mark, order),
      html: html.replaceAll(mark, order),
      text: text.replaceAll(mark, order),
    };
  };
}

function orderOf(index: number): string {
  return `PX-${100_000 + index}`;
}
