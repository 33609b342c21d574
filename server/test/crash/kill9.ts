import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { allMessages, isIdle, type Promised, sendAlways } from "../support/load.ts";
import { MailHost } from "../support/mail-host.ts";
import { Home, KEY, type Program } from "../support/program.ts";
import { until } from "../support/until.ts";

/*
 * npm run kill9 -- [--kills 200] [--seed N] [--json]
 * The real program under load, killed again and again; then everything it said 202 to must be there. Exit 1 if not.
 */

const MAIN = new URL("../../src/cli/main.ts", import.meta.url).pathname;
const KILLS_DEFAULT = 200;
/** Of how long a program lives once it is ready. */
const LIFE_MS_MIN = 50;
const LIFE_MS_MAX = 1_500;
/** One start in so many is killed before it is ready, within this time. */
const EARLY_EVERY = 5;
const EARLY_MS_MAX = 600;
/** Enough that something is always under way; few enough that the recorder does not become the load. */
const IN_FLIGHT = 4;
const LIST_EVERY = 10;
const LIST_SIZE = 200;
/** How long before a kill the first copy of a repeat can have come: answered, not yet committed, on a busy machine. */
const WINDOW_MS_MAX = 500;
/** A mail that was on the wire at the kill is read by the recorder shortly after it. */
const WIRE_MS_MAX = 100;
const DRAIN_MS_MAX = 120_000;

const { values } = parseArgs({
  options: { kills: { type: "string" }, seed: { type: "string" }, json: { type: "boolean", default: false } },
});
const kills = Number(values.kills ?? KILLS_DEFAULT);
const seed = Number(values.seed ?? 1);
if (!(Number.isSafeInteger(kills) && kills > 0 && Number.isSafeInteger(seed))) {
  process.stderr.write("npm run kill9 -- [--kills N] [--seed N] [--json]\n");
  process.exit(2);
}

const startMs = performance.now();
const dice = seededDice(seed);
const mailHost = await MailHost.open();
const home = new Home({ TIDINGS_SMTP_URL: `${mailHost.url}?pool=10` });
for (const name of ["SIGINT", "SIGTERM"] as const)
  process.once(name, () => {
    starting?.kill("SIGKILL");
    void home[Symbol.asyncDispose]().then(() => process.exit(130));
  });
const promised: Promised = new Map();
const lists: string[] = [];
const killedMs: number[] = [];
const readyMs: number[] = [];
const faults: string[] = [];
let running: Program | null = null;
let starting: ChildProcess | null = null;

try {
  for (let kill = 1; kill <= kills; kill += 1) await (kill % EARLY_EVERY === 0 ? killEarly() : killUnderLoad(kill));
  await audit(await start());
} catch (error) {
  faults.push(String(error));
}
report();
if (faults.length > 0) {
  process.stderr.write(`${faults.slice(0, 20).join("\n")}\nthe data folder is kept: ${home.dataDir}\n`);
  await stopRunning();
  process.exit(1);
}
await home[Symbol.asyncDispose]();
await mailHost.down();

/** The folder is kept on a failure, so the program is killed here and not by its home. */
async function stopRunning(): Promise<void> {
  await running?.kill();
}

async function start(): Promise<Program> {
  const fromMs = performance.now();
  const program = await home.start();
  readyMs.push(performance.now() - fromMs);
  running = program;
  return program;
}

async function killUnderLoad(kill: number): Promise<void> {
  const program = await start();
  if (kill === 1) {
    const rows = Array.from({ length: LIST_SIZE }, (_, at) => ({ user_id: `u${at}`, email: `u${at}@example.com` }));
    const { status } = await program.call("POST", "/lists/some/import", { rows });
    if (status !== 200) throw new Error(`the import answered ${status}`);
  }
  const before = promised.size;
  const load = sendAlways(program, promised, { name: `k${kill}`, inFlight: IN_FLIGHT }).catch((error: unknown) => {
    faults.push(`the load was refused: ${String(error)}`);
  });
  if (kill % LIST_EVERY === 1)
    lists.push(await program.send({ to: { list_id: "some" }, content: { title: "All", body: "Hello" } }));
  await wait(LIFE_MS_MIN + dice.next() * (LIFE_MS_MAX - LIFE_MS_MIN));
  killedMs.push(performance.now());
  await program.kill();
  await load;
  if (!values.json) process.stdout.write(`kill ${kill}/${kills}: ${promised.size - before} accepted\n`);
}

