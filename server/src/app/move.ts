/**
 * An installation moves from a data folder into a schema of Postgres. It must never be that two send what waits, nor that a
 * half one sends. So the folder is closed first, the schema is open last, and both closures are durable marks with the same
 * id, which only this move has:
 *
 *      data folder                          schema                                     killed behind this line:
 *   1  lock of a running server                                                        nothing has happened
 *   2  mark "moving": no start any more                                                run again: the schema is empty
 *   3                                       claimed by id: no start yet                run again
 *   4                                       a page, and how far that is: together      run again: goes on behind the page
 *   5                                       compared with the folder, every row        run again: compared from the start
 *   6                                       numbers go on, claim away: starts          run again: only 7 is left
 *   7  mark "moved": no start any more                                                 done
 *
 * Between 2 and 6 neither can be started, from 6 on the schema alone. Whoever gives up between 2 and 6 drops the schema and
 * deletes the mark, in that order, and goes on with the folder, in which nothing has changed. If the answer to the commit of
 * 6 is lost, the next run finds out. If somebody has started the folder in between all the same, with the mark deleted, the
 * next run has another id, which the claim of 3 does not let in; with the mark put back, 5 finds the rows that differ.
 */
import { rm } from "node:fs/promises";
import { setImmediate as turn } from "node:timers/promises";
import { diskFault } from "#app/disk-fault.ts";
import { type MoveMark, moveMarkFile, readMoveMark, refuseMoved, writeMoveMark } from "#app/move-mark.ts";
import { MoveSource, type PageMax } from "#app/move-source.ts";
import { sumOf } from "#app/move-sum.ts";
import { BLOB_BYTES, type Key, MOVED_TABLES, type MovedTable, type Page } from "#app/move-tables.ts";
import { MoveTarget, NOTHING_COPIED } from "#app/move-target.ts";
import { placeOf } from "#app/open-store.ts";
import { OperatorFault } from "#domain/faults.ts";
import type { Clock } from "#ports/clock.ts";
import type { Dice } from "#ports/dice.ts";

export type MoveWish = {
  readonly dataDir: string;
  /** `postgres://…` */
  readonly url: string;
  readonly schema: string;
  readonly clock: Clock;
  readonly dice: Dice;
  /** Told behind each page; what it throws ends the work, which the next run takes up. */
  readonly step: (progress: MoveProgress) => void;
  readonly pageMax?: PageMax;
};

export type MoveProgress = {
  readonly doing: string;
  /** Of all the work, 0 to 1; and what of that was done before this run. */
  readonly share: number;
  readonly before: number;
  /** Rows that this run has copied or compared. */
  readonly rows: number;
};

export type Moved = {
  /** Host and database. */
  readonly to: string;
  readonly schema: string;
  /** Whether an earlier run had begun it. */
  readonly resumed: boolean;
  /** Rows and checksums of each table, the same on both sides. */
  readonly tables: readonly { readonly table: string; readonly rows: number; readonly checksum: string }[];
  /** Position of the newest event. */
  readonly journalLast: number;
  readonly blobBytes: number;
  /** Blobs that the old store names and does not have; the new one has them neither. */
  readonly blobsMissing: readonly string[];
};

/** A few ms to read and some tens to write. */
const PAGE_MAX: PageMax = { rows: 2_000, bytes: 8 * 1024 * 1024 };
/** As long to copy as a row, by measure. */
const ROW_BYTES = 16 * 1024;
/** 48 bits: a number that JSON and bigint hold alike. */
const ID_BYTES = 6;

/**
 * @throws {OperatorFault} `store.missing`, `store.locked`, `store.newer`, `store.moved`, `store.moving`, `store.occupied`,
 * `store.unreachable`, `store.unfit`, `move.disturbed`, `move.differs` or `disk.failed`.
 */
export async function moveToPostgres(wish: MoveWish): Promise<Moved> {
  const { dataDir, url, schema, clock } = wish;
  try {
    await using source = await MoveSource.open(dataDir, clock);
    const found = await readMoveMark(dataDir);
    if (found?.state === "moved") await refuseMoved(dataDir);
    await using target = await MoveTarget.open({ url, schema, nowMs: clock.nowMs() });
    const mark = await begin(wish, target, found);
    const work = new Work(wish, source);
    const isDone = found !== null && (await target.hasFinished(found.id));
    if (!isDone) {
      const copied = await target.progress();
      work.hasDone(copied);
      for (const table of MOVED_TABLES) await copyTable(work, target, table, mark, copied.get(table.name));
    }
    const tables = [];
    // What has been started may have changed since.
    if (!isDone) for (const table of MOVED_TABLES) tables.push(await compareTable(work, target, table, mark));
    const numbers = source.numbers();
    if (!isDone) {
      await target.analyze(MOVED_TABLES);
      await target.finish(mark.id, numbers);
    }
    await writeMoveMark(dataDir, { ...mark, state: "moved", movedMs: Math.floor(clock.nowMs()) });
    const { journalLast } = numbers;
    const { blobBytes } = work;
    const { to } = mark;
    const blobsMissing = [...source.blobsMissing];
    return { to, schema, resumed: found !== null, tables, journalLast, blobBytes, blobsMissing };
  } catch (error) {
    throw diskFault(error, `What is in ${dataDir} could not be moved`);
  }
}

