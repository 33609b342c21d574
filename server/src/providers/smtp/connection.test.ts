import assert from "node:assert/strict";
import { test } from "node:test";
import type { Outcome } from "#domain/outcome.ts";
import type { Provider } from "#ports/provider.ts";
import { ERRORS_IN_A_ROW_MAX, STALE_MS } from "./connection.ts";
import { openSmtpProvider } from "./provider.ts";
import { POOL_DEFAULT, POOL_WITHOUT_CHUNKING_DEFAULT, type SmtpTimeouts } from "./settings.ts";
import { envelope, NO_BLOBS, sendAll, sendOne } from "./test-fixtures/mails.ts";
import { type Conversation, type ScriptedServer, startScriptedServer } from "./test-fixtures/scripted-server.ts";

const KINDS = {
  "without extensions": [],
  "with PIPELINING": ["PIPELINING"],
  "with PIPELINING and CHUNKING": ["PIPELINING", "CHUNKING"],
} as const;

/** Long enough for an honest answer on a busy machine, short enough to wait for a silent server. */
const IMPATIENT = { greetingMs: 250, commandMs: 250, handoverMs: 250 };

/** More than the socket buffers of both sides hold. */
const LARGE = `${"0123456789".repeat(9)}\n`.repeat(220_000);

function open(server: ScriptedServer, parameters = "pool=1", timeouts: Partial<SmtpTimeouts> = {}): Promise<Provider> {
  const url = `smtp://127.0.0.1:${server.port}?${parameters}`;
  return openSmtpProvider({ url, from: "news@example.com", hostname: "mta.example.com", timeouts }, NO_BLOBS);
}

function envelopes(count: number): ReturnType<typeof envelope>[] {
  return Array.from({ length: count }, (_, i) => envelope(`msg_${i}`, { to: `p${i}@example.org` }));
}

const kinds = (outcomes: readonly Outcome[]): readonly string[] => outcomes.map((outcome) => outcome.kind);

/** What a server may do instead of its duty. */
const FAILURES = {
  "drops the line": (conversation: Conversation) => conversation.drop(),
  "says nothing": () => undefined,
  "talks nonsense": (conversation: Conversation) => conversation.say("HTTP/1.1 400 Bad Request"),
  "says what does not fit": (conversation: Conversation) => conversation.say("334 go on"),
} as const;

/** Plays a server that is good up to `step`. */
async function goodUntil(step: string, words: readonly string[], conversation: Conversation): Promise<void> {
  if (step === "greeting") return;
  conversation.say("220 scripted");
  await conversation.hear("EHLO");
  if (step === "EHLO") return;
  const all = ["scripted", ...words];
  conversation.say(...all.map((word, i) => `250${i === all.length - 1 ? " " : "-"}${word}`));
  for (const verb of ["MAIL", "RCPT"]) {
    await conversation.hear(verb);
    if (step === verb) return;
    conversation.say("250 fine");
  }
  if (words.includes("CHUNKING")) {
    const [, count = "0"] = /^BDAT (\d+) LAST$/.exec(await conversation.hear("BDAT")) ?? [];
    await conversation.bytes(Number(count));
    return;
  }
  await conversation.hear("DATA");
  if (step === "DATA") return;
  conversation.say("354 go ahead");
  await conversation.mail();
}

