import type { Database, Query, SqlValue } from "#drivers/sqlite/database.ts";
import type { MessageId, RequestId } from "#domain/ids.ts";
import type { MessageReason, MessageRecord, MessageStatus } from "#domain/message.ts";
import type { MessageFilter, MessagePage, OutcomeCounts } from "#ports/store.ts";

/** Rows that one page looks at, a few ms: what no index answers is searched for in steps of this. */
export const MESSAGE_SCAN_ROWS_MAX = 5_000;
/** Kinds of question whose statements are kept prepared; a kind is a set of filters. */
export const PAGE_STATEMENTS_MAX = 64;

export class MessageReads {
  readonly #db: Database;
  readonly #get: Query<MessageRow>;
  readonly #count: Query<readonly [status: MessageStatus, count: number]>;
  readonly #pages = new Map<string, Query<MessageRow>>();
  readonly #cuts = new Map<string, Query<readonly [enqueuedMs: number, seq: number]>>();

  constructor(db: Database) {
    this.#db = db;
    this.#get = db.query(READ_MESSAGE_SQL.get);
    this.#count = db.query(READ_MESSAGE_SQL.count);
  }

  get(id: MessageId): MessageRecord | null {
    const row = this.#get.get(id);
    return row === undefined ? null : messageOf(row);
  }

  countOutcomes(request: RequestId): OutcomeCounts {
    return Object.fromEntries(this.#count.all(request));
  }

  /** A cursor that we did not write finds nothing. */
  list(filter: MessageFilter, { after, limit }: { after: string | null; limit: number }): MessagePage {
    const start = after === null ? NEWEST : readPlace(after);
    if (start === null || limit < 1) return { messages: [], next: null };
    const arms = armsOf(filter);
    const cut = this.#cut(arms, start);
    const { rows, isMore } = this.#rows(arms, filter, start, cut, limit);
    const last = rows.at(-1);
    const end = isMore && last !== undefined ? { enqueuedMs: last[11], seq: last[22] } : cut;
    return { messages: rows.map(messageOf), next: end === null ? null : `${end.enqueuedMs}.${end.seq}` };
  }

  /** The last row that this page looks at; null if the scan reaches the end before its budget. */
  #cut(arms: readonly Arm[], start: Place): Place | null {
    const sql = cutSql(arms);
    const row = prepared(this.#cuts, sql, this.#db).get(
      ...arms.flatMap((arm) => [...arm.params, start.enqueuedMs, start.seq]),
      MESSAGE_SCAN_ROWS_MAX - 1,
    );
    return row === undefined ? null : { enqueuedMs: row[0], seq: row[1] };
  }

  #rows(arms: readonly Arm[], filter: MessageFilter, start: Place, cut: Place | null, limit: number) {
    const conditions = conditionsOf(filter);
    const until = cut ?? OLDEST;
    const sql = pageSql(arms, conditions);
    const params = arms.flatMap((arm) => [
      ...arm.params,
      start.enqueuedMs,
      start.seq,
      until.enqueuedMs,
      until.seq,
      ...conditions.flatMap((condition) => condition.params),
    ]);
    const rows = prepared(this.#pages, sql, this.#db).all(...params, limit + 1);
    const isMore = rows.length > limit;
    if (isMore) rows.pop();
    return { rows, isMore };
  }
}

/** Between two messages in the order of pages: newest first, in one ms the later born first. */
type Place = { readonly enqueuedMs: number; readonly seq: number };
const NEWEST: Place = { enqueuedMs: Number.MAX_SAFE_INTEGER, seq: 0 };
const OLDEST: Place = { enqueuedMs: Number.MIN_SAFE_INTEGER, seq: 0 };

function readPlace(text: string): Place | null {
  const match = /^(-?\d{1,16})\.(\d{1,16})$/.exec(text);
  return match === null ? null : { enqueuedMs: Number(match[1]), seq: Number(match[2]) };
}

type Condition = { readonly sql: string; readonly params: readonly SqlValue[] };
/** One walk along one index. */
type Arm = Condition;

/** The narrowest index for this filter. A trace is two walks that are merged. */
function armsOf({ messageId, traceId, recipient, list, enqueuedAfterMs }: MessageFilter): Arm[] {
  const since = enqueuedAfterMs === undefined ? [] : [enqueuedAfterMs];
  const arm = (sql: string, ...params: SqlValue[]): Arm => ({
    sql: since.length === 0 ? sql : `${sql} AND enqueued_ms >= ?`,
    params: [...params, ...since],
  });
  if (messageId !== undefined) return [arm("id = ?", messageId)];
  if (traceId !== undefined) {
    return [arm("request_id = ?", traceId), arm("trace_id = ? AND request_id <> ?", traceId, traceId)];
  }
  if (recipient !== undefined) return [arm("recipient = ?", recipient)];
  if (list !== undefined) return [arm("list_id = ?", list)];
  return [arm("enqueued_ms > ?", OLDEST.enqueuedMs)];
}

