import type { Database, Query, SqlValue } from "#drivers/sqlite/database.ts";
import { invariant } from "#domain/invariant.ts";
import {
  MESSAGE_STATUSES,
  type MessagePatch,
  type MessageStatus,
  type NewMessage,
  supersedes,
} from "#domain/message.ts";
import type { RequestId } from "#domain/ids.ts";

/** The writer's side of the messages. */
export class Messages {
  readonly #db: Database;
  readonly #insert: Query;
  readonly #archiveRequest: Query;
  readonly #archiveMessages: Query;
  /** One statement per combination of patched fields; a pipeline knows about ten. */
  readonly #patches = new Map<string, Query>();

  constructor(db: Database) {
    this.#db = db;
    this.#insert = db.query(MESSAGE_SQL.insert);
    this.#archiveRequest = db.query(MESSAGE_SQL.archiveRequest);
    this.#archiveMessages = db.query(MESSAGE_SQL.archiveMessages);
  }

  /** False if it exists already; then it is left alone. */
  insert(message: NewMessage): boolean {
    const { id, requestId, toIndex, recipient, userId, listId, event, notification, traceId, status } = message;
    const tags = message.tags.length === 0 ? null : JSON.stringify(message.tags);
    return (
      this.#insert.run(
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
        message.enqueuedMs,
      ) === 1
    );
  }

  /** A patch of a message that does not exist changes nothing. */
  patch(patch: MessagePatch): void {
    const shape = shapeOf(patch);
    if (shape === "") return;
    let statement = this.#patches.get(shape);
    if (statement === undefined) this.#patches.set(shape, (statement = this.#db.query(patchSql(shape))));
    statement.run(...patchParams(patch), patch.id);
  }

  archive(request: RequestId, atMs: number): void {
    this.#archiveRequest.run(atMs, request);
    this.#archiveMessages.run(atMs, request);
  }
}

/** What a patch can hold, and its column. Status first: reason and error follow its fate. */
const COLUMNS = {
  status: "status",
  reason: "reason",
  error: "error",
  channel: "channel",
  provider: "provider",
  sentMs: "sent_ms",
  deliveredMs: "delivered_ms",
  openedMs: "opened_ms",
  clickedMs: "clicked_ms",
  canceledMs: "canceled_ms",
} as const satisfies { readonly [field in Exclude<keyof MessagePatch, "id">]: string };
type Field = keyof typeof COLUMNS;
// `COLUMNS` is an object literal: its keys are these.
const FIELDS = Object.keys(COLUMNS) as readonly Field[];

/** For each status, those that it may replace, as a string to be searched within a statement. */
const REPLACEABLE: ReadonlyMap<MessageStatus, string> = new Map(
  MESSAGE_STATUSES.map((to) => [to, `,${MESSAGE_STATUSES.filter((from) => supersedes(to, from)).join(",")},`]),
);

function shapeOf(patch: MessagePatch): string {
  let shape = "";
  for (const field of FIELDS) if (patch[field] !== undefined) shape += `${field} `;
  return shape;
}

function patchParams(patch: MessagePatch): SqlValue[] {
  const params: SqlValue[] = [];
  if (patch.status !== undefined) {
    const replaceable = REPLACEABLE.get(patch.status);
    invariant(replaceable !== undefined, `${patch.status} is a status`);
    params.push(replaceable);
  }
  for (const field of FIELDS) {
    const value = patch[field];
    if (value !== undefined) params.push(value);
  }
  return params;
}

/** Positions: ?1 is the list of replaceable statuses if there is a status; then the values; then the id. */
function patchSql(shape: string): string {
  const fields = FIELDS.filter((field) => `${shape}`.split(" ").includes(field));
  const hasStatus = fields[0] === "status";
  const first = hasStatus ? 2 : 1;
  const sets = fields.map((field, at) => {
    const column = COLUMNS[field];
    const value = `?${first + at}`;
    const follows = hasStatus && (field === "status" || field === "reason" || field === "error");
    return follows
      ? `${column} = CASE WHEN instr(?1, ',' || status || ',') > 0 THEN ${value} ELSE ${column} END`
      : `${column} = ${value}`;
  });
  return `UPDATE messages SET ${sets.join(", ")} WHERE id = ?${first + fields.length}`;
}

export const MESSAGE_SQL = {
  insert: `INSERT INTO messages (id, request_id, to_index, recipient, user_id, list_id, event, notification, trace_id,
      tags, status, enqueued_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
  archiveRequest: "UPDATE requests SET archived_ms = coalesce(archived_ms, ?) WHERE id = ?",
  archiveMessages: "UPDATE messages SET archived_ms = ? WHERE request_id = ? AND archived_ms IS NULL",
  patch: patchSql("status reason sentMs "),
} as const;