for (const [kind, words] of Object.entries(KINDS)) {
  const chunking = (words as readonly string[]).includes("CHUNKING");
  for (const [failure, fail] of Object.entries(FAILURES)) {
    test(`${kind}: a server that ${failure} leaves a mail in doubt only after the hand-over`, async () => {
      const steps = ["greeting", "EHLO", "MAIL", "RCPT", ...(chunking ? [] : ["DATA"]), "mail"];
      const tried = steps.map(async (step) => {
        await using server = await startScriptedServer(async (conversation) => {
          await goodUntil(step, words, conversation);
          fail(conversation);
        });
        await using provider = await open(server, "pool=1", IMPATIENT);
        const outcome = await sendOne(provider);
        // With CHUNKING the mail is out together with its MAIL command.
        const handedOver = step === "mail" || (chunking && (step === "MAIL" || step === "RCPT"));
        assert.equal(outcome.kind, handedOver ? "unknown" : "retry", `${step}: ${JSON.stringify(outcome)}`);
        assert.ok("reason" in outcome && outcome.reason.length > 10);
      });
      await Promise.all(tried);
    });
  }

  test(`${kind}: each refusal on the way is the outcome, and the next mail is sent all the same`, async () => {
    const refusals = [
      ["MAIL", "452 4.3.1 Insufficient system storage", "retry"],
      ["RCPT", "550 5.1.1 No such user", "refused"],
      ["DATA", "554 5.5.1 No valid recipients", "refused"],
      ["mail", "550 5.7.515 Access denied", "policy"],
      ["mail", "451 4.3.0 Try again", "retry"],
    ] as const;
    for (const [step, answer, expected] of refusals) {
      if (chunking && step === "DATA") continue;
      await using server = await startScriptedServer((conversation) =>
        refuseTheFirst(conversation, step, answer, words),
      );
      await using provider = await open(server);
      const outcomes = await sendAll(provider, envelopes(3));
      assert.deepEqual(kinds(outcomes), [expected, "sent", "sent"], `${step} ${answer}`);
      if (step === "RCPT") assert.deepEqual(outcomes[0], { kind: "refused", reason: answer, bounce: "hard" });
      assert.equal(server.connections, 1);
    }
  });

  test(`${kind}: mails arrive whole, dots and all, in order, over one connection`, async () => {
    const mails: string[] = [];
    await using server = await startScriptedServer(async (conversation) => {
      await conversation.welcome(...words);
      for (;;) {
        const mail = await conversation.takeMail();
        mails.push(chunking ? mail : mail.slice(0, -3).replaceAll("\r\n..", "\r\n."));
        conversation.say("250 queued");
      }
    });
    await using provider = await open(server);
    const text = ".\r\n..\r\n.leading\r\n\r\nend";
    const large = `${"0123456789\n".repeat(60_000)}.\n`;
    const sent = await sendAll(provider, [
      envelope("a", { text, html: "" }),
      envelope("b", { text: large, html: "" }),
      envelope("c", { text, html: "" }),
    ]);
    assert.deepEqual(kinds(sent), ["sent", "sent", "sent"]);
    const bodies = mails.map((mail) => mail.slice(mail.indexOf("\r\n\r\n") + 4));
    assert.deepEqual(bodies, [`${text}\r\n`, large.replaceAll("\n", "\r\n"), `${text}\r\n`]);
    assert.equal(server.connections, 1);
  });

  test(`${kind}: if To is refused nobody gets the mail; if only a Cc is, that is noted`, async () => {
    await using server = await startScriptedServer(async (conversation) => {
      await conversation.welcome(...words);
      for (;;) {
        const line = await conversation.hear();
        if (line.includes("nobody")) conversation.say("550 5.1.1 No such user");
        else if (line === "DATA") {
          conversation.say("354 go ahead");
          await conversation.mail();
          conversation.say("250 queued");
        } else if (line.startsWith("BDAT")) {
          await conversation.bytes(Number(line.split(" ")[1]));
          conversation.say("250 queued");
        } else conversation.say("250 fine");
      }
    });
    await using provider = await open(server);
    const [toRefused, ccRefused] = await sendAll(provider, [
      envelope("a", { to: "nobody@example.org", cc: ["b@example.org"], bcc: ["c@example.org"] }),
      envelope("b", { cc: ["nobody@example.org"] }),
    ]);
    assert.deepEqual(toRefused, { kind: "refused", reason: "550 5.1.1 No such user", bounce: "hard" });
    assert.deepEqual(ccRefused, {
      kind: "sent",
      reference: {
        messageId: "<b@example.com>",
        response: "250 queued",
        refused: "nobody@example.org: 550 5.1.1 No such user",
      },
    });
    assert.equal(server.lines.filter((line) => /^(?:DATA|BDAT)/.test(line)).length, 1);
    assert.ok(server.lines.includes("RSET"), "the refused transaction is cleared away");
  });
}

