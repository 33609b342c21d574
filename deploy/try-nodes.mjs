/*
 * Sends through several nodes, while you kill some of them, and then counts: is anything lost that was answered with 202?
 *
 *   KEY=… node deploy/try-nodes.mjs [--sends 5000] [--at-once 16] http://127.0.0.1:3301 http://127.0.0.1:3302 …
 *
 * A call that fails or breaks off is repeated at the next address with the same Idempotency-Key, as a service of yours
 * would do it. Needs nothing but Node 20 or newer. Exit code 1 when something is lost, 2 when it was called wrongly.
 */

/* oxlint-disable eslint/no-restricted-globals, eslint/no-restricted-properties, node/no-process-env -- a stranger's program */

import { parseArgs } from "node:util";

const { values, positionals: urls } = parseArgs({
  allowPositionals: true,
  options: { "sends": { type: "string", default: "5000" }, "at-once": { type: "string", default: "16" } },
});
const sends = Number(values.sends);
const atOnce = Number(values["at-once"]);
const { KEY: key = "" } = process.env;
if (urls.length === 0 || key === "" || !(sends > 0) || !(atOnce > 0)) {
  process.stderr.write("KEY=… node deploy/try-nodes.mjs [--sends 5000] [--at-once 16] URL…\n");
  process.exit(2);
}

/** How long a call may take, and how long all nodes together may be away or busy. */
const CALL_MS_MAX = 20_000;
const PATIENCE_MS = 300_000;
const PAUSE_MS = 250;
/** How long an address that failed is left alone, when there are others. */
const ALONE_MS = 2_000;
const FINAL = new Set(["SENT", "DELIVERED", "OPENED", "CLICKED"]);
const ENDED_BADLY = new Set(["UNDELIVERABLE", "UNROUTABLE", "CANCELED", "FILTERED"]);

/** Of this run, so that a second one sends anew. */
const run = Date.now().toString(36);
const accepted = new Map();
const leftAlone = new Map();
let repeated = 0;
let turn = 0;

const startedMs = performance.now();
const progress = setInterval(() => say(`${accepted.size} of ${sends} accepted, ${repeated} calls repeated`), 1_000);
await side(
  Array.from({ length: sends }, (_, n) => n + 1),
  send,
);
clearInterval(progress);
const tookS = (performance.now() - startedMs) / 1_000;
say(`${accepted.size} accepted in ${tookS.toFixed(1)} s, ${repeated} calls repeated. Waiting until all are sent …`);

const statuses = new Map();
const untilMs = performance.now() + PATIENCE_MS;
let waiting = [...accepted.keys()];
while (waiting.length > 0 && performance.now() < untilMs) {
  await side(waiting, look);
  waiting = waiting.filter((id) => !FINAL.has(statuses.get(id)) && !ENDED_BADLY.has(statuses.get(id)));
  if (waiting.length > 0) await pause(1_000);
}

const counts = {};
for (const status of statuses.values()) counts[status] = (counts[status] ?? 0) + 1;
const lost = [...accepted].filter(([id]) => !FINAL.has(statuses.get(id)));
say(
  `${accepted.size} accepted: ${Object.entries(counts)
    .map(([status, count]) => `${count} ${status}`)
    .join(", ")}`,
);
for (const [id, to] of lost.slice(0, 10)) say(`  ${id} to ${to}: ${statuses.get(id) ?? "unknown"}`);
say(lost.length === 0 ? "0 lost" : `${lost.length} LOST OR NOT SENT`);
process.exitCode = lost.length === 0 ? 0 : 1;

async function send(n) {
  const to = `try-${run}-${n}@example.com`;
  const message = { to: { email: to }, content: { title: `Try ${n}`, body: `Number ${n} of ${run}.` } };
  const answer = await insist("POST", "/send", { message }, { "idempotency-key": `try-${run}-${n}` });
  accepted.set(answer.requestId, to);
}

/** A send to one person has the id of its message. */
async function look(id) {
  const { status } = await insist("GET", `/messages/${id}`);
  statuses.set(id, status);
}

/** Calls one node after the other until one answers well. */
async function insist(method, path, body, headers = {}) {
  for (const giveUpMs = performance.now() + PATIENCE_MS; ; repeated += 1) {
    const url = await nextUrl();
    let says;
    try {
      const response = await fetch(new URL(path, url), {
        method,
        headers: { "authorization": `Bearer ${key}`, "content-type": "application/json", ...headers },
        signal: AbortSignal.timeout(CALL_MS_MAX),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      if (response.ok) return JSON.parse(text);
      says = `${method} ${path} at ${url} answered ${response.status}: ${text}`;
      // 404: what one node has committed all others see at once, so this is a loss.
      if (method === "GET" && response.status === 404) return { status: "UNKNOWN" };
      if (response.status < 500 && response.status !== 429 && response.status !== 409) throw new Error(says);
    } catch (error) {
      if (error instanceof Error && error.message === says) throw error;
      says ??= `${method} ${path} at ${url}: ${error instanceof Error ? error.message : String(error)}`;
    }
    if (performance.now() > giveUpMs)
      throw new Error(`nobody answered for ${PATIENCE_MS / 1_000} s; the last: ${says}`);
    leftAlone.set(url, performance.now() + ALONE_MS);
  }
}

/** The next address; one that has just failed is left alone for a moment. */
async function nextUrl() {
  for (;;) {
    for (let tried = 0; tried < urls.length; tried += 1) {
      const url = urls[turn++ % urls.length];
      if ((leftAlone.get(url) ?? 0) <= performance.now()) return url;
    }
    await pause(PAUSE_MS);
  }
}

/** Does all of it, `atOnce` at a time. */
async function side(all, work) {
  let next = 0;
  const hand = async () => {
    while (next < all.length) await work(all[next++]);
  };
  await Promise.all(Array.from({ length: atOnce }, hand));
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function say(line) {
  process.stdout.write(`${line}\n`);
}
