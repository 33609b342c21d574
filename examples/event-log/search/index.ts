import { DatabaseSync } from "node:sqlite";

/** One line of the log, as the search index keeps it. */
export type LogLine = {
  readonly id: string;
  readonly time: string;
  readonly source: string;
  readonly type: string;
  readonly text: string;
};

/** A full-text index in one file: SQLite's FTS5. */
export class SearchIndex implements Disposable {
  readonly #db: DatabaseSync;

  constructor(path: string) {
    this.#db = new DatabaseSync(path);
    this.#db.exec(`PRAGMA journal_mode = WAL;
      CREATE TABLE IF NOT EXISTS lines (id TEXT PRIMARY KEY, time TEXT, source TEXT, type TEXT, text TEXT) STRICT;
      CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (source, type, text, content = 'lines');`);
  }

  /** A line that is there already is left alone: a batch may come twice. */
  add(lines: readonly LogLine[]): void {
    const line = this.#db.prepare("INSERT OR IGNORE INTO lines VALUES (?, ?, ?, ?, ?)");
    const words = this.#db.prepare("INSERT INTO words (rowid, source, type, text) VALUES (?, ?, ?, ?)");
    this.#db.exec("BEGIN");
    for (const { id, time, source, type, text } of lines) {
      const { changes, lastInsertRowid } = line.run(id, time, source, type, text);
      if (changes === 1) words.run(lastInsertRowid, source, type, text);
    }
    this.#db.exec("COMMIT");
  }

  /** Newest first; lines that have every word. Nothing asked: the newest. */
  find(query: string, limit: number): readonly LogLine[] {
    const words = query.match(/[\p{L}\p{N}]+/gu) ?? [];
    const rows =
      words.length === 0
        ? this.#db.prepare("SELECT id, time, source, type, text FROM lines ORDER BY rowid DESC LIMIT ?").all(limit)
        : this.#db
            .prepare(
              `SELECT id, time, source, type, text FROM lines
                WHERE rowid IN (SELECT rowid FROM words WHERE words MATCH ?) ORDER BY rowid DESC LIMIT ?`,
            )
            .all(words.map((word) => `"${word}"*`).join(" "), limit);
    return rows.map((row) => ({
      id: String(row["id"]),
      time: String(row["time"]),
      source: String(row["source"]),
      type: String(row["type"]),
      text: String(row["text"]),
    }));
  }

  count(): number {
    return Number(this.#db.prepare("SELECT count(*) AS count FROM lines").get()?.["count"]);
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }
}
