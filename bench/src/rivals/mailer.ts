import nodemailer from "nodemailer";
import { mailTemplate, SENDER } from "../mail.ts";
import type { Deliver, Entry, Notice, Status } from "./notice.ts";

/** nodemailer's pool and a compiled template: what every rival does between its queue and its log. */
export function openMailer(sinkPort: number, connections: number): { readonly deliver: Deliver; close(): void } {
  const transport = nodemailer.createTransport({
    pool: true,
    host: "127.0.0.1",
    port: sinkPort,
    ignoreTLS: true,
    maxConnections: connections,
    maxMessages: Number.POSITIVE_INFINITY,
  });
  const render = mailTemplate();
  return {
    close: () => transport.close(),
    deliver: async (notice, person) => {
      if (person.suppressed) return entryOf(notice, Date.now(), "suppressed", "");
      if (person.optedOut) return entryOf(notice, Date.now(), "opted out", "");
      const words = render(notice.data);
      const renderedMs = Date.now();
      const messageId = `<${notice.id}@example.com>`;
      await transport.sendMail({ from: SENDER, to: notice.to, messageId, ...words });
      return entryOf(notice, renderedMs, "sent", messageId);
    },
  };
}

function entryOf(notice: Notice, renderedMs: number, status: Status, providerId: string): Entry {
  const accepted = { type: "accepted", atMs: notice.acceptedMs };
  const rendered = { type: "rendered", atMs: renderedMs };
  return { notice, status, providerId, history: [accepted, rendered, { type: status, atMs: Date.now() }] };
}
