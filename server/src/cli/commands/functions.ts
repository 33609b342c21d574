import type { Command } from "commander";
import { openClient } from "#cli/access.ts";
import { type Client, segment } from "#cli/client.ts";
import { EXIT, type Exit, UsageFault } from "#cli/exit.ts";
import { inputOf } from "#cli/function-input.ts";
import { nextCursor, number, object, rows, text, timeMs } from "#cli/json.ts";
import { acting, command, examples, type Options, withServer } from "#cli/options.ts";
import { ago, count, dateTime, grouped, paint, span, type Style, table } from "#cli/output.ts";
import { readText } from "#cli/read-text.ts";
import { clean, cleanLines } from "#cli/text.ts";
import { pause, say, sayJson, type World } from "#cli/world.ts";
import type { Json, JsonObject } from "#domain/json.ts";

const PAGE_MAX = 100;
const LOGS_MAX = 1_000;
const LOGS_DEFAULT = 20;
/** How often `--follow` looks: what a handler says is there with the commit that ends its call. */
const FOLLOW_MS = 500;
/** Longest call of a function (docs/functions.md), and a moment more. */
const CALL_MS_MAX = 910_000;

export function functionsCommand(world: World, answer: (exit: Exit) => void): Command {
  const functions = command(
    world,
    "tidings functions",
    "Your own handlers, in the folder of functions. See what is loaded, what failed and what was logged; call one by hand.",
  );
  const one = (name: string, says: string): Command =>
    command(world, name, says).argument("<name>", "the function's name, such as billing.charge");
  const logs = one(
    "logs",
    "Show calls that failed or logged something, oldest first, with what they said. Calls that were fine and said nothing are only counted.",
  )
    .summary("show calls that failed or logged something")
    .option("--failed", "only those that failed")
    .option("--limit <n>", `so many (default: ${LOGS_DEFAULT})`)
    .option("-f, --follow", "go on showing what comes");
  const invoke = one(
    "invoke",
    "Call a function now. What it emits is committed. Exit code 1 when it fails; nothing of that is kept but its log.",
  )
    .summary("call a function now")
    .option("--body <json>", "of the message or call, or the event's data; the rest is made up (default: null)")
    .option("--data <json>", "all of what the handler is given: JSON, @FILE, or - for standard input");
  const reload = command(world, "reload", "Read all functions anew. Exit code 1 when a file cannot be loaded.");
  functions
    .addCommand(acting(withServer(command(world, "list", "List functions (the default).")), world, answer, runList), {
      isDefault: true,
    })
    .addCommand(acting(withServer(one("show", "Show one function.")), world, answer, runShow))
    .addCommand(acting(withServer(logs), world, answer, runLogs))
    .addCommand(acting(withServer(invoke), world, answer, runInvoke))
    .addCommand(acting(withServer(reload), world, answer, runReload))
    .addHelpText(
      "after",
      examples(
        ["tidings functions", "what is loaded, and how does it do?"],
        ["tidings functions logs welcome --follow", "what does it say?"],
        ["tidings functions invoke charge --body '{\"amount\": 12}'", "try it now"],
      ),
    );
  return functions;
}

async function runList(world: World, _args: readonly string[], options: Options): Promise<Exit> {
  using client = await openClient(world, options);
  const body = await client.get("functions");
  const found = rows(body);
  const faults = rows(body, "faults");
  if (options.flag("json")) {
    sayJson(world, body);
    return EXIT.ok;
  }
  if (found.length === 0 && faults.length === 0) {
    say(world.err, "No functions. A file with a default export in the folder `functions` is one; docs/functions.md.");
  }
  if (found.length > 0) showList(world, found);
  showFaults(world, faults);
  return EXIT.ok;
}

function showList(world: World, functions: readonly JsonObject[]): void {
  const nowMs = world.clock.nowMs();
  const columns = [
    { title: "function", cut: "middle" as const, min: 12 },
    { title: "trigger", cut: "end" as const, min: 16 },
    { title: "state" },
    { title: "calls", align: "right" as const, drop: 1 },
    { title: "failed", align: "right" as const },
    { title: "next", align: "right" as const, drop: 3 },
    { title: "last error", cut: "end" as const, min: 12, drop: 2 },
  ];
  const lines = functions.map((one) => {
    const calls = object(one["calls"]);
    const failed = number(calls, "failed") ?? 0;
    const error = object(one["last_error"]);
    const at = timeMs(error, "at");
    const fault = text(one, "fault");
    const says = fault !== "" ? fault : at === null ? "" : `${errorText(error)} (${ago(nowMs, at)})`;
    const next = timeMs(one, "next_run");
    return [
      clean(text(one, "name")),
      triggerText(one),
      { text: clean(text(one, "state")), style: text(one, "state") === "running" ? "green" : ("red" as Style) },
      grouped((number(calls, "done") ?? 0) + failed),
      failed === 0 ? "0" : { text: grouped(failed), style: "red" as const },
      next === null ? "" : inTime(nowMs, next),
      { text: clean(says), style: "red" as const },
    ];
  });
  for (const line of table(world.out, columns, lines)) say(world.out, line);
}

