import { texts } from "#drivers/postgres/arrays.ts";
import {
  type Ask,
  COMMIT,
  type Database,
  type Session,
  type Statement,
  statement,
} from "#drivers/postgres/connection.ts";
import type { RequestId } from "#domain/ids.ts";
import { lowestRequestId, type TrimAsk } from "#ports/store.ts";

/** The writer's side of forgetting old requests. Walks ids, which are in the order of time, in their own index. */
export class Retention {
  readonly #db: Database;
  readonly #page: Statement;
  readonly #dropMessages: Statement;
  readonly #dropSomeMessages: Statement;
  readonly #dropBlobs: Statement;
  readonly #dropRequests: Statement;

  constructor(db: Database, schema: string) {
    this.#db = db;
    const { page, dropMessages, dropSomeMessages, dropBlobs, dropRequests } = retentionSql(schema);
    this.#page = statement(page);
    this.#dropMessages = statement(dropMessages);
    this.#dropSomeMessages = statement(dropSomeMessages);
    this.#dropBlobs = statement(dropBlobs);
    this.#dropRequests = statement(dropRequests);
  }

  trim(ask: TrimAsk): Promise<{ deleted: number; next: RequestId | null }> {
    return this.#db.hold((session) => this.#trim(session, ask));
  }

  async #trim(session: Session, { olderThanMs, after, limit }: TrimAsk): Promise<Trimmed> {
    const begin: Ask[] = [[this.#db.begin], [UNAWAITED_COMMIT]];
    const first = after ?? lowestRequestId(0);
    const answers = await session.flight([...begin, [this.#page, [first, lowestRequestId(olderThanMs), limit]]]);
    // The page's columns.
    const page = (answers[begin.length]?.rows ?? []) as PageRow[];
    const { whole, part, next } = choose(page, limit, first);
    const asks: Ask[] = [];
    if (whole.length > 0) {
      const ids = [texts(whole)];
      asks.push([this.#dropMessages, ids], [this.#dropBlobs, ids], [this.#dropRequests, ids]);
    }
    if (part !== null) asks.push([this.#dropSomeMessages, [part.id, part.messages]]);
    await session.flight([...asks, [COMMIT]]);
    return { deleted: whole.length, next: part === null && page.length < limit ? null : next };
  }
}

type Trimmed = { readonly deleted: number; readonly next: RequestId | null };
type PageRow = readonly [id: RequestId, isConcerned: boolean, messages: number];
type Choice = {
  readonly whole: readonly RequestId[];
  /** The one of which only so many messages may go. */
  readonly part: { readonly id: RequestId; readonly messages: number } | null;
  readonly next: RequestId;
};

/** Which of a page go, until `limit` messages do. */
function choose(page: readonly PageRow[], limit: number, first: RequestId): Choice {
  const whole: RequestId[] = [];
  let messagesLeft = limit;
  let next = first;
  for (const [id, isConcerned, messages] of page) {
    if (!isConcerned) {
      if (messages > messagesLeft) return { whole, part: { id, messages: messagesLeft }, next };
      messagesLeft -= messages;
      whole.push(id);
    }
    next = id;
  }
  return { whole, part: null, next };
}

const UNAWAITED_COMMIT = statement("SET LOCAL synchronous_commit = off");

/** `';'` follows `':'` and `'.'` follows `'-'`, so each pair spans the texts that begin with the first. See `jobKeysOf`. */
export function retentionSql(schema: string) {
  const concerns = (table: string): string => `EXISTS (SELECT 1 FROM ${schema}.${table}
      WHERE key = r.id OR key = 'expand:' || r.id)
    OR EXISTS (SELECT 1 FROM ${schema}.${table} WHERE key >= r.id || ':' AND key < r.id || ';')`;
  return {
    page: `SELECT id, ${concerns("jobs")} OR ${concerns("dead_jobs")},
        (SELECT count(*) FROM (SELECT 1 FROM ${schema}.messages m WHERE m.request_id = r.id LIMIT $3 + 1) AS found)
      FROM (SELECT id FROM ${schema}.requests WHERE id > $1 AND id < $2 ORDER BY id LIMIT $3 FOR UPDATE) AS r`,
    dropMessages: `DELETE FROM ${schema}.messages WHERE request_id = ANY($1::text[])`,
    dropSomeMessages: `DELETE FROM ${schema}.messages WHERE id IN (
      SELECT id FROM ${schema}.messages WHERE request_id = $1 LIMIT $2)`,
    dropBlobs: `DELETE FROM ${schema}.blobs b USING unnest($1::text[]) AS r(id)
      WHERE b.id >= r.id || '-' AND b.id < r.id || '.' AND b.owner = r.id`,
    dropRequests: `DELETE FROM ${schema}.requests WHERE id = ANY($1::text[])`,
  } as const;
}
