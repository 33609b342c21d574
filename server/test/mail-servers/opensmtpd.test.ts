import assert from "node:assert/strict";
import { after, test } from "node:test";
import { envelope, sendAll } from "#providers/smtp/test-fixtures/mails.ts";
import { MailHost } from "../support/mail-host.ts";
import { findMta } from "../support/mta-packages.ts";
import { OpenSmtpdServer } from "../support/opensmtpd-server.ts";
import { arrivals, carriesEverything, kindsOf, openProvider } from "./carries-everything.ts";
import { MAIL_KINDS } from "./mail-kinds.ts";
import { losesNothing } from "./nothing-lost.ts";

/** Our mails through a real OpenSMTPD, which knows neither CHUNKING nor SMTPUTF8, to the server that it hands them on to. */

const mta = await findMta("opensmtpd");
const skip = typeof mta === "string" ? mta : false;
const host = await MailHost.open();
const server =
  typeof mta === "string"
    ? null
    : await OpenSmtpdServer.open(mta, {
        relayTo: host.port,
        doors: { plain: "" },
        settings: ["smtp max-message-size 8M", 'match from any for any rcpt-to "nobody@example.org" reject'],
      });
after(async () => {
  await server?.[Symbol.asyncDispose]();
  await host[Symbol.asyncDispose]();
});

function openSmtpd(): NonNullable<typeof server> {
  if (server === null) throw new Error("broken invariant: without OpenSMTPD its tests are skipped");
  return server;
}

test("OpenSMTPD: every kind of mail comes out as it went in, once, signatures verify", { skip }, async () => {
  // It holds special characters in a local part for an error, quoted or not.
  const kinds = MAIL_KINDS.filter(({ name }) => name !== "a quoted local part");
  await carriesEverything("os", kinds, { port: openSmtpd().ports.plain }, host);
});

test("OpenSMTPD: each refusal concerns its own recipient, and 100 of them in a row nobody else", { skip }, async () => {
  await using provider = await openProvider(openSmtpd().ports.plain, "pool=1");
  const nobody = Array.from({ length: 100 }, (_, i) => envelope(`on_${i}`, { to: "nobody@example.org" }));
  const mails = [
    envelope("or_a"),
    envelope("or_b", { cc: ["nobody@example.org", "bob@example.org"] }),
    envelope("or_c", { to: "用户@example.org" }),
    envelope("or_d", { text: "x\n".repeat(4_500_000) }),
    ...nobody,
    envelope("or_e"),
  ];
  const outcomes = await sendAll(provider, mails);
  assert.deepEqual(
    kindsOf(outcomes),
    ["sent", "sent", "refused", "refused", ...nobody.map(() => "refused"), "sent"],
    JSON.stringify(outcomes.slice(0, 5)),
  );
  assert.match(
    outcomes[1]?.kind === "sent" ? (outcomes[1].reference["refused"] ?? "") : "",
    /^nobody@example\.org: 550/,
  );
  await arrivals(host, "<or_e@example.com>");
});

test("OpenSMTPD stopped, started, killed and started while 400 mails go: none is lost, none comes twice but those in doubt", {
  skip,
}, async (t) => {
  await using provider = await openProvider(openSmtpd().ports.plain);
  const stopAndStart = async (): Promise<void> => {
    await openSmtpd().stop();
    await openSmtpd().start();
  };
  const killAndStart = async (): Promise<void> => {
    await openSmtpd().kill();
    await openSmtpd().start();
  };
  const trouble = new Map([
    [100, stopAndStart],
    [250, killAndStart],
  ]);
  const queueId = (raw: string): string => /\bby mx\.example\.net \(OpenSMTPD\) with \S+ id (\w+)/.exec(raw)?.[1] ?? "";
  const troubled = await losesNothing("ok", 400, provider, host, queueId, trouble);
  t.diagnostic(JSON.stringify(troubled));
  assert.ok(troubled.retries > 0, "the trouble was felt");
});
