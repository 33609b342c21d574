import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import PostalMime from "postal-mime";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";
import type { Outcome } from "#domain/outcome.ts";
import { openSmtpProvider } from "./provider.ts";
import type { SmtpSettings } from "./settings.ts";
import { envelope, NO_BLOBS, sendAll, sendOne } from "./test-fixtures/mails.ts";

const fixture = (name: string): string => readFileSync(new URL(`./test-fixtures/${name}`, import.meta.url), "utf8");
const CERT = fixture("tls-cert.pem");
const TLS = { key: fixture("tls-key.pem"), cert: CERT };

type Received = {
  readonly from: string;
  readonly to: readonly string[];
  readonly raw: Buffer;
  readonly secure: boolean;
};

type RealServer = AsyncDisposable & { readonly port: number; readonly received: Received[] };

/** Somebody else's SMTP server. */
async function startServer(options: SMTPServerOptions = {}): Promise<RealServer> {
  const received: Received[] = [];
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS"],
    logger: false,
    ...TLS,
    onData(stream, session, callback) {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        if (stream.sizeExceeded) {
          callback(Object.assign(new Error("Message too large"), { responseCode: 552 }));
          return;
        }
        received.push({
          from: session.envelope.mailFrom === false ? "" : session.envelope.mailFrom.address,
          to: session.envelope.rcptTo.map((recipient) => recipient.address),
          raw: Buffer.concat(chunks),
          secure: session.secure,
        });
        callback(null, "queued");
      });
    },
    ...options,
  });
  server.on("error", () => undefined);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const address = server.server.address();
  if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
  return {
    port: address.port,
    received,
    async [Symbol.asyncDispose]() {
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function refusal(responseCode: number, text: string): Error {
  return Object.assign(new Error(text), { responseCode });
}

const CLIENTS = ["own", "nodemailer"] as const;

function settings(
  server: RealServer,
  changes: Partial<SmtpSettings> & { readonly query?: string; readonly user?: string },
) {
  const { query = "pool=2", user = "", ...rest } = changes;
  const url = `smtp://${user}127.0.0.1:${server.port}?${query}`;
  return { url, from: "Tidings <news@example.com>", hostname: "mta.example.com", ...rest };
}

for (const client of CLIENTS) {
  for (const hidePIPELINING of [false, true]) {
    test(`${client}, PIPELINING ${hidePIPELINING ? "hidden" : "offered"}: a server from elsewhere gets every mail once, whole`, async () => {
      await using server = await startServer({ hidePIPELINING });
      await using provider = await openSmtpProvider(settings(server, { client }), NO_BLOBS);
      const envelopes = Array.from({ length: 40 }, (_, i) =>
        envelope(`msg_${i}`, {
          to: `Pérson ${i} <p${i}@example.org>`,
          bcc: i % 10 === 0 ? ["archive@example.com"] : [],
          subject: `Nº ${i}`,
          text: `.\n..\nmail ${i}\n`,
        }),
      );
      const outcomes = await sendAll(provider, envelopes);
      for (const [i, outcome] of outcomes.entries()) {
        assert.ok(outcome.kind === "sent", JSON.stringify(outcome));
        assert.equal(outcome.reference["messageId"], `<msg_${i}@example.com>`);
        assert.match(outcome.reference["response"] ?? "", /^250 .*queued/);
      }
      const seen = new Map<string, Received>();
      for (const mail of server.received) seen.set((await PostalMime.parse(mail.raw)).messageId ?? "", mail);
      assert.equal(seen.size, 40);
      assert.equal(server.received.length, 40);
      const tenth = seen.get("<msg_10@example.com>");
      assert.ok(tenth !== undefined);
      assert.equal(tenth.from, "news@example.com");
      assert.deepEqual(tenth.to, ["p10@example.org", "archive@example.com"]);
      const read = await PostalMime.parse(tenth.raw);
      assert.equal(read.subject, "Nº 10");
      assert.equal(read.text?.trimEnd(), ".\n..\nmail 10");
      assert.equal(read.bcc, undefined);
    });
  }

  test(`${client}: STARTTLS and a password, with a certificate that is trusted`, async () => {
    const logins: string[] = [];
    await using server = await startServer({
      disabledCommands: [],
      authOptional: false,
      onAuth(auth, _session, callback) {
        logins.push(`${auth.method} ${auth.username} ${auth.password}`);
        callback(null, { user: auth.username });
      },
    });
    const wanted = { client, ca: CERT, user: "ada:p%40ss@", query: "tls=require&pool=1" };
    await using provider = await openSmtpProvider(settings(server, wanted), NO_BLOBS);
    const outcome = await sendOne(provider);
    assert.equal(outcome.kind, "sent", JSON.stringify(outcome));
    assert.equal(server.received[0]?.secure, true);
    assert.deepEqual(logins, ["PLAIN ada p@ss"]);
  });

  test(`${client}: a certificate that nobody vouches for is refused unless verify=false`, async () => {
    await using server = await startServer({ disabledCommands: [] });
    const outcomes: Outcome[] = [];
    for (const query of ["pool=1", "pool=1&verify=false"]) {
      await using provider = await openSmtpProvider(settings(server, { client, query }), NO_BLOBS);
      outcomes.push(await sendOne(provider));
    }
    assert.deepEqual(
      outcomes.map((outcome) => outcome.kind),
      ["retry", "sent"],
    );
    assert.equal(server.received.length, 1);
    assert.equal(server.received[0]?.secure, true);
  });

  test(`${client}: TLS from the first byte`, async () => {
    await using server = await startServer({ secure: true });
    const url = `smtps://localhost:${server.port}?pool=1`;
    await using provider = await openSmtpProvider({ ...settings(server, { client, ca: CERT }), url }, NO_BLOBS);
    const outcome = await sendOne(provider);
    assert.equal(outcome.kind, "sent", JSON.stringify(outcome));
    assert.equal(server.received[0]?.secure, true);
  });

  test(`${client}: each refusal of a server from elsewhere is understood`, async () => {
    await using server = await startServer({
      onMailFrom: (address, _session, callback) =>
        callback(address.address.startsWith("blocked") ? refusal(550, "5.7.515 Access denied") : null),
      onRcptTo(address, _session, callback) {
        if (address.address.startsWith("nobody")) callback(refusal(550, "5.1.1 No such user"));
        else if (address.address.startsWith("later")) callback(refusal(451, "4.3.0 Try again"));
        else callback();
      },
    });
    await using provider = await openSmtpProvider(settings(server, { client, query: "pool=1" }), NO_BLOBS);
    const outcomes = await sendAll(provider, [
      envelope("a", { to: "nobody@example.org" }),
      envelope("b", { to: "later@example.org" }),
      envelope("c", { from: "blocked@example.com" }),
      envelope("d", { to: "not an address" }),
      envelope("e"),
    ]);
    assert.deepEqual(
      outcomes.map((outcome) => outcome.kind),
      ["refused", "retry", "policy", "refused", "sent"],
    );
    assert.ok(outcomes[0]?.kind === "refused" && outcomes[0].bounce === "hard");
    assert.ok(outcomes[3]?.kind === "refused" && outcomes[3].bounce === undefined);
    assert.equal(server.received.length, 1);
  });

  test(`${client}: attachments come from the blob store; one that is gone refuses its mail, a broken store does not`, async () => {
    await using server = await startServer();
    const bytes = Buffer.alloc(300_000, "attachment ");
    const blobs = {
      get: async (id: string) => {
        if (id === "broken") throw new Error("the disk is on fire");
        return id === "there" ? bytes : null;
      },
    };
    await using provider = await openSmtpProvider(settings(server, { client }), blobs);
    const file = { filename: "a.bin", contentType: "application/x-a", bytes: bytes.length };
    const outcomes = await sendAll(provider, [
      envelope("a", { attachments: [{ ...file, blob: "there" }] }),
      envelope("b", { attachments: [{ ...file, blob: "gone" }] }),
      envelope("c", { attachments: [{ ...file, blob: "broken" }] }),
    ]);
    assert.deepEqual(
      outcomes.map((outcome) => outcome.kind),
      ["sent", "refused", "retry"],
    );
    const read = await PostalMime.parse(server.received[0]?.raw ?? "");
    assert.ok(Buffer.from(read.attachments[0]?.content as ArrayBuffer).equals(bytes));
  });

  test(`${client}: mails are signed by the key of the settings`, async () => {
    await using server = await startServer();
    const pem = (pair: {
      privateKey: { export(options: { type: "pkcs8"; format: "pem" }): string | Buffer };
    }): string => String(pair.privateKey.export({ type: "pkcs8", format: "pem" }));
    const rsa = pem(generateKeyPairSync("rsa", { modulusLength: 1024 }));
    const dkim = [{ domain: "example.com", selector: "s1", privateKeyPem: rsa }];
    await using provider = await openSmtpProvider(settings(server, { client, dkim }), NO_BLOBS);
    assert.equal((await sendOne(provider)).kind, "sent");
    const field = /^DKIM-Signature:(?:.|\r\n[ \t])*/m.exec(server.received[0]?.raw.toString("latin1") ?? "")?.[0] ?? "";
    assert.match(field, /a=rsa-sha256/);
    assert.match(field, /d=example\.com/);
    assert.match(field, /s=s1/);
  });
}

test("a mail over the server's limit is refused before it is sent", async () => {
  await using server = await startServer({ size: 10_000 });
  await using provider = await openSmtpProvider(settings(server, {}), NO_BLOBS);
  const outcome = await sendOne(provider, { text: "x\n".repeat(10_000) });
  assert.ok(outcome.kind === "refused");
  assert.match(outcome.reason, /at most 10000/);
});

test("a password crosses the network only under TLS, or when tls=never asks for it", async () => {
  const logins: unknown[] = [];
  await using server = await startServer({
    allowInsecureAuth: true,
    onAuth(auth, _session, callback) {
      logins.push(auth.password);
      callback(refusal(535, "5.7.8 Authentication failed"));
    },
  });
  // This address leads to this machine, but does not look like it.
  const url = `smtp://ada:hunter2@0.0.0.0:${server.port}`;
  const outcomes: Outcome[] = [];
  for (const query of ["", "?tls=never"]) {
    await using provider = await openSmtpProvider({ ...settings(server, {}), url: url + query }, NO_BLOBS);
    outcomes.push(await sendOne(provider));
    assert.deepEqual(logins, query === "" ? [] : ["hunter2"]);
  }
  assert.deepEqual(
    outcomes.map((outcome) => outcome.kind),
    ["retry", "policy"],
  );
  assert.doesNotMatch(JSON.stringify(outcomes), /hunter2/);
});

test("what is not a mail is refused", async () => {
  await using server = await startServer();
  await using provider = await openSmtpProvider(settings(server, {}), NO_BLOBS);
  const sms = { ...envelope("a"), content: { channel: "sms", to: "+1", text: "x" } } as const;
  const [outcome] = await sendAll(provider, [sms]);
  assert.equal(outcome?.kind, "refused");
  assert.deepEqual(await sendAll(provider, []), []);
});
