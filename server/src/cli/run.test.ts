import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { COMMANDS } from "#cli/commands.ts";
import { EXIT } from "#cli/exit.ts";
import { fakeServer, ran } from "../../test/support/cli-world.ts";

const SUBCOMMANDS: Readonly<Record<string, readonly string[]>> = {
  lists: ["import"],
  mailbox: ["list", "show", "clear"],
  dlq: ["list", "show", "redrive", "discard"],
  keys: ["create", "list", "revoke"],
  held: ["show", "list", "release", "drop"],
  events: ["send"],
  schemas: ["list", "show", "put", "check", "on", "off", "remove", "policy", "quarantine", "types"],
  queues: ["list", "create", "show", "send", "redrive", "purge", "delete"],
  rules: ["apply", "put", "test"],
  webhooks: ["create", "rotate", "deliveries", "replay", "test"],
  functions: ["list", "show", "logs", "invoke", "reload"],
};
const HELPS = [
  [],
  ...COMMANDS.flatMap(({ name }) => [[name], ...(SUBCOMMANDS[name] ?? []).map((inner) => [name, inner])]),
];

for (const words of HELPS) {
  test(`the help of \`${["tidings", ...words].join(" ")}\` reads the way we promised`, async (t) => {
    const { exit, out, err } = await ran([...words, "--help"]);
    assert.deepEqual({ exit, err }, { exit: EXIT.ok, err: "" });
    assert.ok(
      out.split("\n").every((line) => line.length <= 100),
      "no line is longer than a wide terminal",
    );
    t.assert.fileSnapshot(out, `${import.meta.dirname}/../../test/golden/help/${["tidings", ...words].join("-")}.txt`, {
      serializers: [String],
    });
  });
}

test("`tidings help COMMAND` is the same as `tidings COMMAND --help`", async () => {
  assert.deepEqual(await ran(["help", "send"]), await ran(["send", "--help"]));
});

test("a wrong command line says what is wrong, what was probably meant and where to look, and ends with 2", async () => {
  const command = await ran(["mesages"]);
  assert.equal(command.exit, EXIT.usage);
  assert.match(command.err, /no command "mesages"; did you mean messages\?/);
  const option = await ran(["send", "--ttle", "x"]);
  assert.equal(option.exit, EXIT.usage);
  assert.match(option.err, /unknown option '--ttle'[\s\S]*--title[\s\S]*tidings send --help/);
  const missing = await ran(["why"]);
  assert.equal(missing.exit, EXIT.usage);
  assert.match(missing.err, /message\|recipient/);
});

test("without a server the sentence says what to do, and the program ends with 3", async () => {
  const { exit, err } = await ran(["messages"], { cwd: "/nonexistent" });
  assert.equal(exit, EXIT.unreachable);
  assert.match(err, /no server runs on the data folder \/nonexistent\/\.tidings/);
  assert.match(err, /tidings start/);
  const refused = await ran(["messages", "--url", "http://127.0.0.1:1", "--key", "tk_test_key"]);
  assert.equal(refused.exit, EXIT.unreachable);
  assert.match(refused.err, /ECONNREFUSED/);
});

test("a refusal carries the server's sentence and hint, and ends with 4", async () => {
  await using server = await fakeServer({
    "GET /messages": () => ({
      status: 401,
      body: { message: "Wrong key.", code: "auth.invalid", hint: "Make another." },
    }),
  });
  const { exit, err } = await ran(["messages", ...server.flags]);
  assert.deepEqual({ exit, err }, { exit: EXIT.refused, err: "tidings: Wrong key.\nMake another.\n" });
  assert.equal(server.asked[0]?.headers.authorization, "Bearer tk_test_key");
});

test("with --json a failure is JSON too", async () => {
  const { exit, out, err } = await ran(["messages", "--json"], { cwd: "/nonexistent" });
  assert.equal(exit, EXIT.unreachable);
  assert.equal(err, "");
  assert.equal(JSON.parse(out).error.code, "server.unreachable");
});

test("what a server says cannot steer the terminal", async () => {
  await using server = await fakeServer({
    "GET /messages": () => ({ status: 400, body: { message: "a\u001b[2Jb\u202ec" } }),
  });
  assert.equal((await ran(["messages", ...server.flags])).err, "tidings: a [2Jb c\n");
});

test("the program prints colours to nobody but a terminal, and a reader who leaves early is no failure", async () => {
  const child = spawn(process.execPath, [`${import.meta.dirname}/main.ts`, "--help"], { env: { FORCE_COLOR: "" } });
  child.stdout.once("data", () => child.stdout.destroy());
  const [code] = await once(child, "exit");
  assert.equal(code, 0);
  const piped = spawn(process.execPath, [`${import.meta.dirname}/main.ts`, "send", "--help"]);
  const text = (await piped.stdout.toArray()).join("");
  assert.ok(text.includes("Usage: tidings send") && !text.includes("\u001b"));
});

test("bin/tidings.cjs runs the same program and hands its exit on", async () => {
  const bin = `${import.meta.dirname}/../../bin/tidings.cjs`;
  const child = spawn(process.execPath, [bin, "nonsense"]);
  const [[code], err] = await Promise.all([once(child, "exit"), child.stderr.toArray()]);
  assert.equal(code, EXIT.usage);
  assert.match(err.join(""), /no command "nonsense"/);
});
