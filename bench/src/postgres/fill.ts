import pg from "pg";
import type { Store } from "../../../server/src/ports/store.ts";
import { idOf, lifeOf } from "./lives.ts";

/*
 * A store as it is after months, made in minutes: the driver itself writes one message that was sent and one that waits,
 * and their rows are then written again and again by SQL, with ids, recipients and times of their own, in the order of
 * their times. So each row has the form that the driver gives it.
 */

export type Sizes = { readonly events: number; readonly waiting: number };

/** Lives in one statement. */
const STEP = 50_000;
/** Made requests were accepted so many a second, up to now; their ids say so. */
const PER_SECOND = 2_000;
/** Who is written to: so many persons, in turn. */
const PERSONS = 100_000;
const EVENTS_OF_SENT = 4;
/** Jobs that workers have in hand: two with all that they may have. */
const HELD = 2_048;
const HELD_STEP = 256;
/** Longer than the run. */
const HELD_MS = 86_400_000;
const DAY_MS = 86_400_000;
/** Due in a month, one every second. */
const DELAY_MS = 30 * DAY_MS;
const TIMER_STEP_MS = 1_000;

/** @param schema of the store, which is open and empty. @returns how many messages there are. */
export async function fill(
  store: Store,
  url: string,
  schema: string,
  { events, waiting }: Sizes,
  nowMs: number,
): Promise<number> {
  const sent = Math.max(0, Math.ceil((events - waiting) / EVENTS_OF_SENT));
  const lives = sent + waiting;
  const startMs = nowMs - (lives / PER_SECOND) * 1000 - DAY_MS;
  const [past, later] = [idOf(startMs - DAY_MS, "a".repeat(24)), idOf(startMs - DAY_MS, "b".repeat(24))];
  const life = lifeOf(past, "person", startMs);
  await store.commit([life.accept]);
  await store.commit([life.result, lifeOf(later, "person", startMs, nowMs + DELAY_MS).accept]);
  const { last } = await store.journalBounds();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query("SET synchronous_commit = off; SET maintenance_work_mem = '512MB'");
    // What is written from now on comes behind all that is made.
    await client.query(`UPDATE ${schema}.meta SET value = value + $1 WHERE name = 'journal.offset'`, [
      2 * EVENTS_OF_SENT * lives,
    ]);
    const copy = await copier(client, schema, startMs, last);
    // One waiting life behind every so many that were sent, as they would have come.
    const steps = Math.max(1, Math.ceil(lives / STEP));
    for (let step = 0; step < steps; step += 1) {
      const share = (of: number, at: number): number => Math.floor((of * at) / steps);
      const from = share(lives, step);
      const sentHere = share(sent, step + 1) - share(sent, step);
      await copy(past, from, sentHere);
      await copy(later, from + sentHere, share(lives, step + 1) - from - sentHere);
    }
    await client.query(
      `VACUUM (ANALYZE) ${["requests", "messages", "jobs", "events"].map((name) => `${schema}.${name}`).join()}`,
    );
    // In hand of others, and more than statistics know of: they are made when none are.
    const held = Array.from({ length: HELD }, (_, at) =>
      lifeOf(idOf(nowMs, String(at).padStart(24, "c")), "person", nowMs, null, HELD_MS),
    );
    for (let from = 0; from < HELD; from += HELD_STEP)
      await store.commit(held.slice(from, from + HELD_STEP).map(({ accept }) => accept));
    await client.query("CHECKPOINT");
  } finally {
    await client.end();
  }
  return lives;
}

type Copy = (template: string, from: number, count: number) => Promise<void>;

async function copier(client: pg.Client, schema: string, startMs: number, last: number): Promise<Copy> {
  const at = `(${startMs} + n * ${1000 / PER_SECOND})::bigint`;
  const id = `'1-' || to_hex(${at} / 1000) || '-' || substr(md5(n::text), 1, 24)`;
  const person = `'person-' || n % ${PERSONS}`;
  const tables: readonly Table[] = [
    { name: "requests", where: "id", own: { id, accepted_ms: at } },
    {
      name: "messages",
      where: "id",
      own: { id, request_id: id, seq: "n", enqueued_ms: at, recipient: person, user_id: person },
    },
    {
      name: "jobs",
      where: "key",
      own: { key: id, id: "n", enqueued_ms: at, due_ms: `t.due_ms + n * ${TIMER_STEP_MS}` },
    },
    {
      name: "events",
      where: "subject",
      // Behind one another, however many each life has.
      own: {
        subject: id,
        time_ms: at,
        position: `${last} + n * ${EVENTS_OF_SENT} + row_number() OVER (PARTITION BY n ORDER BY t.position)`,
      },
    },
  ];
  const texts: string[] = [];
  for (const table of tables) texts.push(await copySql(client, schema, table));
  return async (template, from, count) => {
    if (count === 0) return;
    for (const text of texts) await client.query(text, [template, from, from + count - 1]);
  };
}

/** `own`: columns that a copy has for itself, as SQL of its number `n` and the template's row `t`. */
type Table = { readonly name: string; readonly where: string; readonly own: Readonly<Record<string, string>> };

/** $1 the template's id, $2 and $3 the first and last number. */
async function copySql(client: pg.Client, schema: string, { name, where, own }: Table): Promise<string> {
  const { rows } = await client.query<{ readonly column: string }>(
    `SELECT attname AS column FROM pg_attribute
     WHERE attrelid = '${schema}.${name}'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
  );
  const columns = rows.map(({ column }) => column);
  const values = columns.map((column) => own[column] ?? `t.${column}`);
  return `INSERT INTO ${schema}.${name} (${columns.join(", ")}) SELECT ${values.join(", ")}
    FROM generate_series($2::bigint, $3::bigint) AS n, ${schema}.${name} AS t WHERE t.${where} = $1 ORDER BY n`;
}
