import type { MovedNumbers } from "#app/move-source.ts";
import { sumSql } from "#app/move-sum.ts";
import {
  BLOB_BYTES,
  type Column,
  type Key,
  MOVED_TABLES,
  type MovedTable,
  type Page,
  type Value,
} from "#app/move-tables.ts";
import { OperatorFault } from "#domain/faults.ts";
import { unreachable } from "#domain/invariant.ts";
import { bigints, doubles, texts } from "#drivers/postgres/arrays.ts";
import {
  type Ask,
  COMMIT,
  Database,
  type Statement,
  statement,
  type Value as PostgresValue,
} from "#drivers/postgres/connection.ts";
import { codeOf } from "#drivers/postgres/faults.ts";
import { migrate } from "#drivers/postgres/migrate.ts";
import { unreachableFault } from "#drivers/postgres/open-fault.ts";
import { quoted } from "#drivers/postgres/open.ts";
import { TRANSACTION_ROWS_MAX } from "#drivers/postgres/positions.ts";
import { toStored } from "#drivers/postgres/text.ts";
import { FINISHED_MOVE, UNFINISHED_MOVE } from "#drivers/postgres/unfinished.ts";

/** How far the copy of a table has come. */
export type Copied = {
  readonly after: Key | null;
  readonly rows: number;
  readonly isDone: boolean;
};

export const NOTHING_COPIED: Copied = { after: null, rows: 0, isDone: false };

export type MoveTargetOptions = {
  readonly url: string;
  readonly schema: string;
  readonly nowMs: number;
};

/** One writes or compares while the next page is read; one is spare. */
const CONNECTIONS_MAX = 2;
const UNIQUE_VIOLATION = "23505";
const DIVISION_BY_ZERO = "22012";
/** Fails its transaction unless exactly one row was hit. */
const ONE_HIT = "SELECT 1 / (count(*) = 1)::int FROM hit";

/** The schema that an installation moves into. Beside the store's tables it holds `move_progress` while it is copied. */
export class MoveTarget implements AsyncDisposable {
  readonly #db: Database;
  readonly #schema: string;
  readonly #url: string;
  readonly #adds = new Map<MovedTable, Statement>();
  readonly #sums = new Map<string, Statement>();

  private constructor(db: Database, schema: string, url: string) {
    this.#db = db;
    this.#schema = schema;
    this.#url = url;
  }

  /** @throws {OperatorFault} `store.unreachable`, `store.unfit` or `store.newer`. */
  static async open({ url, schema, nowMs }: MoveTargetOptions): Promise<MoveTarget> {
    try {
      await using parts = new AsyncDisposableStack();
      const applicationName = "tidings migrate";
      const db = parts.use(await Database.open({ url, applicationName, connectionsMax: CONNECTIONS_MAX }));
      const client = await db.single("patient");
      try {
        await migrate(client, quoted(schema), nowMs);
      } finally {
        await client.end();
      }
      parts.move();
      return new MoveTarget(db, quoted(schema), url);
    } catch (error) {
      throw unreachableFault(error, url);
    }
  }

  /** Whether this schema is where that move came to its end. */
  async hasFinished(id: number): Promise<boolean> {
    return (await this.#meta(FINISHED_MOVE)) === id;
  }

  async isClaimedBy(id: number): Promise<boolean> {
    return (await this.#meta(UNFINISHED_MOVE)) === id;
  }

  /**
   * From here on no node starts on this schema until the move is finished, and no other move may use it.
   * @throws {OperatorFault} `store.occupied` when there is anything in it that this move has not brought.
   */
  async claim(id: number): Promise<void> {
    const isEmpty = MOVED_TABLES.map(({ name }) => `NOT EXISTS (SELECT 1 FROM ${this.#table(name)})`);
    await this.#transact([
      [
        statement(`INSERT INTO ${this.#table("meta")} (name, value) SELECT '${UNFINISHED_MOVE}', $1
          WHERE ${isEmpty.join(" AND ")} ON CONFLICT (name) DO NOTHING`),
        [id],
      ],
      [
        statement(`CREATE TABLE IF NOT EXISTS ${this.#table("move_progress")}
          (name text PRIMARY KEY, after text, rows bigint NOT NULL, done boolean NOT NULL)`),
      ],
      [
        // Nothing of this was done unless it is our move that holds the schema now.
        statement(`WITH hit AS (SELECT 1 FROM ${this.#table("meta")} WHERE name = '${UNFINISHED_MOVE}' AND value = $1)
          ${ONE_HIT}`),
        [id],
      ],
    ]).catch((error: unknown) => {
      if (codeOf(error) !== DIVISION_BY_ZERO) throw error;
      throw new OperatorFault(
        "store.occupied",
        `The schema ${this.#schema} of that database holds an installation already, or a part of one. Name another one ` +
          `with --database-schema, or empty this one: DROP SCHEMA ${this.#schema} CASCADE`,
        { cause: error },
      );
    });
  }

