import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { MailHost } from "../support/mail-host.ts";
import { type Env, Home, type Program } from "../support/program.ts";
import { until } from "../support/until.ts";

/** Functions as users have them: files, real threads, SQLite, a mail server, and kills. */

const NODE_MODULES = fileURLToPath(new URL("../../../node_modules", import.meta.url));
const MESSAGES = 300;
/** As many callers as send at the same time. */
const CALLERS = 16;

/** Counts what it is given in one document, tells of each, and of some to somebody. */
const WORK = `
import { collection, defineFunction, queue } from "tidings";
const counters = collection("counters");
export default defineFunction({
  on: queue("orders", { batchSize: 10 }),
  async handler(batch, { documents, events }) {
    const known = await documents.get(counters, "worked");
    documents.put(counters, "worked", { count: (known?.value.count ?? 0) + batch.length }, { version: known?.version ?? 0 });
    for (const { body } of batch) events.raise({ type: "worked", data: body });
  },
});`;
const TELL = `
import { collection, defineFunction, event } from "tidings";
const counters = collection("counters");
export default defineFunction({
  on: event({ "detail-type": ["worked"] }),
  handler({ data }, { documents, send }) {
    documents.put(counters, "told-" + data.n, { count: 1 }, { version: 0 });
    if (data.n % 10 === 0) send({ to: { email: "p" + data.n + "@example.com" }, content: { title: "Hi", body: "" + data.n } });
  },
});`;
const READ = `
import { collection, defineFunction, stream } from "tidings";
const counters = collection("counters");
export default defineFunction({
  on: stream({ startFrom: "earliest", filter: { "detail-type": ["worked"] } }),
  async handler(batch, { documents }) {
    const known = await documents.get(counters, "read");
    documents.put(counters, "read", { count: (known?.value.count ?? 0) + batch.length }, { version: known?.version ?? 0 });
  },
});`;

