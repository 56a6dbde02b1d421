-- What modalities asked to be told is safe before they erase it (DICOM storage commitment).
CREATE TABLE commitment (
  number INTEGER PRIMARY KEY,
  transaction_uid TEXT NOT NULL,
  calling_ae_title TEXT NOT NULL,  -- who asked, and is told
  called_ae_title TEXT NOT NULL,
  peer_address TEXT NOT NULL,
  asked_at TEXT NOT NULL,
  -- 'open': something is yet to be found out; 'decided': to be told; 'told': the modality has taken the report
  state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'decided', 'told')),
  told_at TEXT NOT NULL DEFAULT '',
  UNIQUE (transaction_uid, calling_ae_title)
);
CREATE INDEX commitment_by_state ON commitment (state, number);

CREATE TABLE commitment_item (
  commitment INTEGER NOT NULL REFERENCES commitment (number) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  sop_class_uid TEXT NOT NULL,
  sop_instance_uid TEXT NOT NULL,
  verdict INTEGER,  -- 0: committed; else the failure reason of PS3.3 C.14.1.1; NULL: not known yet
  PRIMARY KEY (commitment, position)
) WITHOUT ROWID;
CREATE INDEX commitment_item_open ON commitment_item (commitment, position) WHERE verdict IS NULL;
