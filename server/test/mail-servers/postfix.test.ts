import assert from "node:assert/strict";
import { after, test } from "node:test";
import { envelope, sendAll } from "#providers/smtp/test-fixtures/mails.ts";
import { MailHost } from "../support/mail-host.ts";
import { findMta } from "../support/mta-packages.ts";
import { PostfixServer } from "../support/postfix-server.ts";
import { arrivals, carriesEverything, kindsOf, openProvider } from "./carries-everything.ts";
import { INTERNATIONAL_KINDS, MAIL_KINDS } from "./mail-kinds.ts";
import { losesNothing } from "./nothing-lost.ts";
import { CERTIFICATE, tlsFiles } from "./tls-files.ts";

/** Our mails through a real Postfix, to the server that it hands them on to, and what Postfix can do to us. */

const WITHOUT = {
  "as it comes": "",
  "without CHUNKING": "chunking",
  "without CHUNKING and PIPELINING": "chunking, pipelining",
} as const;

const REFUSING =
  "check_recipient_access inline:{" +
  "{nobody@=550 5.1.1 User unknown} {later@=450 4.2.0 Greylisted, please come back} {denied@=554 5.7.1 Access denied}" +
  "} permit_mynetworks reject";

const DOORS = {
  "as it comes": {},
  "without CHUNKING": { smtpd_discard_ehlo_keywords: WITHOUT["without CHUNKING"] },
  "without CHUNKING and PIPELINING": { smtpd_discard_ehlo_keywords: WITHOUT["without CHUNKING and PIPELINING"] },
  "refusing, as it comes": { smtpd_recipient_restrictions: REFUSING },
  "refusing, without CHUNKING": {
    smtpd_recipient_restrictions: REFUSING,
    smtpd_discard_ehlo_keywords: WITHOUT["without CHUNKING"],
  },
  "refusing, without CHUNKING and PIPELINING": {
    smtpd_recipient_restrictions: REFUSING,
    smtpd_discard_ehlo_keywords: WITHOUT["without CHUNKING and PIPELINING"],
  },
  deferring: { smtpd_recipient_restrictions: "defer" },
  small: { message_size_limit: "20000" },
  "small, unsaid": { message_size_limit: "20000", smtpd_discard_ehlo_keywords: "size" },
  "two at once": { smtpd_client_connection_count_limit: "2" },
  "five a minute": { smtpd_client_connection_rate_limit: "5" },
  "ten mails a minute": { smtpd_client_message_rate_limit: "10" },
  tls: {
    smtpd_tls_security_level: "encrypt",
    smtpd_tls_cert_file: "/etc/postfix/cert.pem",
    smtpd_tls_key_file: "/etc/postfix/key.pem",
  },
} as const;

const mta = await findMta("postfix");
const skip = typeof mta === "string" ? mta : false;
const host = await MailHost.open();
const server =
  typeof mta === "string"
    ? null
    : await PostfixServer.open(mta, {
        relayTo: host.port,
        doors: DOORS,
        // This machine would be spared the limits.
        settings: { message_size_limit: "20000000", smtpd_client_event_limit_exceptions: "" },
        files: tlsFiles("/etc/postfix"),
      });
after(async () => {
  await server?.[Symbol.asyncDispose]();
  await host[Symbol.asyncDispose]();
});

function postfix(): NonNullable<typeof server> {
  if (server === null) throw new Error("broken invariant: without Postfix its tests are skipped");
  return server;
}

const to = (address: string, id: string) => envelope(id, { to: address });

for (const [i, way] of (Object.keys(WITHOUT) as (keyof typeof WITHOUT)[]).entries()) {
  test(`Postfix ${way}: every kind of mail comes out as it went in, once, signatures verify`, { skip }, async () => {
    const kinds = [...MAIL_KINDS, ...INTERNATIONAL_KINDS];
    await carriesEverything(`pf${i}`, kinds, { port: postfix().ports[way] }, host);
  });

  test(`Postfix ${way}: each refusal concerns its own recipient`, { skip }, async () => {
    await using provider = await openProvider(postfix().ports[`refusing, ${way}`], "pool=1");
    const mails = [
      to("ada@example.org", `pr${i}_a`),
      to("nobody@example.org", `pr${i}_b`),
      to("later@example.org", `pr${i}_c`),
      to("denied@example.org", `pr${i}_d`),
      envelope(`pr${i}_e`, { cc: ["nobody@example.org", "bob@example.org"], bcc: ["later@example.org"] }),
      to("bob@example.org", `pr${i}_f`),
    ];
    const outcomes = await sendAll(provider, mails);
    assert.deepEqual(kindsOf(outcomes), ["sent", "refused", "retry", "refused", "sent", "sent"]);
    assert.deepEqual(outcomes[1], {
      kind: "refused",
      bounce: "hard",
      reason: "550 5.1.1 <nobody@example.org>: Recipient address rejected: User unknown",
    });
    assert.ok(outcomes[2]?.kind === "retry" && (outcomes[2].afterMs ?? 0) > 60_000, "greylisting has its own patience");
    assert.ok(outcomes[3]?.kind === "refused" && outcomes[3].bounce === undefined);
    const noted = outcomes[4]?.kind === "sent" ? outcomes[4].reference["refused"] : "";
    assert.match(noted ?? "", /^nobody@example\.org: 550 .*; later@example\.org: 450 /);
    const [mixed] = await arrivals(host, `<pr${i}_e@example.com>`);
    assert.equal(mixed?.to, "ada@example.org,bob@example.org");
  });

  test(`Postfix ${way}: 100 unknown addresses in a row keep nobody waiting, and pause nothing`, { skip }, async () => {
    await using provider = await openProvider(postfix().ports[`refusing, ${way}`], "pool=1");
    const nobody = Array.from({ length: 100 }, (_, n) => to("nobody@example.org", `pn${i}_${n}`));
    const startedMs = performance.now();
    const outcomes = kindsOf(await sendAll(provider, [...nobody, to("ada@example.org", `pn${i}_last`)]));
    // From the tenth error in a row on, Postfix takes a second for every answer; at the twentieth it hangs up.
    assert.ok(performance.now() - startedMs < 10_000, `${performance.now() - startedMs} ms`);
    assert.deepEqual(outcomes, [...nobody.map(() => "refused"), "sent"]);
  });
}

