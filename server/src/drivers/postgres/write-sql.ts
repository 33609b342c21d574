import type { Statements } from "#drivers/postgres/connection.ts";
import { HELD_BY_KEY } from "#drivers/postgres/job-sql.ts";
import { numbersSql } from "#drivers/postgres/positions.ts";

export type WriteStatements = Statements<ReturnType<typeof writeSql>>;

/**
 * The statements of a commit, each for all rows of a kind: columns come as arrays. Where a statement must touch all of its
 * rows, it divides by zero if it has not (22012), which ends the transaction: so COMMIT can be sent behind it without
 * waiting for its answer.
 */
export function writeSql(schema: string) {
  const number = numbersSql(schema);
  const table = (name: string): string => `${schema}.${name}`;
  const ended = "FROM unnest($1::text[], $2::bigint[]";
  const held = `j.key = e.key AND j.fence = e.fence AND ${HELD_BY_KEY}`;
  const all = "SELECT 1 / (count(*) = $3::bigint)::int FROM hit";
  const job = "key, queue, lane, turn, state, due_ms, lease_until_ms, payload, traceparent";
  const newJob = `${job}, grp`;
  const newJobs = `INSERT INTO ${table("jobs")} (id, ${newJob}, attempt, fence, enqueued_ms)
    SELECT ${number} + place, ${newJob}, (state = 2)::int, (state = 2)::int, $11::bigint
    FROM unnest($1::text[], $2::text[], $3::bigint[], $4::float8[], $5::bigint[], $6::float8[], $7::float8[],
      $8::text[], $9::text[], $10::text[], $12::bigint[]) AS t(${newJob}, place)`;
  const wholeJob = `${job}, attempt, fence, step, enqueued_ms, error, grp`;
  const wholeJobs = `unnest($1::text[], $2::text[], $3::bigint[], $4::float8[], $5::bigint[], $6::float8[], $7::float8[],
    $8::text[], $9::text[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::text[],
    $15::text[], $16::bigint[])`;
  const requests = `INSERT INTO ${table("requests")} (id, body, accepted_ms, lane, traceparent, archived_ms)
    SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[])`;
  const event = "type, subject, time_ms, data, traceparent, key, key_hash, attributes, source";
  const events = `INSERT INTO ${table("events")} (position, ${event}`;
  const eventArrays = `$1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[],
    $8::bigint[], $9::text[], $10::text[]`;
  const message = `id, request_id, to_index, recipient, user_id, list_id, event, notification, trace_id, tags, status,
    enqueued_ms`;
  const document = "collection, id, body, version, created_ms, updated_ms, terms";
  const documents = `unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[])`;
  return {
    done: `WITH hit AS (DELETE FROM ${table("jobs")} j USING unnest($1::text[], $2::bigint[]) AS e(key, fence)
      WHERE ${held} RETURNING 1) ${all}`,
    keep: `WITH hit AS (UPDATE ${table("jobs")} j SET payload = coalesce(e.payload, j.payload), attempt = 1, step = e.step
      ${ended}, $4::text[], $5::bigint[]) AS e(key, fence, payload, step) WHERE ${held} AND j.step < e.step
      RETURNING 1) ${all}`,
    again: `WITH hit AS (UPDATE ${table("jobs")} j SET state = e.state, due_ms = e.due_ms, turn = e.turn,
        payload = e.payload, error = e.error, attempt = j.attempt * e.counts, lease_until_ms = NULL
      ${ended}, $4::bigint[], $5::float8[], $6::float8[], $7::text[], $8::text[], $9::bigint[])
        AS e(key, fence, state, due_ms, turn, payload, error, counts) WHERE ${held} RETURNING 1) ${all}`,
    removeJobs: `DELETE FROM ${table("jobs")} WHERE key = ANY($1::text[])`,
    changeJobs: `UPDATE ${table("jobs")} j SET turn = t.turn, state = t.state, due_ms = t.due_ms,
        lease_until_ms = t.lease_until_ms, payload = t.payload, attempt = t.attempt, step = t.step, error = t.error
      FROM ${wholeJobs} AS t(${wholeJob}, place) WHERE j.key = t.key`,
    putJobs: `INSERT INTO ${table("jobs")} (id, ${wholeJob}) SELECT ${number} + place, ${wholeJob}
      FROM ${wholeJobs} AS t(${wholeJob}, place)`,
    bornJobs: newJobs,
    looseJobs: `${newJobs} ON CONFLICT (key) DO NOTHING RETURNING key`,
    discard: `DELETE FROM ${table("dead_jobs")} WHERE key = ANY($1::text[])`,
    bury: `INSERT INTO ${table("dead_jobs")}
        (key, queue, lane, turn, payload, traceparent, attempt, error, enqueued_ms, dead_ms, grp)
      SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::float8[], $5::text[], $6::text[], $7::bigint[],
        $8::text[], $9::bigint[], $10::bigint[], $11::text[])
      ON CONFLICT (key) DO UPDATE SET queue = excluded.queue, lane = excluded.lane, turn = excluded.turn,
        payload = excluded.payload, traceparent = excluded.traceparent, attempt = excluded.attempt,
        error = excluded.error, enqueued_ms = excluded.enqueued_ms, dead_ms = excluded.dead_ms,
        grp = excluded.grp`,
    requests,
    repeatRequests: `${requests} ON CONFLICT (id) DO NOTHING`,
    messages: `INSERT INTO ${table("messages")} (seq, ${message}) SELECT ${number} + $13::bigint + n, ${message}
      FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
        $9::text[], $10::text[], $11::text[], $12::bigint[]) WITH ORDINALITY AS t(${message}, n)`,
    archiveRequest: `UPDATE ${table("requests")} SET archived_ms = coalesce(archived_ms, $2) WHERE id = $1`,
    archiveMessages: `UPDATE ${table("messages")} SET archived_ms = $2 WHERE request_id = $1 AND archived_ms IS NULL`,
    documents: `INSERT INTO ${table("documents")} (${document}) SELECT * FROM ${documents}`,
    changeDocuments: `UPDATE ${table("documents")} d SET body = t.body, version = t.version, created_ms = t.created_ms,
        updated_ms = t.updated_ms, terms = t.terms
      FROM ${documents} AS t(${document}) WHERE d.collection = t.collection AND d.id = t.id`,
    dropDocuments: `DELETE FROM ${table("documents")} d USING unnest($1::text[], $2::text[]) AS t(collection, id)
      WHERE d.collection = t.collection AND d.id = t.id`,
    terms: `INSERT INTO ${table("document_terms")} (collection, name, value, id)
      SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) ON CONFLICT DO NOTHING`,
    dropTerms: `DELETE FROM ${table("document_terms")} d
      USING unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS t(collection, name, value, id)
      WHERE d.collection = t.collection AND d.name = t.name AND d.value = t.value AND d.id = t.id`,
    /** What has expired is replaced. */
    once: `WITH hit AS (INSERT INTO ${table("once_records")} AS o (key, fingerprint, status, body, expires_ms)
        SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bigint[])
        ON CONFLICT (key) DO UPDATE SET fingerprint = excluded.fingerprint, status = excluded.status,
          body = excluded.body, expires_ms = excluded.expires_ms WHERE o.expires_ms <= $6::float8 RETURNING 1)
      SELECT 1 / (count(*) = $7::bigint)::int FROM hit`,
    checkpoints: `INSERT INTO ${table("checkpoints")} (consumer, partition, position, updated_ms)
      SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[])
      ON CONFLICT (consumer, partition) DO UPDATE SET position = excluded.position, updated_ms = excluded.updated_ms`,
    unnamed: `DELETE FROM ${table("blobs")} WHERE id = ANY($1::text[])`,
    blobs: `INSERT INTO ${table("blobs")} (id, bytes, owner) SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[])
      ON CONFLICT (id) DO NOTHING`,
    events: `${events}) SELECT ${number} + place, ${event} FROM unnest(${eventArrays}) AS t(place, ${event})`,
    foreignEvents: `${events}, id) SELECT ${number} + place, ${event}, id
      FROM unnest(${eventArrays}, $11::text[]) AS t(place, ${event}, id)
      ON CONFLICT (source, id) WHERE id IS NOT NULL DO NOTHING`,
  } as const;
}
