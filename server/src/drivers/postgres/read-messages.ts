import { texts } from "#drivers/postgres/arrays.ts";
import { type Database, type Statement, statement, type Value } from "#drivers/postgres/connection.ts";
import { fromStored, maybeFromStored, toStored } from "#drivers/postgres/text.ts";
import type { MessageId, RequestId } from "#domain/ids.ts";
import type { MessageReason, MessageRecord, MessageStatus } from "#domain/message.ts";
import type { MessageFilter, MessagePage, OutcomeCounts } from "#ports/store.ts";

/** Rows that one page looks at, a few ms: what no index answers is searched for in steps of this. */
export const MESSAGE_SCAN_ROWS_MAX = 5_000;

export class MessageReads {
  readonly #db: Database;
  readonly #schema: string;
  readonly #many: Statement;
  readonly #count: Statement;

  constructor(db: Database, schema: string) {
    this.#db = db;
    this.#schema = schema;
    const { many, count } = messageSql(schema);
    this.#many = statement(many);
    this.#count = statement(count);
  }

  async many(ids: readonly MessageId[]): Promise<(MessageRecord | null)[]> {
    if (ids.length === 0) return [];
    const { rows } = await this.#db.ask<MessageRow>(this.#many, [texts(ids)]);
    const found = new Map(rows.map((row) => [fromStored(row[0]), messageOf(row)]));
    return ids.map((id) => found.get(id) ?? null);
  }

  async countOutcomes(request: RequestId): Promise<OutcomeCounts> {
    const { rows } = await this.#db.ask<[status: MessageStatus, count: number]>(this.#count, [toStored(request)]);
    return Object.fromEntries(rows);
  }

