import { ABOVE_ALL_TEXT, type Database, type Query } from "#drivers/sqlite/database.ts";
import { prefixEnd } from "#domain/prefix-end.ts";
import type { DocumentExpectation, DocumentKey, DocumentPut, Term } from "#domain/document.ts";

/** The writer's side of the documents. A document's row names its terms, so that they can be replaced with it. */
export class Documents {
  readonly #find: Query<readonly [version: number, terms: string | null]>;
  readonly #insert: Query;
  readonly #update: Query;
  readonly #delete: Query;
  readonly #termed: Query<readonly [id: string, terms: string]>;
  readonly #clear: Query;
  readonly #addTerm: Query;
  readonly #dropTerm: Query;

  constructor(db: Database) {
    this.#find = db.query(DOCUMENT_SQL.find);
    this.#insert = db.query(DOCUMENT_SQL.insert);
    this.#update = db.query(DOCUMENT_SQL.update);
    this.#delete = db.query(DOCUMENT_SQL.delete);
    this.#termed = db.query(DOCUMENT_SQL.termed);
    this.#clear = db.query(DOCUMENT_SQL.clear);
    this.#addTerm = db.query(DOCUMENT_SQL.addTerm);
    this.#dropTerm = db.query(DOCUMENT_SQL.dropTerm);
  }

  isAsExpected({ collection, id, version }: DocumentExpectation): boolean {
    return (this.#find.get(collection, id)?.[0] ?? 0) === version;
  }

  put({ collection, id, body, when, nowMs, terms = [] }: DocumentPut): void {
    const found = this.#find.get(collection, id);
    if (found !== undefined && when === "absent") return;
    const text = terms.length === 0 ? null : JSON.stringify(terms);
    if (found === undefined) this.#insert.run(collection, id, body, nowMs, nowMs, text);
    else this.#update.run(body, nowMs, text, collection, id);
    if ((found?.[1] ?? null) === text) return;
    this.#dropTerms(collection, id, found?.[1] ?? null);
    for (const [name, value] of terms) this.#addTerm.run(collection, name, value, id);
  }

  delete({ collection, id }: DocumentKey): void {
    const found = this.#find.get(collection, id);
    if (found === undefined) return;
    this.#dropTerms(collection, id, found[1]);
    this.#delete.run(collection, id);
  }

  clear(collection: string, prefix: string): void {
    const end = prefixEnd(prefix) ?? ABOVE_ALL_TEXT;
    for (const [id, terms] of this.#termed.all(collection, prefix, end)) this.#dropTerms(collection, id, terms);
    this.#clear.run(collection, prefix, end);
  }

  #dropTerms(collection: string, id: string, terms: string | null): void {
    if (terms === null) return;
    // We wrote this text in `put`.
    for (const [name, value] of JSON.parse(terms) as Term[]) this.#dropTerm.run(collection, name, value, id);
  }
}

export const DOCUMENT_SQL = {
  find: "SELECT version, terms FROM documents WHERE collection = ? AND id = ?",
  insert: `INSERT INTO documents (collection, id, body, version, created_ms, updated_ms, terms)
    VALUES (?, ?, ?, 1, ?, ?, ?)`,
  update: `UPDATE documents SET body = ?, version = version + 1, updated_ms = ?, terms = ?
    WHERE collection = ? AND id = ?`,
  delete: "DELETE FROM documents WHERE collection = ? AND id = ?",
  termed: "SELECT id, terms FROM documents WHERE collection = ? AND id >= ? AND id < ? AND terms IS NOT NULL",
  clear: "DELETE FROM documents WHERE collection = ? AND id >= ? AND id < ?",
  addTerm: "INSERT OR IGNORE INTO document_terms (collection, name, value, id) VALUES (?, ?, ?, ?)",
  dropTerm: "DELETE FROM document_terms WHERE collection = ? AND name = ? AND value = ? AND id = ?",
} as const;