/** What is tested row by row; harmless where an arm has asked it already. The `+` keeps other indexes out of it. */
function conditionsOf(filter: MessageFilter): Condition[] {
  const conditions: Condition[] = [];
  const add = (sql: string, ...params: SqlValue[]): void => void conditions.push({ sql, params });
  const equal = (column: string, value: string | undefined): void => {
    if (value !== undefined) add(`+${column} = ?`, value);
  };
  if (filter.archived !== true) add("archived_ms IS NULL");
  equal("event", filter.event);
  equal("notification", filter.notification);
  equal("recipient", filter.recipient);
  equal("list_id", filter.list);
  if (filter.messageId !== undefined && filter.traceId !== undefined) {
    add("(+trace_id = ? OR +request_id = ?)", filter.traceId, filter.traceId);
  }
  const oneOf = "IN (SELECT value FROM json_each(?))";
  if (filter.statuses !== undefined) add(`status ${oneOf}`, JSON.stringify(filter.statuses));
  if (filter.providers !== undefined) add(`provider ${oneOf}`, JSON.stringify(filter.providers));
  if (filter.tags !== undefined) {
    add(`EXISTS (SELECT 1 FROM json_each(tags) WHERE value ${oneOf})`, JSON.stringify(filter.tags));
  }
  return conditions;
}

function cutSql(arms: readonly Arm[]): string {
  const walks = arms.map(
    (arm) => `SELECT enqueued_ms, seq FROM messages WHERE ${arm.sql} AND (enqueued_ms, seq) < (?, ?)`,
  );
  return `${walks.join(" UNION ALL ")} ORDER BY enqueued_ms DESC, seq DESC LIMIT 1 OFFSET ?`;
}

function pageSql(arms: readonly Arm[], conditions: readonly Condition[]): string {
  const tests = conditions.map((condition) => ` AND ${condition.sql}`).join("");
  const walks = arms.map(
    (arm) => `SELECT ${COLUMNS} FROM messages
      WHERE ${arm.sql} AND (enqueued_ms, seq) < (?, ?) AND (enqueued_ms, seq) >= (?, ?)${tests}`,
  );
  return `${walks.join(" UNION ALL ")} ORDER BY enqueued_ms DESC, seq DESC LIMIT ?`;
}

/** The statements behind a filter, for the test that looks at their query plans. */
export function messagePageSql(filter: MessageFilter): { readonly cut: string; readonly page: string } {
  const arms = armsOf(filter);
  return { cut: cutSql(arms), page: pageSql(arms, conditionsOf(filter)) };
}

function prepared<Row extends readonly SqlValue[]>(
  kept: Map<string, Query<Row>>,
  sql: string,
  db: Database,
): Query<Row> {
  let query = kept.get(sql);
  if (query !== undefined) return query;
  if (kept.size >= PAGE_STATEMENTS_MAX) kept.clear();
  kept.set(sql, (query = db.query<Row>(sql)));
  return query;
}

type MessageRow = readonly [
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

function messageOf(row: MessageRow): MessageRecord {
  const [
    id,
    requestId,
    toIndex,
    recipient,
    userId,
    listId,
    event,
    notification,
    traceId,
    tags,
    status,
    enqueuedMs,
    reason,
    error,
    channel,
    provider,
    sentMs,
    deliveredMs,
    openedMs,
    clickedMs,
    canceledMs,
    archivedMs,
  ] = row;
  return {
    // Only ids of messages and of requests are written to these columns, and arrays of strings to `tags`.
    id: id as MessageId,
    requestId: requestId as RequestId,
    toIndex,
    recipient,
    userId,
    listId,
    event,
    notification,
    traceId,
    tags: tags === null ? [] : (JSON.parse(tags) as string[]),
    status,
    enqueuedMs,
    reason,
    error,
    channel,
    provider,
    sentMs,
    deliveredMs,
    openedMs,
    clickedMs,
    canceledMs,
    archivedMs,
  };
}

const COLUMNS = `id, request_id, to_index, recipient, user_id, list_id, event, notification, trace_id, tags, status,
  enqueued_ms, reason, error, channel, provider, sent_ms, delivered_ms, opened_ms, clicked_ms, canceled_ms,
  archived_ms, seq`;

export const READ_MESSAGE_SQL = {
  get: `SELECT ${COLUMNS} FROM messages WHERE id = ?`,
  count: "SELECT status, count(*) FROM messages WHERE request_id = ? GROUP BY status",
} as const;
