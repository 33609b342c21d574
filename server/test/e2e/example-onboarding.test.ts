import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Collector } from "../support/collector.ts";
import { Example } from "../support/example.ts";
import { MailHost } from "../support/mail-host.ts";
import { until } from "../support/until.ts";

/** What the README of examples/customer-onboarding says, done as it stands there; and what it promises, under load. */

/** So many register at once; 20,000 take half a minute of two cores. */
const BURST = Number(process.env["TIDINGS_TEST_BURST"] ?? 20_000);
/** As many callers as register at the same time. */
const CALLERS = 64;
const BURST_MS_MAX = 60_000 + BURST * 20;
/** Eight functions, each in a thread of its own, and the server. */
const MEMORY_MB_MAX = 800;
/** How much more memory may be in use at the end of a burst than in its middle, when everything is warm. */
const MEMORY_GROWTH_MAX = 1.5;
/** So many of them are asked about their mail. */
const SAMPLES = 50;
/** What one customer makes of counted events. */
const COUNTED = { CustomerValidated: 1, CustomerAccountCreated: 1 };
const STEPS = [
  ...["register", "validate", "create-account", "welcome", "count"],
  ...["show-customer", "find-customers", "statistics"],
];
const [CALLER_TRACE, CALLER_SPAN] = ["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"];

type Registered = { readonly customerId: string; readonly trackingId: string };
type Customer = { readonly id: string; readonly email: string };
type Counts = Readonly<Record<string, number>>;

async function running(example: Example): Promise<void> {
  for (const step of STEPS) await example.loaded(step);
}

async function register(example: Example, email: string, headers: Record<string, string> = {}): Promise<Registered> {
  const person = { email, firstName: "Ada", lastName: "Lovelace" };
  const response = await example.call("POST", "/api/customers", person, headers);
  const text = await response.text();
  assert.equal(response.status, 202, text);
  return JSON.parse(text) as Registered; // the assertions find whatever it is not
}

/** How often each event happened, on all days. */
async function counted(example: Example): Promise<Counts> {
  const sums: Record<string, number> = {};
  for (const day of Object.values(await example.get<Readonly<Record<string, Counts>>>("/api/statistics")))
    for (const [type, count] of Object.entries(day)) sums[type] = (sums[type] ?? 0) + count;
  return sums;
}

async function untilCounted(example: Example, expected: Counts, patienceMs = 30_000): Promise<void> {
  let seen: Counts = {};
  const all = Object.keys(expected);
  try {
    await until(
      "all is counted",
      async () => {
        seen = await counted(example);
        return all.every((type) => (seen[type] ?? 0) >= (expected[type] ?? 0));
      },
      patienceMs,
    );
  } finally {
    assert.deepEqual(seen, expected);
  }
}

test("what the README shows happens, with a step that comes later, a message that is mended, and a refused change", async () => {
  await using example = new Example("customer-onboarding");
  assert.equal(example.blocks[0]?.code, "npm start\n");
  await example.start();
  await running(example);
  const [ada, nobody] = (await example.run(example.block("register()"))).trim().split(/(?<=\})\s*(?=\{)/);
  const { customerId, trackingId } = JSON.parse(ada ?? "") as Registered;
  for (const garbage of [null, [], "Ada", { email: "ada@example.com" }, { email: 1, firstName: 2, lastName: 3 }])
    assert.equal((await example.call("POST", "/api/customers", garbage)).status, 400);
  assert.notEqual(customerId, (JSON.parse(nobody ?? "") as Registered).customerId);
  assert.match(trackingId, /^[0-9a-f]{32}$/);
  const once = { CustomerValidated: 1, CustomerAccountCreated: 1, CustomerValidationFailed: 1 };
  await untilCounted(example, once);
  await until("the mail is caught", async () => (await example.mailbox()).length === 1);
  const shown = await example.run(example.block("mailbox show last"));
  assert.match(shown, /To +ada@example\.com[^]+Welcome, Ada[^]+Your account is ready/);
  assert.match(shown, /"CustomerAccountCreated":1/);
  const account = await example.get<{ email: string; accountId: string }>(`/api/customers/${customerId}`);
  assert.equal(account.email, "ada@example.com");
  assert.match(shown, new RegExp(`Its number is ${account.accountId}[^]+{"customers":\\[{"id":"${customerId}"`));

  await example.run(example.block("cp extra/fraud-detection.ts"));
  await example.loaded("fraud-detection");
  await example.run(example.block("eve@trashmail.example"));
  await untilCounted(example, { ...once, CustomerValidated: 2, CustomerAccountCreated: 2, CustomerSuspected: 1 });

  await example.run(example.block("--dead-letters"));
  await until("it lies with the dead", async () => (await example.lying("customer-registration-dead")) === 1, 60_000);
  const dead = await example.run(example.block("queues show customer-registration-dead"));
  assert.match(dead, /1 visible/);
  assert.match(dead, /TypeError[^]+judge\.ts:\d+/);
  await example.run("cp extra/validate.ts functions/");
  await until("the mended function is loaded", async () => {
    const { results } = await example.get<{ results: readonly { name: string; line: number }[] }>("/functions");
    return results.find(({ name }) => name === "validate")?.line === lineOf("extra/validate.ts");
  });
  await example.run(example.block("queues redrive"));
  await until("Charles is a customer", async () => (await example.call("GET", "/api/customers/old-1")).status === 200);
  assert.equal(await example.lying("customer-registration-dead"), 0);

  const checks = await example.run(example.block("schemas check"));
  assert.match(
    checks,
    /version 1 is here now[^]+✓ CustomerValidated: can be read[^]+✗ CustomerValidated: breaks[^]+refused/,
  );
  for (const [file, code] of [
    ["with-phone", "0"],
    ["without-email", "1"],
  ] as const) {
    const check = `npx tidings schemas check schemas/${file}.json --type CustomerValidated >/dev/null || code=$?; echo "\${code:-0}"`;
    assert.equal((await example.run(check)).trim(), code, file);
  }
});

