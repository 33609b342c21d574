import type { Machine } from "./machine.ts";
import { type Command, PLANTED_FILES, PROMISES, type Promised, type Shown } from "./promises.ts";
import type { PropertyCount, Ran } from "./run.ts";
import type { TestLine } from "./test-lines.ts";

/** Everything that one run of `npm run proof` has found. */
export type Proof = {
  readonly date: string;
  readonly minutes: number;
  readonly quick: boolean;
  readonly machine: Machine;
  readonly runs: Readonly<Record<Command, Ran>>;
  readonly tests: readonly TestLine[];
  readonly properties: readonly PropertyCount[];
};

/** Why the page may not be believed: everything that failed. What was not run is no failure, and stands on the page. */
export function failuresOf({ runs, tests }: Proof): readonly string[] {
  const commands = Object.values(runs).filter((ran) => ran.kind === "done" && !ran.ok);
  const failed = tests.filter(({ kind }) => kind === "failed");
  return [
    ...commands.map(({ command }) => `${command} failed`),
    ...failed.map(({ name, file, reason }) => `${name} (${file}): ${reason}`),
  ];
}

/** docs/proof.md, whole. */
export function pageOf(proof: Proof): string {
  const sections = [
    head(proof),
    promises(proof),
    kill9(proof.runs.kill9),
    powerCuts(proof),
    diskTrouble(proof),
    slowDisk(proof),
    simulation(proof),
    fuzz(proof.runs.fuzz),
    properties(proof),
    soak(proof.runs.soak),
    LIMITS,
  ];
  return `${sections.join("\n\n")}\n`;
}

function head({ date, minutes, quick, machine }: Proof): string {
  const command = quick ? "npm run proof -- --quick" : "npm run proof";
  const note = quick ? "\nThis was the quick run: everything was done, but less often.\n" : "";
  return `# How the promises were shown

Written by \`${command}\` on ${date}, in ${minutes} minutes. Do not edit it: the words stand in
\`server/test/proof/page.ts\`, the rows in \`server/test/proof/promises.ts\`, and the numbers are those of this run.
${note}
- ${machine.hardware}
- ${machine.software}
- ${machine.program}`;
}

function promises(proof: Proof): string {
  const rows = PROMISES.map((promised) => promiseRow(promised, proof));
  return `## The promises

The nine promises of the design. Links lead to the tests; the sections below tell more.

| promise | how it is shown | how often | result |
| --- | --- | --- | --- |
${rows.join("\n")}`;
}

function promiseRow({ promise, means, shown, missing }: Promised, proof: Proof): string {
  const cells = shown.map((one) => cellsOf(one, proof));
  const column = (at: 0 | 1 | 2): string => cells.map((cell) => cell[at]).join("<br>");
  const gap = missing === undefined ? "" : `<br>Not shown: ${missing}`;
  return `| **${promise}**: ${means} | ${column(0)}${gap} | ${column(1)} | ${column(2)} |`;
}

type Cells = readonly [how: string, often: string, result: string];

function cellsOf(shown: Shown, { runs, tests }: Proof): Cells {
  if (shown.by !== "tests") {
    const ran = runs[shown.by];
    const how = `[${NAMES[shown.by]}](#${ANCHORS[shown.by]}): ${shown.what}`;
    return ran.kind === "not run" ? [how, "–", "**not run**"] : [how, ...numbersOf(shown.by, ran)];
  }
  const links = shown.files.map((file) => (tests.some((line) => line.file === file) ? link(file) : `*${file}*`));
  const own = tests.filter(({ file }) => shown.files.includes(file));
  return [
    `${shown.what} (${links.join(", ")})`,
    own.length === 1 ? "1 test" : `${own.length} tests`,
    resultOf(shown.files, own),
  ];
}

function resultOf(files: readonly string[], lines: readonly TestLine[]): string {
  const failed = lines.filter(({ kind }) => kind === "failed");
  const skipped = lines.filter(({ kind }) => kind === "skipped");
  const absent = files.filter((file) => !lines.some((line) => line.file === file));
  const passed = lines.length - failed.length - skipped.length;
  return [
    ...(failed.length > 0 ? [`**${failed.length} FAILED**: ${failed.map(({ name }) => name).join("; ")}`] : []),
    ...(absent.length > 0 ? ["**not shown yet**"] : []),
    ...(passed > 0 ? [failed.length === 0 && skipped.length === 0 ? "all passed" : `${passed} passed`] : []),
    ...(skipped.length > 0 ? [`${skipped.length} not run here`] : []),
  ].join(", ");
}

