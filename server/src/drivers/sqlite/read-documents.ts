import { type Database, type Query, ABOVE_ALL_TEXT } from "#drivers/sqlite/database.ts";
import { prefixEnd } from "#domain/prefix-end.ts";
import type { Document, DocumentKey, DocumentQuery } from "#domain/document.ts";

/** From so many keys of a collection one statement for all of them costs less than one for each: a quarter, for 250. */
const TOGETHER_FROM = 4;

export class DocumentReads {
  readonly #get: Query<DocumentRow>;
  readonly #among: Query<readonly [at: number, ...DocumentRow]>;
  readonly #list: Readonly<Record<"ascending" | "descending", Query<DocumentRow>>>;
  readonly #listByTerm: Readonly<Record<"ascending" | "descending", Query<DocumentRow>>>;

  constructor(db: Database) {
    this.#get = db.query(READ_DOCUMENT_SQL.get);
    this.#among = db.query(READ_DOCUMENT_SQL.among);
    this.#list = { ascending: db.query(READ_DOCUMENT_SQL.list), descending: db.query(READ_DOCUMENT_SQL.listDown) };
    this.#listByTerm = {
      ascending: db.query(READ_DOCUMENT_SQL.byTerm),
      descending: db.query(READ_DOCUMENT_SQL.byTermDown),
    };
  }

  /** In the order asked. */
  many(keys: readonly DocumentKey[]): (Document | null)[] {
    const found = new Array<Document | null>(keys.length).fill(null);
    for (const [collection, places] of Map.groupBy(keys.keys(), (at) => keys[at]?.collection ?? "")) {
      const ids = places.map((at) => keys[at]?.id ?? "");
      const asked = places.length < TOGETHER_FROM ? null : JSON.stringify(ids);
      // What JSON writes as an escape (a NUL, half a character) is not sure to mean the same to SQLite.
      if (asked === null || asked.includes("\\")) {
        for (const [n, at] of places.entries()) found[at] = this.get({ collection, id: ids[n] ?? "" });
        continue;
      }
      for (const [n, ...row] of this.#among.all(asked, collection)) {
        const at = places[n];
        if (at !== undefined) found[at] = documentOf(row);
      }
    }
    return found;
  }

  get({ collection, id }: DocumentKey): Document | null {
    const row = this.#get.get(collection, id);
    return row === undefined ? null : documentOf(row);
  }

  list({ collection, prefix = "", term, after = null, limit, order = "ascending" }: DocumentQuery): Document[] {
    const { from, until } = range(prefix, after, order);
    const rows =
      term === undefined
        ? this.#list[order].all(collection, from, until, limit)
        : this.#listByTerm[order].all(collection, term[0], term[1], from, until, limit);
    return rows.map(documentOf);
  }
}

/** One range of ids, `from` included and `until` not, so that an index can begin and stop where it should. */
function range(prefix: string, after: string | null, order: "ascending" | "descending") {
  const end = prefixEnd(prefix) ?? ABOVE_ALL_TEXT;
  if (after === null) return { from: prefix, until: end };
  // The text right behind `after` in code point order is itself and a NUL.
  if (order === "ascending") return { from: isBehind(after, prefix) ? `${after}\0` : prefix, until: end };
  return {
    from: prefix,
    until: end === ABOVE_ALL_TEXT || (typeof end === "string" && isBehind(end, after)) ? after : end,
  };
}

/** True if `a` is `b` or behind it, in code point order, which is the order of UTF-8. */
function isBehind(a: string, b: string): boolean {
  return Buffer.compare(Buffer.from(a), Buffer.from(b)) >= 0;
}

type DocumentRow = readonly [
  collection: string,
  id: string,
  body: string,
  version: number,
  createdMs: number,
  updatedMs: number,
];

function documentOf([collection, id, body, version, createdMs, updatedMs]: DocumentRow): Document {
  return { collection, id, body, version, createdMs, updatedMs };
}

const COLUMNS = "d.collection, d.id, d.body, d.version, d.created_ms, d.updated_ms";
const BY_TERM = `SELECT ${COLUMNS} FROM document_terms t CROSS JOIN documents d
  ON d.collection = t.collection AND d.id = t.id
  WHERE t.collection = ? AND t.name = ? AND t.value = ? AND t.id >= ? AND t.id < ?`;
const PLAIN = `SELECT ${COLUMNS} FROM documents d WHERE collection = ? AND id >= ? AND id < ?`;

export const READ_DOCUMENT_SQL = {
  get: `SELECT ${COLUMNS} FROM documents d WHERE collection = ? AND id = ?`,
  among: `SELECT json_each.key, ${COLUMNS} FROM json_each(?) CROSS JOIN documents d
    ON d.collection = ? AND d.id = json_each.value`,
  list: `${PLAIN} ORDER BY id LIMIT ?`,
  listDown: `${PLAIN} ORDER BY id DESC LIMIT ?`,
  byTerm: `${BY_TERM} ORDER BY t.id LIMIT ?`,
  byTermDown: `${BY_TERM} ORDER BY t.id DESC LIMIT ?`,
} as const;
