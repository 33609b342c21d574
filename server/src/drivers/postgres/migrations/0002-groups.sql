-- Jobs whose order is kept: those of one queue and group. State 4: behind, because others of the group come first.
ALTER TABLE jobs ADD COLUMN grp text COLLATE "C";
ALTER TABLE dead_jobs ADD COLUMN grp text COLLATE "C";
-- What a foreign event came with beside what every event has, as JSON.
ALTER TABLE events ADD COLUMN attributes text;

-- Jobs without a group are in neither of these.
CREATE INDEX jobs_front ON jobs (queue, grp, turn, id) WHERE grp IS NOT NULL AND state < 3;
CREATE INDEX jobs_behind ON jobs (queue, grp, turn, id) WHERE state = 4;
-- So that what waits can be counted and trimmed by queue.
CREATE INDEX jobs_waiting_by_queue ON jobs (queue, lane, enqueued_ms) WHERE state = 0;

-- Sees to it, at the end of each statement that moved a job of a group, that the first of the group is in front if none is
-- held, and all others behind. Whoever does this has the group's lock to the end of the transaction: two never decide at
-- once, and each sees what the one before has done. A claim needs no lock. It takes what is in front, whose row says who
-- was first: whoever is about to put that one behind waits for the claim, and looks again whether one is held. What is made
-- ready because it is due stays the first, so neither comes here.
-- Times are those of whoever writes (tidings.now_ms); without one, the server's.
CREATE FUNCTION regroup_job() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  moved jobs%ROWTYPE;
  foremost record;
  now_ms double precision;
BEGIN
  IF current_setting('tidings.regroup', true) = 'off' THEN RETURN NULL; END IF;
  IF TG_OP = 'DELETE' THEN moved := OLD; ELSE moved := NEW; END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended(moved.queue || chr(1) || moved.grp, TG_RELID::bigint));
  SELECT key, state, due_ms INTO foremost FROM (
    (SELECT key, state, due_ms, turn, id FROM jobs
      WHERE queue = moved.queue AND grp = moved.grp AND grp IS NOT NULL AND state < 3
      ORDER BY (state = 2) DESC, turn, id LIMIT 1)
    UNION ALL
    (SELECT key, state, due_ms, turn, id FROM jobs
      WHERE queue = moved.queue AND grp = moved.grp AND state = 4 ORDER BY turn, id LIMIT 1)) AS candidates
    ORDER BY (state = 2) DESC, turn, id LIMIT 1;
  UPDATE jobs SET state = 4
    WHERE queue = moved.queue AND grp = moved.grp AND grp IS NOT NULL AND state < 2 AND key IS DISTINCT FROM foremost.key;
  IF foremost.state = 4 THEN
    now_ms := coalesce(nullif(current_setting('tidings.now_ms', true), '')::double precision,
      extract(epoch FROM clock_timestamp()) * 1000);
    UPDATE jobs SET state = CASE WHEN due_ms <= now_ms THEN 1 ELSE 0 END
      WHERE key = foremost.key AND NOT EXISTS (
        SELECT FROM jobs held WHERE held.queue = moved.queue AND held.grp = moved.grp AND held.grp IS NOT NULL
          AND held.state < 3 AND held.state + 0 = 2);
  END IF;
  RETURN NULL;
END
$$;

CREATE TRIGGER jobs_regroup_born AFTER INSERT ON jobs FOR EACH ROW
  WHEN (NEW.grp IS NOT NULL AND NEW.state <> 3) EXECUTE FUNCTION regroup_job();
CREATE TRIGGER jobs_regroup_gone AFTER DELETE ON jobs FOR EACH ROW
  WHEN (OLD.grp IS NOT NULL AND OLD.state < 3) EXECUTE FUNCTION regroup_job();
-- What the function itself changes is deeper than 0.
CREATE TRIGGER jobs_regroup_moved AFTER UPDATE ON jobs FOR EACH ROW
  WHEN (NEW.grp IS NOT NULL AND OLD.state <> NEW.state AND NEW.state <> 2 AND NOT (OLD.state = 0 AND NEW.state = 1)
    AND NOT (OLD.state = 4 AND NEW.state = 3) AND pg_trigger_depth() = 0) EXECUTE FUNCTION regroup_job();