const NAMES: Readonly<Record<Command, string>> = {
  kill9: "kill9",
  simulate: "simulate",
  simulateEvents: "simulate events",
  simulateFunctions: "simulate functions",
  fuzz: "fuzz",
  soak: "soak",
};
const ANCHORS: Readonly<Record<Command, string>> = {
  kill9: "killed-and-started-again",
  simulate: "the-simulation",
  simulateEvents: "the-simulation",
  simulateFunctions: "the-simulation",
  fuzz: "hostile-requests",
  soak: "a-soak",
};

function numbersOf(command: Command, ran: Ran & { kind: "done" }): readonly [often: string, result: string] {
  const n = reader(ran);
  const verdict = (good: string): string => (ran.ok ? good : `**FAILED** (${good})`);
  switch (command) {
    case "kill9":
      return [
        `${n("kills")} kills, ${n("accepted")} accepted`,
        verdict(`lost ${n("lost")}, wrong ${n("wrong")}, unexplained ${n("unexplained")}`),
      ];
    case "simulate":
    case "simulateEvents":
    case "simulateFunctions":
      return [
        `${n("seeds")} seeds, ${n("checks")} checks`,
        ran.ok ? "no violation" : `**FAILED**, seed ${n("failed")}`,
      ];
    case "fuzz":
      return [`${n("requests")} calls`, verdict(`${listIn(ran, "failures").length} failures`)];
    case "soak": {
      const totals = reader({ json: objectIn(ran, "totals") });
      return [`${n("minutes")} minutes`, verdict(`lost ${totals("lost")}, twice ${totals("twice")}`)];
    }
  }
}

function kill9(ran: Ran): string {
  const n = reader(ran);
  const rows: readonly (readonly [string, string])[] = [
    ["kills", n("kills")],
    [
      "sends accepted, of them delayed, cancelled, with a key",
      `${n("accepted")}, ${n("delayed")}, ${n("canceled")}, ${n("keyed")}`,
    ],
    ["keys repeated in a later life, because the answer was lost", n("repeatedAfterLostAnswer")],
    [`sends to a list of ${n("listSize")}`, n("listSends")],
    ["mails at the mail server", n("mails")],
    ["lost", n("lost")],
    ["wrong: state, time, sent after a cancellation, one send as two", n("wrong")],
    ["came twice", n("duplicates")],
    ["of them unexplained", n("unexplained")],
    ["came twice, per kill: median, most", `${n("duplicatesPerKillMedian")}, ${n("duplicatesPerKillMax")}`],
    ["the first copy came before the kill, at most", `${n("firstCopyBeforeKillMsMax")} ms`],
    ["from start to ready: median, most", `${n("readyMsMedian")}, ${n("readyMsMax")} ms`],
    ["time", `${n("seconds")} s`],
  ];
  return `## Killed, and started again

The real program on SQLite under load is killed with SIGKILL at random moments, one time in five while it still starts,
and started again on the same folder. Clients send, some of it later, take some of it back, and repeat with the same key
what was not answered. In the end everything is audited (\`server/test/crash/audit.ts\`, whose own test plants every fault
that it must find). After each kill the dead program's file is read: a mail may come twice only if its outcome was not in
the file at that moment, that is, if it was in a call to the mail server, or its answer was on the way to the disk. That
is at most what one process holds in hand, 1,024 messages per lane; the table shows how few it is. The seed chooses the
moments; the machine still decides what happens in them.

${command(ran)}

${table(ran, ["what", "how often"], rows)}`;
}

function powerCuts({ tests }: Proof): string {
  return `## The power goes

After SIGKILL the system still writes what it was given, so a kill says nothing about a power cut. Here a small library
stands between the program and libc (\`server/test/support/troubled-disk.c\`; it needs Linux and a C compiler). It keeps a
second folder with only what was synced, or with some of the unsynced writes too, in another order than they were made. The
program is killed, goes on with that folder, and everything accepted must arrive. In between, syncs fail for a moment.
Linux then takes for clean what never reached the disk, and the next sync succeeds; so after any fault the writer
writes its log again before it promises anything (\`server/src/drivers/sqlite/rewrite-log.ts\`). If the system has
forgotten a part of the log, the process ends with exit 1 and a sentence, and the next start has all that was promised.

${testTable(tests, "server/test/crash/power-cut.test.ts")}`;
}