function showFaults(world: World, faults: readonly JsonObject[]): void {
  for (const fault of faults) {
    const line = number(fault, "line");
    const place = `${clean(text(fault, "file"))}${line === null ? "" : `:${line}`}`;
    say(world.err, `${paint(world.err, "red", "✗")} ${place}  ${clean(text(fault, "message"))}`);
  }
}

async function runShow(world: World, [name = ""]: readonly string[], options: Options): Promise<Exit> {
  using client = await openClient(world, options);
  const found = object(await client.get(`functions/${segment(name)}`));
  if (options.flag("json")) sayJson(world, found);
  else showOne(world, found);
  return EXIT.ok;
}

function showOne(world: World, found: JsonObject): void {
  const { out } = world;
  const nowMs = world.clock.nowMs();
  const calls = object(found["calls"]);
  const failed = number(calls, "failed") ?? 0;
  const error = object(found["last_error"]);
  const errorAt = timeMs(error, "at");
  const [lastMs, nextMs, waiting] = [timeMs(found, "last_run"), timeMs(found, "next_run"), number(found, "waiting")];
  const line = number(found, "line");
  const facts: readonly (readonly [string, string])[] = [
    ["file", `${clean(text(found, "file"))}${line === null ? "" : `:${line}`}`],
    ["trigger", triggerText(found)],
    ["state", clean(text(found, "state"))],
    ["fault", clean(text(found, "fault"))],
    [
      "calls",
      `${grouped((number(calls, "done") ?? 0) + failed)}, ${grouped(failed)} failed (this node, since its start)`,
    ],
    ["waiting", waiting === null ? "" : grouped(waiting)],
    ["last run", lastMs === null ? "" : ago(nowMs, lastMs)],
    ["next run", nextMs === null ? "" : `${dateTime(nextMs)} (${inTime(nowMs, nextMs)})`],
    ["last error", errorAt === null ? "" : `${errorText(error)} (${ago(nowMs, errorAt)})`],
    [
      "limits",
      [
        `${span(number(found, "timeout_ms") ?? 0)} a call`,
        `${grouped(number(found, "concurrency") ?? 0)} at once`,
        count(number(found, "attempts") ?? 0, "attempt"),
        `${grouped(number(found, "memory_mb") ?? 0)} MB`,
      ].join(", "),
    ],
  ];
  say(out, paint(out, "bold", clean(text(found, "name"))));
  for (const [title, value] of facts) if (value !== "") say(out, `  ${paint(out, "dim", title.padEnd(10))} ${value}`);
}

async function runLogs(world: World, [name = ""]: readonly string[], options: Options): Promise<Exit> {
  const limit = options.whole("limit", 1, LOGS_MAX) ?? LOGS_DEFAULT;
  using client = await openClient(world, options);
  const path = `functions/${segment(name)}/invocations`;
  const failed = options.flag("failed") ? true : null;
  const show = (invocation: JsonObject): void => {
    if (options.flag("json")) sayJson(world, invocation);
    else showInvocation(world, invocation);
  };
  const found = (await newestOf(client, path, failed, limit)).toReversed();
  for (const invocation of found) show(invocation);
  if (!options.flag("follow")) {
    if (found.length === 0 && !options.flag("json"))
      say(world.err, `No call of ${clean(name)} has ${failed === true ? "failed" : "failed or logged anything"}.`);
    return EXIT.ok;
  }
  let seen = new Set(found.map((invocation) => text(invocation, "id")));
  while (await pause(world, FOLLOW_MS)) {
    const page = await newestOf(client, path, failed, LOGS_MAX, seen);
    for (const invocation of page.toReversed()) if (!seen.has(text(invocation, "id"))) show(invocation);
    // The last ones are enough to know where we were.
    const ids = [...seen, ...page.toReversed().map((invocation) => text(invocation, "id"))];
    seen = new Set([...new Set(ids)].slice(-LOGS_MAX));
  }
  // Whoever follows for ever ends it by interrupting.
  return EXIT.interrupted;
}

/** Newest first, up to a page that holds one of `until`. */
async function newestOf(
  client: Client,
  path: string,
  failed: boolean | null,
  limit: number,
  until: ReadonlySet<string> = new Set(),
): Promise<readonly JsonObject[]> {
  const found: JsonObject[] = [];
  let cursor: string | null = null;
  do {
    const page = { cursor, failed, limit: Math.min(PAGE_MAX, limit - found.length) };
    const body: Json = await client.get(path, page);
    const some = rows(body);
    found.push(...some);
    cursor = some.some((invocation) => until.has(text(invocation, "id"))) ? null : nextCursor(body);
  } while (cursor !== null && found.length < limit);
  return found;
}

