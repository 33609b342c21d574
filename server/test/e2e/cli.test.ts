import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Home, KEY, type Program } from "../support/program.ts";
import { until } from "../support/until.ts";

/** The commands against a running program. It has no provider, so everything is caught in the mailbox. */

const home = new Home();
let program: Program;

before(async () => {
  program = await home.start();
});
after(() => home[Symbol.asyncDispose]());

/** Runs a command and reads what it printed, one JSON object a line. */
async function json(...argv: string[]) {
  const ran = await home.run([...argv, "--json"]);
  const lines = ran.out.trim() === "" ? [] : ran.out.trim().split("\n");
  return { ...ran, lines: lines.map((line) => JSON.parse(line)) };
}

test("send --wait says that it is out; messages, why and mailbox tell the same", async () => {
  const words = ["--title", "Hello {{name}}", "--body", "It works.", "--data", "name=Ada"];
  const sent = await json("send", "--to", "ada@example.com", ...words, "--wait");
  assert.equal(sent.code, 0, sent.err);
  const [{ requestId, complete, outcomes }] = sent.lines;
  assert.deepEqual([complete, outcomes], [true, { SENT: 1 }]);

  const listed = await json("messages", "--recipient", "ada@example.com");
  assert.deepEqual(
    listed.lines.map(({ id, status }) => [id, status]),
    [[requestId, "SENT"]],
  );
  const why = await home.run(["why", "ada@example.com"]);
  assert.equal(why.code, 0);
  assert.match(why.out, new RegExp(`SENT +ada@example\\.com\\n +${requestId}`));
  const shown = await json("mailbox", "show", "last");
  assert.deepEqual(
    [shown.lines[0].channel, shown.lines[0].to, shown.lines[0].title],
    ["email", "ada@example.com", "Hello Ada"],
  );
  const mail = await home.run(["mailbox", "show", "last"]);
  assert.match(mail.out, /Hello Ada[\s\S]*It works\./);
  assert.match((await home.run(["mailbox", "show", "last", "--html"])).out, /^<!doctype html>[\s\S]*It works\./i);
});

test("what did not get out ends with 1, and why names the reason", async () => {
  const sent = await json(
    "send",
    "--to",
    "user:nobody-known",
    "--channel",
    "email",
    "--title",
    "T",
    "--body",
    "B",
    "--wait",
  );
  assert.equal(sent.code, 1);
  assert.deepEqual(sent.lines[0].outcomes, { UNROUTABLE: 1 });
  const why = await json("why", "nobody-known");
  assert.equal(why.code, 1);
  assert.deepEqual([why.lines[0].message.status, why.lines[0].message.reason], ["UNROUTABLE", "NO_CHANNELS"]);
});

test("tail prints the events of a send as they happen", async () => {
  const tail = json("tail", "--type", "message.sent", "--count", "2");
  let ended = false;
  void tail.finally(() => (ended = true));
  const sent = new Set<string>();
  // It prints what happens from the moment on at which it has come; so things happen until then.
  await until("it has seen two events", async () => {
    sent.add(await program.send({ to: { email: "tail@example.com" }, content: { title: "T", body: "B" } }));
    return ended;
  });
  const { code, lines } = await tail;
  assert.deepEqual([code, lines.length], [0, 2]);
  for (const { specversion, type, subject } of lines) {
    assert.deepEqual([specversion, type, sent.has(subject)], ["1.0", "message.sent", true]);
  }
});

test("lists import brings 500 rows in, and writes the bad ones with their reasons to a file", async () => {
  const good = Array.from({ length: 490 }, (_, at) => `p${at},p${at}@example.com,City ${at},T${at % 7}`);
  const bad = [
    ...Array.from({ length: 4 }, (_, at) => `q${at},not an address,X,Y`),
    ...Array.from({ length: 3 }, (_, at) => `r${at},r${at}@example.com,one,too,many`),
    ...Array.from({ length: 3 }, () => ",,nobody,Z"),
  ];
  const rows = [...good.slice(0, 250), ...bad, ...good.slice(250)];
  const file = join(home.dataDir, "people.csv");
  writeFileSync(file, `user_id,email,custom.city,data.ticker\n${rows.join("\n")}\n`);
  const imported = await json("lists", "import", file, "--list", "people.all");
  assert.equal(imported.code, 1, "some rows were bad");
  const [result] = imported.lines;
  assert.deepEqual([result.imported, result.rejected, result.whole], [490, 10, true]);
  const rejected = readFileSync(result.rejectedFile, "utf8").trim().split("\n");
  assert.equal(rejected.length, 1 + 10);
  assert.match(rejected[1] ?? "", /^q0,not an address,X,Y,.*email/);

  const again = await json("lists", "import", file, "--list", "people.all", "--restart");
  assert.deepEqual([again.lines[0].imported, again.lines[0].rejected], [490, 10], "twice changes nothing");
  type Profile = { readonly profile: { readonly email: string; readonly custom: object } };
  assert.deepEqual((await program.get<Profile>("/profiles/p3")).profile, {
    email: "p3@example.com",
    custom: { city: "City 3" },
  });
  const sent = await json("send", "--to", "list:people.all", "--title", "{{ticker}}", "--body", "B", "--wait");
  assert.equal(sent.code, 0, sent.err);
  assert.deepEqual(sent.lines[0].outcomes, { SENT: 490 });
});

test("keys: one that may only send can send and not read; revoked, it can do nothing", async () => {
  const made = await json("keys", "create", "--name", "shop", "--scope", "send");
  assert.equal(made.code, 0, made.err);
  const [{ id, key }] = made.lines;
  const mine = { TIDINGS_API_KEY: key, TIDINGS_URL: program.url };
  const send = ["send", "--to", "k@example.com", "--title", "T", "--body", "B"];
  assert.equal((await home.run(send, mine)).code, 0);
  const read = await home.run(["messages"], mine);
  assert.equal(read.code, 4, "the server said no");
  assert.equal((await home.run(["keys", "revoke", id])).code, 0);
  const refused = await home.run(send, mine);
  assert.equal(refused.code, 4);
  assert.match(refused.err, /key/i);
  const names = (await json("keys", "list", "--all")).lines.map(({ name }) => name);
  assert.ok(names.includes("shop"));
  for (const file of ["tidings.db", "tidings.db-wal"]) {
    const bytes = readFileSync(join(home.dataDir, file));
    assert.ok(!bytes.includes(key) && !bytes.includes(KEY), `${file} holds no key, only what cannot be turned back`);
  }
});

test("exit codes tell a wrong command line, and that no server answers", async () => {
  assert.equal((await home.run(["send"])).code, 2);
  assert.equal((await home.run(["sned"])).code, 2);
  const nobody = await home.run(["messages"], { TIDINGS_URL: "http://127.0.0.1:9" });
  assert.equal(nobody.code, 3);
  assert.equal((await home.run(["dlq"])).code, 0);
  assert.equal((await home.run(["doctor"])).code, 0);
});
