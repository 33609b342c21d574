/**
 * How rows are numbered without a sequence or a hot row: by the id of the transaction that writes them, and the place
 * within it. `events.position`, `messages.seq` and `jobs.id` are made so.
 *
 *     number = transaction id * TRANSACTION_ROWS_MAX + place + 'journal.offset' of `meta`
 *
 * The offset lets the first installation begin near 0, and lets numbers go on rising when a dump is loaded into a
 * cluster whose transaction ids are lower (`migrate.ts`). Numbers stay exact in JavaScript for the first 2^39
 * transactions of a cluster behind it: at a thousand a second, 17 years of nothing else.
 */

/** Rows of one kind that one transaction can number: ten times the largest commit that the engine makes. */
export const TRANSACTION_ROWS_MAX = 16_384;

/** SQL, for a statement's inner query: the number before the first of this transaction's rows. Gives it an id. */
export function numbersSql(schema: string): string {
  return `(SELECT pg_current_xact_id()::text::bigint * ${TRANSACTION_ROWS_MAX} + (${offsetSql(schema)}))`;
}

/**
 * SQL, for a statement's inner query: every number below this belongs to a transaction that has ended, in the snapshot
 * of the statement itself: nothing can appear below it later.
 */
export function horizonSql(schema: string): string {
  return `(SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint * ${TRANSACTION_ROWS_MAX} + (${offsetSql(schema)}))`;
}

function offsetSql(schema: string): string {
  return `SELECT value FROM ${schema}.meta WHERE name = 'journal.offset'`;
}
