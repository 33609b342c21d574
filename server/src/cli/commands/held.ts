import type { Command } from "commander";
import { openClient } from "#cli/access.ts";
import type { Client } from "#cli/client.ts";
import { EXIT, type Exit, UsageFault } from "#cli/exit.ts";
import { nextCursor, number, object, rows, text, timeMs } from "#cli/json.ts";
import { acting, command, dashed, examples, type Options, withServer } from "#cli/options.ts";
import { count, dateTime, grouped, paint, table } from "#cli/output.ts";
import { ProgressLine } from "#cli/progress.ts";
import { clean } from "#cli/text.ts";
import { say, sayJson, type World } from "#cli/world.ts";
import { durationMs } from "#config/kinds.ts";
import type { JsonObject } from "#domain/json.ts";

const LIMIT_DEFAULT = 50;
const LIMIT_MAX = 1_000_000;
const PAGE_MAX = 100;
/** Lists that are shown; programs read all of them with --json. */
const LISTS_SHOWN_MAX = 20;

export function heldCommand(world: World, answer: (exit: Exit) => void): Command {
  const held = command(
    world,
    "tidings held",
    "What is held back since a backup was restored. It may have been sent after the backup was made, so nothing of it is " +
      "sent by itself: release lets it go on, drop gives it up. New sends flow beside it.",
  );
  const show = command(world, "show", "Tell what is held back, and what to do (the default).");
  const list = command(world, "list", "List the jobs that are held back, one by one.").option(
    "--limit <n>",
    `how many at most (default: ${LIMIT_DEFAULT})`,
  );
  const release = command(
    world,
    "release",
    "Let it go on, at its time and in its turn. What was sent after the backup was made is sent again.",
  );
  const drop = command(
    world,
    "drop",
    "Give it up. Its messages are CANCELED; a send that had not come to all of its recipients goes no further.",
  );
  held
    .addCommand(acting(withServer(show), world, answer, runShow), { isDefault: true })
    .addCommand(acting(withServer(choosing(list)), world, answer, runList))
    .addCommand(acting(withServer(deciding(release)), world, answer, runRelease))
    .addCommand(acting(withServer(deciding(drop).option("--yes", "do not ask")), world, answer, runDrop))
    .addHelpText(
      "after",
      examples(
        ["tidings held", "what is there, by list and time"],
        ["tidings held release --request 1-6901f3c2-5d2f8a94e1b03c7786f0aa12", "one send that surely did not go out"],
        ["tidings held drop --due-before '2026-11-22 18:00'", "the old house sent what was due before it died at six"],
        ["tidings held drop --list news", "the newsletter went out already"],
        ["tidings held release --all", "the rest"],
      ),
    );
  return held;
}

function choosing(built: Command): Command {
  return built
    .option("--queue <name>", "of this queue")
    .option("--list <id>", "messages that came of this list, and sends that go to nobody else")
    .option("--request <id>", "of this request");
}

function deciding(built: Command): Command {
  return choosing(built)
    .option("--after <time>", "enqueued then or later: 2026-11-22T14:00, or 2h for two hours ago")
    .option("--before <time>", "enqueued earlier")
    .option("--due-after <time>", "due then or later")
    .option("--due-before <time>", "due earlier, or at once")
    .option("--all", "everything that is held back");
}

async function runShow(world: World, _args: readonly string[], options: Options): Promise<Exit> {
  using client = await openClient(world, options);
  const report = object(await client.get("admin/held"));
  if (options.flag("json")) sayJson(world, report);
  else if ((number(report, "jobs") ?? 0) === 0) say(world.out, "Nothing is held back.");
  else tell(world, report);
  return EXIT.ok;
}

