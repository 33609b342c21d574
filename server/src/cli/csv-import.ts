import { createHash } from "node:crypto";
import { type FileHandle, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { CsvFault, type CsvRecord, CsvReader, csvLine, guessSeparator, readMark } from "#cli/csv.ts";
import { type Columns, type ImportRow, OWN_COLUMN, readColumns } from "#cli/csv-columns.ts";
import { number, object, text } from "#cli/json.ts";
import type { Json } from "#domain/json.ts";

/**
 * Brings a file of subscribers to a list, in batches, so that it can be stopped at any moment and go on there:
 *
 *     read a batch ▸ import it ▸ append its bad rows ▸ note the place ▸ …
 *
 * The note (`FILE.tidings-progress`) is replaced only after the server has committed the batch. A crash in between
 * imports that batch again, which changes nothing; the file of bad rows is cut back to the length in the note.
 */

/** Most rows in one call; what the server takes. */
export const ROWS_PER_CALL_MAX = 1_000;
/** Read at once from the file; about one batch of rows. */
const CHUNK_BYTES = 64 * 1024;
/** How much of the file's beginning tells it from another one. */
const FINGERPRINT_BYTES = 64 * 1024;
/** Longest header line. */
const HEAD_BYTES_MAX = 64 * 1024;

export type Rejected = { readonly row: number; readonly problem: string };
export type ImportPlan = {
  readonly file: string;
  readonly list: string;
  readonly maps: ReadonlyMap<string, string>;
  /** Null: guessed from the header. */
  readonly separator: string | null;
  /** Begin at the beginning although a note says otherwise. */
  readonly restart: boolean;
  /** Rows as they go out; answers those that were refused, by their place in `rows`. */
  readonly send: (rows: readonly ImportRow[]) => Promise<readonly Rejected[]>;
  readonly onProgress: (progress: Progress) => void;
  readonly signal: AbortSignal;
};

export type Progress = {
  readonly imported: number;
  readonly rejected: number;
  readonly bytes: number;
  readonly bytesTotal: number;
  /** How many rows were done before this run. */
  readonly before: number;
};

export type Imported = Progress & {
  /** False: stopped by the user; the same command goes on. */
  readonly whole: boolean;
  /** The file of bad rows, if there are any. */
  readonly rejectedFile: string | null;
};

type Note = {
  readonly list: string;
  readonly fingerprint: string;
  readonly offset: number;
  readonly line: number;
  readonly imported: number;
  readonly rejected: number;
  readonly rejectedBytes: number;
};

/** @throws {CsvFault} when the file cannot be read as CSV, and whatever `send` throws; the place is kept. */
export async function importCsv(plan: ImportPlan): Promise<Imported> {
  await using file = await open(plan.file, "r");
  const { size } = await file.stat();
  const header = await readHeader(file, plan);
  const fingerprint = await fingerprintOf(file, size);
  const fresh = { offset: header.end, line: header.nextLine, imported: 0, rejected: 0, rejectedBytes: 0 };
  const kept = plan.restart ? null : await readNote(plan, fingerprint);
  let note: Note = kept ?? { list: plan.list, fingerprint, ...fresh };
  await using bad = new RejectedFile(plan.file, header, note.rejectedBytes);
  const before = note.imported + note.rejected;
  const progress = (): Progress => ({
    imported: note.imported,
    rejected: note.rejected,
    bytes: note.offset,
    bytesTotal: size,
    before,
  });
  plan.onProgress(progress());
  for await (const batch of batchesOf(file, header.separator, note)) {
    if (plan.signal.aborted) return { ...progress(), whole: false, rejectedFile: bad.path(note.rejected) };
    const { imported, refused } = await importBatch(plan, header.columns, batch.records);
    const rejectedBytes = await bad.append(refused);
    note = {
      ...note,
      offset: batch.end,
      line: batch.nextLine,
      imported: note.imported + imported,
      rejected: note.rejected + refused.length,
      rejectedBytes,
    };
    await writeNote(plan, note);
    plan.onProgress(progress());
  }
  await rm(notePath(plan), { force: true });
  return { ...progress(), bytes: size, whole: true, rejectedFile: bad.path(note.rejected) };
}

type Refused = { readonly fields: readonly string[]; readonly line: number; readonly problem: string };

async function importBatch(plan: ImportPlan, columns: Columns, records: readonly CsvRecord[]) {
  const refused: Refused[] = [];
  const good: { readonly record: CsvRecord; readonly row: ImportRow }[] = [];
  for (const record of records) {
    const { fields, line } = record;
    const read = record.problem === null ? columns.rowOf(fields) : { problem: record.problem };
    if ("problem" in read) refused.push({ fields, line, problem: read.problem });
    else good.push({ record, row: read.row });
  }
  const errors = good.length === 0 ? [] : await plan.send(good.map(({ row }) => row));
  for (const { row, problem } of errors) {
    const record = good[row]?.record;
    if (record !== undefined) refused.push({ fields: record.fields, line: record.line, problem });
  }
  refused.sort((one, other) => one.line - other.line);
  return { imported: records.length - refused.length, refused };
}

type Header = {
  readonly fields: readonly string[];
  readonly columns: Columns;
  readonly separator: string;
  readonly end: number;
  readonly nextLine: number;
};

async function readHeader(file: FileHandle, plan: ImportPlan): Promise<Header> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES_MAX), 0, HEAD_BYTES_MAX, 0);
  const head = buffer.subarray(0, bytesRead);
  const mark = readMark(head);
  if (mark.problem !== null) throw new CsvFault(mark.problem);
  const body = head.subarray(mark.bytes);
  const separator = plan.separator ?? guessSeparator(body.toString("utf8").split(/\r?\n/, 1)[0] ?? "");
  const reader = new CsvReader(separator, { offset: mark.bytes, line: 1 });
  const [first, second] = bytesRead < HEAD_BYTES_MAX ? [...reader.push(body), ...reader.end()] : reader.push(body);
  if (first === undefined) throw new CsvFault("the file is empty, or its first line is no header");
  if (first.problem !== null) throw new CsvFault(`the header ${first.problem}`);
  const columns = readColumns(first.fields, plan.maps);
  if ("problem" in columns) throw new CsvFault(columns.problem);
  return { fields: first.fields, columns, separator, end: first.end, nextLine: second?.line ?? first.line + 1 };
}