/** Closes the folder, then the schema. */
async function begin(wish: MoveWish, target: MoveTarget, found: MoveMark | null): Promise<MoveMark> {
  const { dataDir, url, schema, clock, dice } = wish;
  const to = placeOf(url);
  if (found !== null) {
    if (await target.hasFinished(found.id)) return found;
    // It may be the same place by another name.
    const isThere = (found.to === to && found.schema === schema) || (await target.isClaimedBy(found.id));
    if (!isThere) await refuseMoved(dataDir);
    await target.claim(found.id);
    return found;
  }
  const id = Number.parseInt(dice.hex(ID_BYTES), 16);
  const mark: MoveMark = { id, state: "moving", to, schema, begunMs: Math.floor(clock.nowMs()), movedMs: null };
  await writeMoveMark(dataDir, mark);
  try {
    await target.claim(id);
  } catch (error) {
    // Nothing was begun, so the folder is as free as it was.
    if (error instanceof OperatorFault && error.code === "store.occupied") await rm(moveMarkFile(dataDir));
    throw error;
  }
  return mark;
}

async function copyTable(
  work: Work,
  target: MoveTarget,
  table: MovedTable,
  mark: MoveMark,
  before = NOTHING_COPIED,
): Promise<void> {
  if (before.isDone) return;
  const doing = `copying ${table.name}`;
  let adding = Promise.resolve(before);
  try {
    for await (const page of work.pages(table, before.after, mark)) {
      const at = await adding;
      adding = target.add(table, page, at);
      // Its failure is heard below, when the next page has been read.
      adding.catch(() => {});
      work.tell(doing, page);
      // It goes out before we read on.
      await turn();
    }
    await target.add(table, null, await adding);
  } finally {
    await adding.catch(() => {});
  }
}

/** @throws {OperatorFault} `move.differs`, naming the table and where. */
async function compareTable(work: Work, target: MoveTarget, table: MovedTable, mark: MoveMark) {
  let [after, count, sum]: [Key | null, number, bigint] = [null, 0, 0n];
  for await (const page of work.pages(table, null, mark)) {
    const asked = target.sum(table, after, page.upTo);
    asked.catch(() => {});
    await turn();
    const here = sumOf(table, page.rows);
    const there = await asked;
    if (there.count !== page.rows.length || there.sum !== here) throw differs(table, page.upTo);
    [after, count, sum] = [page.upTo, count + page.rows.length, sum + here];
    work.tell(`comparing ${table.name}`, page);
  }
  if ((await target.sum(table, after, null)).count > 0) throw differs(table, after);
  return { table: table.name, rows: count, checksum: sum.toString(16) };
}

function differs(table: MovedTable, upTo: Key | null): OperatorFault {
  const where = upTo === null ? "" : `, at or before ${JSON.stringify(upTo)}`;
  return new OperatorFault(
    "move.differs",
    `What was copied of ${table.name} is not what is in the data folder${where}`,
  );
}

/** What there is to do, and how far it is. */
class Work {
  readonly blobBytes: number;
  readonly #source: MoveSource;
  readonly #step: MoveWish["step"];
  readonly #pageMax: PageMax;
  readonly #total: number;
  #before = 0;
  #done = 0;
  #rows = 0;

  constructor({ step, pageMax = PAGE_MAX }: MoveWish, source: MoveSource) {
    const { rows, blobBytes } = source.size(MOVED_TABLES);
    this.blobBytes = blobBytes;
    this.#source = source;
    this.#step = step;
    this.#pageMax = pageMax;
    const all = [...rows.values()].reduce((sum, one) => sum + one, 0);
    // Copied, and then compared.
    this.#total = 2 * (all + blobBytes / ROW_BYTES);
  }

  hasDone(copied: ReadonlyMap<string, { readonly rows: number }>): void {
    for (const { rows } of copied.values()) this.#before += rows;
    if ((copied.get(BLOB_BYTES.name)?.rows ?? 0) > 0) this.#before += this.blobBytes / ROW_BYTES;
    this.#done = this.#before;
  }

  pages(table: MovedTable, after: Key | null, { begunMs }: MoveMark): AsyncGenerator<Page> {
    return this.#source.pages(table, after, this.#pageMax, begunMs);
  }

  tell(doing: string, { rows }: Page): void {
    this.#rows += rows.length;
    this.#done += rows.length;
    for (const row of rows)
      for (const value of row) if (value instanceof Uint8Array) this.#done += value.length / ROW_BYTES;
    const share = (done: number): number => Math.min(0.999, done / Math.max(this.#total, 1));
    this.#step({ doing, share: share(this.#done), before: share(this.#before), rows: this.#rows });
  }
}
