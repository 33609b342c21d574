import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { appendFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { everythingArrives, isRefusalOfTheStore, type Promised, repeatedMails, sendAnyway } from "../support/load.ts";
import { MailHost } from "../support/mail-host.ts";
import { Home, type Program } from "../support/program.ts";
import { EIO, ENOSPC, TroubledDisk, whyNoTroubledDisk } from "../support/troubled-disk.ts";
import { until } from "../support/until.ts";

/**
 * Trouble of the disk under the whole program, under load. Doors answer 503 and say when to come back, `/health` stays,
 * `/ready` is truthful, nothing that got a 202 is lost, nothing that got a 503 is sent, and when the trouble is over the
 * program goes on by itself.
 */

const IN_FLIGHT = 8;
/** Accepted before the trouble and after it. */
const ACCEPTED_MIN = 100;
/** The load goes on for so long while nothing can be written: several tries of everything that tries again. */
const TROUBLE_MS = 1_000;
/** A commit that failed is tried again after five seconds at the latest, and then everything flows. */
const PATIENCE_MS = 30_000;
/** The grace period is 2 s; the rest is for a machine that runs other tests as well. */
const STOP_MS_MAX = 8_000;
/** Runs a command with mounts of its own, as root or not. */
const NAMESPACE = ["unshare", "-Urm"] as const;

const noTroubledDisk = whyNoTroubledDisk();
const noShell = process.platform === "win32" ? "there is no sh here to limit the size of files" : undefined;

type Trouble = {
  readonly begin: (program: Program) => void;
  /** Returns the program that is to go on: the same one, unless there is no other way. */
  readonly end: (program: Program) => Program | Promise<Program>;
};

/** Load, trouble, and all well again. */
async function survives(t: TestContext, home: Home, mailHost: MailHost, trouble: Trouble): Promise<void> {
  const first = await home.start();
  const promised: Promised = new Map();
  const stop = new AbortController();
  const load = sendAnyway(first, promised, { name: "a", inFlight: IN_FLIGHT, stop: stop.signal });
  await until("the load runs", () => promised.size > ACCEPTED_MIN);
  trouble.begin(first);

  // Where there is no room for many sends there may still be some for one: it is over when even a trial fails.
  const isRefusing = async () => (await first.call("GET", "/ready")).status === 503;
  await until("it is not ready", isRefusing, PATIENCE_MS);
  await wait(TROUBLE_MS);
  await until("it is not ready for good", isRefusing, PATIENCE_MS);
  const acceptedSoFar = promised.size;
  assert.equal((await first.call("GET", "/health")).status, 200);
  await wait(TROUBLE_MS);
  await until("it is still not ready", isRefusing, PATIENCE_MS);
  assert.ok(promised.size <= acceptedSoFar + IN_FLIGHT, `${promised.size - acceptedSoFar} were accepted meanwhile`);

  const endMs = performance.now();
  const program = await trouble.end(first);
  const more = program === first ? null : sendAnyway(program, promised, { name: "b", inFlight: 1, stop: stop.signal });
  await until("sends are accepted again", () => promised.size > acceptedSoFar, PATIENCE_MS);
  const backMs = performance.now() - endMs;
  await until("the load runs again", () => promised.size > acceptedSoFar + ACCEPTED_MIN, PATIENCE_MS);
  assert.equal((await program.call("GET", "/ready")).status, 200);
  stop.abort();
  const answers = await load;
  assert.deepEqual([...answers.wrong, ...((await more)?.wrong ?? [])], [], "every refusal is a 503 that says why");
  assert.ok(answers.refused >= IN_FLIGHT, `only ${answers.refused} were refused: no trouble to speak of`);
  await everythingArrives(program, promised, answers.refusedTo, mailHost);
  const repeated = repeatedMails(mailHost).length;
  if (program === first) assert.equal(repeated, 0, "nobody died, so nothing comes twice");
  assert.deepEqual(await program.stop(), { code: 0, signal: null });
  t.diagnostic(
    `${promised.size} accepted, ${answers.refused} refused, 0 lost, ${repeated} repeated; ${backMs.toFixed(0)} ms to the next 202`,
  );
}

/** A troubled disk that obeys these orders for a while. */
async function obeying(t: TestContext, orders: Parameters<TroubledDisk["order"]>[0]): Promise<void> {
  await using mailHost = await MailHost.open();
  using disk = TroubledDisk.open();
  await using home = new Home({ TIDINGS_SMTP_URL: mailHost.url });
  home.env(disk.env(home.dataDir));
  const end = (program: Program): Program => {
    disk.heal();
    return program;
  };
  await survives(t, home, mailHost, { begin: () => disk.order(orders), end });
  assert.ok(disk.count("failed") > 0);
}

test("while the disk says that it is full", { skip: noTroubledDisk }, (t) => obeying(t, { writeErrno: ENOSPC }));

test("while every write fails", { skip: noTroubledDisk }, (t) => obeying(t, { writeErrno: EIO }));

test("while every sync fails", { skip: noTroubledDisk }, (t) => obeying(t, { syncErrno: EIO }));

test("while a file system of 24 MB is full", { skip: whyNoNamespace() }, async (t) => {
  await using mailHost = await MailHost.open();
  // The mount is seen by the program alone and is gone when it ends, however it ends.
  const mount = `mount -t tmpfs -o size=24m,mode=700 none "$TIDINGS_DATA_DIR" && exec "$@"`;
  await using home = new Home({ TIDINGS_SMTP_URL: mailHost.url }, [...NAMESPACE, "sh", "-c", mount, "sh"]);
  const filler = ({ pid }: Program): string => join(`/proc/${pid}/root`, home.dataDir, "filler");
  const end = (program: Program): Program => {
    rmSync(filler(program));
    return program;
  };
  await survives(t, home, mailHost, { begin: (program) => fill(filler(program)), end });
});

test("while a limit on the size of files stands in the way, as a quota does", { skip: noShell }, async (t) => {
  await using mailHost = await MailHost.open();
  // 4 or 8 MB, as this shell counts; the log has 16 before it is moved.
  const limited = ["sh", "-c", `ulimit -S -f 8192; exec "$@"`, "sh"];
  await using home = new Home({ TIDINGS_SMTP_URL: mailHost.url }, limited);
  await using free = new Home({ TIDINGS_SMTP_URL: mailHost.url, TIDINGS_DATA_DIR: home.dataDir });
  const lift = async (program: Program): Promise<Program> => {
    if (spawnSync("prlimit", ["--pid", String(program.pid), "--fsize=unlimited"]).status === 0) return program;
    t.diagnostic("there is no prlimit here to lift the limit: it goes on as another process");
    await program.kill();
    return await free.start();
  };
  await survives(t, home, mailHost, { begin: () => {}, end: lift });
});

test("attachments too are refused with 503 while their folder is full or fails, and kept afterwards", {
  skip: noTroubledDisk,
}, async () => {
  using disk = TroubledDisk.open();
  await using home = new Home();
  home.env(disk.env(home.dataDir));
  const program = await home.start();
  const upload = async (): Promise<Response> =>
    program.call("POST", "/attachments?filename=a.bin", new Uint8Array(100_000), { "content-type": "image/png" });
  for (const orders of [{ writeErrno: ENOSPC }, { writeErrno: EIO }, { syncErrno: EIO }]) {
    disk.order(orders);
    const refused = await upload();
    const text = await refused.text();
    assert.ok(isRefusalOfTheStore(refused, text), `${JSON.stringify(orders)}: ${refused.status} ${text}`);
    disk.heal();
    const kept = await upload();
    assert.equal(kept.status, 201, await kept.text());
  }
});

test("told to stop while the disk is full it ends in time, and what was accepted is sent by the next process", {
  skip: noTroubledDisk,
}, async (t) => {
  await using mailHost = await MailHost.open();
  mailHost.thinksMs = 200;
  using disk = TroubledDisk.open();
  await using home = new Home({ TIDINGS_SMTP_URL: mailHost.url, TIDINGS_SHUTDOWN_GRACE_MS: "2000" });
  home.env(disk.env(home.dataDir));
  const first = await home.start();
  const promised: Promised = new Map();
  const stop = new AbortController();
  const load = sendAnyway(first, promised, { name: "s", inFlight: IN_FLIGHT, stop: stop.signal });
  await until("some have arrived, many are in hand", () => promised.size > ACCEPTED_MIN && mailHost.mails.length > 10);
  disk.order({ writeErrno: ENOSPC });
  const answers = await until("it is full", () => first.err.includes("store.full")).then(() => {
    stop.abort();
    return load;
  });
  const startMs = performance.now();
  const ended = await Promise.race([first.stop(), wait(STOP_MS_MAX).then(() => "it still runs")]);
  t.diagnostic(`it ended after ${(performance.now() - startMs).toFixed(0)} ms: ${JSON.stringify(ended)}`);
  assert.notEqual(ended, "it still runs");
  disk.heal();
  mailHost.thinksMs = 0;
  await everythingArrives(await home.start(), promised, answers.refusedTo, mailHost);
});

test("while another process holds the file's lock a send waits or is refused with 503; after it, all is well", async (t) => {
  await using mailHost = await MailHost.open();
  await using home = new Home({ TIDINGS_SMTP_URL: mailHost.url });
  const program = await home.start();
  const other = new DatabaseSync(join(home.dataDir, "tidings.db"), { timeout: 2_000 });
  const to = (email: string) => ({ message: { to: { email }, content: { title: "Busy", body: "Hello" } } });
  try {
    other.exec("BEGIN IMMEDIATE");
    const startMs = performance.now();
    const sent = program.call("POST", "/send", to("held@example.com"));
    assert.equal((await program.call("GET", "/health")).status, 200);
    const answer = await sent;
    t.diagnostic(`it answered ${answer.status} after ${(performance.now() - startMs).toFixed(0)} ms`);
    assert.ok(isRefusalOfTheStore(answer, await answer.text()));
    assert.equal((await program.call("GET", "/ready")).status, 503);
  } finally {
    other.close();
  }
  await until("sends are accepted again", async () => {
    return (await program.call("POST", "/send", to("after@example.com"))).status === 202;
  });
  assert.equal((await program.call("GET", "/ready")).status, 200);
  await until("it arrives", () => mailHost.to("after@example.com").length > 0);
  assert.equal(mailHost.to("held@example.com").length, 0, "what was refused is not sent");
});

function fill(path: string): void {
  for (const bytes of [1 << 20, 1 << 12]) {
    const chunk = new Uint8Array(bytes);
    try {
      for (;;) appendFileSync(path, chunk);
    } catch (error) {
      assert.match(String(error), /ENOSPC/);
    }
  }
}

function whyNoNamespace(): string | undefined {
  const [command, ...args] = [...NAMESPACE, "mount", "-t", "tmpfs", "none", tmpdir()];
  return spawnSync(command, args).status === 0 ? undefined : "no right here to mount a file system (unshare -Urm)";
}
