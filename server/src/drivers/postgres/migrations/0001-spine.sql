-- The spine: what the engine commits and claims, and what the doors show. Runs with its schema as the search path.
-- Times are Unix epoch ms. Whatever is ordered or ranged is COLLATE "C": code point order, the same on every machine.
-- Texts hold no U+0000, which Postgres has not: see text.ts.

-- Numbers of the store itself.
--   'journal.offset': position = transaction id * 16384 + place within the transaction + this (positions.ts).
--   'journal.trimmed': the newest position that was ever trimmed, so that what is last is known when all is gone.
CREATE TABLE meta (
  name text COLLATE "C" PRIMARY KEY,
  value bigint NOT NULL
);

-- Ids sort by time.
CREATE TABLE requests (
  id text COLLATE "C" PRIMARY KEY,
  body text NOT NULL,
  accepted_ms bigint NOT NULL,
  lane smallint NOT NULL,
  traceparent text,
  archived_ms bigint
);

-- A cache of what the journal says of each message. Columns that are searched rarely are scanned within a budget.
-- seq is made as positions are: it rises with the transaction, without a sequence. A page has room for the status to
-- come beside the row that it replaces, so that no index is written then (HOT).
CREATE TABLE messages (
  seq bigint NOT NULL,
  enqueued_ms bigint NOT NULL,
  sent_ms bigint,
  delivered_ms bigint,
  opened_ms bigint,
  clicked_ms bigint,
  canceled_ms bigint,
  archived_ms bigint,
  to_index integer NOT NULL,
  id text COLLATE "C" PRIMARY KEY,
  request_id text COLLATE "C" NOT NULL,
  recipient text COLLATE "C" NOT NULL,
  user_id text COLLATE "C",
  list_id text COLLATE "C",
  event text COLLATE "C" NOT NULL,
  notification text COLLATE "C" NOT NULL,
  trace_id text COLLATE "C",
  tags text,                       -- JSON array; null when there are none
  status text COLLATE "C" NOT NULL,
  reason text COLLATE "C",
  error text,
  channel text COLLATE "C",
  provider text COLLATE "C"
) WITH (fillfactor = 55, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0,
  autovacuum_analyze_scale_factor = 0.05);
-- Newest first is a walk backwards.
CREATE INDEX messages_by_time ON messages (enqueued_ms, seq);
CREATE INDEX messages_by_request ON messages (request_id, enqueued_ms, seq);
CREATE INDEX messages_by_recipient ON messages (recipient, enqueued_ms, seq);
CREATE INDEX messages_by_list ON messages (list_id, enqueued_ms, seq) WHERE list_id IS NOT NULL;
CREATE INDEX messages_by_trace ON messages (trace_id, enqueued_ms, seq) WHERE trace_id IS NOT NULL;

-- Living jobs. state: 0 waiting, 1 ready, 2 held until lease_until_ms, 3 parked. lane: 0 transactional, 1 bulk.
-- id is made as positions are and tells who came first. Rows live for milliseconds: vacuumed early, and without pauses.
CREATE TABLE jobs (
  id bigint NOT NULL,
  turn double precision NOT NULL,
  due_ms double precision NOT NULL,
  lease_until_ms double precision,
  enqueued_ms bigint NOT NULL,
  fence bigint NOT NULL,
  attempt integer NOT NULL,
  step integer NOT NULL DEFAULT 0,
  state smallint NOT NULL,
  lane smallint NOT NULL,
  key text COLLATE "C" PRIMARY KEY,
  queue text COLLATE "C" NOT NULL,
  payload text NOT NULL,
  traceparent text,
  error text
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0.1, autovacuum_analyze_threshold = 1000);
-- A job is in exactly one of these, so a claim never meets a timer.
CREATE INDEX jobs_ready ON jobs (queue, lane, turn, enqueued_ms, id) WHERE state = 1;
CREATE INDEX jobs_waiting ON jobs (due_ms, queue, lane) WHERE state = 0;
CREATE INDEX jobs_held ON jobs (lease_until_ms, queue, lane) WHERE state = 2;
-- None as a rule, so the index is empty and costs nothing.
CREATE INDEX jobs_parked ON jobs (queue, lane, key, enqueued_ms, due_ms) WHERE state = 3;

-- Each claim takes its fence from here, so that fences rise even over a key that is born again. Born in hand has 1.
CREATE SEQUENCE fences AS bigint START 2;

CREATE TABLE dead_jobs (
  key text COLLATE "C" PRIMARY KEY,
  queue text COLLATE "C" NOT NULL,
  lane smallint NOT NULL,
  turn double precision NOT NULL,
  payload text NOT NULL,
  traceparent text,
  attempt integer NOT NULL,
  error text NOT NULL,
  enqueued_ms bigint NOT NULL,
  dead_ms bigint NOT NULL
);
CREATE INDEX dead_jobs_by_queue ON dead_jobs (queue, lane, key);

-- The journal. Null saves space: `key` null is the subject, `id` null is 'evt_<position>', `source` null is our own.
CREATE TABLE events (
  position bigint PRIMARY KEY,
  time_ms bigint NOT NULL,
  key_hash bigint NOT NULL,
  type text COLLATE "C" NOT NULL,
  subject text COLLATE "C" NOT NULL,
  data text NOT NULL,
  traceparent text,
  key text COLLATE "C",
  source text COLLATE "C",
  id text COLLATE "C"
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0,
  autovacuum_vacuum_insert_scale_factor = 0.1, autovacuum_analyze_scale_factor = 0.05);
CREATE INDEX events_by_subject ON events (subject, position);
CREATE UNIQUE INDEX events_foreign ON events (source, id) WHERE id IS NOT NULL;

CREATE TABLE checkpoints (
  consumer text COLLATE "C" NOT NULL,
  partition integer NOT NULL,
  position bigint NOT NULL,
  updated_ms bigint NOT NULL,
  PRIMARY KEY (consumer, partition)
) WITH (fillfactor = 50);

CREATE TABLE documents (
  collection text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  body text NOT NULL,
  version integer NOT NULL,
  created_ms bigint NOT NULL,
  updated_ms bigint NOT NULL,
  terms text,                      -- JSON array of [name, value]; null when there are none
  PRIMARY KEY (collection, id)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);

CREATE TABLE document_terms (
  collection text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  value text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  PRIMARY KEY (collection, name, value, id)
);

CREATE TABLE once_records (
  key text COLLATE "C" PRIMARY KEY,
  fingerprint text NOT NULL,
  status integer NOT NULL,
  body text NOT NULL,
  expires_ms bigint NOT NULL
);
CREATE INDEX once_records_by_expiry ON once_records (expires_ms);

-- Names of what lies in blob_chunks, given by the commit that needs it.
CREATE TABLE blobs (
  id text COLLATE "C" PRIMARY KEY,
  bytes bigint NOT NULL,
  owner text COLLATE "C" NOT NULL
);

-- Bytes, in parts from 0. EXTERNAL: what is attached is compressed already, as a rule.
CREATE TABLE blob_chunks (
  id text COLLATE "C" NOT NULL,
  part integer NOT NULL,
  bytes bytea NOT NULL,
  written_ms bigint NOT NULL,
  PRIMARY KEY (id, part)
);
ALTER TABLE blob_chunks ALTER COLUMN bytes SET STORAGE EXTERNAL;