function tell(world: World, report: JsonObject): void {
  const { out } = world;
  const restored = object(report["restored"]);
  const [made, since] = [timeMs(restored, "backupMade"), timeMs(restored, "restored")];
  const jobs = count(number(report, "jobs") ?? 0, "job is", "jobs are");
  const backup = made === null ? "a backup" : `the backup of ${dateTime(made)}`;
  const when = since === null ? "" : ` on ${dateTime(since)}`;
  say(out, `${paint(out, "bold", `${jobs} held back`)} since ${backup} was restored${when}.`);
  say(out);
  tellQueues(world, rows(report["queues"]));
  tellLists(world, rows(report["lists"]), report["listsComplete"] === true);
  say(out);
  say(out, "They may have been sent after the backup was made. What do you know of them?");
  say(
    out,
    paint(out, "dim", "  tidings held release --list ID | --request ID | --due-after TIME | --all    let them go on"),
  );
  say(
    out,
    paint(out, "dim", "  tidings held drop    --list ID | --request ID | --due-before TIME | --all   give them up"),
  );
}

function tellQueues(world: World, queues: readonly JsonObject[]): void {
  const nowMs = world.clock.nowMs();
  const columns = [
    { title: "queue" },
    { title: "lane", drop: 1 },
    { title: "jobs", align: "right" as const },
    { title: "enqueued" },
    { title: "due" },
  ];
  const at = (row: JsonObject, first: string, last: string): string =>
    between(timeMs(row, first) ?? 0, timeMs(row, last) ?? 0);
  const lines = queues.map((row) => {
    const [firstDue, lastDue] = [number(row, "firstDue") ?? 0, number(row, "lastDue") ?? 0];
    const due =
      lastDue <= nowMs ? "at once" : firstDue <= nowMs ? `at once to ${dateTime(lastDue)}` : between(firstDue, lastDue);
    const jobs = grouped(number(row, "jobs") ?? 0);
    return [clean(text(row, "queue")), clean(text(row, "lane")), jobs, at(row, "firstEnqueued", "lastEnqueued"), due];
  });
  for (const line of table(world.out, columns, lines)) say(world.out, `  ${line}`);
}

function between(firstMs: number, lastMs: number): string {
  const [first, last] = [dateTime(firstMs), dateTime(lastMs)];
  if (first === last) return first;
  return first.slice(0, 10) === last.slice(0, 10) ? `${first} to ${last.slice(11)}` : `${first} to ${last}`;
}

function tellLists(world: World, lists: readonly JsonObject[], complete: boolean): void {
  const { out } = world;
  if (lists.every((row) => row["list"] === null)) return;
  const sum = (row: JsonObject): number => (number(row, "messages") ?? 0) + (number(row, "fanOuts") ?? 0);
  const sorted = lists.toSorted((a, b) => sum(b) - sum(a));
  say(out);
  const lines = sorted.slice(0, LISTS_SHOWN_MAX).map((row) => {
    const fanOuts = number(row, "fanOuts") ?? 0;
    const sends = fanOuts === 0 ? "" : `${grouped(fanOuts)} not yet to all`;
    const list = row["list"] === null ? "(none)" : clean(text(row, "list"));
    return [list, grouped(number(row, "messages") ?? 0), sends];
  });
  const columns = [{ title: "list" }, { title: "messages", align: "right" as const }, { title: "sends" }];
  for (const line of table(out, columns, lines)) say(out, `  ${line}`);
  const more = sorted.length - LISTS_SHOWN_MAX;
  if (more > 0) say(out, paint(out, "dim", `  and ${count(more, "other list")}`));
  if (!complete) say(out, paint(out, "dim", "  Only the first jobs were looked at for the lists; there are more."));
}

async function runList(world: World, _args: readonly string[], options: Options): Promise<Exit> {
  const limit = options.whole("limit", 1, LIMIT_MAX) ?? LIMIT_DEFAULT;
  using client = await openClient(world, options);
  const query = { queue: options.text("queue"), list: options.text("list"), request: options.text("request") };
  const found: JsonObject[] = [];
  let cursor: string | null = null;
  do {
    const body = await client.get("admin/held/jobs", { ...query, cursor, limit: PAGE_MAX });
    found.push(...rows(body).slice(0, limit - found.length));
    cursor = nextCursor(body);
  } while (cursor !== null && found.length < limit);
  if (options.flag("json")) for (const job of found) sayJson(world, job);
  else if (found.length === 0) say(world.err, "Nothing of that is held back.");
  else {
    showList(world, found);
    if (cursor !== null) say(world.err, paint(world.err, "dim", "There are more: --limit."));
  }
  return EXIT.ok;
}