  /** A cursor that we did not write finds nothing. */
  async list(filter: MessageFilter, page: { after: string | null; limit: number }): Promise<MessagePage> {
    const start = page.after === null ? NEWEST : readPlace(page.after);
    if (start === null || page.limit < 1) return { messages: [], next: null };
    const { text, values } = messagePageSql(this.#schema, filter, start, page.limit + 1);
    // Without a name: there are hundreds of kinds of filters, and none is asked often.
    const { rows } = await this.#db.ask<PageRow>({ name: "", text }, values);
    // The index gave them in this order already, which SQL does not promise.
    rows.sort((a, b) => b[AT] - a[AT] || b[SEQ] - a[SEQ]);
    const isMore = rows.length > page.limit;
    if (isMore) rows.pop();
    const last = rows.at(-1);
    const isCut = isMore || last?.[N] === MESSAGE_SCAN_ROWS_MAX;
    const messages = rows.filter((row) => row[MATCHES]).map(messageOf);
    return {
      messages: messages.filter(({ tags }) => filter.tags?.some((tag) => tags.includes(tag)) ?? true),
      next: isCut && last !== undefined ? `${last[AT]}.${last[SEQ]}` : null,
    };
  }
}

const NEWEST_FIRST = `ORDER BY enqueued_ms DESC, seq DESC LIMIT ${MESSAGE_SCAN_ROWS_MAX}`;

/** Between two messages in the order of pages: newest first, in one ms the later born first. */
type Place = { readonly enqueuedMs: number; readonly seq: number };
const NEWEST: Place = { enqueuedMs: Number.MAX_SAFE_INTEGER, seq: 0 };

function readPlace(text: string): Place | null {
  const match = /^(-?\d{1,16})\.(\d{1,16})$/.exec(text);
  return match === null ? null : { enqueuedMs: Number(match[1]), seq: Number(match[2]) };
}

/**
 * One page and its values. Walks one index backwards, or two that are merged, tests each row and stops when the page is
 * full or its budget is spent; the last row of the budget is told even if it does not match, since the next page begins
 * there. Exported for the test that looks at plans.
 */
export function messagePageSql(
  schema: string,
  filter: MessageFilter,
  start: Place = NEWEST,
  limit = 1,
): { readonly text: string; readonly values: readonly Value[] } {
  const values: Value[] = [];
  const value = (given: Value): string => `$${values.push(given)}`;
  const text = (given: string): string => value(toStored(given));
  const behind = `(enqueued_ms, seq) < (${value(start.enqueuedMs)}::bigint, ${value(start.seq)}::bigint)`;
  const since = filter.enqueuedAfterMs === undefined ? "" : ` AND enqueued_ms >= ${value(filter.enqueuedAfterMs)}`;
  const arms = armsOf(filter, text).map(
    (arm) => `(SELECT ${COLUMNS} FROM ${schema}.messages WHERE ${arm} AND ${behind}${since} ${NEWEST_FIRST})`,
  );
  const tests = testsOf(filter, text, (many) => `${value(texts(many))}::text[]`);
  const walk = arms.length === 1 ? arms.join() : `${arms.join(" UNION ALL ")} ${NEWEST_FIRST}`;
  return {
    text: `SELECT * FROM (
        SELECT ${COLUMNS}, row_number() OVER () AS n, (${tests.join(" AND ")}) AS matches FROM (${walk}) AS walk
      ) AS looked WHERE matches OR n = ${MESSAGE_SCAN_ROWS_MAX} LIMIT ${value(limit)}`,
    values,
  };
}

/** The narrowest index for this filter. A trace is two walks that are merged. */
function armsOf({ messageId, traceId, recipient, list }: MessageFilter, text: (given: string) => string): string[] {
  if (messageId !== undefined) return [`id = ${text(messageId)}`];
  if (traceId !== undefined) {
    const trace = text(traceId);
    return [`request_id = ${trace}`, `trace_id = ${trace} AND request_id <> ${trace}`];
  }
  if (recipient !== undefined) return [`recipient = ${text(recipient)}`];
  if (list !== undefined) return [`list_id = ${text(list)}`];
  return ["true"];
}

/** What is tested row by row; harmless where an arm has asked it already. */
function testsOf(
  filter: MessageFilter,
  text: (given: string) => string,
  many: (given: readonly string[]) => string,
): string[] {
  const tests = ["true"];
  const equal = (column: string, wanted: string | undefined): void => {
    if (wanted !== undefined) tests.push(`${column} = ${text(wanted)}`);
  };
  if (filter.archived !== true) tests.push("archived_ms IS NULL");
  equal("event", filter.event);
  equal("notification", filter.notification);
  equal("recipient", filter.recipient);
  equal("list_id", filter.list);
  if (filter.messageId !== undefined && filter.traceId !== undefined) {
    const trace = text(filter.traceId);
    tests.push(`(coalesce(trace_id = ${trace}, false) OR request_id = ${trace})`);
  }
  if (filter.statuses !== undefined) tests.push(`status = ANY(${many(filter.statuses)})`);
  if (filter.providers !== undefined) tests.push(`coalesce(provider = ANY(${many(filter.providers)}), false)`);
  if (filter.tags !== undefined) {
    // As they stand in the JSON text, which Postgres could not read if one held a NUL. A little may pass that should
    // not; whoever reads the page looks once more.
    const tags = many(filter.tags.map((tag) => JSON.stringify(tag)));
    tests.push(`coalesce((SELECT bool_or(strpos(tags, tag) > 0) FROM unnest(${tags}) AS wanted(tag)), false)`);
  }
  return tests;
}

type MessageRow = [
  id: string,
  requestId: string,
  toIndex: number,
  recipient: string,
  userId: string | null,
  listId: string | null,
  event: string,
  notification: string,
  traceId: string | null,
  tags: string | null,
  status: MessageStatus,
  enqueuedMs: number,
  reason: MessageReason | null,
  error: string | null,
  channel: string | null,
  provider: string | null,
  sentMs: number | null,
  deliveredMs: number | null,
  openedMs: number | null,
  clickedMs: number | null,
  canceledMs: number | null,
  archivedMs: number | null,
  seq: number,
];
type PageRow = [...MessageRow, n: number, matches: boolean];
const [AT, SEQ, N, MATCHES] = [11, 22, 23, 24] as const;

function messageOf(row: Readonly<MessageRow> | Readonly<PageRow>): MessageRecord {
  const [id, requestId, toIndex, recipient, userId, listId, event, notification, traceId, tags, status] = row;
  const [, , , , , , , , , , , enqueuedMs, reason, error, channel, provider] = row;
  const [sentMs, deliveredMs, openedMs, clickedMs, canceledMs, archivedMs] = row.slice(16, 22) as Times;
  return {
    // Only ids of messages and of requests are written to these columns, and arrays of strings to `tags`.
    id: fromStored(id) as MessageId,
    requestId: fromStored(requestId) as RequestId,
    toIndex,
    recipient: fromStored(recipient),
    userId: maybeFromStored(userId),
    listId: maybeFromStored(listId),
    event: fromStored(event),
    notification: fromStored(notification),
    traceId: maybeFromStored(traceId),
    tags: tags === null ? [] : (JSON.parse(fromStored(tags)) as string[]),
    status,
    enqueuedMs,
    reason,
    error: maybeFromStored(error),
    channel: maybeFromStored(channel),
    provider: maybeFromStored(provider),
    sentMs,
    deliveredMs,
    openedMs,
    clickedMs,
    canceledMs,
    archivedMs,
  };
}

/** Of the columns behind `provider`. */
type Times = [
  sentMs: number | null,
  deliveredMs: number | null,
  openedMs: number | null,
  clickedMs: number | null,
  canceledMs: number | null,
  archivedMs: number | null,
];

const COLUMNS = `id, request_id, to_index, recipient, user_id, list_id, event, notification, trace_id, tags, status,
  enqueued_ms, reason, error, channel, provider, sent_ms, delivered_ms, opened_ms, clicked_ms, canceled_ms,
  archived_ms, seq`;

/** Exported for the test that looks at plans. */
export function messageSql(schema: string) {
  return {
    many: `SELECT ${COLUMNS} FROM ${schema}.messages WHERE id = ANY($1::text[])`,
    count: `SELECT status, count(*) FROM ${schema}.messages WHERE request_id = $1 GROUP BY status`,
  } as const;
}
