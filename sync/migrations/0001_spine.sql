-- The replica: FHIR resources as the clinic sees them, every local version kept.
CREATE TABLE resource (
  type TEXT NOT NULL,
  id TEXT NOT NULL,
  version INTEGER NOT NULL,
  deleted INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (type, id)
) WITHOUT ROWID;

-- Bodies lie in the order they came, so that a new one goes where the last one went; in the tree of the keys most of them would
-- take a page of their own.
CREATE TABLE resource_version (
  type TEXT NOT NULL,
  id TEXT NOT NULL,
  version INTEGER NOT NULL,
  origin TEXT NOT NULL,  -- 'clinic', else the uplink it came from
  at TEXT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (type, id, version)
);

-- The last version both sides agreed on, per uplink: what If-Match names and a three-way merge starts from.
CREATE TABLE resource_base (
  uplink TEXT NOT NULL,
  type TEXT NOT NULL,
  id TEXT NOT NULL,
  remote_version TEXT NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (uplink, type, id)
) WITHOUT ROWID;

-- A version's rows follow from its text alone: they are removed by their whole keys.
CREATE TABLE resource_identifier (
  type TEXT NOT NULL,
  system TEXT NOT NULL,
  value TEXT NOT NULL,
  id TEXT NOT NULL,
  PRIMARY KEY (type, system, value, id)
) WITHOUT ROWID;

-- Pulled resources that cannot be applied yet: a referenced resource is missing.
CREATE TABLE inbox (
  uplink TEXT NOT NULL,
  type TEXT NOT NULL,
  id TEXT NOT NULL,
  remote_version TEXT NOT NULL,
  needs TEXT NOT NULL,  -- Type/id it waits for
  reason TEXT NOT NULL,
  at TEXT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (uplink, type, id)  -- the newest version seen replaces an older one
) WITHOUT ROWID;

-- What clinic and hospital both changed: the three versions and what became of each group of elements. Open: a person has yet to
-- decide something. Kept afterwards, so that what did not win can be taken back.
CREATE TABLE review (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  uplink TEXT NOT NULL,
  type TEXT NOT NULL,
  id TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('open', 'merged', 'decided')),
  at TEXT NOT NULL,
  policy TEXT NOT NULL,
  base_version INTEGER NOT NULL,  -- local versions; 0: nothing was agreed on
  ours_version INTEGER NOT NULL,
  theirs_version INTEGER NOT NULL,
  shown_version INTEGER NOT NULL,
  decisions TEXT NOT NULL,  -- JSON, see sync/review.h
  decided_by TEXT NOT NULL DEFAULT '',
  decided_at TEXT NOT NULL DEFAULT ''
);
CREATE INDEX review_open ON review (number) WHERE state = 'open';
CREATE INDEX review_of ON review (type, id);

CREATE TABLE pull_cursor (
  uplink TEXT NOT NULL,
  query TEXT NOT NULL,
  since TEXT NOT NULL,  -- FHIR instant
  PRIMARY KEY (uplink, query)
) WITHOUT ROWID;

-- Imaging: what is held of each study. Bulk bytes are sealed objects named by object_id.
CREATE TABLE dicom_study (
  study_uid TEXT PRIMARY KEY,
  imaging_study_id TEXT NOT NULL UNIQUE,
  identity TEXT NOT NULL CHECK (identity IN ('linked', 'provisional', 'unassigned', 'disputed')),
  identity_reason TEXT NOT NULL DEFAULT '',
  patient TEXT NOT NULL DEFAULT '',          -- id of the Patient it is linked to
  service_request TEXT NOT NULL DEFAULT '',  -- id of the order it answers
  patient_id TEXT NOT NULL,
  patient_name TEXT NOT NULL,
  birth_date TEXT NOT NULL,
  sex TEXT NOT NULL,
  accession_number TEXT NOT NULL,
  study_id TEXT NOT NULL,
  study_date TEXT NOT NULL,
  study_time TEXT NOT NULL,
  description TEXT NOT NULL,
  referring_physician TEXT NOT NULL,
  received_at TEXT NOT NULL,  -- of its first instance
  pinned INTEGER NOT NULL DEFAULT 0,     -- a person wants its bytes to stay
  evicted_at TEXT NOT NULL DEFAULT ''    -- when the last of its bytes went; empty: some are held
) WITHOUT ROWID;
-- Studies whose bytes may go, as retention walks over them.
CREATE INDEX dicom_study_evictable ON dicom_study (received_at, study_uid)
  WHERE evicted_at = '' AND pinned = 0 AND identity IN ('linked', 'provisional');

CREATE TABLE dicom_series (
  study_uid TEXT NOT NULL REFERENCES dicom_study (study_uid),
  series_uid TEXT NOT NULL,
  modality TEXT NOT NULL,
  number TEXT NOT NULL,
  description TEXT NOT NULL,
  body_part TEXT NOT NULL,
  series_date TEXT NOT NULL,
  series_time TEXT NOT NULL,
  PRIMARY KEY (study_uid, series_uid)
) WITHOUT ROWID;