function put(home: Home, files: Readonly<Record<string, string>>): Env {
  const root = join(home.dataDir, "project");
  for (const [name, text] of Object.entries(files)) {
    const path = join(root, "functions", name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  return { TIDINGS_FUNCTIONS_DIR: join(root, "functions") };
}

function project(home: Home, files: Readonly<Record<string, string>>): Env {
  const env = put(home, files);
  const root = join(home.dataDir, "project");
  symlinkSync(NODE_MODULES, join(root, "node_modules"));
  writeFileSync(join(root, "package.json"), '{"type":"module"}');
  return env;
}

async function send(program: Program, queue: string, body: object): Promise<void> {
  const response = await program.call("POST", `/queues/${queue}/messages`, { body: JSON.stringify(body) });
  assert.equal(response.status, 202, await response.text());
}

async function count(program: Program, id: string): Promise<number> {
  const response = await program.call("GET", `/documents/counters/${id}`);
  if (response.status === 404) return 0;
  // The functions above write it.
  return ((await response.json()) as { readonly value: { readonly count: number } }).value.count;
}

async function lying(program: Program, queue: string): Promise<number> {
  return (await program.get<{ readonly counts: { readonly visible: number } }>(`/queues/${queue}`)).counts.visible;
}

test("through a kill in the middle of many messages every counter is exact, and no mail comes twice but those in doubt", async (t) => {
  await using host = await MailHost.open();
  await using home = new Home({ TIDINGS_SMTP_URL: host.url });
  const env = project(home, { "work.ts": WORK, "tell.ts": TELL, "read.ts": READ });
  let program = await home.start(env);
  let next = 0;
  await Promise.all(
    Array.from({ length: CALLERS }, async () => {
      while (next < MESSAGES) await send(program, "orders", { n: (next += 1) });
    }),
  );
  const sent = next;
  const before = await until("something is done", async () => {
    const done = await count(program, "worked");
    return done > 0 && done;
  });
  await program.kill();
  program = await home.start(env);
  await until("all is counted", async () => {
    const all = await Promise.all(["worked", "read"].map((id) => count(program, id)));
    return all.every((done) => done >= sent);
  });
  await until("everybody is told", async () => (await count(program, `told-${sent}`)) === 1);
  const mails = Math.floor(sent / 10);
  const recipients = (): Set<string> => new Set(host.mails.map(({ to }) => to));
  await until("every mail has come", () => recipients().size === mails);
  assert.deepEqual([await count(program, "worked"), await count(program, "read")], [sent, sent]);
  for (let n = 1; n <= sent; n += 50) assert.equal(await count(program, `told-${n}`), 1);
  // What was under way at the kill comes again as the same mail; nothing was sent for a second time.
  assert.equal(new Set(host.mails.map(({ messageId }) => messageId)).size, mails);
  const { results } = await program.get<{ readonly results: readonly object[] }>("/admin/dead-letters");
  assert.deepEqual(results, []);
  t.diagnostic(`${before} of ${sent} were done at the kill, ${host.mails.length - mails} mails came twice`);
});

test("a handler that loops forever is ended, and holds nobody else up", async () => {
  await using home = new Home();
  const loops = `
    import { defineFunction, queue } from "tidings";
    export default defineFunction({
      on: queue("loops"), timeoutMs: 500, attempts: 2,
      handler() { for (;;); },
    });`;
  const program = await home.start(project(home, { "work.ts": WORK, "loops.ts": loops }));
  await send(program, "loops", {});
  for (let n = 1; n <= 20; n += 1) await send(program, "orders", { n });
  await until("the others are done", async () => (await count(program, "worked")) === 20, 10_000);
  const letters = await until("it is a dead letter", async () => {
    const { results } = await program.get<{ readonly results: readonly { readonly error: string }[] }>(
      "/admin/dead-letters",
    );
    return results.length > 0 && results;
  });
  assert.deepEqual(letters.length, 1);
  assert.match(letters[0]?.error ?? "", /Timeout|500 ms/);
});

test("poison lies in the dead-letter queue, and is done when its function is mended and it is re-driven", async () => {
  await using home = new Home();
  const judge = (mended: boolean): string => `
    import { collection, defineFunction, queue } from "tidings";
    const counters = collection("counters");
    export default defineFunction({
      on: queue("orders", { batchSize: 10 }),
      async handler(batch, { documents }) {
        for (const { body } of batch) {
          if (!${mended} && body.n === 3) throw new RangeError("cannot judge this");
          documents.put(counters, "n-" + body.n, { count: 1 }, { version: 0 });
        }
      },
    });`;
  const env = project(home, { "judge.ts": judge(true) });
  put(home, { "judge.ts": judge(false) });
  const program = await home.start(env);
  const made = await program.call("PUT", "/queues/dead", {});
  assert.equal(made.ok, true, await made.text());
  const redrive = { dead_letter: { queue: "dead", receive_max: 2 } };
  const changed = await program.call("PUT", "/queues/orders", redrive);
  assert.equal(changed.ok, true, await changed.text());
  for (let n = 1; n <= 5; n += 1) await send(program, "orders", { n });
  const done = async (): Promise<number> =>
    (await Promise.all([1, 2, 3, 4, 5].map((n) => count(program, `n-${n}`)))).reduce((sum, one) => sum + one, 0);
  await until("it lies with the dead", async () => (await lying(program, "dead")) === 1);
  await until("the others are done", async () => (await done()) === 4);
  put(home, { "judge.ts": judge(true) });
  const reloaded = await program.call("POST", "/functions/reload", {});
  assert.equal(reloaded.ok, true, await reloaded.text());
  const moved = await program.call("POST", "/queues/dead/redrive", {});
  assert.equal(moved.status, 202, await moved.text());
  await until("all are done", async () => (await done()) === 5);
  await until("nothing is left", async () => (await lying(program, "dead")) + (await lying(program, "orders")) === 0);
});

test("a file that comes to a server without functions waits for those that want it", async () => {
  await using home = new Home();
  const photos = `
import { collection, defineFunction, blob } from "tidings";
const counters = collection("counters");
export default defineFunction({
  on: blob("photos/"),
  handler: async (file, { documents }) => documents.put(counters, "photo", { count: (await file.text()).length }),
});`;
  const env = project(home, { "photos.ts": photos });
  const first = await home.start(env);
  await until("it listens", async () => (await first.get<{ readonly results: object[] }>("/functions")).results.length);
  await first.stop();
  const bare = await home.start();
  const answer = await bare.call("PUT", "/blobs/photos/a.png", "12345", { "content-type": "image/png" });
  assert.equal(answer.status, 201, await answer.text());
  await bare.stop();
  const second = await home.start(env);
  await until("it was called", async () => (await count(second, "photo")) === 5);
  await second.stop();
});