function showList(world: World, jobs: readonly JsonObject[]): void {
  const columns = [
    { title: "enqueued" },
    { title: "due", drop: 2 },
    { title: "queue" },
    { title: "to", cut: "middle" as const, min: 12 },
    { title: "list", drop: 1 },
    { title: "key" },
  ];
  const lines = jobs.map((job) => {
    const due = number(job, "due") ?? 0;
    return [
      dateTime(timeMs(job, "enqueued") ?? 0),
      due <= world.clock.nowMs() ? "at once" : dateTime(due),
      clean(text(job, "queue")),
      clean(text(job, "recipient")),
      clean(text(job, "list")),
      { text: clean(text(job, "key")), style: "dim" as const },
    ];
  });
  for (const line of table(world.out, columns, lines)) say(world.out, line);
}

async function runRelease(world: World, _args: readonly string[], options: Options): Promise<Exit> {
  const choice = choiceOf(world, options);
  using client = await openClient(world, options);
  return await decide(world, client, "release", choice, options);
}

async function runDrop(world: World, _args: readonly string[], options: Options): Promise<Exit> {
  const choice = choiceOf(world, options);
  using client = await openClient(world, options);
  if (!options.flag("yes")) {
    const which = choice["all"] === true ? "everything that is held back" : "what you chose of what is held back";
    const sure = await world.confirm(`Give up ${which}, for good?`);
    if (sure === null) throw new UsageFault("this gives messages up for good; say --yes");
    if (!sure) return EXIT.no;
  }
  return await decide(world, client, "drop", choice, options);
}

/** What was chosen, as the server wants it. */
function choiceOf(world: World, options: Options): JsonObject {
  const choice: Record<string, string | number | boolean> = {};
  for (const name of ["queue", "list", "request"]) {
    const value = options.text(name);
    if (value !== null) choice[name] = value;
  }
  for (const [name, field] of [
    ["after", "enqueuedFrom"],
    ["before", "enqueuedBefore"],
    ["dueAfter", "dueFrom"],
    ["dueBefore", "dueBefore"],
  ] as const) {
    const value = options.text(name);
    if (value !== null) choice[field] = momentOf(world, name, value);
  }
  const isChosen = Object.keys(choice).length > 0;
  if (isChosen === options.flag("all")) {
    throw new UsageFault(
      "say which: --queue, --list, --request, --after, --before, --due-after, --due-before, or --all",
    );
  }
  return isChosen ? choice : { all: true };
}

function momentOf(world: World, name: string, value: string): number {
  const agoMs = durationMs(value);
  const ms = agoMs === null ? Date.parse(value) : world.clock.nowMs() - agoMs;
  if (Number.isFinite(ms)) return Math.floor(ms);
  throw new UsageFault(`--${dashed(name)} must be a time such as 2026-11-22T14:00 or 2h, not ${JSON.stringify(value)}`);
}

/** Goes step by step: a call of the server is bounded. */
async function decide(
  world: World,
  client: Client,
  then: "release" | "drop",
  choice: JsonObject,
  options: Options,
): Promise<Exit> {
  const total = number(object(await client.get("admin/held")), "jobs") ?? 0;
  const progress = new ProgressLine(world, then);
  let [done, gone] = [0, 0];
  let cursor: string | null = null;
  do {
    const body = cursor === null ? choice : { ...choice, cursor };
    const step = object((await client.callPatiently(world, "POST", `admin/held/${then}`, { body })).body);
    done += number(step, "done") ?? 0;
    gone += number(step, "gone") ?? 0;
    cursor = nextCursor(step);
    progress.tell(`${grouped(done)} of ${grouped(total)}`);
  } while (cursor !== null && !world.signal.aborted);
  progress.end();
  const result = then === "release" ? { released: done, gone } : { dropped: done, gone };
  if (options.flag("json")) sayJson(world, result);
  else if (done === 0) say(world.err, "Nothing of that is held back.");
  else say(world.out, `${count(done, "job")} ${then === "release" ? "released" : "dropped"}.`);
  if (cursor !== null) return EXIT.interrupted;
  return done === 0 ? EXIT.no : EXIT.ok;
}
