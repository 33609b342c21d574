-- Jobs that are held back since a backup was restored: state 3. None as a rule, so the index is empty and costs nothing.
CREATE INDEX jobs_parked ON jobs (queue, lane, key, enqueued_ms, due_ms) WHERE state = 3;