type Batch = { readonly records: readonly CsvRecord[]; readonly end: number; readonly nextLine: number };

/** Records from the noted place on. A batch ends where a record ends, and `nextLine` is where the next one begins. */
async function* batchesOf(file: FileHandle, separator: string, from: Note): AsyncGenerator<Batch> {
  const reader = new CsvReader(separator, from);
  let waiting: CsvRecord[] = [];
  const cut = function* (least: number): Generator<Batch> {
    while (waiting.length >= least && waiting.length > 0) {
      const records = waiting.slice(0, ROWS_PER_CALL_MAX);
      waiting = waiting.slice(ROWS_PER_CALL_MAX);
      const last = records.at(-1);
      if (last !== undefined) yield { records, end: last.end, nextLine: waiting[0]?.line ?? reader.line };
    }
  };
  for (let at = from.offset; ; ) {
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, at);
    if (bytesRead === 0) break;
    at += bytesRead;
    waiting.push(...reader.push(buffer.subarray(0, bytesRead)));
    yield* cut(ROWS_PER_CALL_MAX);
  }
  waiting.push(...reader.end());
  yield* cut(1);
}

/** `FILE.rejected.csv`: the bad rows as they were, with the line they stood on and what is wrong. */
class RejectedFile implements AsyncDisposable {
  readonly #path: string;
  readonly #header: Header;
  #bytes: number;
  #handle: FileHandle | null = null;

  constructor(file: string, header: Header, bytes: number) {
    this.#path = `${file.replace(/\.csv$/i, "")}.rejected.csv`;
    this.#header = header;
    this.#bytes = bytes;
  }

  path(rejected: number): string | null {
    return rejected === 0 ? null : this.#path;
  }

  /** @returns the file's length afterwards, on the disk. */
  async append(refused: readonly Refused[]): Promise<number> {
    if (refused.length === 0) return this.#bytes;
    const { separator, fields } = this.#header;
    if (this.#handle === null) {
      this.#handle = await open(this.#path, this.#bytes === 0 ? "w" : "r+");
      await this.#handle.truncate(this.#bytes);
    }
    const head = this.#bytes === 0 ? csvLine([...fields, `${OWN_COLUMN}line`, `${OWN_COLUMN}reason`], separator) : "";
    const lines = refused.map(({ fields: own, line, problem }) => csvLine([...own, String(line), problem], separator));
    const text = Buffer.from(head + lines.join(""));
    await this.#handle.write(text, 0, text.length, this.#bytes);
    await this.#handle.datasync();
    this.#bytes += text.length;
    return this.#bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle?.close();
  }
}

function notePath({ file }: ImportPlan): string {
  return `${file}.tidings-progress`;
}

async function readNote(plan: ImportPlan, fingerprint: string): Promise<Note | null> {
  let body: Json;
  try {
    body = JSON.parse(await readFile(notePath(plan), "utf8")) as Json;
  } catch {
    // No note, or one that was cut: begin anew, which changes nothing that was imported.
    return null;
  }
  const kept = object(body);
  if (text(kept, "list") !== plan.list || text(kept, "fingerprint") !== fingerprint) return null;
  const [offset, line] = [number(kept, "offset"), number(kept, "line")];
  if (offset === null || line === null) return null;
  const [imported, rejected] = [number(kept, "imported") ?? 0, number(kept, "rejected") ?? 0];
  return {
    list: plan.list,
    fingerprint,
    offset,
    line,
    imported,
    rejected,
    rejectedBytes: number(kept, "rejectedBytes") ?? 0,
  };
}

async function writeNote(plan: ImportPlan, note: Note): Promise<void> {
  const path = notePath(plan);
  await writeFile(`${path}.new`, `${JSON.stringify(note)}\n`);
  await rename(`${path}.new`, path);
}

async function fingerprintOf(file: FileHandle, size: number): Promise<string> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(FINGERPRINT_BYTES), 0, FINGERPRINT_BYTES, 0);
  return `${size}-${createHash("sha256").update(buffer.subarray(0, bytesRead)).digest("hex").slice(0, 32)}`;
}
