-- After Postgres was restored (pg_restore, PITR, a promoted copy, a snapshot of a disk), and before any node is started on
-- it: parks whatever is not done yet, because it may have been done since by the house that was backed up. Nothing of it
-- is sent until somebody decides with `tidings held`; see docs/scale.md.
--
--   PGOPTIONS="-c search_path=tidings -c tidings.backup_made=2026-11-22T17:37:32Z" \
--     psql "$TIDINGS_DATABASE_URL" --no-psqlrc --set=ON_ERROR_STOP=1 --single-transaction --file=deploy/postgres/hold-back.sql
--
-- search_path: the schema (TIDINGS_DATABASE_SCHEMA). backup_made: the moment that the copy is of. Running it twice does no
-- harm. server/test/e2e/hold-back.test.ts runs it.

-- Nobody works on it meanwhile: a node that runs already waits here, and what it has in hand is fenced.
LOCK TABLE jobs IN EXCLUSIVE MODE;

UPDATE jobs SET state = 3, lease_until_ms = NULL WHERE state <> 3;

INSERT INTO documents (collection, id, body, version, created_ms, updated_ms)
SELECT 'house', 'restored',
  json_build_object(
    'backupMadeMs', floor(extract(epoch FROM current_setting('tidings.backup_made')::timestamptz) * 1000)::bigint,
    'restoredMs', now_ms,
    'parked', (SELECT count(*) FROM jobs WHERE state = 3))::text,
  1, now_ms, now_ms
FROM (SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms) AS moment
ON CONFLICT (collection, id) DO UPDATE
  SET body = excluded.body, version = documents.version + 1, updated_ms = excluded.updated_ms;