  async progress(): Promise<ReadonlyMap<string, Copied>> {
    const { rows } = await this.#ask<[name: string, after: string | null, rows: number, isDone: boolean]>(
      statement(`SELECT name, after, rows, done FROM ${this.#table("move_progress")}`),
    );
    // Only `add` writes `after`.
    const keyOf = (after: string | null): Key | null => (after === null ? null : (JSON.parse(after) as Key));
    return new Map(rows.map(([name, after, copied, isDone]) => [name, { after: keyOf(after), rows: copied, isDone }]));
  }

  /**
   * Adds a page, and notes in the same transaction how far the table is: it is there once, or not at all. Null: there are no
   * more. Does not wait for the disk; what a crash takes is copied again.
   *
   * @returns how far it is now.
   * @throws {OperatorFault} `move.disturbed` when somebody else writes here.
   */
  async add(table: MovedTable, page: Page | null, before: Copied): Promise<Copied> {
    const now: Copied =
      page === null
        ? { ...before, isDone: true }
        : { after: page.upTo, rows: before.rows + page.rows.length, isDone: false };
    const note: Ask = [
      statement(`WITH hit AS (INSERT INTO ${this.#table("move_progress")} AS p (name, after, rows, done)
        SELECT $1::text, $2::text, $3::bigint, $4::boolean
        ON CONFLICT (name) DO UPDATE SET after = excluded.after, rows = excluded.rows, done = excluded.done
          WHERE p.after IS NOT DISTINCT FROM $5::text AND p.rows = $6::bigint AND NOT p.done RETURNING 1) ${ONE_HIT}`),
      [table.name, textOf(now.after), now.rows, now.isDone, textOf(before.after), before.rows],
    ];
    const rows = page === null ? [] : this.#rows(table, page);
    await this.#transact([[UNAWAITED], [AS_IT_STOOD], note, ...rows]).catch((error: unknown) => {
      const code = codeOf(error);
      if (code !== UNIQUE_VIOLATION && code !== DIVISION_BY_ZERO) throw error;
      throw new OperatorFault(
        "move.disturbed",
        `Somebody else writes into the schema ${this.#schema} while ${table.name} is copied: another tidings migrate, or a node`,
        { cause: error },
      );
    });
    return now;
  }

  /** Counts and sums what is behind one key and up to another; up to the end when that is null. */
  async sum(table: MovedTable, after: Key | null, upTo: Key | null): Promise<{ count: number; sum: bigint }> {
    const columns = table.columns.filter(({ name }) => table.key.includes(name));
    const values: PostgresValue[] = [];
    // A key's columns are in another order than the table's, perhaps.
    const bound = (key: Key): string => {
      const marks = table.key.map((name, at) => {
        const kind = columns.find((column) => column.name === name)?.kind ?? "text";
        return `$${values.push(scalar(key[at] ?? null))}::${kind === "text" ? "text" : "bigint"}`;
      });
      return `(${marks.join(", ")})`;
    };
    const key = `(${table.key.join(", ")})`;
    const conditions = [
      ...(after === null ? [] : [`${key} > ${bound(after)}`]),
      ...(upTo === null ? [] : [`${key} <= ${bound(upTo)}`]),
    ];
    const where = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`;
    const text = `SELECT count(*), coalesce(sum(${sumSql(table)}), 0)::text FROM ${this.#table(table.name)} ${where}`;
    let what = this.#sums.get(text);
    if (what === undefined) this.#sums.set(text, (what = statement(text)));
    const { rows } = await this.#ask<[count: number, sum: string]>(what, values);
    const [count, sum] = rows[0] ?? [0, "0"];
    return { count, sum: BigInt(sum) };
  }

  /** Plans are made from what is known of a table, and depths of queues estimated: see that it is. */
  async analyze(tables: readonly MovedTable[]): Promise<void> {
    const client = await this.#db.single("patient");
    try {
      for (const { name } of tables) await client.query(`ANALYZE ${this.#table(name)}`);
    } finally {
      await client.end();
    }
  }

  /**
   * Makes a whole installation of what was copied, in one transaction that waits for the disk: numbers go on behind those
   * of the source, and nodes may start.
   */
  async finish(id: number, { journalTrimmed, newest, fence }: MovedNumbers): Promise<void> {
    const put = `INSERT INTO ${this.#table("meta")} (name, value)`;
    const orReplace = "ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    const trimmed: Ask[] =
      journalTrimmed === null
        ? []
        : [[statement(`${put} VALUES ('journal.trimmed', $1) ${orReplace}`), [journalTrimmed]]];
    await this.#transact([
      [
        statement(`WITH hit AS (DELETE FROM ${this.#table("meta")} WHERE name = '${UNFINISHED_MOVE}' AND value = $1
          RETURNING 1) ${ONE_HIT}`),
        [id],
      ],
      ...trimmed,
      [
        // Behind the newest, whichever transaction writes next; and readers see the newest, whichever is still open.
        statement(`${put} SELECT 'journal.offset', $1::bigint
          - (pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1) * ${TRANSACTION_ROWS_MAX} ${orReplace}`),
        [newest],
      ],
      [
        statement(`SELECT setval('${this.#table("fences").replaceAll("'", "''")}',
          greatest((SELECT last_value FROM ${this.#table("fences")}), $1::bigint + 1))`),
        [fence],
      ],
      [statement(`${put} VALUES ('${FINISHED_MOVE}', $1)`), [id]],
      [statement(`DROP TABLE ${this.#table("move_progress")}`)],
    ]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#db[Symbol.asyncDispose]();
  }

  #table(name: string): string {
    return `${this.#schema}.${name}`;
  }

  async #meta(name: string): Promise<number | null> {
    const { rows } = await this.#ask<[number]>(
      statement(`SELECT value FROM ${this.#table("meta")} WHERE name = '${name}'`),
    );
    return rows[0]?.[0] ?? null;
  }

  async #ask<Row extends readonly unknown[]>(what: Statement, values: readonly PostgresValue[] = []) {
    try {
      return await this.#db.ask<Row>(what, values);
    } catch (error) {
      throw unreachableFault(error, this.#url);
    }
  }

  async #transact(asks: readonly Ask[]): Promise<void> {
    try {
      await this.#db.hold((session) => session.flight([[this.#db.begin], ...asks, [COMMIT]]));
    } catch (error) {
      throw unreachableFault(error, this.#url);
    }
  }

  #rows(table: MovedTable, page: Page): Ask[] {
    let add = this.#adds.get(table);
    if (add === undefined) this.#adds.set(table, (add = statement(addSql(this.#schema, table))));
    const what = add;
    // A part of a blob is large enough to go by itself.
    if (table === BLOB_BYTES) return page.rows.map((row): Ask => [what, row.map(scalar)]);
    return [
      [
        what,
        table.columns.map((column, at) =>
          array(
            column,
            page.rows.map((row) => row[at] ?? null),
          ),
        ),
      ],
    ];
  }
}

