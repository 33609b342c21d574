-- Jobs whose order is kept: those of one queue and group. State 4: behind, because others of the group come first.
ALTER TABLE jobs ADD COLUMN grp TEXT;
ALTER TABLE dead_jobs ADD COLUMN grp TEXT;
-- Of what is lent to somebody outside, which a restart does not end: Unix epoch ms. What is held inside has none.
ALTER TABLE jobs ADD COLUMN lease_until_ms REAL;
-- What a foreign event came with beside what every event has, as JSON.
ALTER TABLE events ADD COLUMN attributes TEXT;

-- Jobs without a group are in neither of these. In front of a group is one job, or those that are held.
CREATE INDEX jobs_front ON jobs (queue, grp) WHERE grp IS NOT NULL AND state < 3;
CREATE INDEX jobs_behind ON jobs (queue, grp, turn, id, lane, enqueued_ms) WHERE state = 4;
-- So that what waits can be counted and trimmed by queue.
CREATE INDEX jobs_waiting_by_queue ON jobs (queue, lane, enqueued_ms) WHERE state = 0;
