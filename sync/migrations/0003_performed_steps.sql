-- What modalities say they do and did (DICOM MPPS), and where the orders' steps stand by it.
CREATE TABLE performed_step (
  sop_instance_uid TEXT PRIMARY KEY,
  state TEXT NOT NULL CHECK (state IN ('IN PROGRESS', 'COMPLETED', 'DISCONTINUED')),
  study_uid TEXT NOT NULL,     -- of the first step it names; empty: it names none
  procedure_id TEXT NOT NULL,  -- of the FHIR Procedure made of it
  wrong_entry INTEGER NOT NULL DEFAULT 0,  -- discontinued because the wrong worklist entry was chosen: its images are held
  calling_ae_title TEXT NOT NULL,
  created_at TEXT NOT NULL,
  changed_at TEXT NOT NULL,
  remarks TEXT NOT NULL DEFAULT '',  -- what the modality left out or did otherwise than the standard says
  body TEXT NOT NULL                 -- JSON, see sync/performed_step.h
) WITHOUT ROWID;
CREATE INDEX performed_step_by_study ON performed_step (study_uid);

-- The messages as they came, in order.
CREATE TABLE performed_step_message (
  number INTEGER PRIMARY KEY,
  step TEXT NOT NULL REFERENCES performed_step (sop_instance_uid) ON DELETE CASCADE,
  kind TEXT NOT NULL CHECK (kind IN ('create', 'set')),
  transfer_syntax_uid TEXT NOT NULL,
  at TEXT NOT NULL,
  data_set BLOB NOT NULL
);
CREATE INDEX performed_step_message_of ON performed_step_message (step, number);

-- Steps and orders are many to many.
CREATE TABLE performed_step_order (
  step TEXT NOT NULL REFERENCES performed_step (sop_instance_uid) ON DELETE CASCADE,
  service_request TEXT NOT NULL,
  PRIMARY KEY (step, service_request)
) WITHOUT ROWID;
CREATE INDEX performed_step_order_by_order ON performed_step_order (service_request);

-- SCHEDULED, STARTED or COMPLETED. No CHECK: SQLite then reads the whole table, and calls a read that fails there a mistake in the SQL.
ALTER TABLE worklist_step ADD COLUMN status TEXT NOT NULL DEFAULT 'SCHEDULED';
