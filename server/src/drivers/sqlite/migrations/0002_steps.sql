-- The last step by which a held job was kept: who repeats it, because its answer was lost, does not do it twice.
ALTER TABLE jobs ADD COLUMN step INTEGER NOT NULL DEFAULT 0;