const UNAWAITED = statement("SET LOCAL synchronous_commit = off");
/** Jobs of a group come in the order of their keys, each with the place that it had: nothing is to be put in order on the way. */
const AS_IT_STOOD = statement("SET LOCAL tidings.regroup = off");

function addSql(schema: string, table: MovedTable): string {
  const names = table.columns.map(({ name }) => name).join(", ");
  const into = `INSERT INTO ${schema}.${table.name} (${names})`;
  if (table === BLOB_BYTES) return `${into} VALUES (${table.columns.map((_, at) => `$${at + 1}`).join(", ")})`;
  const types = { text: "text[]", whole: "bigint[]", double: "float8[]", bytes: "bytea[]" } as const;
  return `${into} SELECT * FROM unnest(${table.columns.map(({ kind }, at) => `$${at + 1}::${types[kind]}`).join(", ")})`;
}

function array({ kind }: Column, values: readonly Value[]): PostgresValue {
  switch (kind) {
    case "text":
      return texts(values.map((value) => (value === null ? null : String(value))));
    case "whole":
      return bigints(values.map(numberOf));
    case "double":
      return doubles(values.map(numberOf));
    case "bytes":
      throw new Error("broken invariant: bytes do not travel in arrays");
    default:
      return unreachable(kind);
  }
}

function numberOf(value: Value): number | null {
  return value === null ? null : Number(value);
}

function scalar(value: Value): PostgresValue {
  if (typeof value === "string") return toStored(value);
  return value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.length) : value;
}

function textOf(key: Key | null): string | null {
  return key === null ? null : JSON.stringify(key);
}