function diskTrouble({ tests }: Proof): string {
  return `## A disk in trouble

The real program under load over HTTP. While the disk is full or fails, sends are answered 503 \`store.unavailable\` with
\`Retry-After\`, \`/health\` stays 200, \`/ready\` says 503. When it is over, the same process goes on by itself. What
got a 202 arrives, once; what got a 503 is not sent.

${testTable(tests, "server/test/crash/disk.test.ts")}`;
}

function slowDisk({ tests }: Proof): string {
  return `## A slow disk

Every sync of the data folder takes longer. A 202 waits for one or two of them; the thread that speaks HTTP and SMTP waits
for none. Load, mail server and questions share one thread of the test, so the times are upper bounds.

${testTable(tests, "server/test/crash/slow-disk.test.ts")}`;
}

function simulation({ runs, tests }: Proof): string {
  const n = reader(runs.simulate);
  const repeats = ["crash", "unknown", "lie", "redriven", "lapse"].map(
    (reason) => `${reason} ${n(`repeats.${reason}`)}`,
  );
  const rows: readonly (readonly [string, string])[] = [
    ["seeds, checks", `${n("seeds")}, ${n("checks")}`],
    ["sends tried, accepted", `${n("sends")}, ${n("accepted")}`],
    ["deaths of the process", n("crashes")],
    ["commits failed, answers lost", `${n("failedCommits")}, ${n("lostAnswers")}`],
    [
      "messages (sent, undeliverable, cancelled)",
      `${n("messages")} (${n("SENT")}, ${n("UNDELIVERABLE")}, ${n("CANCELED")})`,
    ],
    ["provider calls", n("providerCalls")],
    ["sent again, by reason", repeats.join(", ")],
    ["time", `${n("seconds")} s`],
  ];
  return `## The simulation

The real engine and pipeline on the memory store and virtual time, from a seed: [simulation.md](simulation.md) says what
happens in it and what is checked. A seed that fails prints itself, and replays.

${command(runs.simulate)}

${table(runs.simulate, ["what", "how often"], rows)}

${command(runs.simulateEvents)}

${table(runs.simulateEvents, ["events, rules, queues, webhooks", "how often"], othersOf(runs.simulateEvents))}

${command(runs.simulateFunctions)}

${table(runs.simulateFunctions, ["users' functions", "how often"], othersOf(runs.simulateFunctions))}

The process ends at every commit, and before and after every provider call:

${testTable(tests, "server/test/simulation/crash-points.test.ts")}

### Does it bite?

Known bugs are planted, one after the other; each must be caught within the seeds stated.

${PLANTED_FILES.map((file) => testTable(tests, file)).join("\n\n")}`;
}

/** What the other profiles count as well. */
function othersOf(ran: Ran): readonly (readonly [string, string])[] {
  const n = reader(ran);
  return [
    ["seeds, checks", `${n("seeds")}, ${n("checks")}`],
    ["deaths of the process", n("crashes")],
    ["commits failed, answers lost", `${n("failedCommits")}, ${n("lostAnswers")}`],
    ["time", `${n("seconds")} s`],
  ];
}

function fuzz(ran: Ran): string {
  const n = reader(ran);
  const operations = listIn(ran, "operations");
  const slowest = Math.max(0, ...operations.map((one) => Number(one["slowestMs"])));
  const bytes =
    ran.kind === "done" && Array.isArray(ran.json["residentBytes"]) ? ran.json["residentBytes"].map(Number) : [];
  const mb = (at: number): string => `${Math.round((bytes.at(at) ?? Number.NaN) / 1e6)} MB`;
  const rows: readonly (readonly [string, string])[] = [
    ["calls, seed", `${n("requests")}, ${n("seed")}`],
    ["operations", String(operations.length)],
    ["answers that were a 5xx, too late or not as documented", String(listIn(ran, "failures").length)],
    ["slowest answer", `${slowest} ms`],
    ["resident memory: first, most, last", `${mb(0)}, ${Math.round(Math.max(...bytes) / 1e6)} MB, ${mb(-1)}`],
    ["time", `${n("seconds")} s`],
  ];
  return `## Hostile requests

Generated calls, good and broken, for every operation of \`/openapi.json\`, against the real program.

${command(ran)}

${table(ran, ["what", "how often"], rows)}`;
}

