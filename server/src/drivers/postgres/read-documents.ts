import { texts } from "#drivers/postgres/arrays.ts";
import { type Database, type Statement, statement, type Value } from "#drivers/postgres/connection.ts";
import { prefixEnd } from "#domain/prefix-end.ts";
import { fromStored, toStored } from "#drivers/postgres/text.ts";
import type { Document, DocumentKey, DocumentQuery } from "#domain/document.ts";

export class DocumentReads {
  readonly #db: Database;
  readonly #schema: string;
  readonly #many: Statement;
  /** By their shape, of which there are sixteen. */
  readonly #lists = new Map<string, Statement>();

  constructor(db: Database, schema: string) {
    this.#db = db;
    this.#schema = schema;
    this.#many = statement(documentsSql(schema));
  }

  /** In the order asked. */
  async many(keys: readonly DocumentKey[]): Promise<(Document | null)[]> {
    const found = new Array<Document | null>(keys.length).fill(null);
    if (keys.length === 0) return found;
    const columns = [texts(keys.map(({ collection }) => collection)), texts(keys.map(({ id }) => id))];
    const { rows } = await this.#db.ask<[at: number, ...DocumentRow]>(this.#many, columns);
    for (const [at, ...row] of rows) found[at - 1] = documentOf(row);
    return found;
  }

  async list(query: DocumentQuery): Promise<Document[]> {
    const { collection, prefix = "", term, after = null, limit } = query;
    const end = prefixEnd(prefix);
    const values: Value[] = [toStored(collection), toStored(prefix), limit];
    if (end !== null) values.push(toStored(end));
    if (after !== null) values.push(toStored(after));
    if (term !== undefined) values.push(toStored(term[0]), toStored(term[1]));
    const { rows } = await this.#db.ask<DocumentRow>(this.#list(query, end !== null), values);
    return rows.map(documentOf);
  }

  #list(query: DocumentQuery, hasEnd: boolean): Statement {
    const { term, after = null, order = "ascending" } = query;
    const shape = { order, hasEnd, hasAfter: after !== null, hasTerm: term !== undefined };
    const name = Object.values(shape).join();
    let list = this.#lists.get(name);
    if (list === undefined) this.#lists.set(name, (list = statement(listDocumentsSql(this.#schema, shape))));
    return list;
  }
}

type DocumentRow = [
  collection: string,
  id: string,
  body: string,
  version: number,
  createdMs: number,
  updatedMs: number,
];

function documentOf([collection, id, body, version, createdMs, updatedMs]: DocumentRow): Document {
  return {
    collection: fromStored(collection),
    id: fromStored(id),
    body: fromStored(body),
    version,
    createdMs,
    updatedMs,
  };
}

const COLUMNS = "d.collection, d.id, d.body, d.version, d.created_ms, d.updated_ms";

/** Exported, as the other, for the test that looks at plans. $1, $2: collections and ids. */
export function documentsSql(schema: string): string {
  return `SELECT wanted.at, ${COLUMNS}
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS wanted(collection, id, at)
    JOIN ${schema}.documents d ON d.collection = wanted.collection AND d.id = wanted.id`;
}

export type ListShape = {
  readonly order: "ascending" | "descending";
  readonly hasEnd: boolean;
  readonly hasAfter: boolean;
  readonly hasTerm: boolean;
};

/** $1 collection, $2 prefix, $3 limit; then, as there are: the prefix' end, after, the term's name and value. */
export function listDocumentsSql(schema: string, { order, hasEnd, hasAfter, hasTerm }: ListShape): string {
  let parameter = 3;
  const conditions = ["collection = $1", "id >= $2"];
  if (hasEnd) conditions.push(`id < $${++parameter}`);
  if (hasAfter) conditions.push(`id ${order === "ascending" ? ">" : "<"} $${++parameter}`);
  if (hasTerm) conditions.push(`name = $${++parameter}`, `value = $${++parameter}`);
  const range = `WHERE ${conditions.join(" AND ")} ORDER BY id ${order === "ascending" ? "ASC" : "DESC"} LIMIT $3`;
  if (!hasTerm) return `SELECT ${COLUMNS} FROM ${schema}.documents d ${range}`;
  return `SELECT ${COLUMNS} FROM (SELECT collection, id FROM ${schema}.document_terms ${range}) t
    JOIN ${schema}.documents d ON d.collection = t.collection AND d.id = t.id
    ORDER BY t.id ${order === "ascending" ? "ASC" : "DESC"}`;
}
