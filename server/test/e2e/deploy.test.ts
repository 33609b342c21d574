import { ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { SETTINGS } from "#config/table.ts";
import { clientOptions, makePair } from "../clients/aws-home.ts";
import { freePort } from "../support/free-port.ts";
import { Home, type Program } from "../support/program.ts";

const ROOT = join(import.meta.dirname, "../../..");

/** What `deploy/` says of the program is so: the figures that dashboard and alerts look at, and the settings. */

const WATCHERS = [
  "grafana/tidings.json",
  "prometheus/alerts.yaml",
  "kubernetes/examples/keda.yaml",
  "kubernetes/examples/hpa.yaml",
];
/** Until a message with a deadline of a second is late, on a machine that does something else as well. */
const LATE_MS_MAX = 20_000;
const LOOK_MS = 100;
/** Calls that fail until an endpoint is left alone for a while, and some. */
const FAILURES = 30;

test("dashboard, alerts and autoscaling name only figures that a running server shows, and labels that these have", async () => {
  await using home = new Home({
    TIDINGS_SMTP_URL: `smtp://127.0.0.1:${await freePort()}`,
    TIDINGS_FUNCTIONS_DIR: join(ROOT, "examples/event-log/functions"),
  });
  const program = await home.start();
  // Nobody takes mail there, so it is tried, and then late.
  await program.send({
    to: { email: "ada@example.com" },
    content: { title: "Code", body: "1234" },
    deadline: { in: "PT1S" },
  });
  // A queue is shown when something is in it.
  await program.send({
    to: { email: "grace@example.com" },
    content: { title: "Later", body: "Not yet" },
    delay: { duration: 3_600_000 },
  });
  await haveEvents(program);
  const shown = await figuresOf(program, [
    "tidings_late_total",
    "tidings_queue_receivers",
    "tidings_rule_failed_total",
    "tidings_rule_oldest_seconds",
    "tidings_webhook_resting",
    "tidings_function_calls_total",
  ]);

  const named = WATCHERS.map((file) => [file, namesIn(readFileSync(join(ROOT, "deploy", file), "utf8"))] as const);
  for (const [file, names] of named) {
    assert.ok(names.size > 0, `no figure was found in ${file}`);
    const unknown = [...names].filter((name) => !shown.has(name));
    assert.deepEqual(unknown, [], `${file} looks at what no server shows; it shows ${[...shown.keys()].join(" ")}`);
  }
  const rows = Array.from(readFileSync(join(ROOT, "docs/metrics.md"), "utf8").matchAll(/^\| `(\w+)` \| (.*?) ?\|/gm));
  assert.deepEqual(
    rows.map(([, name = "", labels = ""]) => `${name} ${labels.replaceAll(/[`,]/g, "")}`.trim()).toSorted(),
    [...shown].flatMap(([name, labels]) => (PARTS.test(name) ? [] : [rowOf(name, labels)])).toSorted(),
    "docs/metrics.md has each figure with its labels, and no other",
  );
  for (const [file, name, label] of WATCHERS.flatMap(labelsIn)) {
    assert.ok(shown.get(name)?.has(label), `${file}: ${name} has no label ${label}`);
  }
});

test("names of figures and labels are found in queries", () => {
  const query = 'max by (lane) (tidings_queue_jobs{job="x", state=~"a|b"}) / rate(process_cpu_seconds[5m])';
  assert.deepEqual([...namesIn(query)], ["tidings_queue_jobs", "process_cpu_seconds"]);
  assert.deepEqual(labelsOf(query), [["tidings_queue_jobs", "state"]]);
});

test("what the image is made of serves functions of a folder that holds nothing but them", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tidings-image-"));
  const [app, data] = [join(folder, "app"), join(folder, "data")];
  try {
    const said = readFileSync(join(ROOT, "deploy/Dockerfile"), "utf8");
    const copied = Array.from(said.matchAll(/^COPY (?!--)(.+)$/gm), ([, paths = ""]) => paths.split(" "));
    const ignored = readFileSync(join(ROOT, ".dockerignore"), "utf8").split("\n");
    for (const paths of copied) {
      const to = join(app, paths.at(-1) ?? "");
      for (const path of paths.slice(0, -1)) {
        assert.ok(ignored.includes(`!${path}`), `.dockerignore keeps ${path} from the build`);
        const isFile = /\.\w+$/.test(path);
        cpSync(join(ROOT, path), isFile && paths.at(-1)?.endsWith("/") === true ? join(to, basename(path)) : to, {
          recursive: true,
        });
      }
    }
    // What npm does there: packages, and links to the workspaces that were copied and named.
    const workspaces = Array.from(said.matchAll(/--workspace (\w+)/g), ([, name = ""]) => name);
    assert.deepEqual(
      workspaces.toSorted(),
      readdirSync(app)
        .filter((name) => !name.includes("."))
        .toSorted(),
    );
    mkdirSync(join(app, "node_modules/@tidings"), { recursive: true });
    for (const name of readdirSync(join(ROOT, "node_modules"))) {
      if (name === "tidings" || name === "@tidings" || name === ".bin") continue;
      symlinkSync(join(ROOT, "node_modules", name), join(app, "node_modules", name));
    }
    for (const workspace of workspaces) {
      const { name } = JSON.parse(readFileSync(join(app, workspace, "package.json"), "utf8")) as { name: string };
      symlinkSync(join(app, workspace), join(app, "node_modules", name));
    }
    mkdirSync(join(data, "functions"), { recursive: true });
    writeFileSync(join(data, "package.json"), '{"type": "module"}');
    writeFileSync(
      join(data, "tidings.config.ts"),
      'import { defineConfig } from "tidings";\nexport default defineConfig({ functions: { settings: { word: "hello" } } });\n',
    );
    writeFileSync(
      join(data, "functions/hello.ts"),
      `import { defineFunction, http } from "tidings";
export default defineFunction({
  on: http("GET", "/api/hello", { auth: "none" }),
  handler: (_, { settings }) => ({ body: settings }),
});
`,
    );
    const child = spawn(process.execPath, [join(app, "server/bin/tidings.cjs"), "start", "--json"], {
      cwd: data,
      env: { PATH: process.env["PATH"], PORT: "0", TIDINGS_DATA_DIR: join(data, "kept"), TIDINGS_LOG: "silent" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      const [line] = (await once(child.stdout.setEncoding("utf8"), "data")) as [string];
      const { url } = JSON.parse(line.split("\n")[0] ?? "") as { url: string };
      const answer = await fetch(`${url}/api/hello`);
      assert.deepEqual([answer.status, await answer.json()], [200, { word: "hello" }]);
    } finally {
      child.kill("SIGTERM");
      if (child.exitCode === null) await once(child, "exit");
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("every setting that deploy/ names exists", () => {
  const known = new Set<string>(Object.values(SETTINGS).map(({ env }) => env));
  const files = globSync("deploy/**/*", { cwd: ROOT, withFileTypes: true }).filter((entry) => entry.isFile());
  assert.ok(files.length > 0);
  const unknown = files.flatMap((entry) => {
    const text = readFileSync(join(entry.parentPath, entry.name), "utf8");
    const names = Array.from(text.matchAll(/\bTIDINGS_[A-Z0-9_]+/g), ([name]) => name);
    return names.filter((name) => !known.has(name)).map((name) => `${entry.name}: ${name}`);
  });
  assert.deepEqual(unknown, []);
});

test("a supervisor's patience is longer than what a node takes to stop", () => {
  const read = (file: string): string => readFileSync(join(ROOT, "deploy", file), "utf8");
  const graceMs = (text: string): number => numberIn(text, /TIDINGS_SHUTDOWN_GRACE_MS[:=] ?(\d+)/);
  const podMs = graceMs(read("kubernetes/settings.env"));
  for (const role of ["api", "worker"]) {
    const text = read(`kubernetes/${role}.yaml`);
    const preStopMs = text.includes("preStop") ? numberIn(text, /sleep: \{ seconds: (\d+) \}/) * 1000 : 0;
    const patienceMs = numberIn(text, /terminationGracePeriodSeconds: (\d+)/) * 1000;
    assert.ok(patienceMs >= podMs + preStopMs + CLOSING_MS, `kubernetes/${role}.yaml`);
  }
  for (const file of ["compose.yaml", "compose.postgres.yaml"]) {
    const patienceMs = numberIn(read(file), /stop_grace_period: (\d+)s/) * 1000;
    assert.ok(patienceMs >= graceMs(read(file)) + CLOSING_MS, file);
  }
  for (const file of ["systemd/tidings.service", "systemd/tidings@.service"]) {
    const patienceMs = numberIn(read(file), /TimeoutStopSec=(\d+)/) * 1000;
    assert.ok(patienceMs >= graceMs(read(file)) + CLOSING_MS, file);
  }
});

/** What is left to do when the grace is over: connections, the store. */
const CLOSING_MS = 5_000;

function numberIn(text: string, pattern: RegExp): number {
  const found = pattern.exec(text)?.[1];
  assert.ok(found !== undefined, `${pattern} was not found`);
  return Number(found);
}

/** A queue that somebody waits at, a rule of which everything can be seen, and an endpoint that nobody answers at. */
async function haveEvents(program: Program): Promise<void> {
  const call = async (method: string, path: string, body: object): Promise<void> => {
    const response = await program.call(method, path, body);
    assert.ok(response.ok, `${method} ${path}: ${await response.text()}`);
  };
  const pattern = { "detail-type": ["order.placed"] };
  await call("PUT", "/queues/orders", {});
  await call("PUT", "/queues/empty", { wait_ms: LATE_MS_MAX });
  // Delivered at once, tried again, and given up.
  const targets = [{ queue: "orders" }, { queue: "missing" }, { send: { message: {} } }];
  await call("PUT", "/rules/default/placed", { pattern, targets });
  const url = `http://127.0.0.1:${await freePort()}/hook`;
  await call("POST", "/webhooks", { url, bus: "default", pattern, allowPrivate: true });
  for (let n = 0; n < FAILURES; n += 1) await call("POST", "/events/order.placed", { n });
  await call("POST", "/queues/orders/messages", { body: "x" });
  const sqs = new SQSClient(clientOptions(program, await makePair(program)));
  const QueueUrl = `${program.url}/aws/000000000000/empty`;
  // Ends when the program is killed.
  void sqs.send(new ReceiveMessageCommand({ QueueUrl })).catch(() => sqs.destroy());
}

/** Figures that /metrics shows once `last` are among them, each with its labels. A histogram is three of them. */
async function figuresOf(program: Program, last: readonly string[]): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  for (const giveUp = AbortSignal.timeout(LATE_MS_MAX); ; ) {
    const text = await (await program.call("GET", "/metrics")).text();
    const figures = new Map<string, Set<string>>();
    for (const [, name = "", labels = ""] of text.matchAll(/^([a-z_]+)(?:\{(.*)\})? \S+$/gm)) {
      const known = figures.get(name) ?? new Set();
      for (const [, label = ""] of labels.matchAll(/(\w+)="/g)) known.add(label);
      figures.set(name, known);
    }
    if (last.every((name) => figures.has(name))) return figures;
    await wait(LOOK_MS, undefined, { signal: giveUp });
  }
}

/** Every word that is called like a figure of ours. A setting is in capitals; `tidings` alone is a name of other things. */
function namesIn(text: string): ReadonlySet<string> {
  return new Set(Array.from(text.matchAll(/\b(?:tidings|process)_[a-z_]+\b/g), ([name]) => name));
}

/** A histogram is one figure of people, and three of Prometheus: of those the first stands for all. */
const PARTS = /_(?:sum|count)$/;

function rowOf(name: string, labels: ReadonlySet<string>): string {
  return [name.replace(/_bucket$/, ""), ...[...labels].filter((label) => label !== "le")].join(" ");
}

function labelsIn(file: string): (readonly [file: string, name: string, label: string])[] {
  // In JSON a quote has a backslash before it.
  const text = readFileSync(join(ROOT, "deploy", file), "utf8").replaceAll('\\"', '"');
  return labelsOf(text).map(([name, label]) => [file, name, label]);
}

/** Labels by which a figure is chosen, but for those that Prometheus gives. */
function labelsOf(query: string): (readonly [name: string, label: string])[] {
  const chosen = Array.from(query.matchAll(/\b((?:tidings|process)_[a-z_]+)\{([^}]*)\}/g));
  return chosen.flatMap(([, name = "", inside = ""]) =>
    Array.from(inside.matchAll(/(\w+)(?:=~|!=|!~|=)"/g), ([, label = ""]) => [name, label] as const).filter(
      ([, label]) => !["job", "instance", "namespace"].includes(label),
    ),
  );
}
