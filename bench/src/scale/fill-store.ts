import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { sleep } from "../children.ts";
import { addressOf, sendBody } from "../mail.ts";
import { steadyMs } from "../measure.ts";
import { KEY, Tidings } from "../tidings.ts";
import { CountingSink } from "./counting.ts";

/*
 * A store as it is after months, made in minutes: the program itself accepts one mail and one that is delayed, and their
 * rows are then written again and again by SQL with ids, addresses and times of their own. So every row is one that the
 * program wrote, in the order in which it would have written them.
 */

export type StoreSize = { readonly events: number; readonly timers: number; readonly tookMs: number };

const DAY_MS = 86_400_000;
/** Due in a month, one every second. */
const DELAY_MS = 30 * DAY_MS;
const TIMER_STEP_MS = 1_000;
/** Copies in one transaction. */
const STEP = 20_000;
/** Made requests were accepted so many a second, up to now; their ids say so. */
const PER_SECOND = 2_000;
const SETTLE_MS = 100;
/** Bursts of the templates; see mail.ts. */
const PAST = "past";
const LATER = "later";

/** Makes or completes it: what is missing of the events (trimmed by an earlier run) is added. */
export async function fillStore(
  dataDir: string,
  wanted: { readonly events: number; readonly timers: number },
): Promise<StoreSize> {
  const startMs = steadyMs();
  const file = join(dataDir, "tidings.db");
  if (!existsSync(file)) {
    const partial = `${dataDir}.partial`;
    rmSync(partial, { recursive: true, force: true });
    mkdirSync(partial, { recursive: true });
    await acceptTemplates(partial);
    multiply(join(partial, "tidings.db"), wanted);
    // The kept folder exists only when it is whole.
    renameSync(partial, dataDir);
  } else multiply(file, wanted);
  return { ...sizeOf(file), tookMs: steadyMs() - startMs };
}

async function acceptTemplates(dataDir: string): Promise<void> {
  await using sink = await CountingSink.start();
  await using tidings = await Tidings.start({ smtpPort: sink.port, dataDir });
  await post(tidings, sendBody(PAST, 0));
  await post(tidings, sendBody(LATER, 0, { delay: { duration: DELAY_MS } }));
  for (;;) {
    const { ready, held } = await tidings.jobs();
    if (ready + held === 0) return;
    await sleep(SETTLE_MS);
  }
}

async function post(tidings: Tidings, body: string): Promise<void> {
  const headers = { "content-type": "application/json", authorization: `Bearer ${KEY}` };
  const answer = await fetch(new URL("/send", tidings.url), { method: "POST", headers, body });
  if (answer.status !== 202) throw new Error(await answer.text());
}

function sizeOf(file: string): { events: number; timers: number } {
  using db = new DatabaseSync(file, { readOnly: true });
  return { events: number(db, "SELECT max(position) - min(position) + 1 FROM events"), timers: timersOf(db) };
}

function timersOf(db: DatabaseSync): number {
  return number(db, "SELECT count(*) FROM jobs WHERE state = 0");
}

function multiply(file: string, wanted: { readonly events: number; readonly timers: number }): void {
  using db = new DatabaseSync(file);
  // Nothing is promised to anybody yet: a crash here leaves a folder that is made anew.
  db.exec("PRAGMA synchronous = OFF; PRAGMA cache_size = -262144; CREATE TEMP TABLE numbers (n INTEGER PRIMARY KEY)");
  const past = copier(db, PAST);
  const later = copier(db, LATER);
  const timers = Math.max(0, wanted.timers - timersOf(db));
  for (let from = 0; from < timers; from += STEP) later(timersOf(db), Math.min(STEP, timers - from));
  const events = number(db, "SELECT max(position) - min(position) + 1 FROM events");
  const missing = Math.ceil((wanted.events - events) / past.eventsEach);
  const made = number(db, "SELECT count(*) FROM requests");
  for (let from = 0; from < missing; from += STEP) past(made + from, Math.min(STEP, missing - from));
  db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
}

type Copier = ((from: number, count: number) => void) & { readonly eventsEach: number };

/** @returns what writes the rows of one template request again, numbered from `from`. */
function copier(db: DatabaseSync, burst: string): Copier {
  const id = text(db, `SELECT id FROM requests WHERE body LIKE '%${addressOf(burst, 0)}%' ORDER BY seq LIMIT 1`);
  const tables = [
    { name: "requests", where: "id = ?", own: "seq" },
    { name: "messages", where: "request_id = ?", own: "seq" },
    { name: "jobs", where: "key = ?", own: "id" },
    { name: "events", where: "subject = ?", own: "position" },
  ];
  const statements = tables.map(({ name, where, own }) => {
    db.exec(`CREATE TEMP TABLE ${burst}_${name} AS SELECT * FROM main.${name} WHERE ${where.replace("?", `'${id}'`)}`);
    const columns = columnsOf(db, name).filter(({ name: column }) => column !== own);
    const values = columns.map(({ name: column, type }) => valueOf(column, type, burst, id));
    const names = columns.map(({ name: column }) => column).join(", ");
    return db.prepare(
      `INSERT INTO main.${name} (${names}) SELECT ${values.join(", ")} FROM temp.numbers CROSS JOIN temp.${burst}_${name} AS t ORDER BY n, t.rowid`,
    );
  });
  const copy = (from: number, count: number): void => {
    db.exec("BEGIN; DELETE FROM temp.numbers");
    db.prepare(
      "INSERT INTO temp.numbers WITH RECURSIVE up(n) AS (VALUES (?) UNION ALL SELECT n + 1 FROM up WHERE n < ?) SELECT n FROM up",
    ).run(from + 1, from + count);
    for (const statement of statements) statement.run();
    db.exec("COMMIT");
  };
  return Object.assign(copy, { eventsEach: number(db, `SELECT count(*) FROM temp.${burst}_events`) });
}

/** A column of a copy: ids and addresses get the number, due times a second each, other times stay. */
function valueOf(column: string, type: string, burst: string, id: string): string {
  if (column === "due_ms") return `t.due_ms + n * ${TIMER_STEP_MS}`;
  if (type !== "TEXT") return `t.${column}`;
  const seconds = Number.parseInt(id.slice(2, 10), 16);
  // Ids sort by their time: those of timers lie in the half hour before the others.
  const base = burst === LATER ? seconds - 7_200 : seconds - 3_600;
  const newId = `'1-' || printf('%08x', ${base} + n / ${PER_SECOND}) || '-' || printf('%024x', n)`;
  const [address, numbered] = [addressOf(burst, 0), addressOf(burst, 0).replace("-0@", "-@")];
  const at = numbered.indexOf("@");
  const newAddress = `'${numbered.slice(0, at)}' || n || '${numbered.slice(at)}'`;
  return `replace(replace(t.${column}, '${id}', ${newId}), '${address}', ${newAddress})`;
}

function columnsOf(db: DatabaseSync, table: string): readonly { readonly name: string; readonly type: string }[] {
  const rows = db.prepare("SELECT name, type FROM pragma_table_info(?)").all(table);
  return rows.map(({ name, type }) => ({ name: String(name), type: String(type) }));
}

function number(db: DatabaseSync, sql: string): number {
  return Number(Object.values(db.prepare(sql).get() ?? {})[0]);
}

function text(db: DatabaseSync, sql: string): string {
  const value = Object.values(db.prepare(sql).get() ?? {})[0];
  if (typeof value !== "string") throw new Error(`nothing found by ${sql}`);
  return value;
}