/** A strict server: out of order commands are 503, a refused transaction stays open until RSET. */
async function refuseTheFirst(
  conversation: Conversation,
  step: string,
  answer: string,
  words: readonly string[],
): Promise<void> {
  await conversation.welcome(...words);
  let first = true;
  let inTransaction = false;
  let recipients = 0;
  const refuse = (verb: string): boolean => {
    if (!first || step !== verb) return false;
    first = false;
    conversation.say(answer);
    return true;
  };
  for (;;) {
    const line = await conversation.hear();
    const verb = line.slice(0, 4);
    if (verb === "RSET") {
      inTransaction = false;
      conversation.say("250 cleared");
    } else if (verb === "MAIL") {
      if (inTransaction) conversation.say("503 5.5.1 nested MAIL");
      else if (!refuse("MAIL")) {
        inTransaction = true;
        recipients = 0;
        conversation.say("250 fine");
      }
    } else if (verb === "RCPT") {
      if (!inTransaction) conversation.say("503 5.5.1 need MAIL");
      else if (!refuse("RCPT")) {
        recipients += 1;
        conversation.say("250 fine");
      }
    } else {
      if (verb === "BDAT") await conversation.bytes(Number(line.split(" ")[1]));
      if (!inTransaction || recipients === 0) conversation.say("503 5.5.1 need RCPT");
      else if (verb === "DATA" && !refuse("DATA")) {
        conversation.say("354 go ahead");
        await conversation.mail();
        inTransaction = false;
        if (!refuse("mail")) conversation.say("250 queued");
      } else if (verb === "BDAT") {
        if (!refuse("mail")) {
          inTransaction = false;
          conversation.say("250 queued");
        }
      }
    }
  }
}

test("a server without PIPELINING gets one command at a time, also to clear away what was refused", async () => {
  const behind: string[] = [];
  await using server = await startScriptedServer(async (conversation) => {
    await conversation.welcome();
    for (;;) {
      const line = await conversation.hear();
      if (conversation.hasMore) behind.push(line);
      if (line === "DATA") {
        conversation.say("354 go ahead");
        await conversation.mail();
      }
      conversation.say(line.includes("nobody") ? "550 5.1.1 User unknown" : "250 fine");
    }
  });
  await using provider = await open(server);
  const outcomes = await sendAll(provider, [
    envelope("a", { to: "nobody@example.org" }),
    envelope("b", { to: "nobody@example.org", cc: ["b@example.org"] }),
    envelope("c", { cc: ["nobody@example.org", "b@example.org"] }),
    envelope("d"),
  ]);
  assert.deepEqual(kinds(outcomes), ["refused", "refused", "sent", "sent"]);
  assert.ok(server.lines.includes("RSET"));
  assert.deepEqual(behind, []);
});

test("with PIPELINING the envelope goes out at once, the next one behind the final dot", async () => {
  const groups: string[] = [];
  await using server = await startScriptedServer(async (conversation) => {
    await conversation.welcome("PIPELINING");
    // Answers are withheld until the whole group is there: a client that waits for one would wait for ever.
    await conversation.hear("MAIL");
    await conversation.hear("RCPT");
    await conversation.hear("DATA");
    conversation.say("250 fine", "250 fine", "354 go ahead");
    await conversation.mail();
    groups.push(await conversation.hear("MAIL"), await conversation.hear("RCPT"), await conversation.hear("DATA"));
    conversation.say("250 queued", "250 fine", "250 fine", "354 go ahead");
    await conversation.mail();
    conversation.say("250 queued");
  });
  await using provider = await open(server);
  assert.deepEqual(kinds(await sendAll(provider, envelopes(2))), ["sent", "sent"]);
  assert.deepEqual(groups, ["MAIL FROM:<news@example.com>", "RCPT TO:<p1@example.org>", "DATA"]);
});

test("with CHUNKING several mails are under way, and one refused recipient concerns its own mail only", async () => {
  await using server = await startScriptedServer(async (conversation) => {
    await conversation.welcome("PIPELINING", "CHUNKING");
    const heard: string[] = [];
    while (heard.filter((line) => line.startsWith("BDAT")).length < 4) {
      const line = await conversation.hear();
      heard.push(line);
      if (line.startsWith("BDAT")) await conversation.bytes(Number(line.split(" ")[1]));
    }
    for (const line of heard) {
      const second =
        heard.indexOf(line) > 4 && heard.indexOf(line) <= heard.findIndex((one) => one.includes("p1@")) + 1;
      if (line.includes("p1@")) conversation.say("550 5.1.1 No such user");
      else if (line.startsWith("BDAT") && second) conversation.say("503 5.5.1 need RCPT");
      else conversation.say("250 fine");
    }
  });
  await using provider = await open(server, "pool=1&window=4");
  assert.deepEqual(kinds(await sendAll(provider, envelopes(4))), ["sent", "refused", "sent", "sent"]);
  assert.equal(server.lines.filter((line) => line === "RSET").length, 3);
});

