-- DICOM callers nobody listed in the settings, for a person to approve (sync/dicom_callers.h).
CREATE TABLE dicom_caller (
  ae_title TEXT NOT NULL,
  address TEXT NOT NULL,
  encrypted INTEGER NOT NULL,  -- it called over TLS; approving that does not let it call without
  state TEXT NOT NULL CHECK (state IN ('waiting', 'approved')),
  called_ae_title TEXT NOT NULL,
  first_at TEXT NOT NULL,
  last_at TEXT NOT NULL,  -- to the minute or so
  PRIMARY KEY (ae_title, address, encrypted)
) WITHOUT ROWID;
CREATE INDEX dicom_caller_waiting ON dicom_caller (last_at) WHERE state = 'waiting';
