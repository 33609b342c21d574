-- The spine: what the engine commits and claims, and what the doors show.
-- Times are Unix epoch ms. STRICT: a wrong type is a bug that must be heard at once.

-- Numbers of the store itself. 'journal.last': the newest position when its events may all be trimmed.
CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE requests (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  body TEXT NOT NULL,
  accepted_ms INTEGER NOT NULL,
  lane INTEGER NOT NULL,
  traceparent TEXT,
  archived_ms INTEGER
) STRICT;

-- A cache of what the journal says of each message. Columns that are searched rarely are scanned within a budget.
CREATE TABLE messages (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  request_id TEXT NOT NULL,
  to_index INTEGER NOT NULL,
  recipient TEXT NOT NULL,
  user_id TEXT,
  list_id TEXT,
  event TEXT NOT NULL,
  notification TEXT NOT NULL,
  trace_id TEXT,
  tags TEXT,                       -- JSON array; null when there are none
  status TEXT NOT NULL,
  enqueued_ms INTEGER NOT NULL,
  reason TEXT,
  error TEXT,
  channel TEXT,
  provider TEXT,
  sent_ms INTEGER,
  delivered_ms INTEGER,
  opened_ms INTEGER,
  clicked_ms INTEGER,
  canceled_ms INTEGER,
  archived_ms INTEGER
) STRICT;
-- Each ends, unseen, with `seq`: newest first is a walk backwards.
CREATE INDEX messages_by_time ON messages (enqueued_ms);
CREATE INDEX messages_by_request ON messages (request_id, enqueued_ms);
CREATE INDEX messages_by_recipient ON messages (recipient, enqueued_ms);
CREATE INDEX messages_by_list ON messages (list_id, enqueued_ms) WHERE list_id IS NOT NULL;
CREATE INDEX messages_by_trace ON messages (trace_id, enqueued_ms) WHERE trace_id IS NOT NULL;

-- Living jobs. state: 0 waiting, 1 ready, 2 held. lane: 0 transactional, 1 bulk. Leases of the held are in memory.
CREATE TABLE jobs (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  queue TEXT NOT NULL,
  lane INTEGER NOT NULL,
  turn REAL NOT NULL,
  state INTEGER NOT NULL,
  due_ms REAL NOT NULL,
  payload TEXT NOT NULL,
  traceparent TEXT,
  attempt INTEGER NOT NULL,
  fence INTEGER NOT NULL,
  enqueued_ms INTEGER NOT NULL,
  error TEXT
) STRICT;
-- A job is in exactly one of these three, so a claim never meets a timer.
CREATE INDEX jobs_ready ON jobs (queue, lane, turn, enqueued_ms) WHERE state = 1;
CREATE INDEX jobs_waiting ON jobs (due_ms, queue, lane) WHERE state = 0;
CREATE INDEX jobs_held ON jobs (queue, lane) WHERE state = 2;

CREATE TABLE dead_jobs (
  key TEXT PRIMARY KEY,
  queue TEXT NOT NULL,
  lane INTEGER NOT NULL,
  turn REAL NOT NULL,
  payload TEXT NOT NULL,
  traceparent TEXT,
  attempt INTEGER NOT NULL,
  error TEXT NOT NULL,
  enqueued_ms INTEGER NOT NULL,
  dead_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX dead_jobs_by_queue ON dead_jobs (queue);

-- The journal. Positions are given by the one writer and never used twice. Null saves space: `key` null is the subject,
-- `id` null is 'evt_<position>', `source` null is our own.
CREATE TABLE events (
  position INTEGER PRIMARY KEY,
  type TEXT NOT NULL,
  subject TEXT NOT NULL,
  time_ms INTEGER NOT NULL,
  data TEXT NOT NULL,
  traceparent TEXT,
  key TEXT,
  key_hash INTEGER NOT NULL,
  source TEXT,
  id TEXT
) STRICT;
CREATE INDEX events_by_subject ON events (subject);
CREATE UNIQUE INDEX events_foreign ON events (source, id) WHERE id IS NOT NULL;

CREATE TABLE checkpoints (
  consumer TEXT NOT NULL,
  partition INTEGER NOT NULL,
  position INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL,
  PRIMARY KEY (consumer, partition)
) STRICT, WITHOUT ROWID;

CREATE TABLE documents (
  collection TEXT NOT NULL,
  id TEXT NOT NULL,
  body TEXT NOT NULL,
  version INTEGER NOT NULL,
  created_ms INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL,
  terms TEXT,                      -- JSON array of [name, value]; null when there are none
  PRIMARY KEY (collection, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE document_terms (
  collection TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  id TEXT NOT NULL,
  PRIMARY KEY (collection, name, value, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE once_records (
  key TEXT PRIMARY KEY,
  fingerprint TEXT NOT NULL,
  status INTEGER NOT NULL,
  body TEXT NOT NULL,
  expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX once_records_by_expiry ON once_records (expires_ms);

CREATE TABLE blobs (
  id TEXT PRIMARY KEY,
  bytes INTEGER NOT NULL,
  owner TEXT NOT NULL
) STRICT, WITHOUT ROWID;