test("after 421 the mail that it answers goes over another connection, and so does what was pipelined behind it", async () => {
  await using server = await startScriptedServer(async (conversation, connection) => {
    await conversation.welcome("PIPELINING", "CHUNKING");
    await conversation.takeMail();
    conversation.say("250 queued");
    if (connection === 1) {
      await conversation.answer("RSET", "421 4.3.2 shutting down");
      conversation.drop();
      return;
    }
    for (;;) {
      await conversation.takeMail();
      conversation.say("250 queued");
    }
  });
  await using provider = await open(server);
  assert.deepEqual(kinds(await sendAll(provider, envelopes(4))), ["sent", "sent", "sent", "sent"]);
  assert.equal(server.connections, 2);
});

test("a server that says 421 to every mail is not asked for ever: the second time it is the outcome", async () => {
  await using server = await startScriptedServer(async (conversation) => {
    await conversation.welcome("PIPELINING");
    await conversation.answer("MAIL", "421 4.3.2 shutting down");
    conversation.drop();
  });
  await using provider = await open(server);
  const [outcome] = await sendAll(provider, envelopes(1));
  assert.deepEqual(outcome, { kind: "retry", reason: "421 4.3.2 shutting down", whole: true });
  assert.equal(server.connections, 2);
});

/** Counts refused commands as servers do, from the last mail that it took; remembers the most of any connection. */
async function countErrors(conversation: Conversation, words: readonly string[], most: { errors: number }) {
  await conversation.welcome(...words);
  let errors = 0;
  let recipients = 0;
  const answer = (good: boolean, refusal: string): void => {
    if (!good) errors += 1;
    most.errors = Math.max(most.errors, errors);
    conversation.say(good ? "250 fine" : refusal);
  };
  for (;;) {
    const line = await conversation.hear();
    if (line === "QUIT") return conversation.say("221 bye");
    if (line.startsWith("MAIL")) recipients = 0;
    if (line.startsWith("RCPT")) {
      const known = !line.includes("nobody");
      if (known) recipients += 1;
      answer(known, "550 5.1.1 User unknown");
    } else if (line.startsWith("BDAT") || line === "DATA") {
      if (line !== "DATA") await conversation.bytes(Number(line.split(" ")[1]));
      else if (recipients > 0) {
        conversation.say("354 go ahead");
        await conversation.mail();
      }
      if (recipients > 0) errors = 0;
      answer(recipients > 0, "554 5.5.1 no valid recipients");
    } else conversation.say("250 fine");
  }
}

for (const [kind, words] of Object.entries(KINDS)) {
  test(`${kind}: addresses that do not exist wear out their connection, not the server's patience with the others`, async () => {
    const most = { errors: 0 };
    await using server = await startScriptedServer((conversation) => countErrors(conversation, words, most));
    await using provider = await open(server);
    const nobody = Array.from({ length: 60 }, (_, i) => envelope(`n${i}`, { to: `nobody${i}@example.org` }));
    const outcomes = kinds(await sendAll(provider, [...envelopes(10), ...nobody, ...envelopes(10)]));
    assert.deepEqual(
      outcomes,
      outcomes.map((_, i) => (i < 10 || i >= 70 ? "sent" : "refused")),
    );
    // Up to the last of a window that was full when the first was refused: from there on one at a time.
    assert.ok(most.errors <= ERRORS_IN_A_ROW_MAX * 2, `${most.errors} errors in a row`);
    // A fresh one carries four, with two errors each, before it is spent.
    assert.ok(server.connections > 60 / ERRORS_IN_A_ROW_MAX && server.connections <= 17, `${server.connections}`);
  });
}

test("a server that lets us have two connections gets all mails over these, and is asked for more once in a while", async () => {
  let openNow = 0;
  let refused = 0;
  await using server = await startScriptedServer(async (conversation) => {
    if (openNow === 2) {
      refused += 1;
      conversation.say("421 4.7.0 Error: too many connections from 127.0.0.1");
      conversation.drop();
      return;
    }
    openNow += 1;
    await conversation.welcome("PIPELINING");
    for (;;) {
      await conversation.takeMail();
      conversation.say("250 queued");
    }
  });
  await using provider = await open(server, "pool=8");
  for (let round = 0; round < 5; round += 1) {
    assert.deepEqual(new Set(kinds(await sendAll(provider, envelopes(60)))), new Set(["sent"]));
  }
  assert.ok(refused >= 1 && refused <= 12, `${refused} connections in vain`);
});