/** Kills it while it starts: it may be opening the file, recovering the log, or just be ready. */
async function killEarly(): Promise<void> {
  const child = spawn(process.execPath, [MAIN, "start", "--json"], {
    cwd: home.dataDir,
    stdio: "ignore",
    env: {
      PATH: process.env["PATH"] ?? "",
      PORT: "0",
      TIDINGS_DATA_DIR: home.dataDir,
      TIDINGS_API_KEY: KEY,
      TIDINGS_SMTP_URL: `${mailHost.url}?pool=10`,
    },
  });
  starting = child;
  const closed = once(child, "close");
  await wait(dice.next() * EARLY_MS_MAX);
  killedMs.push(performance.now());
  child.kill("SIGKILL");
  await closed;
}

async function audit(program: Program): Promise<void> {
  await until("the program has nothing left to do", () => isIdle(program), DRAIN_MS_MAX);
  const messages = await allMessages(program);
  const byId = new Map(messages.map((message) => [message.id, message.status]));
  if (byId.size !== messages.length) faults.push("a message is listed twice");
  const arrived = new Set(mailHost.mails.map(({ to }) => to));
  for (const [id, address] of promised)
    if (byId.get(id) !== "SENT" || !arrived.has(address)) faults.push(`lost: ${id} ${address} ${byId.get(id)}`);
  for (const { id, status } of messages) if (status !== "SENT") faults.push(`${id} ended as ${status}`);
  for (const id of lists) {
    const { complete, outcomes } = await program.get<{ complete: boolean; outcomes: { SENT?: number } }>(
      `/requests/${id}`,
    );
    if (!complete || outcomes.SENT !== LIST_SIZE) faults.push(`lost of list ${id}: ${JSON.stringify(outcomes)}`);
  }
  const idsOf = Map.groupBy(mailHost.mails, ({ to }) => to);
  for (let at = 0; at < LIST_SIZE; at += 1) {
    const mails = new Set((idsOf.get(`u${at}@example.com`) ?? []).map(({ messageId }) => messageId)).size;
    if (mails < lists.length) faults.push(`lost: u${at} got ${mails} of ${lists.length} list sends`);
  }
  for (const copies of Map.groupBy(mailHost.mails, ({ messageId }) => messageId).values())
    for (const [at, copy] of copies.entries()) {
      const last = copies[at - 1];
      if (last !== undefined && gapMs(last.atMs, copy.atMs) === null)
        faults.push(`unexplained duplicate: ${copy.messageId} to ${copy.to}`);
    }
}

/** How long before the kill that lies between two copies the earlier one came; null when no kill explains them. */
function gapMs(firstMs: number, againMs: number): number | null {
  const kill = killedMs.find((at) => at > firstMs - WIRE_MS_MAX && at < againMs);
  return kill === undefined || kill - firstMs > WINDOW_MS_MAX ? null : Math.max(0, kill - firstMs);
}

function report(): void {
  const perKill = new Map<number, number>();
  const gaps: number[] = [];
  for (const copies of Map.groupBy(mailHost.mails, ({ messageId }) => messageId).values())
    for (const [at, copy] of copies.entries()) {
      const last = copies[at - 1];
      if (last === undefined) continue;
      const kill = killedMs.findLastIndex((ms) => ms < copy.atMs);
      perKill.set(kill, (perKill.get(kill) ?? 0) + 1);
      gaps.push(gapMs(last.atMs, copy.atMs) ?? Number.POSITIVE_INFINITY);
    }
  const counts = killedMs.map((_, at) => perKill.get(at) ?? 0);
  const table = {
    seed,
    kills: killedMs.length,
    accepted: promised.size,
    listSends: lists.length,
    mails: mailHost.mails.length,
    lost: faults.filter((fault) => fault.startsWith("lost")).length,
    duplicates: gaps.length,
    unexplained: faults.filter((fault) => fault.startsWith("unexplained")).length,
    duplicatesPerKillMedian: median(counts),
    duplicatesPerKillMax: Math.max(0, ...counts),
    firstCopyBeforeKillMsMax: Math.round(Math.max(0, ...gaps)),
    readyMsMedian: Math.round(median(readyMs)),
    readyMsMax: Math.round(Math.max(0, ...readyMs)),
    seconds: Math.round((performance.now() - startMs) / 1000),
    passed: faults.length === 0,
  };
  if (values.json) process.stdout.write(`${JSON.stringify(table)}\n`);
  else for (const [name, value] of Object.entries(table)) process.stdout.write(`${name.padEnd(26)} ${value}\n`);
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}
