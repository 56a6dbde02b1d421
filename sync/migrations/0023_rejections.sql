-- Images withdrawn by IHE IOCM rejection notes (sync/rejection.h).
-- 1: withdrawn, 2: a note. Neither is shown; what is withdrawn goes nowhere either.
ALTER TABLE dicom_instance ADD COLUMN rejection INTEGER NOT NULL DEFAULT 0;

-- What the notes name, whether it is here already or comes later.
CREATE TABLE rejected_instance (
  study_uid TEXT NOT NULL,
  sop_instance_uid TEXT NOT NULL,
  reason TEXT NOT NULL,    -- code of DCM: 113001, 113037, 113038, 113039
  note_uid TEXT NOT NULL,  -- SOP Instance UID of the first note that names it
  rejected_at TEXT NOT NULL,
  PRIMARY KEY (study_uid, sop_instance_uid)
) WITHOUT ROWID;