test("a server without CHUNKING gets more connections in a burst, unless their number is set", async () => {
  for (const [words, query, expected] of [
    [["PIPELINING", "CHUNKING"], "", POOL_DEFAULT],
    [["PIPELINING"], "", POOL_WITHOUT_CHUNKING_DEFAULT],
    [[], "", POOL_WITHOUT_CHUNKING_DEFAULT],
    [["PIPELINING"], "pool=3", 3],
  ] as const) {
    const full = Promise.withResolvers<void>();
    let opened = 0;
    await using server = await startScriptedServer(async (conversation) => {
      await conversation.welcome(...words);
      opened += 1;
      if (opened === expected) full.resolve();
      // Nobody is served before all are there.
      await full.promise;
      for (;;) {
        await conversation.takeMail();
        conversation.say("250 queued");
      }
    });
    await using provider = await open(server, query);
    const outcomes = await sendAll(provider, envelopes(300));
    assert.deepEqual(new Set(kinds(outcomes)), new Set(["sent"]));
    assert.equal(server.connections, expected);
  }
});

test("a connection that died while idle costs the next mail nothing", async () => {
  await Promise.all(
    Object.values(KINDS).map(async (words) => {
      await using server = await startScriptedServer(async (conversation, connection) => {
        await conversation.welcome(...words);
        await conversation.takeMail();
        conversation.say("250 queued");
        if (connection > 1) return;
        // It hangs up at the very moment that the next mail comes.
        await conversation.hear("MAIL");
        conversation.drop();
      });
      await using provider = await open(server);
      assert.equal((await sendOne(provider)).kind, "sent");
      await new Promise((resolve) => setTimeout(resolve, STALE_MS + 20));
      assert.equal((await sendOne(provider)).kind, "sent");
      assert.equal(server.connections, 2);
    }),
  );
});

test("a connection carries no more mails than it may, then says QUIT", async () => {
  await using server = await startScriptedServer(async (conversation) => {
    await conversation.welcome("PIPELINING");
    for (let i = 0; i < 2; i += 1) {
      await conversation.takeMail();
      conversation.say("250 queued");
    }
    await conversation.answer("QUIT", "221 bye");
  });
  await using provider = await open(server, "pool=1&messages=2");
  assert.deepEqual(new Set(kinds(await sendAll(provider, envelopes(5)))), new Set(["sent"]));
  assert.equal(server.connections, 3);
});

test("an idle connection is closed with QUIT", async () => {
  const quit = Promise.withResolvers<void>();
  await using server = await startScriptedServer(async (conversation) => {
    await conversation.welcome("PIPELINING");
    await conversation.takeMail();
    conversation.say("250 queued");
    await conversation.hear("QUIT");
    quit.resolve();
  });
  await using provider = await open(server, "pool=1", { idleMs: 20 });
  assert.equal((await sendOne(provider)).kind, "sent");
  await quit.promise;
});

test("a mail larger than the server takes is refused without being sent", async () => {
  await using server = await startScriptedServer(async (conversation) => {
    await conversation.welcome("SIZE 1000");
    await conversation.takeMail();
    conversation.say("250 queued");
  });
  await using provider = await open(server);
  const outcomes = await sendAll(provider, [envelope("a", { text: "x\n".repeat(600) }), envelope("b")]);
  assert.deepEqual(kinds(outcomes), ["refused", "sent"]);
  assert.match(server.lines[1] ?? "", /^MAIL FROM:<news@example\.com> SIZE=\d+$/);
});

test("a local part that is not ASCII needs a server with SMTPUTF8", async () => {
  for (const [words, expected] of [
    [["PIPELINING"], "refused"],
    [["PIPELINING", "SMTPUTF8"], "sent"],
  ] as const) {
    await using server = await startScriptedServer(async (conversation) => {
      await conversation.welcome(...words);
      await conversation.takeMail();
      conversation.say("250 queued");
    });
    await using provider = await open(server);
    assert.equal((await sendOne(provider, { to: "用户@example.org" })).kind, expected);
    if (expected === "refused") continue;
    assert.equal(server.lines[1], "MAIL FROM:<news@example.com> BODY=8BITMIME SMTPUTF8");
    assert.equal(Buffer.from(server.lines[2] ?? "", "latin1").toString(), "RCPT TO:<用户@example.org>");
  }
});

