import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { findTarget } from "#cli/access.ts";
import { dev } from "#cli/commands/dev.ts";
import { start } from "#cli/commands/start.ts";
import { EXIT } from "#cli/exit.ts";
import type { Options } from "#cli/options.ts";
import type { RunServer } from "#cli/serve.ts";
import { probeSmtp } from "#cli/smtp-probe.ts";
import type { Settings } from "#config/settings.ts";
import { fakeServer, madeWorld, ran, type WorldWishes } from "../../test/support/cli-world.ts";

class Folder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "tidings-serve-"));
  write(name: string, text: string): void {
    mkdirSync(join(this.path, name, ".."), { recursive: true });
    writeFileSync(join(this.path, name), text);
  }
  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

const options = (values: Readonly<Record<string, string | true>> = {}): Options => ({
  text: (name) => (typeof values[name] === "string" ? values[name] : null),
  flag: (name) => values[name] === true,
  many: () => [],
  whole: () => null,
  duration: () => null,
});

/** A server that only notes how it was started and that it was closed. */
function pretend(url: string, firstKey: string | null = null) {
  const seen: { settings: Settings | null; dev: boolean; closed: number } = { settings: null, dev: false, closed: 0 };
  const run: RunServer = async (settings, { dev }) => {
    Object.assign(seen, { settings, dev });
    return {
      url,
      firstKey,
      role: settings.role,
      nodeId: "0a1b2c3d4e5f",
      store: `SQLite in ${settings.dataDir}`,
      carriers: [{ provider: "mailbox", channels: ["email", "sms"] }],
      heldBack: null,
      close: async () => {
        seen.closed += 1;
      },
    };
  };
  return { seen, run };
}

/** Runs until the text has been printed, then interrupts as Ctrl-C does. */
async function until(
  text: string,
  wishes: WorldWishes,
  act: (world: ReturnType<typeof madeWorld>["world"]) => Promise<number>,
) {
  const stop = new AbortController();
  let printed = "";
  const onOut = (more: string): void => {
    printed += more;
    if (printed.includes(text)) setImmediate(() => stop.abort());
  };
  const made = madeWorld({ ...wishes, signal: stop.signal, onOut });
  const exit = await act(made.world);
  return { exit, ...made.printed() };
}

test("start says where it listens, where data lies, what happens to messages, and the first key once, ready to paste", async () => {
  using folder = new Folder();
  const { seen, run } = pretend("http://127.0.0.1:3300", "tk_live_first");
  const wishes = { cwd: folder.path, columns: 80 };
  const { exit, out, err } = await until("Ctrl-C", wishes, (world) => start(world, options(), run));
  assert.equal(exit, EXIT.ok);
  assert.equal(seen.closed, 1);
  assert.equal(seen.settings?.dataDir, join(folder.path, ".tidings"));
  assert.match(out, /listens on http:\/\/127\.0\.0\.1:3300/);
  assert.match(out, /every channel is caught in the mailbox, nothing leaves/);
  assert.match(out, /KEY=tk_live_first\n {2}curl http:\/\/127\.0\.0\.1:3300\/send/);
  assert.match(err, /Stopping: what is in hand is finished, at most 10 s[\s\S]*Stopped\./);
  assert.ok(
    out
      .replace(folder.path, "")
      .split("\n")
      .every((line) => line.length <= 80),
  );
});

test("start warns when it listens beyond this machine without TLS in front, and not when there is", async () => {
  using folder = new Folder();
  const { run } = pretend("http://0.0.0.0:3300");
  const open = { cwd: folder.path, env: { HOST: "0.0.0.0" }, columns: 80 };
  assert.match(
    (await until("Ctrl-C", open, (world) => start(world, options(), run))).err,
    /every network, port 3300, without TLS/,
  );
  const proxied = { ...open, env: { ...open.env, TIDINGS_PUBLIC_URL: "https://t.example" } };
  assert.doesNotMatch((await until("Ctrl-C", proxied, (world) => start(world, options(), run))).err, /without TLS/);
});

