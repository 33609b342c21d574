import type { Machine } from "../proof/machine.ts";
import type { Result } from "./stage.ts";

/** What the page is made of. */
export type Run = {
  readonly command: string;
  readonly date: string;
  readonly minutes: number;
  readonly machine: Machine;
  readonly postgres: string;
  readonly results: readonly Result[];
  readonly notPlayed: readonly NotPlayed[];
};

export type NotPlayed = { readonly name: string; readonly reason: string };

export type Totals = {
  readonly ok: boolean;
  readonly scenarios: number;
  readonly accepted: number;
  readonly lost: number;
  readonly twice: number;
  readonly explained: number;
  /** The last line of the output. */
  readonly line: string;
};

export function totalsOf(results: readonly Result[]): Totals {
  const sum = (of: (result: Result) => number): number => results.reduce((all, result) => all + of(result), 0);
  const [lost, twice, explained] = [sum((one) => one.lost), sum((one) => one.twice), sum((one) => one.explained)];
  const ok = results.length > 0 && results.every(({ problems }) => problems.length === 0);
  const [scenarios, accepted] = [results.length, sum((one) => one.accepted)];
  const counts = `${scenarios} scenarios, accepted ${accepted}, lost ${lost}, twice ${twice} (explained ${explained})`;
  return { ok, scenarios, accepted, lost, twice, explained, line: `faults: ${counts}${ok ? "" : "; FAILED"}` };
}

/** docs/faults-tested.md. */
export function pageOf(run: Run): string {
  const { hardware, software, program } = run.machine;
  return `# When nodes, database or network fail

Written by \`${run.command}\` on ${run.date}, in ${Math.round(run.minutes)} minutes. Do not edit it: the words stand in
\`server/test/faults/\`, and the numbers are those of this run.

- ${hardware}
- ${software.replace(/, SQLite .*$/, "")}, ${run.postgres}
- ${program}

**${totalsOf(run.results).line}**

${TOLD}

## Numbers

| failure | how often | accepted | mails | lost | twice (explained) | 503 | broken | slowest call | first 202 | first mail | all there |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
${run.results.map(rowOf).join("\n")}

- *accepted*: sends answered 202, of them one every four seconds to a list of 100; *mails*: all copies that came.
- *twice*: mails that came again; *explained*: those that may.
- *503*: calls that were refused so, each with \`Retry-After\`; *broken*: calls whose connection broke with their node.
- *first 202*, *first mail*: after the end of the fault, the slowest of them. *all there*: until everything had come that
  was accepted and due before that end.

${run.results.map(sectionOf).join("\n\n")}

${[LIMITS, ...run.notPlayed.map(({ name, reason }) => `- Not played here: ${name} (${reason}).`)].join("\n")}
`;
}

const TOLD = `Everything is real: processes of the program in their roles, a Postgres that syncs, a mail server that keeps what
it gets. Twenty-four clients send all the time, about eighty a second, each send with an idempotency key, a fifth of them
for later; what is refused or not answered they repeat with the same key, through whichever node, until it is accepted.

In the end nothing may be left to do, and everything is counted (\`server/test/faults/account.ts\`): each send that was
answered 202 has come, at its time, as one message; each list send reached all members. Postgres remembers when each
transaction was committed. So of each mail that came twice it is known whether its outcome was in the database when it was
sent again: then it is a fault. A mail may come again only if a failure lies between the two copies and nobody could know
of the first: it was in a call to the mail server, or its outcome on the way to the database. And no message may have been
committed as sent twice, whatever a node believes that was paused or cut off. A call that is answered with anything but 202
or a 503 that says when to come back, or that takes longer than the bound stated, is a fault as well.`;

const LIMITS = `## What this does not show

- All nodes, the database and the mail server are on one machine, and share its cores with the clients: the times hold for
  a machine that is busy.
- Postgres is one server. What a failover to a standby keeps is a matter of its replication: with \`synchronous_commit\` and
  a synchronous standby what is said here holds, without one the last moments before the failover are lost by Postgres.
- A disk under Postgres that lies about its sync.`;

function rowOf(result: Result): string {
  const { name, faults, accepted, mails, lost, twice, explained, calls } = result;
  const cells = [
    `[${name}](#${name})`,
    faults,
    whole(accepted),
    whole(mails),
    lost,
    `${twice} (${explained})`,
    whole(calls.refused),
    whole(calls.broken),
    seconds(calls.slowestMs),
    seconds(result.first202Ms),
    seconds(result.firstMailMs),
    seconds(result.allThereMs),
  ];
  return `| ${cells.join(" | ")} |`;
}

function sectionOf({ name, says, seed, callMsMax, explained, firstCopyBeforeMsMax, notes, problems, ...rest }: Result) {
  const repeated = rest.keysRepeated > 0 ? ` ${whole(rest.keysRepeated)} keys were sent again.` : "";
  const gap =
    explained > 0 ? ` What came twice had first come at most ${firstCopyBeforeMsMax} ms before the fault.` : "";
  const noted = Object.entries(notes).map(([what, value]) => `- ${what}: ${value}`);
  const failed = problems.map((problem) => `- **FAILED**: ${problem}`);
  const list = [...noted, ...failed];
  return `## ${name}

${says} ${whole(rest.seconds)} seconds, seed ${seed}; no call may take longer than ${seconds(callMsMax)}.${repeated}${gap}${list.length > 0 ? `\n\n${list.join("\n")}` : ""}`;
}

function whole(number: number): string {
  return number.toLocaleString("en", { maximumFractionDigits: 0 });
}

function seconds(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}