function showInvocation(world: World, invocation: JsonObject): void {
  const { out } = world;
  const outcome = text(invocation, "outcome");
  const mark = outcome === "done" ? paint(out, "green", "✓") : paint(out, "red", "✗");
  const attempt = number(invocation, "attempt") ?? 1;
  const again = attempt > 1 ? `, attempt ${attempt}` : "";
  const tookMs = number(invocation, "took_ms") ?? 0;
  const head = `${mark} ${dateTime(timeMs(invocation, "started") ?? 0)}  ${clean(text(invocation, "id"))}`;
  say(out, `${head}  ${paint(out, "dim", `${span(tookMs)}${again}`)}`);
  showLogs(world, rows(invocation["logs"]));
  showError(world, object(invocation["error"]));
}

const LEVEL_STYLES: Readonly<Record<string, Style>> = { debug: "dim", info: "cyan", warn: "yellow", error: "red" };

function showLogs(world: World, logs: readonly JsonObject[]): void {
  const { out } = world;
  for (const line of logs) {
    const level = text(line, "level");
    const fields = line["fields"] ?? null;
    const [first = "", ...others] = cleanLines(text(line, "text"));
    const rest = fields === null ? "" : `  ${paint(out, "dim", clean(JSON.stringify(fields)))}`;
    say(out, `    ${paint(out, LEVEL_STYLES[level] ?? "dim", clean(level).padEnd(5))} ${first}${rest}`);
    for (const other of others) say(out, `          ${other}`);
  }
}

function showError(world: World, error: JsonObject): void {
  const { out } = world;
  if (text(error, "name") === "") return;
  const at = text(error, "at");
  say(out, `    ${paint(out, "red", errorText(error))}${at === "" ? "" : `  ${paint(out, "dim", clean(at))}`}`);
}

async function runInvoke(world: World, [name = ""]: readonly string[], options: Options): Promise<Exit> {
  if (options.text("data") !== null && options.text("body") !== null)
    throw new UsageFault("say --body or --data, not both");
  const whole = await readInput(world, options.text("data"), "--data");
  const part = await readInput(world, options.text("body"), "--body");
  using client = await openClient(world, options);
  const path = `functions/${segment(name)}`;
  // JSON that was looked at just now.
  const body = JSON.parse(part ?? "null") as Json;
  const input = whole ?? JSON.stringify(inputOf(object(await client.get(path)), body, world.clock.nowMs()));
  const call = { text: `{"input":${input}}`, patienceMs: CALL_MS_MAX };
  const invoked = object((await client.call("POST", `${path}/invoke`, call)).body);
  const isDone = text(invoked, "outcome") === "done";
  if (options.flag("json")) sayJson(world, invoked);
  else {
    const { out } = world;
    const mark = isDone ? paint(out, "green", "✓") : paint(out, "red", "✗");
    const took = paint(out, "dim", span(number(invoked, "took_ms") ?? 0));
    say(out, `${mark} ${clean(name)}  ${clean(text(invoked, "id"))}  ${took}`);
    showLogs(world, rows(invoked["logs"]));
    showError(world, object(invoked["error"]));
    const output = invoked["output"] ?? null;
    if (output !== null) for (const line of cleanLines(JSON.stringify(output, null, 2))) say(out, line);
  }
  return isDone ? EXIT.ok : EXIT.no;
}

/** JSON text, looked at before a server is asked. */
async function readInput(world: World, data: string | null, option: string): Promise<string | null> {
  if (data === null) return null;
  const given = data === "-" || data.startsWith("@") ? await readText(world, data.replace(/^@/, ""), option) : data;
  try {
    JSON.parse(given);
    return given;
  } catch (error) {
    throw new UsageFault(`${option} must be JSON, @FILE or - (${error instanceof Error ? error.message : "?"})`);
  }
}

async function runReload(world: World, _args: readonly string[], options: Options): Promise<Exit> {
  using client = await openClient(world, options);
  const { body } = await client.call("POST", "functions/reload");
  const [found, faults] = [rows(body), rows(body, "faults")];
  const broken = faults.length + found.filter((one) => text(one, "state") === "faulty").length;
  if (options.flag("json")) sayJson(world, body);
  else {
    const running = found.filter((one) => text(one, "state") === "running").length;
    const mark = broken === 0 ? paint(world.out, "green", "✓") : paint(world.out, "red", "✗");
    say(world.out, `${mark} ${count(running, "function")} running${broken === 0 ? "" : `, ${count(broken, "fault")}`}`);
    showFaults(world, faults);
    for (const one of found) {
      if (text(one, "state") !== "faulty") continue;
      showFaults(world, [{ file: one["file"] ?? "", line: one["line"] ?? null, message: one["fault"] ?? "" }]);
    }
  }
  return broken === 0 ? EXIT.ok : EXIT.no;
}

function triggerText(one: JsonObject): string {
  const trigger = object(one["trigger"]);
  return clean(`${text(trigger, "kind")} ${text(trigger, "says")}`.trim());
}

function errorText(error: JsonObject): string {
  const [first = ""] = cleanLines(text(error, "message"));
  return `${clean(text(error, "name"))}: ${first}`;
}

function inTime(nowMs: number, thenMs: number): string {
  return thenMs <= nowMs ? "now" : `in ${span(thenMs - nowMs)}`;
}