test("Postfix that defers everybody: each mail is to be tried again", { skip }, async () => {
  await using provider = await openProvider(postfix().ports.deferring);
  const outcomes = await sendAll(provider, [to("a@example.org", "pd_a"), to("b@example.org", "pd_b")]);
  assert.deepEqual(kindsOf(outcomes), ["retry", "retry"]);
});

test("Postfix refuses what is too large, whether it said so beforehand or not", { skip }, async () => {
  for (const door of ["small", "small, unsaid"] as const) {
    await using provider = await openProvider(postfix().ports[door], "pool=1");
    const text = "x\n".repeat(1_000_000);
    const outcomes = await sendAll(provider, [
      to("a@example.org", "ps_a"),
      envelope("ps_b", { text: text.slice(0, 40_000) }),
      envelope("ps_c", { text }),
      to("b@example.org", "ps_d"),
    ]);
    assert.deepEqual(kindsOf(outcomes), ["sent", "refused", "refused", "sent"], `${door}: ${JSON.stringify(outcomes)}`);
  }
});

test("Postfix that lets us have two connections, or five a minute, gets all mails over these", { skip }, async () => {
  for (const door of ["two at once", "five a minute"] as const) {
    await using provider = await openProvider(postfix().ports[door]);
    const mails = Array.from({ length: 300 }, (_, i) => to("ada@example.org", `pl${door.length}_${i}`));
    assert.deepEqual(new Set(kindsOf(await sendAll(provider, mails))), new Set(["sent"]));
  }
  // A second provider, as after a restart: the minute is not over, and nobody gets in.
  await using late = await openProvider(postfix().ports["five a minute"]);
  const [outcome] = await sendAll(late, [to("ada@example.org", "pl_late")]);
  assert.ok(outcome?.kind === "retry" && outcome.whole === true, JSON.stringify(outcome));
  assert.match(outcome.reason, /too many connections/);
});

test("Postfix that has enough of us for this minute pauses us for one", { skip }, async () => {
  await using provider = await openProvider(postfix().ports["ten mails a minute"], "pool=1&window=1");
  const mails = Array.from({ length: 12 }, (_, i) => to("ada@example.org", `pm_${i}`));
  const outcomes = await sendAll(provider, mails);
  assert.deepEqual(kindsOf(outcomes), [...mails.slice(2).map(() => "sent"), "policy", "policy"]);
  assert.ok(outcomes[11]?.kind === "policy" && outcomes[11].pauseMs === 60_000);
});

test("STARTTLS with Postfix: a certificate that nobody vouches for is refused, unless we are told to trust it", {
  skip,
}, async () => {
  const port = postfix().ports.tls;
  for (const [query, ca, expected] of [
    ["", undefined, "retry"],
    ["verify=false&tls=require", undefined, "sent"],
    ["tls=require", CERTIFICATE, "sent"],
  ] as const) {
    await using provider = await openProvider(port, query, ca === undefined ? {} : { ca });
    const [outcome] = await sendAll(provider, [to("ada@example.org", `pt_${query.length}`)]);
    assert.equal(outcome?.kind, expected, JSON.stringify(outcome));
    if (expected === "retry") continue;
    const [mail] = await arrivals(host, `<pt_${query.length}@example.com>`);
    assert.match(mail?.raw.toString("latin1") ?? "", /\bwith ESMTPS id /);
  }
  const kinds = MAIL_KINDS.filter(({ name }) => /dots|eight bits|3 MB/.test(name));
  await carriesEverything("ptk", kinds, { port, query: "verify=false" }, host);
});

test("Postfix stopped, started, killed and started while 2,000 mails go: none is lost, none comes twice but those in doubt", {
  skip,
}, async (t) => {
  await using provider = await openProvider(postfix().ports["as it comes"]);
  const stopAndStart = async (): Promise<void> => {
    await postfix().stop();
    await postfix().start();
  };
  const killAndStart = async (): Promise<void> => {
    await postfix().kill();
    await postfix().start();
  };
  const queueId = (raw: string): string => /\bby mx\.example\.net \(Postfix\) with \S+ id (\w+)/.exec(raw)?.[1] ?? "";
  const trouble = new Map([
    [500, stopAndStart],
    [1_200, killAndStart],
  ]);
  const troubled = await losesNothing("pk", 2_000, provider, host, queueId, trouble);
  t.diagnostic(JSON.stringify(troubled));
  assert.ok(troubled.retries > 0, "the trouble was felt");
});