test("a new version of the event adds a field, and functions made for the old one go on", async () => {
  await using example = new Example("customer-onboarding");
  await example.start();
  await running(example);
  await example.run("npx tidings schemas put schemas/CustomerValidated.json");
  await example.run("npx tidings schemas put schemas/with-phone.json --type CustomerValidated");
  await example.run("npx tidings schemas policy customer-service --unfit reject");
  const person = { email: "kim@example.com", firstName: "Kim", lastName: "Y", phone: "+49123" };
  const data = { customerId: "kim", person };
  const answer = await example.call("POST", "/events/CustomerValidated?source=customer-service", data);
  assert.equal(answer.status, 202, await answer.text());
  await untilCounted(example, COUNTED);
  assert.equal((await example.get<{ phone: string }>("/api/customers/kim")).phone, "+49123");
  await until("the mail is caught", async () => (await example.mailbox()).length === 1);
});

test("while the mail server is away, people register and have accounts; their mail comes when it is back", async () => {
  await using host = await MailHost.open();
  await host.down();
  await using example = new Example("customer-onboarding");
  await example.startAs("tidings start", { TIDINGS_SMTP_URL: host.url });
  await running(example);
  const emails = Array.from({ length: 20 }, (_, at) => `person-${at}@example.com`);
  await Promise.all(emails.map((email) => register(example, email)));
  await untilCounted(example, { CustomerValidated: 20, CustomerAccountCreated: 20 });
  assert.equal(host.mails.length, 0);
  await host.up();
  await until("all mails have come", () => host.mails.length >= emails.length, 60_000);
  assert.deepEqual(host.mails.map(({ to }) => to).toSorted(), emails.toSorted());
});