test("start reads tidings.config.ts, and a mistake in it stops the program with every mistake named", async () => {
  using folder = new Folder();
  folder.write(
    "tidings.config.ts",
    'export const config: { port: number; mailFrom: string } = { port: 4001, mailFrom: "a@b.example" };',
  );
  const { seen, run } = pretend("http://127.0.0.1:4001");
  await until("ready", { cwd: folder.path }, (world) => start(world, options({ json: true }), run));
  assert.equal(seen.settings?.port, 4001);
  using broken = new Folder();
  broken.write("tidings.config.ts", "export const config = { port: 99999, colour: true };");
  const { exit, err } = await ran(["start"], { cwd: broken.path });
  assert.equal(exit, EXIT.usage);
  assert.match(
    err,
    /2 settings are wrong:[\s\S]*port in tidings\.config\.ts must be[\s\S]*colour in tidings\.config\.ts is not a setting/,
  );
  using syntax = new Folder();
  syntax.write("tidings.config.ts", "export const config = {");
  assert.match((await ran(["start"], { cwd: syntax.path })).err, /tidings\.config\.ts cannot be loaded/);
});

test("a default export serves as well, in plain JavaScript too", async () => {
  using folder = new Folder();
  folder.write("tidings.config.mjs", "export default { port: 7, webhookAllowPrivate: true }");
  const { out } = await ran(["settings", "--json"], { cwd: folder.path });
  assert.deepEqual([JSON.parse(out).port, JSON.parse(out).webhookAllowPrivate], [7, true]);
});

test("dev keeps to loopback, uses the fixed key and a folder of its own, and shows what was caught", async () => {
  using folder = new Folder();
  const caught = {
    id: "c1",
    messageId: "m1",
    channel: "email",
    to: "ada@example.com",
    content: { subject: "Hello", text: "It works." },
  };
  await using server = await fakeServer({
    "GET /admin/events/stream": (_asked, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const event = {
        type: "message.sent",
        subject: "m1",
        time: new Date().toISOString(),
        data: { provider: "mailbox", channel: "email" },
      };
      response.write(`id: 1\ndata: ${JSON.stringify(event)}\n\n`);
      return undefined;
    },
    "GET /mailbox": () => ({ body: { results: [caught] } }),
    "GET /mailbox/c1": () => ({ body: caught }),
  });
  const { seen, run } = pretend(server.url);
  const { exit, out } = await until("└", { cwd: folder.path, columns: 80 }, (world) => dev(world, options(), run));
  assert.equal(exit, EXIT.ok);
  assert.deepEqual([seen.dev, seen.closed, seen.settings?.apiKey], [true, 1, "tk_dev_local"]);
  assert.equal(seen.settings?.dataDir, join(folder.path, ".tidings", "dev"));
  assert.match(out, /│ Subject {2}Hello\n│\n│ It works\.\n└/);
  assert.equal(server.asked[0]?.headers.authorization, "Bearer tk_dev_local");
  const open = await ran(["dev", "--host", "0.0.0.0"], { cwd: folder.path });
  assert.equal(open.exit, EXIT.usage);
  assert.match(open.err, /stays on loopback/);
});

