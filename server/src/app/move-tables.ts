/**
 * What is copied when an installation moves, column by column. Both stores call tables and columns alike; what one of
 * them has for itself alone (`requests.seq`) is not among these. A test compares this with both
 * schemas, so that a new column cannot be forgotten.
 */

export type Value = string | number | null | Uint8Array;
/** Values in the order of the table's columns. */
export type Row = readonly Value[];
/** Of the row up to which something was done, in the order of the table's `key`. */
export type Key = readonly Value[];

/** How a column's values travel and are compared. */
export type Kind = "text" | "whole" | "double" | "bytes";
export type Column = { readonly name: string; readonly kind: Kind };

export type MovedTable = {
  readonly name: string;
  /** Orders the rows the same way in both stores, by an index of each. */
  readonly key: readonly string[];
  readonly columns: readonly Column[];
};

/** Rows behind one key and up to another. */
export type Page = {
  readonly rows: readonly Row[];
  /** Of its last row. */
  readonly upTo: Key;
};

/** Bytes of what `blobs` names: files there, rows here. */
export const BLOB_BYTES: MovedTable = moved("blob_chunks", ["id"], {
  id: "text",
  part: "whole",
  bytes: "bytes",
  written_ms: "whole",
});

/**
 * In the order in which they are copied. Documents first: the secrets of the house are among them, so whoever works in
 * the target by mistake is in our way at once. Jobs last.
 */
export const MOVED_TABLES: readonly MovedTable[] = [
  moved("documents", ["collection", "id"], {
    collection: "text",
    id: "text",
    body: "text",
    version: "whole",
    created_ms: "whole",
    updated_ms: "whole",
    terms: "text",
  }),
  moved("document_terms", ["collection", "name", "value", "id"], {
    collection: "text",
    name: "text",
    value: "text",
    id: "text",
  }),
  moved("once_records", ["key"], {
    key: "text",
    fingerprint: "text",
    status: "whole",
    body: "text",
    expires_ms: "whole",
  }),
  moved("requests", ["id"], {
    id: "text",
    body: "text",
    accepted_ms: "whole",
    lane: "whole",
    traceparent: "text",
    archived_ms: "whole",
  }),
  moved("messages", ["id"], {
    seq: "whole",
    enqueued_ms: "whole",
    sent_ms: "whole",
    delivered_ms: "whole",
    opened_ms: "whole",
    clicked_ms: "whole",
    canceled_ms: "whole",
    archived_ms: "whole",
    to_index: "whole",
    id: "text",
    request_id: "text",
    recipient: "text",
    user_id: "text",
    list_id: "text",
    event: "text",
    notification: "text",
    trace_id: "text",
    tags: "text",
    status: "text",
    reason: "text",
    error: "text",
    channel: "text",
    provider: "text",
  }),
  moved("events", ["position"], {
    position: "whole",
    time_ms: "whole",
    key_hash: "whole",
    type: "text",
    subject: "text",
    data: "text",
    traceparent: "text",
    key: "text",
    source: "text",
    id: "text",
    attributes: "text",
  }),
  moved("checkpoints", ["consumer", "partition"], {
    consumer: "text",
    partition: "whole",
    position: "whole",
    updated_ms: "whole",
  }),
  moved("blobs", ["id"], { id: "text", bytes: "whole", owner: "text" }),
  BLOB_BYTES,
  moved("dead_jobs", ["key"], {
    key: "text",
    queue: "text",
    lane: "whole",
    turn: "double",
    payload: "text",
    traceparent: "text",
    attempt: "whole",
    error: "text",
    enqueued_ms: "whole",
    dead_ms: "whole",
    grp: "text",
  }),
  moved("jobs", ["key"], {
    id: "whole",
    turn: "double",
    due_ms: "double",
    lease_until_ms: "double",
    enqueued_ms: "whole",
    fence: "whole",
    attempt: "whole",
    step: "whole",
    state: "whole",
    lane: "whole",
    key: "text",
    queue: "text",
    payload: "text",
    traceparent: "text",
    error: "text",
    grp: "text",
  }),
];

/** The key of a row. */
export function keyOf(table: MovedTable, row: Row): Key {
  return table.key.map((name) => row[table.columns.findIndex((column) => column.name === name)] ?? null);
}

function moved(name: string, key: readonly string[], columns: Readonly<Record<string, Kind>>): MovedTable {
  return { name, key, columns: Object.entries(columns).map(([column, kind]) => ({ name: column, kind })) };
}