function properties({ properties: counts }: Proof): string {
  const sum = counts.reduce((all, { values }) => all + values, 0);
  const rows = counts.map(({ file, properties: n, values }) => `| ${link(file)} | ${n} | ${whole(values)} |`);
  return `## Property tests

Generated values, found and shrunk by fast-check; ${whole(sum)} in this run.

| file | properties | values |
| --- | --- | --- |
${rows.join("\n")}`;
}

function soak(ran: Ran): string {
  if (ran.kind === "not run") return `## A soak\n\nNot run: ${ran.reason}.`;
  const totals = reader({ json: objectIn(ran, "totals") });
  return `## A soak

${reader(ran)("minutes")} minutes at ${reader(ran)("ratePerS")} mails a second: ${totals("mailsArrived")} of ${totals("mailsExpected")} mails arrived, lost ${totals("lost")}, twice ${totals("twice")}.
It was run by itself, not by this script; its own page has the plot and the verdicts.`;
}

const LIMITS = `## What this does not show

- Many nodes on Postgres: [faults-tested.md](faults-tested.md) breaks them, and the suite has some of it; the simulation and
  kill9 are of one process on SQLite.
- Of functions, files and several nodes are not simulated. kill9 sends to people only; events, rules and functions are
  killed by the tests that are named above.
- The power cut is a model: what was synced is there, in whole writes. A disk that lies about its sync is not in it.
- The mail server is on the same machine. How the world's servers behave is another matter; \`server/test/mail-servers\` has
  some of them.
- What was not run says so above; it counts neither as shown nor as failed.`;

function testTable(tests: readonly TestLine[], file: string): string {
  const rows = tests
    .filter((line) => line.file === file)
    .map(({ name, kind, reason, says }) => {
      const result = kind === "passed" ? "passed" : kind === "failed" ? `**FAILED**: ${reason}` : `not run: ${reason}`;
      return `| ${cell(name)} | ${cell(says.join("; "))} | ${cell(result)} |`;
    });
  if (rows.length === 0) return `**Not shown yet**: there is no *${file}*.`;
  return `\`node --test ${file}\`\n\n| test | measured | result |\n| --- | --- | --- |\n${rows.join("\n")}`;
}

function table(ran: Ran, heading: readonly string[], rows: readonly (readonly string[])[]): string {
  if (ran.kind === "not run") return `**Not run**: ${ran.reason}.`;
  const lines = [heading, heading.map(() => "---"), ...rows].map((row) => `| ${row.map(cell).join(" | ")} |`);
  return lines.join("\n");
}

function command(ran: Ran): string {
  const failed =
    ran.kind === "done" && !ran.ok ? ` **FAILED**:\n\n\`\`\`\n${ran.err.slice(0, 2_000).trim()}\n\`\`\`` : "";
  return `\`${ran.command}\`${failed}`;
}

/** Reads numbers out of a command's JSON: with commas, and `?` for what is not there. */
function reader(ran: Ran | { readonly json: Readonly<Record<string, unknown>> }): (name: string) => string {
  return (name) => {
    const value = "json" in ran ? ran.json[name] : undefined;
    return typeof value === "number" ? whole(value) : "?";
  };
}

function listIn(ran: Ran, name: string): readonly Readonly<Record<string, unknown>>[] {
  const list = ran.kind === "done" ? ran.json[name] : [];
  // Printed by our own scripts as lists of objects.
  return Array.isArray(list) ? (list as readonly Readonly<Record<string, unknown>>[]) : [];
}

function objectIn(ran: Ran & { kind: "done" }, name: string): Readonly<Record<string, unknown>> {
  const value = ran.json[name];
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function link(file: string): string {
  return `[${file.split("/").at(-1)}](../${file})`;
}

function whole(number: number): string {
  return number.toLocaleString("en", { maximumFractionDigits: number < 100 ? 1 : 0 });
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}