test("client commands find the server: flag, variable, data folder, dev's folder, usual address", () => {
  using folder = new Folder();
  const local = (port: number, pid = process.pid) =>
    JSON.stringify({ url: `http://127.0.0.1:${port}`, token: `t${port}`, pid });
  const find = (env: Record<string, string> = {}, flags: Record<string, string> = {}) => {
    const { url, key } = findTarget(madeWorld({ cwd: folder.path, env }).world, options(flags));
    return [url, key];
  };
  assert.throws(() => find(), /no server runs/);
  assert.deepEqual(find({ TIDINGS_API_KEY: "tk_environment", PORT: "4444" }), [
    "http://127.0.0.1:4444",
    "tk_environment",
  ]);
  folder.write(".tidings/dev/local.json", local(2));
  assert.deepEqual(find(), ["http://127.0.0.1:2", "t2"]);
  folder.write(".tidings/local.json", local(1));
  assert.deepEqual(find(), ["http://127.0.0.1:1", "t1"]);
  assert.deepEqual(find({ TIDINGS_API_KEY: "tk_environment" }), ["http://127.0.0.1:1", "tk_environment"]);
  assert.deepEqual(find({ TIDINGS_URL: "https://far.example" }), ["https://far.example", null]);
  assert.deepEqual(find({ TIDINGS_URL: "https://far.example" }, { url: "http://127.0.0.1:2/" }), [
    "http://127.0.0.1:2/",
    "t2",
  ]);
  folder.write(".tidings/local.json", local(1, 2 ** 30));
  assert.deepEqual(find(), ["http://127.0.0.1:2", "t2"], "a server that died is passed over");
  assert.throws(() => find({}, { url: "nonsense" }), /--url must be a URL/);
});

test("doctor finds nothing wrong where nothing is wrong", async () => {
  using folder = new Folder();
  const { exit, out } = await ran(["doctor", "--port", "0"], { cwd: folder.path, columns: 80 });
  assert.equal(exit, EXIT.ok, out);
  assert.doesNotMatch(out, /✗/);
  for (const about of ["node", "clock", "settings", "data", "database", "server", "mail", "exposure", "links"])
    assert.match(out, new RegExp(`${about} `));
  assert.ok(
    out
      .replace(folder.path, "")
      .split("\n")
      .every((line) => line.length <= 80),
  );
});

test("doctor names what is wrong, with what to do, and ends with 1", async () => {
  using folder = new Folder();
  folder.write(".tidings/tidings.db", "this is no database, and long enough to be looked at");
  const taken = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => taken.once("listening", resolve));
  taken.on("connection", (socket) => socket.destroy());
  const { port } = taken.address() as AddressInfo;
  const env = { TIDINGS_SMTP_URL: `smtp://127.0.0.1:${port}`, PORT: String(port), TIDINGS_STMP_URL: "x" };
  const { exit, out } = await ran(["doctor"], { cwd: folder.path, env });
  taken.close();
  assert.equal(exit, EXIT.no);
  assert.match(out, /! settings {2}TIDINGS_STMP_URL is not a setting/);
  assert.match(out, /✗ database .* cannot be read/);
  assert.match(out, /✗ server {4}another program has port \d+\n {12}→ stop it, or set PORT/);
  assert.match(out, /✗ mail {6}127\.0\.0\.1:\d+ does not take mail: it closed the connection/);
  const json = await ran(["doctor", "--json", "--port", "x"], { cwd: folder.path });
  assert.deepEqual(
    json.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).verdict),
    ["good", "good", "bad"],
  );
});

test("the mail server is asked politely: greeting, EHLO, QUIT", async () => {
  const said: string[] = [];
  const server = createServer((socket) => {
    socket.write("220-mail.example ESMTP\r\n220 ready\r\n");
    socket.on("data", (data) => {
      said.push(String(data).trim());
      if (String(data).startsWith("EHLO")) socket.write("250-mail.example\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n");
    });
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const answer = await probeSmtp(`smtp://127.0.0.1:${(server.address() as AddressInfo).port}`);
  server.close();
  assert.deepEqual(answer, { ok: true, greeting: "mail.example ESMTP", startTls: true, auth: true, tls: false });
  assert.deepEqual(said[0], "EHLO tidings-doctor.invalid");
});

test("settings shows where each value comes from and never a secret", async () => {
  const env = { PORT: "4000", TIDINGS_API_KEY: "tk_very_secret" };
  const { out } = await ran(["settings", "--host", "localhost"], { env, columns: 80, cwd: "/nonexistent" });
  assert.match(out, /PORT {2,}4000 {2,}environment/);
  assert.match(out, /HOST {2,}localhost {2,}flag/);
  assert.match(out, /TIDINGS_API_KEY {2,}\(secret\) {2,}environment/);
  assert.ok(!out.includes("tk_very_secret"));
});