test("a server that knows no EHLO is greeted with HELO", async () => {
  await using server = await startScriptedServer(async (conversation) => {
    conversation.say("220 old");
    await conversation.answer("EHLO", "502 what?");
    await conversation.answer("HELO mta.example.com", "250 old");
    await conversation.takeMail();
    conversation.say("250 queued");
  });
  await using provider = await open(server);
  assert.equal((await sendOne(provider)).kind, "sent");
});

test("a large mail that is refused half way is refused, whatever is left of it", async () => {
  for (const words of Object.values(KINDS)) {
    await using server = await startScriptedServer(async (conversation) => {
      await conversation.welcome(...words);
      for (;;) {
        const line = await conversation.hear();
        if (line !== "DATA" && !line.startsWith("BDAT")) {
          conversation.say("250 fine");
          continue;
        }
        if (line === "DATA") conversation.say("354 go ahead");
        await conversation.bytes(300_000);
        conversation.say("552 5.3.4 Too large");
        return;
      }
    });
    await using provider = await open(server);
    const outcome = await sendOne(provider, { text: LARGE });
    assert.equal(outcome.kind, "refused", JSON.stringify(outcome));
  }
});

test("a large mail whose line breaks half way is not in doubt", async () => {
  for (const words of Object.values(KINDS)) {
    await using server = await startScriptedServer(async (conversation) => {
      await conversation.welcome(...words);
      for (;;) {
        const line = await conversation.hear();
        if (line === "DATA") conversation.say("354 go ahead");
        if (line === "DATA" || line.startsWith("BDAT")) break;
        conversation.say("250 fine");
      }
      await conversation.bytes(300_000);
      conversation.drop();
    });
    await using provider = await open(server);
    assert.equal((await sendOne(provider, { text: LARGE })).kind, "retry");
  }
});

test("a server that is not there: everyone waiting is told, and told again until the next try is due", async () => {
  const gone = await startScriptedServer(async () => undefined);
  await gone[Symbol.asyncDispose]();
  await using provider = await open(gone, "pool=4");
  for (const outcome of await sendAll(provider, envelopes(20))) {
    assert.ok(outcome.kind === "retry" && outcome.whole === true);
    assert.match(outcome.reason, /ECONNREFUSED/);
    assert.ok((outcome.afterMs ?? 0) > 0);
  }
  const startedMs = performance.now();
  assert.equal((await sendOne(provider)).kind, "retry");
  assert.ok(performance.now() - startedMs < 50);
});

test("one connection that breaks fails only its own mails", async () => {
  await using server = await startScriptedServer(async (conversation, connection) => {
    await conversation.welcome("PIPELINING");
    for (;;) {
      await conversation.takeMail();
      if (connection === 2) {
        conversation.drop();
        return;
      }
      conversation.say("250 queued");
    }
  });
  await using provider = await open(server, "pool=3");
  const outcomes = kinds(await sendAll(provider, envelopes(60)));
  const failed = outcomes.filter((kind) => kind !== "sent");
  assert.ok(failed.length >= 1 && failed.length <= 2, failed.join());
  assert.ok(failed.includes("unknown"));
});

test("when the sender stops, mails not yet begun come back and those under way finish", async () => {
  const begun = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  await using server = await startScriptedServer(async (conversation) => {
    await conversation.welcome();
    await conversation.takeMail();
    begun.resolve();
    await goOn.promise;
    conversation.say("250 queued");
  });
  await using provider = await open(server);
  const stop = new AbortController();
  const sending = sendAll(provider, envelopes(5), stop.signal);
  await begun.promise;
  stop.abort();
  goOn.resolve();
  assert.deepEqual(kinds(await sending), ["sent", "retry", "retry", "retry", "retry"]);
  assert.deepEqual(kinds(await sendAll(provider, envelopes(2), stop.signal)), ["retry", "retry"]);
});

