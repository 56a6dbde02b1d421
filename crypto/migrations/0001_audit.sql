-- Who did what to which thing, and how it ended: an append-only chain. Each mac covers the row and the mac before it.
CREATE TABLE audit (
  seq      INTEGER PRIMARY KEY,
  at       TEXT NOT NULL,
  actor    TEXT NOT NULL,
  action   TEXT NOT NULL,
  resource TEXT NOT NULL,
  patient  TEXT NOT NULL,
  source   TEXT NOT NULL,
  outcome  TEXT NOT NULL,
  mac      BLOB NOT NULL
) STRICT;
-- Six years of rows are asked for by time, by patient and by actor.
CREATE INDEX audit_by_time ON audit (at);
CREATE INDEX audit_by_actor ON audit (actor, at);
CREATE INDEX audit_by_patient ON audit (patient, at) WHERE patient <> '';

CREATE TRIGGER audit_is_never_edited BEFORE UPDATE ON audit BEGIN
  SELECT RAISE(ABORT, 'audit rows are never edited');
END;

CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit BEGIN
  SELECT RAISE(ABORT, 'audit rows are never deleted');
END;