test(`${BURST} registrations at once are all kept, in flat memory, through a kill: each customer once, counters exact`, async (t) => {
  await using example = new Example("customer-onboarding");
  await example.startAs("tidings start");
  await running(example);
  const ids = new Set([(await register(example, "first@example.com")).customerId]);
  await untilCounted(example, COUNTED);
  const memory = new Memory();
  memory.watch(example.program.pid);
  const startedMs = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: CALLERS }, async () => {
      for (; next < BURST; ) ids.add((await register(example, `person-${next++}@example.com`)).customerId);
    }),
  );
  const acceptedMs = performance.now() - startedMs;
  assert.equal(ids.size, BURST + 1, "every answer has an id of its own");
  await example.program.kill();
  memory.stop();
  const growth = memory.growth();
  await example.startAs("tidings start");
  memory.watch(example.program.pid);
  await untilCounted(example, { CustomerValidated: BURST + 1, CustomerAccountCreated: BURST + 1 }, BURST_MS_MAX);
  memory.stop();
  const doneMs = performance.now() - startedMs;
  const kept = await customersOf(example);
  assert.deepEqual(new Set(kept.map(({ id }) => id)), ids);
  assert.deepEqual([kept.length, new Set(kept.map(({ email }) => email)).size], [BURST + 1, BURST + 1]);
  await until("every mail is sent", async () => (await waiting(example)) === 0, BURST_MS_MAX);
  for (let at = 0; at < BURST; at += Math.ceil(BURST / SAMPLES)) {
    const path = `/messages?recipient=${encodeURIComponent(`person-${at}@example.com`)}`;
    const { results } = await example.get<{ readonly results: readonly { readonly status: string }[] }>(path);
    assert.deepEqual(
      results.map(({ status }) => status),
      ["SENT"],
      path,
    );
  }
  assert.deepEqual((await example.get<{ readonly results: object[] }>("/admin/dead-letters")).results, []);
  t.diagnostic(
    `accepted in ${Math.round(acceptedMs)} ms, done in ${Math.round(doneMs)} ms, ${memory.peakMb} MB at most`,
  );
  assert.ok(memory.peakMb < MEMORY_MB_MAX, `${memory.peakMb} MB`);
  assert.ok(growth < MEMORY_GROWTH_MAX, `memory in the last quarter is ${growth} times that of the second`);
});

test("one trace shows the whole way of a customer, and the tracking id is its name", async () => {
  await using traces = await Collector.open();
  await using example = new Example("customer-onboarding");
  const [, setting = ""] = /^(\w+)=\S+ npm start\n$/.exec(example.block("OTEL_").code) ?? [];
  await example.start({ [setting]: traces.url });
  await running(example);
  const traceparent = `00-${CALLER_TRACE}-${CALLER_SPAN}-01`;
  const { trackingId } = await register(example, "ada@example.com", { traceparent });
  assert.equal(trackingId, CALLER_TRACE);
  await traces.named("send mailbox");
  const way = [
    /^POST \/api\/customers$/,
    /^process queue:customer-registration\b/,
    /^process function:create-account$/,
    /^process function:welcome$/,
    /^process consumer:function:count$/,
    /^send mailbox$/,
  ];
  const seen = (): readonly string[] => [...traces.reachedFrom(CALLER_SPAN)];
  await until("the whole way is seen", () => way.every((step) => seen().some((name) => step.test(name)))).catch(
    (error: unknown) => {
      throw new Error(`from the caller's span one comes to: ${seen().join(", ")}`, { cause: error });
    },
  );
});

/** What memory a process has, as the kernel counts it. */
class Memory {
  readonly #seenMb: number[] = [];
  #timer: NodeJS.Timeout | undefined;

  get peakMb(): number {
    return Math.max(...this.#seenMb);
  }

  watch(pid: number): void {
    this.#timer = setInterval(() => this.#look(pid), 100);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** The mean of the last quarter of what was seen, by that of the second quarter. */
  growth(): number {
    const quarter = Math.ceil(this.#seenMb.length / 4);
    return mean(this.#seenMb.slice(-quarter)) / mean(this.#seenMb.slice(quarter, 2 * quarter));
  }

  #look(pid: number): void {
    try {
      const kb = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
      if (kb !== undefined) this.#seenMb.push(Math.round(Number(kb) / 1_024));
    } catch {
      // It has ended.
    }
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Messages that are not sent yet; an empty queue has no figures. */
async function waiting(example: Example): Promise<number> {
  const lines = [...(await example.metrics()).matchAll(/^tidings_queue_jobs\{queue="message",[^}]*\} (\d+)$/gm)];
  return lines.map(([, jobs]) => Number(jobs)).reduce((sum, jobs) => sum + jobs, 0);
}

async function customersOf(example: Example): Promise<readonly Customer[]> {
  const found: Customer[] = [];
  for (let cursor: string | null = ""; cursor !== null; ) {
    const after: string = cursor === "" ? "" : `?cursor=${encodeURIComponent(cursor)}`;
    const page: { readonly customers: readonly Customer[]; readonly cursor: string | null } = await example.get(
      `/api/customers${after}`,
    );
    found.push(...page.customers);
    cursor = page.cursor;
  }
  return found;
}

/** Where `defineFunction` is called in a file of the example. */
function lineOf(file: string): number {
  const text = readFileSync(new URL(`../../../examples/customer-onboarding/${file}`, import.meta.url), "utf8");
  return text.split("\n").findIndex((line) => line.includes("defineFunction({")) + 1;
}