test("closing lets the mail under way finish, and turns back those that wait", async () => {
  const begun = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  await using server = await startScriptedServer(async (conversation) => {
    await conversation.welcome();
    await conversation.takeMail();
    begun.resolve();
    await goOn.promise;
    conversation.say("250 queued");
    await conversation.answer("QUIT", "221 bye");
  });
  const provider = await open(server);
  const sending = sendAll(provider, envelopes(3));
  await begun.promise;
  const closing = provider[Symbol.asyncDispose]();
  goOn.resolve();
  assert.deepEqual(kinds(await sending), ["sent", "retry", "retry"]);
  await closing;
  assert.deepEqual(kinds(await sendAll(provider, envelopes(1))), ["retry"]);
  assert.equal(server.connections, 1);
});

test("answers slipped in before TLS are not believed", async () => {
  await using server = await startScriptedServer(async (conversation) => {
    await conversation.welcome("STARTTLS");
    await conversation.hear("STARTTLS");
    conversation.say("220 go", "250 injected");
    await conversation.gone();
  });
  await using provider = await open(server);
  const outcome = await sendOne(provider);
  assert.ok(outcome.kind === "retry");
  assert.match(outcome.reason, /not asked/);
  assert.deepEqual(server.lines, ["EHLO mta.example.com", "STARTTLS"]);
});

test("a server without TLS gets no mail when TLS is required", async () => {
  await using server = await startScriptedServer(async (conversation) => {
    await conversation.welcome("PIPELINING");
    await conversation.hear("QUIT");
  });
  await using provider = await open(server, "tls=require");
  const outcome = await sendOne(provider);
  assert.ok(outcome.kind === "retry");
  assert.match(outcome.reason, /no TLS/);
  assert.equal(
    server.lines.some((line) => line.startsWith("MAIL")),
    false,
  );
});

test("a refused password stops the lane, and is in no reason even if the server repeats it", async () => {
  const offers = { PLAIN: ["AUTH PLAIN"], LOGIN: ["AUTH LOGIN", "VXNlcg", "dXNlcg"], "CRAM-MD5": ["AUTH CRAM"] };
  for (const method of Object.keys(offers)) {
    await using server = await startScriptedServer(async (conversation) => {
      await conversation.welcome(`AUTH ${method}`);
      const first = await conversation.hear("AUTH");
      if (method === "PLAIN") conversation.say(`535 5.7.8 wrong: ${first} hunter2`);
      else {
        conversation.say("334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2U+");
        let last = await conversation.hear();
        if (method === "LOGIN") {
          conversation.say("334 UGFzc3dvcmQ6");
          last = await conversation.hear();
        }
        conversation.say(`535 5.7.8 wrong: ${last} hunter2`);
      }
      await conversation.gone();
    });
    const url = `smtp://user:hunter2@127.0.0.1:${server.port}`;
    await using provider = await openSmtpProvider({ url, from: "news@example.com" }, NO_BLOBS);
    const outcome = await sendOne(provider);
    assert.ok(outcome.kind === "policy", JSON.stringify(outcome));
    assert.doesNotMatch(outcome.reason, /hunter2|aHVudGVyMg|AHVzZXIAaHVudGVyMg/);
  }
});

test("random servers never leave a mail without an outcome", async () => {
  // The replies come in any order and at any place; what counts is that nothing hangs, is reported twice, or throws.
  const answers = ["250 fine", "354 go", "421 bye", "450 later", "503 order", "550 no", "250-a\r\n250 b", "x", ""];
  for (let seed = 1; seed <= 60; seed += 1) {
    let state = seed;
    const roll = (sides: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return (state >>> 8) % sides;
    };
    await using server = await startScriptedServer(async (conversation) => {
      const words = ["PIPELINING", "CHUNKING", "SIZE 100000"].filter(() => roll(2) === 0);
      await conversation.welcome(...words);
      for (;;) {
        await conversation.hear();
        if (roll(25) === 0) conversation.drop();
        const answer = roll(3) === 0 ? (answers[roll(answers.length)] ?? "") : "250 fine";
        if (answer !== "") conversation.say(answer);
      }
    });
    await using provider = await open(server, "pool=2&window=3", { greetingMs: 30, commandMs: 30, handoverMs: 30 });
    const outcomes = await sendAll(provider, envelopes(6));
    assert.equal(outcomes.length, 6, `seed ${seed}`);
  }
});