CREATE TABLE dicom_instance (
  row INTEGER PRIMARY KEY,
  sop_instance_uid TEXT NOT NULL,
  copy INTEGER NOT NULL,  -- 0 the first; more: other bytes under the same UID, flagged
  study_uid TEXT NOT NULL REFERENCES dicom_study (study_uid),
  series_uid TEXT NOT NULL,
  sop_class_uid TEXT NOT NULL,
  transfer_syntax_uid TEXT NOT NULL,
  instance_number TEXT NOT NULL,
  number_of_frames TEXT NOT NULL,
  object_id TEXT NOT NULL,
  size INTEGER NOT NULL,
  data_set_offset INTEGER NOT NULL,
  calling_ae_title TEXT NOT NULL,
  received_at TEXT NOT NULL,
  -- 'evicted': the bytes went by retention, the row stays. 'damaged': they fail their authentication.
  state TEXT NOT NULL DEFAULT 'held' CHECK (state IN ('held', 'evicted', 'damaged')),
  digest TEXT NOT NULL DEFAULT '',  -- SHA-256 of the data set in hex, once it was computed; always there when evicted
  UNIQUE (sop_instance_uid, copy)
);
CREATE UNIQUE INDEX dicom_instance_by_object ON dicom_instance (object_id);
CREATE INDEX dicom_instance_by_study ON dicom_instance (study_uid, series_uid);

-- Objects nobody wants any more: shredded, then taken from this list. A crash in between leaves them to be shredded again.
CREATE TABLE object_doomed (
  object_id TEXT PRIMARY KEY
) WITHOUT ROWID;

-- What was shredded since the epoch keys were last retired: one row, or none.
CREATE TABLE shredded (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  since TEXT NOT NULL,
  objects INTEGER NOT NULL,
  covered INTEGER NOT NULL DEFAULT 0,     -- of these, as of the beginning of a retirement
  last_epoch INTEGER NOT NULL DEFAULT 0   -- of these: gone for good when it and all before it are
);

-- Instances whose object the scrub found damaged and could not replace yet.
CREATE TABLE object_damage (
  instance INTEGER PRIMARY KEY REFERENCES dicom_instance (row) ON DELETE CASCADE,
  what TEXT NOT NULL,
  found_at TEXT NOT NULL,
  fetched TEXT NOT NULL DEFAULT ''  -- why it could not be fetched again
);

-- Where the scrub stands: one row.
CREATE TABLE scrub (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  started_at TEXT NOT NULL,
  after_row INTEGER NOT NULL,   -- instances up to this one have been looked at
  objects INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  damaged INTEGER NOT NULL,
  repaired INTEGER NOT NULL,
  finished_at TEXT NOT NULL,           -- of the last whole round; empty: none yet
  database_checked_at TEXT NOT NULL,
  database_damage TEXT NOT NULL        -- what the last check found; empty: nothing
);

-- Who has confirmed an instance, and how: 'stored' (the peer's own answer to our request), 'present' (found there after a lost
-- answer), 'verified' (read back, its data set has our digest). Read back and not so: 'differs', 'missing'.
CREATE TABLE dicom_delivery (
  instance INTEGER NOT NULL REFERENCES dicom_instance (row) ON DELETE CASCADE,
  uplink TEXT NOT NULL,
  proof TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (instance, uplink)
) WITHOUT ROWID;

-- Work still to be delivered. A row ends by being deleted in the transaction that records its delivery.
CREATE TABLE outbox (
  number INTEGER PRIMARY KEY,
  uplink TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('instance', 'resource')),
  subject TEXT NOT NULL,  -- dicom_instance.row, or Type/id
  bytes INTEGER NOT NULL DEFAULT 0,
  state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sending', 'parked')),
  perhaps_sent INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  needs INTEGER,  -- outbox number that must be gone first
  queued_at TEXT NOT NULL,
  reason TEXT NOT NULL DEFAULT ''
);
CREATE INDEX outbox_by_state ON outbox (uplink, state, number);
-- Instances, which are queued once and in great number, are in neither of these.
CREATE INDEX outbox_resource ON outbox (subject, uplink, state) WHERE kind = 'resource';
CREATE INDEX outbox_needs ON outbox (needs) WHERE needs IS NOT NULL;

CREATE TABLE uplink_success (
  uplink TEXT PRIMARY KEY,
  at TEXT NOT NULL
) WITHOUT ROWID;

-- Modality worklist steps, made from orders. UIDs and accession numbers never change once given.
CREATE TABLE worklist_step (
  service_request TEXT PRIMARY KEY,
  step_id TEXT NOT NULL,
  study_uid TEXT NOT NULL UNIQUE,
  accession_number TEXT NOT NULL,
  open INTEGER NOT NULL,
  patient TEXT NOT NULL,  -- id of the Patient resource
  patient_id TEXT NOT NULL,
  start_date TEXT NOT NULL,
  start_time TEXT NOT NULL,
  modality TEXT NOT NULL,
  station_ae_title TEXT NOT NULL,
  body TEXT NOT NULL  -- the other fields as JSON
) WITHOUT ROWID;
CREATE INDEX worklist_step_by_start ON worklist_step (open, start_date, start_time);
CREATE INDEX worklist_step_by_patient ON worklist_step (patient);
CREATE INDEX worklist_step_by_patient_id ON worklist_step (open, patient_id);
CREATE INDEX worklist_step_by_accession ON worklist_step (accession_number);

CREATE TABLE counter (
  name TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) WITHOUT ROWID;
